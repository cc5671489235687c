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
import pyvista as pv
from matplotlib.collections import PolyCollection
from scipy.interpolate import LinearNDInterpolator

from cfd.verification_tubes import stenosis_drop_pa

ELEMENTS = (3.2, 4.0, 5.0)
solved = {elements: stenosis_drop_pa(0.5, 0.7e-6, elements=elements) for elements in ELEMENTS}
finest = solved[ELEMENTS[-1]][2]
print({elements: f"{len(one[2].mesh.tetrahedra)} tetrahedra, {one[0] / 133.322:.2f} mmHg" for elements, one in solved.items()})

# %% [markdown]
# The mesh cut along its middle plane: elements follow the calibre, so that the throat has as many across as the healthy vessel.

# %%
mesh = finest.mesh
grid = pv.UnstructuredGrid({pv.CellType.TETRA: mesh.tetrahedra[:, :4]}, 1e3 * mesh.points_m)
grid.point_data["speed"] = np.linalg.norm(finest.velocity_m_s, axis=1)
cut = grid.slice(normal="y", origin=(0.0, 0.01, 0.0))
polygons = [cut.points[cell.point_ids][:, [2, 0]] for cell in cut.cell]
figure, axis = plt.subplots(figsize=(11, 2.4), layout="constrained")
axis.add_collection(PolyCollection(polygons, facecolor="#dbe7f0", edgecolor="#5b6b7b", lw=0.4))
axis.set(xlim=(0, 48), ylim=(-1.8, 1.8), aspect="equal", xlabel="mm", title=f"{len(mesh.tetrahedra)} tetrahedra, {ELEMENTS[-1]:g} elements per diameter")

# %% [markdown]
# Speed in that plane: the jet reaches far beyond the throat, with slow blood beside it.

# %%
z, x = np.meshgrid(np.linspace(0.5, 47.5, 500), np.linspace(-1.5, 1.5, 80))
speed = LinearNDInterpolator(1e3 * mesh.points_m, grid.point_data["speed"])(x, 0 * x, z)
throat = np.where(np.abs(z - 14) < 5, 0.5 * (1 + np.cos(np.pi * (z - 14) / 5)), 0.0)
speed[np.abs(x) > 1.5 * (1 - 0.5 * throat)] = np.nan
figure, axis = plt.subplots(figsize=(11, 2.4), layout="constrained")
drawn = axis.pcolormesh(z, x, speed, cmap="turbo", shading="gouraud")
axis.set(xlim=(0, 48), ylim=(-1.8, 1.8), aspect="equal", xlabel="mm")
figure.colorbar(drawn, ax=axis, label="m/s", shrink=0.7, aspect=8)

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
