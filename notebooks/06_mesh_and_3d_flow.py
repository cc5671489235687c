# %% [markdown]
# # Mesh and 3-D flow, with convergence
#
# **What one learns:** what a finite-element mesh of a stenosis looks like, how the jet behind it forms, and how many elements a pressure drop needs. The
# vessel is a 3 mm tube with a 50 % stenosis; its drop is known between two bounds.

# %%
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.tri import Triangulation

from cfd.verification_tubes import stenosis_drop_pa

ELEMENTS = (2.0, 2.5, 3.2)
solved = {elements: stenosis_drop_pa(0.5, 1.2e-6, elements=elements) for elements in ELEMENTS}
finest = solved[ELEMENTS[-1]][2]
print({elements: f"{len(one[2].mesh.tetrahedra)} tetrahedra, {one[0] / 133.322:.2f} mmHg" for elements, one in solved.items()})

# %% [markdown]
# The wall of the mesh, cut open: tetrahedra whose middle lies behind the plane y = 0.

# %%
mesh = finest.mesh
corners = mesh.points_m[mesh.tetrahedra[:, :4]] * 1e3
near = np.abs(corners[:, :, 1]).min(axis=1) < 0.12
figure, axis = plt.subplots(figsize=(11, 2.4), layout="constrained")
axis.add_collection(PolyCollection(corners[near][:, :3][:, :, [2, 0]], facecolor="#dbe7f0", edgecolor="#5b6b7b", lw=0.3))
axis.set(xlim=(0, 48), ylim=(-1.8, 1.8), aspect="equal", xlabel="mm", title=f"elements at the middle plane, {ELEMENTS[-1]:g} per diameter")

# %% [markdown]
# Speed in the middle plane: the jet reaches far beyond the throat, with slow blood beside it.

# %%
speed = np.linalg.norm(finest.velocity_m_s, axis=1)
points = finest.mesh.points_m[: len(speed)] * 1e3
middle = np.abs(points[:, 1]) < 0.35
figure, axis = plt.subplots(figsize=(11, 2.6), layout="constrained")
triangles = Triangulation(points[middle, 2], points[middle, 0])
drawn = axis.tricontourf(triangles, speed[middle], 24, cmap="turbo")
axis.set(xlim=(0, 48), ylim=(-1.8, 1.8), aspect="equal", xlabel="mm")
figure.colorbar(drawn, ax=axis, label="m/s", shrink=0.8)

# %% [markdown]
# The drop over the mesh, beside the formula of Young and Tsai for a blunt obstruction.

# %%
drops_mmhg = [solved[elements][0] / 133.322 for elements in ELEMENTS]
figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
axis.plot(ELEMENTS, drops_mmhg, "o-", color="#c4161c")
axis.axhline(solved[ELEMENTS[-1]][1] / 133.322, color="#5b6b7b", ls="--")
axis.annotate("Young and Tsai", (ELEMENTS[0], solved[ELEMENTS[-1]][1] / 133.322), va="bottom", color="#5b6b7b")
axis.set(xlabel="elements per diameter", ylabel="pressure drop, mmHg", ylim=(0, None))
axis.spines[["top", "right"]].set_visible(False)
assert finest.mass_error < 1e-6 and 0 < drops_mmhg[-1] < solved[ELEMENTS[-1]][1] / 133.322
