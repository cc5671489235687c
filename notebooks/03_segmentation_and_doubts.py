# %% [markdown]
# # Segmentation and its doubts
#
# **What one learns:** what was taken for heart and artery, where the coronary network doubts it, and that the doubt lies where one would look anyway: at
# rims, in thin ends, beside calcium.

# %%
from itertools import pairwise

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from scipy.ndimage import distance_transform_edt
from shared_case import shared_case

case = shared_case()
volume, heart, coronary = (case.read_volume(name) for name in ("image", "heart", "coronary"))

# %% [markdown]
# Chambers, myocardium and great vessels on the slice with most left ventricle.

# %%
k = int(np.argmax((heart.array == 1).sum(axis=(0, 1))))
colors = ListedColormap(["#c4161c", "#f4a582", "#2f86b8", "#d6604d", "#92c5de", "#8c1d40", "#5e3c99", "#fdd99b"])
figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained", facecolor="black")
for axis in axes:
    axis.imshow(volume.array[:, :, k].T, cmap="gray", vmin=-150, vmax=750)
    axis.axis("off")
axes[1].imshow(np.ma.masked_equal(heart.array[:, :, k].T, 0), cmap=colors, vmin=0.5, vmax=8.5, alpha=0.55, interpolation="nearest")

# %% [markdown]
# The arteries as a projection through the whole heart, and the network's doubt: its largest value on each line of sight. Bright is doubtful, dark is sure.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained", facecolor="black")
axes[0].imshow(coronary.array.max(axis=1).T[::-1], cmap=ListedColormap(["black", "#e8b04a", "white"]), aspect=volume.spacing_mm[2] / volume.spacing_mm[0])
axes[0].set_title("lumen (gold) and calcium (white)", color="white")
doubt = case.read_volume("artery_uncertainty").array.astype(float)
inside = np.where(coronary.array > 0, doubt, 0.0)
axes[1].imshow(inside.max(axis=1).T[::-1], cmap="inferno", aspect=volume.spacing_mm[2] / volume.spacing_mm[0])
axes[1].set_title("largest doubt along the line of sight", color="white")
for axis in axes:
    axis.axis("off")

# %% [markdown]
# Doubt over depth: at the rim of the lumen it is largest.

# %%
depth_mm = distance_transform_edt(coronary.array > 0, sampling=volume.spacing_mm)
edges_mm = np.array([0.0, 0.5, 0.7, 0.9, 1.2, 1.6, 3.0])
means = [doubt[(depth_mm > a) & (depth_mm <= b)].mean() for a, b in pairwise(edges_mm)]
figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
axis.bar([f"{a:.1f}-{b:.1f}" for a, b in pairwise(edges_mm)], means, color="#e8783a")
axis.set(xlabel="depth inside the lumen, mm", ylabel="mean doubt (as stored)")
axis.spines[["top", "right"]].set_visible(False)
assert means[0] > means[-1]
