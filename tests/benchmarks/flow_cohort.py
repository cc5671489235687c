"""`python -m tests.benchmarks.flow_cohort [--seeds 401 402 ...] [--flow]`: phantom patients with lesions, from true contours to mesh, and, with --flow, to FFR.

Each tree is meshed twice: from its smooth surface, and from a mask of 0.4 mm voxels whose rim is disturbed at random, as networks leave them. Time: of the
processor. With --flow, the reduced model beside 3-D on the smooth surface, at the ends of branches, and over all of them bias, SD and worst.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import pyvista as pv
from scipy import ndimage

from ccta.anatomy.lumen_surface import lumen_surface
from ccta.cli.console import print_table
from ccta.errors import BadInput, SolverFailed
from ccta.model import CoronaryTree, Surface
from ccta.phantom.cohort import disease_patient
from ccta.settings import FlowSettings
from cfd.lumen import lumens_from_case, subtree
from cfd.lumen_voxels import inside_mask
from cfd.mesh import build_mesh
from cfd.pipeline import Anatomy, solve_flow

SEEDS = (401, 402, 403, 404, 405)
VOXEL_MM, NOISE, BLUR, SPECK_MM3 = 0.4, 0.3, 0.7, 2.0
WIDE_MM = 1.5
SICN_GOAL, SECONDS_GOAL, FFR_GOAL, BIAS_GOAL, SD_GOAL = 0.1, 10.0, 0.04, 0.005, 0.015


def noisy(surface: Surface, seed: int) -> Surface:
    """A surface as marching cubes give it from a mask of which each voxel at the rim may have changed sides; specks are left out."""
    fine, origin, step = inside_mask(pv.PolyData.from_regular_faces(surface.points_mm, surface.triangles))
    mask = ndimage.zoom(fine.astype(np.float32), step / VOXEL_MM, order=1) > 0.5
    rim = ndimage.binary_dilation(mask) & ~ndimage.binary_erosion(mask)
    flipped = rim & (np.random.default_rng(seed).random(mask.shape) < NOISE)
    field = ndimage.gaussian_filter((mask ^ flipped).astype(np.float32), BLUR)
    parts, _ = ndimage.label(field > 0.5)
    size = np.bincount(parts.ravel())
    field[(size * VOXEL_MM**3 < SPECK_MM3)[parts]] = 0.0
    grid = pv.ImageData(dimensions=field.shape, spacing=(VOXEL_MM,) * 3, origin=origin)
    data = grid.contour([0.5], scalars=field.ravel(order="F")).triangulate().clean()
    return Surface(np.asarray(data.points, float), data.faces.reshape(-1, 4)[:, 1:])


def meshed(surface: Surface, tree: CoronaryTree) -> tuple[str, bool]:
    """(what came of it, whether the goals were met)."""
    start = time.process_time()
    try:
        meshes = [build_mesh(lumen) for lumen in lumens_from_case(surface, tree)]
    except (BadInput, SolverFailed) as error:
        return str(error), False
    spent = (time.process_time() - start) / len(meshes)
    worst, tries = min(mesh.worst_quality for mesh in meshes), sum(len(mesh.attempts) for mesh in meshes)
    cells = " + ".join(str(len(mesh.tetrahedra)) for mesh in meshes)
    said = f"{cells} tetrahedra, worst SICN {worst:.2f}, {spent:.0f} s a tree, {tries} attempts failed before"
    return said, worst >= SICN_GOAL and spent <= SECONDS_GOAL


def compared(anatomy: Anatomy) -> tuple[str, bool, list[float]]:
    """(what came of it, whether the goal was met, reduced minus 3-D at the end of each branch that is 1.5 mm wide there)."""
    settings, start = FlowSettings(interval_samples=0), time.process_time()
    try:
        reduced, solid = (solve_flow(anatomy, settings, model).pullback.branches for model in ("rom", "3d"))
    except (BadInput, SolverFailed) as error:
        return str(error), False, []
    pairs = [(a.ffr[-1], b.ffr[-1]) for a, b in zip(reduced, solid, strict=True) if a.diameter_mm[-1] >= WIDE_MM]
    said = ", ".join(f"{b:.3f} ({a - b:+.3f})" for a, b in pairs)
    differences = [a - b for a, b in pairs]
    text = f"FFR at ends in 3-D (reduced less it): {said or 'none is wide enough'}; {time.process_time() - start:.0f} s"
    return text, max(map(abs, differences), default=0.0) <= FFR_GOAL, differences


def summary(differences: list[float]) -> tuple[str, str, bool]:
    """The reduced model's row over all branch ends."""
    bias, sd, worst = np.mean(differences), np.std(differences), np.abs(differences).max()
    met = abs(bias) <= BIAS_GOAL and sd <= SD_GOAL and worst <= FFR_GOAL
    return "all, flow", f"reduced less 3-D at {len(differences)} ends: bias {bias:+.3f}, SD {sd:.3f}, worst {worst:.3f}", bool(met)


def rows_of(seed: int) -> tuple[list[tuple[str, str, bool]], Anatomy]:
    patient, _ = disease_patient(seed)
    tree = patient.tree.continued()
    surface = lumen_surface(patient.tree, patient.sections)
    rows = [(f"{seed}, smooth", *meshed(surface, tree))]
    rough = noisy(surface, seed)
    for k, root in enumerate(index for index, branch in enumerate(tree) if branch.parent is None):
        rows.append((f"{seed}, tree {k + 1}, noisy", *meshed(rough, subtree(tree, root)[0])))
    return rows, Anatomy(tree, surface=surface)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--flow", action="store_true")
    wanted = parser.parse_args()
    rows, differences = [], []
    for seed in wanted.seeds:
        found, anatomy = rows_of(seed)
        rows += found
        if wanted.flow:
            *said, apart = compared(anatomy)
            rows.append((f"{seed}, flow", *said))
            differences += apart
    rows += [summary(differences)] if differences else []
    goal = f"worst SICN >= {SICN_GOAL:g}, {SECONDS_GOAL:g} s a tree; FFR within {FFR_GOAL:g}, bias {BIAS_GOAL:g}, SD {SD_GOAL:g}"
    print_table("Phantom patients: lumen, mesh, flow", ["tree", "result", goal], [[name, said, "met" if met else "MISSED"] for name, said, met in rows])
    return int(not all(met for *_, met in rows))


if __name__ == "__main__":
    sys.exit(main())
