"""`python -m tests.benchmarks.flow_cohort [--seeds 401 402 ...] [--flow]`: phantom patients with lesions, from true contours to mesh, and, with --flow, to FFR.

Each tree is meshed twice: from its smooth surface, and from a mask of 0.4 mm voxels whose rim is disturbed at random, as networks leave them. Time: of the
processor. With --flow, the reduced model beside 3-D on the smooth surface, at the ends of branches and behind each lesion, and over all of them bias, SD, worst
and what the reduced model's intervals are worth.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, fields

import numpy as np
import pyvista as pv
from scipy import ndimage
from scipy.spatial import cKDTree

from ccta.anatomy.lumen_surface import lumen_surface
from ccta.cli.console import print_table
from ccta.disease.stenosis import find_stenoses
from ccta.errors import BadInput, SolverFailed
from ccta.model import Branch, CoronaryTree, CrossSections, Surface, Unavailable
from ccta.phantom.cohort import disease_patient
from ccta.settings import FlowSettings, MeasureSettings
from cfd.lumen import lumens_from_case, subtree
from cfd.lumen_voxels import inside_mask
from cfd.mesh import build_mesh
from cfd.pipeline import Anatomy, solve_flow

SEEDS = (401, 402, 403, 404, 405)
VOXEL_MM, NOISE, BLUR, SPECK_MM3 = 0.4, 0.3, 0.7, 2.0
WIDE_MM = 1.5
CUTS = (0.75, 0.80)
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


@dataclass(frozen=True)
class Pair:
    """FFR at one place by both models; low, high: the reduced model's interval, NaN at a branch's end, which has none."""

    where: str
    reduced: float
    solid: float
    low: float = np.nan
    high: float = np.nan

    @property
    def hidden(self) -> bool:
        """A class changes between the models and the reduced one's interval does not say that it may."""
        return np.isfinite(self.low) and any((self.reduced <= cut) != (self.solid <= cut) and not self.low <= cut <= self.high for cut in CUTS)


def compared(anatomy: Anatomy) -> tuple[str, bool, list[Pair]]:
    """(what came of it, whether the goal was met, the pairs: ends of branches that are 1.5 mm wide there, and behind each lesion)."""
    start = time.process_time()
    try:
        reduced, solid = (solve_flow(anatomy, FlowSettings(), model) for model in ("rom", "3d"))
    except (BadInput, SolverFailed) as error:
        return str(error), False, []
    ends = zip(reduced.pullback.branches, solid.pullback.branches, strict=True)
    pairs = [Pair("end", a.ffr[-1], b.ffr[-1]) for a, b in ends if a.diameter_mm[-1] >= WIDE_MM]
    read = [
        (a, b)
        for a, b in zip(reduced.ffr.lesions, solid.ffr.lesions, strict=True)
        if not any(isinstance(value, Unavailable) for value in (a.ffr, a.low, b.ffr))
    ]
    pairs += [Pair(f"lesion in {a.segment}", a.ffr, b.ffr, a.low, a.high) for a, b in read]
    said = ", ".join(f"{one.where} {one.solid:.3f} ({one.reduced - one.solid:+.3f})" for one in pairs)
    ways = " / ".join(one.solution.criterion for one in solid.flows)
    text = f"FFR in 3-D (reduced less it): {said or 'no place is wide enough'}; {time.process_time() - start:.0f} s; {ways}"
    return text, all(abs(one.reduced - one.solid) <= FFR_GOAL and not one.hidden for one in pairs), pairs


def summaries(pairs: list[Pair]) -> list[tuple[str, str, bool]]:
    """The reduced model's rows over all branch ends and over all lesions."""
    rows = []
    for name, chosen in (("ends", [one for one in pairs if one.where == "end"]), ("lesions", [one for one in pairs if one.where != "end"])):
        apart = np.array([one.reduced - one.solid for one in chosen])
        if not len(apart):
            continue
        bias, sd, worst, hidden = apart.mean(), apart.std(), np.abs(apart).max(), sum(one.hidden for one in chosen)
        held = np.mean([one.low <= one.solid <= one.high for one in chosen])
        text = f"reduced less 3-D at {len(apart)} {name}: bias {bias:+.3f}, SD {sd:.3f}, worst {worst:.3f}"
        text += "" if name == "ends" else f"; {hidden} change class unsaid, {100 * held:.0f} % of the intervals hold 3-D"
        rows.append((f"all {name}", text, bool(abs(bias) <= BIAS_GOAL and sd <= SD_GOAL and worst <= FFR_GOAL and not hidden)))
    return rows


def anatomy_of(seed: int) -> Anatomy:
    """A patient's true contours, and the stenoses measured on them."""
    patient, _ = disease_patient(seed)
    tree = patient.tree.continued()
    sections = [_along(number, branch, patient.sections) for number, branch in enumerate(tree)]
    return Anatomy(tree, sections, find_stenoses(tree, sections, MeasureSettings()), lumen_surface(patient.tree, patient.sections))


def _along(number: int, branch: Branch, sections: list[CrossSections]) -> CrossSections:
    """The true sections, which stand at every point of the branches, of a branch that may be two of the patient's end to end."""
    names = [one.name for one in fields(CrossSections) if one.name not in ("branch", "distance_mm")]
    every = {name: np.concatenate([getattr(one, name) for one in sections]) for name in names}
    _, nearest = cKDTree(every["center_mm"]).query(branch.points_mm)
    return CrossSections(number, branch.distance_mm, **{name: values[nearest] for name, values in every.items()})


def rows_of(seed: int, anatomy: Anatomy) -> list[tuple[str, str, bool]]:
    rows = [(f"{seed}, smooth", *meshed(anatomy.surface, anatomy.tree))]
    rough = noisy(anatomy.surface, seed)
    for k, root in enumerate(index for index, branch in enumerate(anatomy.tree) if branch.parent is None):
        rows.append((f"{seed}, tree {k + 1}, noisy", *meshed(rough, subtree(anatomy.tree, root)[0])))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--flow", action="store_true", help="both models in place of the meshes")
    wanted = parser.parse_args()
    rows, pairs = [], []
    for seed in wanted.seeds:
        anatomy = anatomy_of(seed)
        if wanted.flow:
            *said, found = compared(anatomy)
            pairs += found
            rows.append((f"{seed}, flow", *said))
            print(*rows[-1], flush=True)
        else:
            rows += rows_of(seed, anatomy)
    rows += summaries(pairs)
    goal = f"worst SICN >= {SICN_GOAL:g}, {SECONDS_GOAL:g} s a tree; FFR within {FFR_GOAL:g}, bias {BIAS_GOAL:g}, SD {SD_GOAL:g}"
    print_table("Phantom patients: lumen, mesh, flow", ["tree", "result", goal], [[name, said, "met" if met else "MISSED"] for name, said, met in rows])
    return int(not all(met for *_, met in rows))


if __name__ == "__main__":
    sys.exit(main())
