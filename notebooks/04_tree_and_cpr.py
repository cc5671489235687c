# %% [markdown]
# # Tree and straightened vessels
#
# **What one learns:** how a label map becomes named vessels, and why a reader wants each of them laid straight: one picture holds what takes a hundred slices.

# %%
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from shared_case import shared_case

from ccta.anatomy.reformat import straightened_cpr
from ccta.model import SEGMENTS

case = shared_case()
tree, volume = case.read_tree(), case.read_volume("image")

# %% [markdown]
# The tree from the front, as wide as the lumen, coloured by SCCT segment.

# %%
figure, axis = plt.subplots(figsize=(7, 6), layout="constrained")
for branch in tree:
    x, z = branch.points_mm[:, 0], branch.points_mm[:, 2]
    axis.scatter(x, z, s=(4 * branch.radius_mm) ** 2, c=branch.segment, cmap="tab20", vmin=0, vmax=19, lw=0)
    middle = len(x) // 2
    axis.annotate(branch.name, (x[middle], z[middle]), xytext=(9, 0), textcoords="offset points", color="#1c2733")
axis.set_aspect("equal")
axis.axis("off")
axis.set_title(f"{len(tree)} branches, {tree.dominance} dominance")
named = sorted({int(s) for branch in tree for s in branch.segment if s})
print(", ".join(SEGMENTS[one][0] for one in named))

# %% [markdown]
# The three main arteries laid straight, from two directions each. The lumen's bright band narrows at the lesion.

# %%
main = [index for index, branch in enumerate(tree) if branch.name in ("LAD", "LCx", "RCA")]
figure, axes = plt.subplots(len(main), 2, figsize=(11, 1.6 * len(main)), layout="constrained", facecolor="black")
for row, index in zip(axes, main, strict=True):
    for axis, angle in zip(row, (0.0, np.pi / 2), strict=True):
        cpr = straightened_cpr(volume, tree.path(index).points_mm, angle)
        extent = (cpr.distance_mm[0], cpr.distance_mm[-1], cpr.lateral_mm[0], cpr.lateral_mm[-1])
        axis.imshow(cpr.image.T, extent=extent, cmap="gray", vmin=-150, vmax=750)
        axis.set_title(f"{tree.branches[index].name}, {np.degrees(angle):.0f}°", color="white", fontsize=9)
        axis.axis("off")
assert len(main) == 3
