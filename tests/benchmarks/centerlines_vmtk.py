"""`python -m tests.benchmarks.centerlines_vmtk [--seeds 402 404 ...]`: our centerlines beside those of VMTK's vmtkCenterlines, in one run.

On phantom patients both get the true lumen mask in voxels of the image: VMTK its surface with the true ends as seeds (it does not look for them), we the mask
with image and heart, and, as a row of its own, the surface alone. Where a tight throat tears the
smoothed mask, VMTK ends there. The truth is the phantom's own axis. On the patient tree of ../shared/data both get the
surface, VMTK with the published ends as seeds; its published centerlines, against which both are held, were made by VMTK. Time: of the processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyvista as pv
from scipy import ndimage
from scipy.spatial import cKDTree
from vmtk import vmtkscripts

from ccta.anatomy.centerline import extract_tree
from ccta.cli.console import print_table, say
from ccta.coordinates import to_patient_mm
from ccta.curves import resampled_curve
from ccta.errors import BadInput
from ccta.model import Branch, CoronaryTree, Volume
from ccta.phantom.cohort import disease_patient
from ccta.phantom.scanner import scan
from ccta.settings import TreeSettings
from cfd.lumen import subtree
from cfd.lumen_centerlines import tree_from_centerlines
from cfd.lumen_reading import closed_surface
from cfd.lumen_skeleton import centerlines_of

SEEDS = tuple(range(401, 411))
PATIENT = Path(__file__).resolve().parents[3] / "shared" / "data" / "patient_tree"
STEP_MM = 0.25
COVERED_MM = 1.0  # farther from a true point than this is another place
BESIDE_AORTA_MM = 3.0  # of a root: where the artery's axis begins is a convention
END_MM = 3.0  # a true end farther from the surface lies in a piece that is torn off in the mask
SMOOTHING_MM = 0.4  # of the mask before its surface is drawn: one voxel, or VMTK's Voronoi diagram branches at every stair
COLUMNS = ["case", "way", "true length found", "distance, mean", "95 %", "processor time"]


def vmtk_lines(surface: pv.PolyData, source_mm: np.ndarray, targets_mm: np.ndarray) -> np.ndarray:
    """(N, 3) points of VMTK's centerlines from one source to every target."""
    script = vmtkscripts.vmtkCenterlines()
    script.LogOn = 0
    script.Surface, script.SeedSelectorName, script.AppendEndPoints = surface, "pointlist", 1
    script.SourcePoints, script.TargetPoints = np.ravel(source_mm).tolist(), np.ravel(targets_mm).tolist()
    script.Execute()
    return cells(pv.wrap(script.Centerlines))


def cells(lines: pv.PolyData) -> np.ndarray:
    """(N, 3) points every `STEP_MM` of all polylines."""
    curves = [np.asarray(lines.get_cell(n).points) for n in range(lines.n_cells)]
    return np.vstack([resampled_curve(curve[np.r_[True, np.linalg.norm(np.diff(curve, axis=0), axis=1) > 1e-6]], STEP_MM) for curve in curves])


def mask_surface(mask: np.ndarray, affine: np.ndarray) -> list[pv.PolyData]:
    """The closed surface of each tree of a mask, mm, largest first."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    field = ndimage.gaussian_filter(np.pad(mask, 4).astype(np.float32), SMOOTHING_MM / spacing)
    grid = pv.ImageData(dimensions=field.shape, origin=(-4, -4, -4))
    parts = grid.contour([0.5], scalars=field.ravel(order="F")).triangulate().clean().split_bodies().as_polydata_blocks()
    for part in parts:
        part.points = to_patient_mm(np.asarray(part.points, float), affine)
    return sorted((part for part in parts if part.n_points > 500), key=lambda part: -part.n_points)


def row(case: str, way: str, run: Callable[[], np.ndarray], true_mm: np.ndarray) -> list[str]:
    """One way's line of the table; a way that fails says why."""
    started = time.process_time()
    try:
        found = run()
    except Exception as error:
        return told([case, way, f"{type(error).__name__}: {error}"[:60], "", "", f"{time.process_time() - started:.1f} s"])
    spent = time.process_time() - started
    away = cKDTree(found).query(true_mm)[0]
    near = away[away <= COVERED_MM]
    values = (f"{near.mean():.3f} mm", f"{np.quantile(near, 0.95):.2f} mm") if len(near) else ("", "")
    return told([case, way, f"{100 * len(near) / len(away):.1f} %", *values, f"{spent:.1f} s"])


def told(line: list[str]) -> list[str]:
    """The line, which is also said at once: VMTK takes minutes."""
    say("; ".join(part for part in line if part))
    return line


def axis(branch: Branch) -> np.ndarray:
    """True points of a branch, beyond the aorta where it is a root."""
    start = BESIDE_AORTA_MM if branch.parent is None else 0.0
    return branch.point_at(np.arange(start, branch.distance_mm[-1], STEP_MM))


def phantom_rows(seed: int) -> list[list[str]]:
    """Three ways on one phantom patient."""
    patient, series = disease_patient(seed)
    volume = scan(patient, series)
    heart, lumen = (label(volume.affine, volume.array.shape) for label in (patient.heart_labels, patient.lumen_labels))
    true = np.vstack([axis(branch) for branch in patient.tree])
    parts = mask_surface(lumen.array > 0, volume.affine)
    name = f"phantom {seed}"
    return [
        row(name, "ours, mask and image", lambda: ours_on_mask(volume, heart, lumen), true),
        row(name, "ours, surface alone", lambda: ours_on_parts(parts), true),
        row(name, "vmtkCenterlines, true ends given", lambda: vmtk_on_trees(parts, patient.tree), true),
    ]


def ours_on_mask(volume: Volume, heart: Volume, lumen: Volume) -> np.ndarray:
    return np.vstack([resampled_curve(branch.points_mm, STEP_MM) for branch in extract_tree(volume, heart, lumen, TreeSettings())])


def ours_on_parts(parts: list[pv.PolyData]) -> np.ndarray:
    """Of every part that is a vessel tree; pieces that the mask has torn off are refused as too short."""
    lines = []
    for part in parts:
        with suppress(BadInput):
            lines += centerlines_of(part, np.zeros((0, 3)))[0]
    return np.vstack([cells(line) for line in lines])


def vmtk_on_trees(parts: list[pv.PolyData], tree: CoronaryTree) -> np.ndarray:
    """VMTK's lines of each true tree, on the surface that its root runs in, to the ends that lie at that surface."""
    found = []
    for root in (index for index, branch in enumerate(tree) if branch.parent is None):
        own, _ = subtree(tree, root)
        middle = own.branches[0].point_at(0.5 * own.branches[0].distance_mm[-1])
        part = min(parts, key=lambda part: np.linalg.norm(part.points - middle, axis=1).min())
        ends = np.array([branch.points_mm[-1] for branch in own])
        found.append(vmtk_lines(part, own.branches[0].points_mm[0], ends[cKDTree(part.points).query(ends)[0] < END_MM]))
    return np.vstack(found)


def patient_rows() -> list[list[str]]:
    """Two ways on the real trees."""
    published = [pv.read(PATIENT / f"{side}_cl.vtp") for side in ("lca", "rca")]
    true = np.vstack([axis(branch) for lines in published for branch in tree_from_centerlines(lines)])
    read = closed_surface(PATIENT / "NARCO_119.stl", whole=True)
    ends = np.vstack([np.asarray(lines.get_cell(n).points)[-1] for lines in published for n in range(lines.n_cells)])
    source = np.asarray(published[0].get_cell(0).points)[0]
    name = "patient tree"
    return [
        row(name, "ours, surface alone", lambda: np.vstack([cells(line) for line in centerlines_of(read.data, read.openings_mm)[0]]), true),
        row(name, "vmtkCenterlines, published ends given", lambda: vmtk_lines(read.data, source, ends), true),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    rows = patient_rows() if PATIENT.is_dir() else [["patient tree", "not measured: ../shared/data/patient_tree is not here", "", "", "", ""]]
    for seed in parser.parse_args().seeds:
        rows += phantom_rows(seed)
    print_table("centerlines beside VMTK", COLUMNS, rows)


if __name__ == "__main__":
    main()
