# %% [markdown]
# # Calcium
#
# **What one learns:** how an Agatston score comes about, lesion by lesion, and how far it moves only because the first slice lies elsewhere.

# %%
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from shared_case import shared_case

from ccta.report.calcium_cuts import cuts_figure, lesion_cuts

case = shared_case()
calcium = case.findings().calcium
print(f"Agatston {calcium.agatston:.0f} ({calcium.cac_drs}), volume {calcium.volume_mm3:.0f} mm3, mass {calcium.mass_mg:.0f} mg ({calcium.mass_calibration})")

# %% [markdown]
# Every lesion that counts, in the slice where it is brightest. A reader moves or removes one with `ccta lesions`.

# %%
cuts = lesion_cuts(case.read_volume("calcium_image"), case.read_volume("calcium_labels"), calcium)
figure = cuts_figure(cuts[:6])

# %% [markdown]
# The score by artery, and each lesion's at other places of the first slice: the same heart, the same scanner, another score.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
left.bar(list(calcium.vessels), list(calcium.vessels.values()), color="#2f86b8")
left.set(ylabel="Agatston score", title="by artery")
for place, lesion in enumerate(calcium.lesions):
    right.scatter(np.full(len(lesion.restarts), place), lesion.restarts, color="#5b6b7b", s=14, alpha=0.7)
    right.scatter([place], [lesion.agatston], color="#c4161c", zorder=3)
right.set_xticks(range(len(calcium.lesions)), [f"{one.vessel} {one.id}" for one in calcium.lesions])
right.set(ylabel="Agatston score", title="red: as scanned; grey: first slice elsewhere")
for axis in (left, right):
    axis.spines[["top", "right"]].set_visible(False)
low, high = calcium.agatston_interval
assert low <= calcium.agatston <= high
print(f"over slice starts {low:.0f} to {high:.0f}")
