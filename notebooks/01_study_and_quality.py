# %% [markdown]
# # A study and its quality
#
# **What one learns:** what the workstation knows of a study before it measures anything. Noise, contrast and motion decide which tasks an image is good for,
# and a task that it is not good for is refused with a reason instead of answered with a number.

# %%
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from shared_case import shared_case

case = shared_case()
found = case.findings()
volume = case.read_volume("image")
print(f"{volume.array.shape} voxels of {np.round(volume.spacing_mm, 2)} mm, series chosen because {found.acquisition.chosen_because}")

# %% [markdown]
# Three planes through the middle of the labelled heart, in the window that cardiologists read coronary arteries in (centre 300, width 900 HU).

# %%
labels = case.read_volume("heart").array
i, j, k = (int(np.median(one)) for one in np.nonzero(labels == 1))
hu, step = volume.array, volume.spacing_mm
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained", facecolor="black")
planes = ((hu[:, :, k].T, step[1] / step[0]), (hu[:, j, ::-1].T, step[2] / step[0]), (hu[i, :, ::-1].T, step[2] / step[1]))
for axis, (plane, aspect), name in zip(axes, planes, ("axial", "coronal", "sagittal"), strict=True):
    axis.imshow(plane, cmap="gray", vmin=-150, vmax=750, aspect=aspect)
    axis.set_title(name, color="white")
    axis.axis("off")

# %% [markdown]
# Noise against contrast. SCCT asks for more than 250 HU in the aorta; below a contrast-to-noise ratio of about 10 small vessels are lost.

# %%
quality = found.quality
tissues = {"fat": quality.fat_hu, "aorta": quality.aorta_hu}
figure, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
x = np.linspace(-250, 700, 600)
for (name, mean_hu), color in zip(tissues.items(), ("#b7791f", "#c4161c"), strict=True):
    if isinstance(mean_hu, float):
        axis.fill_between(x, np.exp(-0.5 * ((x - mean_hu) / quality.noise_hu) ** 2), color=color, alpha=0.5, lw=0)
        axis.annotate(f"{name}\n{mean_hu:.0f} HU", (mean_hu, 1.02), ha="center", va="bottom")
axis.set(xlabel="HU", yticks=[], ylim=(0, 1.35), title=f"noise {quality.noise_hu:.0f} HU, contrast-to-noise {quality.cnr:.1f}")
axis.spines[["left", "top", "right"]].set_visible(False)

# %% [markdown]
# The verdict per task, and the score of each segment (5 excellent, 1 non-diagnostic).

# %%
for task, verdict in found.task_verdicts.items():
    print(f"{task:<10} {verdict}")
scores = {int(segment): score for segment, score in quality.segments.items()}
figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
for segment in sorted(scores):
    axis.bar(str(segment), scores[segment], color="#2f86b8" if scores[segment] >= 3 else "#c4161c")
axis.set(xlabel="SCCT segment", ylabel="image quality", ylim=(0, 5.2))
axis.spines[["top", "right"]].set_visible(False)
assert found.task_verdicts["anatomy"] == "good"
