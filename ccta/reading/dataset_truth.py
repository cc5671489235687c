"""What readers drew on an image of a public data set: masks and centerlines, brought to the image's place, or refused where they do not fit it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array, csgraph

from ccta.coordinates import cropped, resampled_like, sample, to_index, to_patient_mm
from ccta.errors import BadInput
from ccta.model import Branch, Volume, arc_length_mm
from ccta.polydata import read_polydata
from ccta.reading.image_files import read_labels
from ccta.reading.upright import axial_last

INSIDE = 0.5  # of what was drawn: less inside the image means that it was drawn on another one
RADIUS_NAMES = ("MaximumInscribedSphereRadius", "radius", "Radius")
SAME_GRID = 1e-3
IMAGECAS_X_BRANCHES = ("LM", "LAD", "LCx", "D1", "D2", "OM1", "OM2", "RI", "RCA", "R-PDA", "R-PLB", "L-PDA", "L-PLB", "other")
"""Arteries 1 to 14 (Bransby et al., arXiv:2608.30404); its IM is our RI, its PLA our PLB."""


def labels_on(path: Path, image: Volume) -> np.ndarray:
    """(the image's shape) int16: a label map by the nearest voxel. BadInput where it lies mostly outside the image."""
    labels = axial_last(read_labels(path))
    if labels.array.shape == image.array.shape and np.allclose(labels.affine, image.affine, atol=SAME_GRID):
        return labels.array
    placed = resampled_like(labels, image, order=0).array
    whole_mm3 = np.count_nonzero(labels.array) * labels.voxel_mm3
    inside = np.count_nonzero(placed) * image.voxel_mm3 / whole_mm3 if whole_mm3 else 1.0
    if inside < INSIDE:
        raise BadInput(f"{path} lies to {100 * (1 - inside):.0f} % outside the image that it belongs to: it was drawn on another image, or lost its place.")
    return placed


def vessels_from(path: Path, image: Volume, lumen: np.ndarray | None) -> list[Branch]:
    """Reference centerlines of one file, named after it: CAT08's reference.txt, or lines as VMTK and ImageCAS-X write them (VTP, VTK)."""
    found = [cat08_vessel(path, image)] if path.suffix.lower() == ".txt" else lines_of(path, image, lumen)
    inside = np.mean([np.mean(_within(vessel.points_mm, image)) for vessel in found])
    if inside < INSIDE:
        raise BadInput(f"{path} has {100 * (1 - inside):.0f} % of its centerlines outside the image that they belong to; it is another case's file.")
    return found


def cat08_vessel(path: Path, image: Volume) -> Branch:
    """x y z radius deviation per line; x, y, z in mm from the middle of the first voxel along the image's axes (the image files have no offset)."""
    try:
        rows = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} is no reference centerline ({' '.join(str(error).split())[:120]}); its lines hold x y z radius deviation.") from error
    if rows.shape[1] != 5 or len(rows) < 2 or not np.isfinite(rows).all() or not (rows[:, 3] > 0).all():
        raise BadInput(f"{path} has {rows.shape[1]} numbers on {len(rows)} lines; a reference centerline has x y z radius deviation, radii above 0.")
    return Branch(to_patient_mm(rows[:, :3] / image.spacing_mm, image.affine), rows[:, 3], name=path.parent.name)


def lines_of(path: Path, image: Volume, lumen: np.ndarray | None) -> list[Branch]:
    """Polylines in patient LPS mm, in whichever of the frames in use puts them into the lumen. Radii from the file, else from the lumen mask.

    A file with `start_points` (ImageCAS-X) is a graph: one vessel from the start to each end. Without it each line is a vessel (VMTK, ASOCA).
    """
    data = read_polydata(path)
    points = _placed(np.asarray(data.points, float), image, lumen, path)
    ways = _ways(data, points, path)
    radius = next((np.asarray(data.point_data[name], float) for name in RADIUS_NAMES if name in data.point_data), None)
    if radius is None and lumen is None:
        raise BadInput(f"{path} has no radii and there is no lumen mask to take them from; without radii no overlap is defined.")
    depth = None if radius is not None else _depth_mm(image, lumen)
    found = []
    for number, way in enumerate(ways, 1):
        radii = radius[way] if radius is not None else sample(depth, points[way], outside=0.0)
        found.append(Branch(points[way], np.maximum(radii, image.spacing_mm.min() / 2), name=_name_of(data, way, f"{path.name.split('.')[0]} {number}")))
    return found


def _placed(points: np.ndarray, image: Volume, lumen: np.ndarray | None, path: Path) -> np.ndarray:
    """The points in LPS: as stored, from RAS, or from a frame in which the image's origin had the other sign in x and y (ASOCA's centerlines).

    Of these the one that puts the most points into the lumen. BadInput where none puts half of them there; as stored without a lumen.
    """
    if lumen is None:
        return points
    corner = image.affine[:3, 3] * (1.0, 1.0, 0.0)
    candidates = (points, points * (-1.0, -1.0, 1.0), points + 2 * corner, points - 2 * corner)
    part = _about(image, lumen)
    near = part.with_array(ndimage.binary_dilation(part.array).astype(np.uint8))
    share = [float(np.mean(sample(near, one, order=0, outside=0.0) > 0)) for one in candidates]
    best = int(np.argmax(share))
    if share[best] < INSIDE:
        raise BadInput(f"{path} has only {100 * share[best]:.0f} % of its points in the lumen of the same case; it is another case's file.")
    return candidates[best]


def _ways(data, points: np.ndarray, path: Path) -> list[np.ndarray]:
    """[point indices of one vessel from its ostium to its end]."""
    cells = np.asarray(data.lines)
    lines, at = [], 0
    while at < len(cells):
        lines.append(cells[at + 1 : at + 1 + cells[at]])
        at += cells[at] + 1
    lines = [line for line in lines if len(line) > 1]
    if not lines:
        raise BadInput(f"{path} holds no lines; centerlines are polylines from an ostium to a distal end.")
    if "start_points" not in data.point_data:
        return [line for line in lines if arc_length_mm(points[line])[-1] > 0]
    starts = np.flatnonzero(np.asarray(data.point_data["start_points"]) > 0)
    if len(starts) == 0:
        raise BadInput(f"{path} marks no start of its centerlines, so proximal and distal are not known.")
    edges = np.vstack([np.column_stack([line[:-1], line[1:]]) for line in lines])
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    graph = coo_array((np.maximum(length, 1e-9), edges.T), shape=(len(points),) * 2).tocsr()
    away, before, _ = csgraph.dijkstra(graph, directed=False, indices=starts, return_predecessors=True, min_only=True)
    degree = np.bincount(np.unique(np.sort(edges, axis=1), axis=0).ravel(), minlength=len(points))
    ends = [end for end in np.flatnonzero((degree == 1) & np.isfinite(away)) if end not in starts]
    return [_back(int(end), before) for end in ends]


def _back(end: int, before: np.ndarray) -> np.ndarray:
    way = [end]
    while before[way[-1]] >= 0:
        way.append(int(before[way[-1]]))
    return np.array(way[::-1])


def _name_of(data, way: np.ndarray, otherwise: str) -> str:
    """The artery at the vessel's end, by ImageCAS-X's number."""
    if "segment_label" not in data.point_data:
        return otherwise
    number = int(np.asarray(data.point_data["segment_label"])[way[-1]])
    return IMAGECAS_X_BRANCHES[number - 1] if 1 <= number <= len(IMAGECAS_X_BRANCHES) else otherwise


def _depth_mm(image: Volume, lumen: np.ndarray) -> Volume:
    """Distance of each voxel of the lumen from outside it: the radius on a centerline, half a voxel less than the middle of the nearest voxel outside."""
    part = _about(image, lumen)
    depth = ndimage.distance_transform_edt(part.array, sampling=image.spacing_mm) - image.spacing_mm.min() / 2
    return part.with_array(np.maximum(depth, 0).astype(np.float32))


def _about(image: Volume, mask: np.ndarray) -> Volume:
    """The mask's box and two voxels around it."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    return cropped(Volume(mask, image.affine), [s.start - 2 for s in box], [s.stop + 2 for s in box])


def _within(points_mm: np.ndarray, image: Volume) -> np.ndarray:
    index = to_index(points_mm, image.affine)
    return ((index > -1) & (index < image.array.shape)).all(axis=1)
