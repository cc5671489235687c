"""Hand edits of the tree and of the contours, put onto what the image gave. Each returns what was edited and the edits whose place is no longer found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ccta.edits import SAME_PLACE_MM, ContourEdit, Edit, NameEdit, PointEdit
from ccta.model import SEGMENTS, Branch, CoronaryTree, CrossSections

BEND_MM = 5.0
"""A moved centerline point takes its neighbours along, less and less, up to this far: about the length of a bend."""
FADE_MM = 2.0
"""A drawn contour changes its neighbours up to this far: half of the length over which a lesion begins or ends."""
JOIN_MM = 10.0
"""Between two drawn contours nearer than this the change goes over from one to the other; a lesion is rarely longer."""
SMALLEST_RADIUS_MM = 0.05


def with_tree_edits(tree: CoronaryTree, edits: Sequence[Edit]) -> tuple[CoronaryTree, list[Edit]]:
    """The tree with segments renamed and points moved, in the order of the edits."""
    lost = []
    for edit in edits:
        place = nearest_place(tree, edit.center_mm)
        if place is None:
            lost.append(edit)
        elif isinstance(edit, NameEdit):
            tree = _renamed(tree, *place, edit.after_id)
        elif isinstance(edit, PointEdit):
            tree = _moved(tree, *place, np.subtract(edit.after_mm, edit.center_mm))
    return tree, lost


def nearest_place(tree: CoronaryTree, position_mm) -> tuple[int, int] | None:
    """(branch, point) nearest to a position, None where it is farther than `SAME_PLACE_MM`."""
    best, found = SAME_PLACE_MM, None
    for index, branch in enumerate(tree):
        apart = np.linalg.norm(branch.points_mm - np.asarray(position_mm), axis=1)
        if apart.min() < best:  # a parent stands before its child where both begin
            best, found = float(apart.min()), (index, int(apart.argmin()))
    return found


def run_of(branch: Branch, point: int) -> tuple[int, int]:
    """(first, last) point of the run with the same name as this one."""
    first = last = point
    while first > 0 and branch.segment[first - 1] == branch.segment[point]:
        first -= 1
    while last < len(branch.segment) - 1 and branch.segment[last + 1] == branch.segment[point]:
        last += 1
    return first, last


def _renamed(tree: CoronaryTree, index: int, point: int, segment: int) -> CoronaryTree:
    """The run of points with the same name as this one; the branch's name follows where it was that of the segment."""
    branch = tree.branches[index]
    first, last = run_of(branch, point)
    ids = branch.segment.copy()
    ids[first : last + 1] = segment
    was = SEGMENTS.get(int(branch.segment[point]), ("",))[0]
    return _with_branch(tree, index, replace(branch, segment=ids, name=SEGMENTS[segment][0] if branch.name == was else branch.name))


def _moved(tree: CoronaryTree, index: int, point: int, shift_mm: np.ndarray) -> CoronaryTree:
    """The bend of a branch, and the beginnings of the branches that leave it there. Where the branch itself begins and ends stays."""
    branch = tree.branches[index]
    share = _bump(branch.distance_mm - branch.distance_mm[point], BEND_MM)
    ends = np.minimum(branch.distance_mm, branch.length_mm - branch.distance_mm)
    share *= np.clip(ends / min(BEND_MM, max(ends[point], 1e-6)), 0, 1)
    bent = replace(branch, points_mm=branch.points_mm + share[:, None] * shift_mm)
    moved = _with_branch(tree, index, bent)
    for child in tree.children(index):
        own, at_mm = tree.branches[child], tree.branches[child].parent_distance_mm
        new_mm = float(np.interp(at_mm, branch.distance_mm, bent.distance_mm))
        apart = bent.point_at(new_mm) - branch.point_at(at_mm)
        points = own.points_mm + _bump(own.distance_mm, BEND_MM)[:, None] * apart
        moved = _with_branch(moved, child, replace(own, points_mm=points, parent_distance_mm=new_mm))
    return moved


def _with_branch(tree: CoronaryTree, index: int, branch: Branch) -> CoronaryTree:
    return replace(tree, branches=(*tree.branches[:index], branch, *tree.branches[index + 1 :]))


def _bump(distance_mm: np.ndarray, width_mm: float) -> np.ndarray:
    """1 at 0, falling to 0 at +-width as a raised cosine."""
    return 0.5 * (1 + np.cos(np.pi * np.clip(np.abs(distance_mm) / width_mm, 0, 1)))


def with_contour_edits(sections: Sequence[CrossSections], edits: Sequence[ContourEdit]) -> tuple[list[CrossSections], list[ContourEdit]]:
    """The contours as drawn on the planes nearest to where they were drawn, and a smooth passage on the planes beside.

    A drawn radius minus the one found is the change c at that plane (A angles; the frames do not twist, so that angles correspond). Between drawn planes
    nearer than `JOIN_MM` the change goes over by a raised cosine; beyond them it fades within `FADE_MM`. The last drawn counts where one plane was drawn
    twice. wall >= lumen is kept: the kind of contour that was drawn last moves the other.
    """
    result, lost = list(sections), []
    places = [nearest_plane(result, edit.center_mm) for edit in edits]
    order = [edit.contour for edit in edits]
    for contour in sorted(("lumen", "wall"), key=lambda kind: max((i for i, one in enumerate(order) if one == kind), default=-1)):
        drawn: dict[int, dict[int, ContourEdit]] = {}
        for edit, place in zip(edits, places, strict=True):
            if place is None:
                lost.append(edit) if edit.contour == contour else None
            elif edit.contour == contour:
                drawn.setdefault(place[0], {})[place[1]] = edit
        for index, by_plane in drawn.items():
            result[index] = _redrawn(result[index], contour, by_plane)
    return result, lost


def nearest_plane(sections: Sequence[CrossSections], position_mm) -> tuple[int, int] | None:
    """(index in sections, plane) whose center is nearest to a position, None where it is farther than `SAME_PLACE_MM`."""
    best, found = SAME_PLACE_MM, None
    for index, own in enumerate(sections):
        apart = np.linalg.norm(own.center_mm - np.asarray(position_mm), axis=1) if len(own) else np.array([np.inf])
        if apart.min() < best:  # a parent stands before its child where both begin
            best, found = float(apart.min()), (index, int(apart.argmin()))
    return found


def _redrawn(own: CrossSections, contour: str, by_plane: dict[int, ContourEdit]) -> CrossSections:
    name, other = f"{contour}_radius_mm", "wall_radius_mm" if contour == "lumen" else "lumen_radius_mm"
    radius = getattr(own, name).copy()
    planes = sorted(by_plane)
    change = np.array([polar_radius_mm(own, plane, by_plane[plane].after_mm) - radius[plane] for plane in planes])
    weight = passage_weights(own.distance_mm, own.distance_mm[planes])
    radius = np.maximum(radius + weight @ change, SMALLEST_RADIUS_MM)
    beside = np.maximum if contour == "lumen" else np.minimum
    touched = weight.max(axis=1) > 0.5
    changed = {name: radius, other: np.where(weight.max(axis=1)[:, None] > 0, beside(getattr(own, other), radius), getattr(own, other))}
    return replace(own, **changed, reliable=own.reliable | touched)


def passage_weights(distance_mm: np.ndarray, drawn_mm: np.ndarray) -> np.ndarray:
    """(M, N) share of each of N drawn planes (ascending) in the change at M planes."""
    weight = np.stack([_bump(distance_mm - at, FADE_MM) for at in drawn_mm], axis=1)
    for k in range(len(drawn_mm) - 1):
        low, high = drawn_mm[k], drawn_mm[k + 1]
        if high - low > JOIN_MM:
            continue
        inside = (distance_mm >= low) & (distance_mm <= high)
        share = _bump(distance_mm[inside] - low, high - low)
        weight[inside] = 0.0
        weight[inside, k], weight[inside, k + 1] = share, 1 - share
        weight[distance_mm > high, k] = 0.0
        weight[distance_mm < low, k + 1] = 0.0
    return weight / np.maximum(weight.sum(axis=1, keepdims=True), 1.0)


def polar_radius_mm(own: CrossSections, plane: int, points_mm) -> np.ndarray:
    """(A,) radii about a plane's center at its angles, of a closed contour (N, 3) projected onto it.

    For contours that every ray from the center meets once; where a center lies outside the contour, the radius is the smallest.
    """
    offset = np.asarray(points_mm, float) - own.center_mm[plane]
    u, v = offset @ own.axis_u[plane], offset @ own.axis_v[plane]
    count = own.lumen_radius_mm.shape[1]
    angle = 2 * np.pi * np.arange(count) / count
    start = np.stack([u, v], axis=1)
    step = np.roll(start, -1, axis=0) - start
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    cross = direction[:, None, 0] * step[None, :, 1] - direction[:, None, 1] * step[None, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (start[None, :, 0] * step[None, :, 1] - start[None, :, 1] * step[None, :, 0]) / cross
        share = (start[None, :, 0] * direction[:, None, 1] - start[None, :, 1] * direction[:, None, 0]) / cross
    hit = (np.abs(cross) > 1e-12) & (share >= -1e-9) & (share <= 1 + 1e-9) & (along > 0)
    return np.maximum(np.where(hit, along, 0.0).max(axis=1), SMALLEST_RADIUS_MM)
