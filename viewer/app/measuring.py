"""Lengths, angles, areas and HU in the flat pictures: what was drawn becomes a `Measure` in patient millimetres. Neither trame nor files.

Slices and cross-sections are planes of the patient; the straightened vessel is not: there a length is true along the vessel (as the centerline runs)
or straight across it. The curved vessel is a surface unrolled, and a length is true on it. Nothing else is measured in either.
"""

from __future__ import annotations

import numpy as np
from matplotlib.path import Path as Outline

from ccta.anatomy.reformat import sampled
from ccta.edits import contour_area_mm2
from ccta.model import Volume
from viewer.app.planes import Plane
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.surfaces import LAID_OUT, Curved, Straightened, Surface, surface_of
from viewer.app.tool_state import Measure
from viewer.app.words import NotPossible

Corners = tuple[tuple[float, float], ...]

ELLIPSE_CORNERS = 72
SAMPLES_ACROSS = 60
"""HU of an outline are read on a grid of this many steps across it, never finer than `FINEST_MM`."""
FINEST_MM = 0.1
SMALLEST_MM = 0.1
"""What is shorter was a click, not a drag."""


def measured(study: Study, state: ReadingState, kind: str, view: str, corners: Corners) -> Measure:
    """What was drawn. corners: fractions of the picture; of an ellipse, two opposite corners of the box around it. NotPossible where it cannot be measured."""
    surface = surface_of(study, state, view)
    if surface is None or not np.isfinite(corners).all():
        raise NotPossible("not_measured_here")
    if isinstance(surface, LAID_OUT):
        return _along_vessel(surface, kind, corners)
    points = np.array([surface.position_mm(*corner) for corner in corners])
    if np.ptp(points, axis=0).max() < SMALLEST_MM:
        raise NotPossible("too_small")
    if kind == "ellipse":
        points = ellipse_mm(surface, corners)
    text = {"length": _length_text, "angle": _angle_text}.get(kind)
    shown = text(points) if text else area_text(study.volume, surface, points)
    return Measure(kind, view, _points(points), shown)


def _along_vessel(surface: Straightened | Curved, kind: str, corners: Corners) -> Measure:
    """A length on the vessel laid out. Straightened: along it at the height of its first end, or across it at the place of its first end. Curved: any line."""
    if kind != "length":
        raise NotPossible("only_lengths_here")
    (s0, w0), (s1, w1) = (surface.flat_mm(*corner) for corner in corners)
    curved = isinstance(surface, Curved)
    end = (s1, w1) if curved else (s1, w0) if abs(s1 - s0) >= abs(w1 - w0) else (s0, w1)
    length_mm = float(np.hypot(end[0] - s0, end[1] - w0))
    if length_mm < SMALLEST_MM:
        raise NotPossible("too_small")
    flat = ((s0, w0), end)
    points = [surface.position_mm(*surface.fraction_of_flat(*place)) for place in flat]
    if not np.isfinite(points).all():
        raise NotPossible("not_measured_here")
    return Measure("length", "cpr", _points(points), f"{length_mm:.1f} mm", surface.branch, surface.angle_deg, flat, curved)


def _length_text(points: np.ndarray) -> str:
    return f"{np.linalg.norm(points[-1] - points[0]):.1f} mm"


def _angle_text(points: np.ndarray) -> str:
    """The angle at the second of three places, 0-180 degrees."""
    one, other = points[0] - points[1], points[2] - points[1]
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    if not lengths > 0:
        raise NotPossible("too_small")
    return f"{np.degrees(np.arccos(np.clip(one @ other / lengths, -1, 1))):.0f}°"


def area_text(volume: Volume, plane: Plane, points_mm: np.ndarray) -> str:
    """Area of a closed outline (N, 3) in a plane, and mean ± standard deviation and range of the HU inside."""
    if crosses_itself(in_plane_mm(plane, points_mm)):
        raise NotPossible("crosses_itself")
    hu = hu_inside(volume, plane, points_mm)
    area_mm2 = contour_area_mm2(points_mm)
    if not len(hu):
        raise NotPossible("too_small")
    return f"{area_mm2:.1f} mm² · {signed(hu.mean())} ± {hu.std():.0f} HU ({signed(hu.min())}…{signed(hu.max())})"


def hu_inside(volume: Volume, plane: Plane, points_mm: np.ndarray) -> np.ndarray:
    """(N,) HU on a regular grid inside a closed outline of a plane, interpolated in the image as the picture is.

    Interpolation smooths: the deviation is somewhat below that of whole voxels.
    """
    corners = in_plane_mm(plane, points_mm)
    low, high = corners.min(axis=0), corners.max(axis=0)
    step_mm = max(FINEST_MM, float((high - low).max()) / SAMPLES_ACROSS)
    x, y = np.meshgrid(np.arange(low[0] + step_mm / 2, high[0], step_mm), np.arange(low[1] + step_mm / 2, high[1], step_mm))
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    inside = grid[Outline(corners).contains_points(grid)] if len(grid) else grid
    return sampled(volume, plane.origin_mm + inside[:, :1] * plane.right + inside[:, 1:] * plane.down)


def in_plane_mm(plane: Plane, points_mm: np.ndarray) -> np.ndarray:
    """(N, 2) mm to the right and downwards from a plane's corner."""
    offset = np.asarray(points_mm, float) - plane.origin_mm
    return np.stack([offset @ plane.right, offset @ plane.down], axis=1)


def ellipse_mm(plane: Plane, corners: Corners) -> np.ndarray:
    """(ELLIPSE_CORNERS, 3) outline of the ellipse in a box, with the ellipse's area: corners of a polygon of equal area, a little outside it."""
    (x0, y0), (x1, y1) = corners
    angle = 2 * np.pi * np.arange(ELLIPSE_CORNERS) / ELLIPSE_CORNERS
    wider = np.sqrt((2 * np.pi / ELLIPSE_CORNERS) / np.sin(2 * np.pi / ELLIPSE_CORNERS))
    x, y = (x0 + x1) / 2 + wider * (x1 - x0) / 2 * np.cos(angle), (y0 + y1) / 2 + wider * (y1 - y0) / 2 * np.sin(angle)
    return np.array([plane.position_mm(a, b) for a, b in zip(x, y, strict=True)])


def crosses_itself(corners: np.ndarray) -> bool:
    """True where two sides of a closed outline (N, 2) that are no neighbours meet."""
    count = len(corners)
    first, second = np.triu_indices(count, 2)
    apart = (first > 0) | (second < count - 1)
    first, second = first[apart], second[apart]
    after = np.roll(corners, -1, axis=0)
    turn = lambda a, b, c: (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])  # noqa: E731
    a, b, c, d = corners[first], after[first], corners[second], after[second]
    return bool(((turn(a, b, c) * turn(a, b, d) < 0) & (turn(c, d, a) * turn(c, d, b) < 0)).any())


def hu_at(study: Study, surface: Surface, fraction_x: float, fraction_y: float) -> float | None:
    """HU at a place of a picture; None outside the image."""
    position = surface.position_mm(fraction_x, fraction_y)
    index = np.linalg.solve(study.volume.affine, [*position, 1.0])[:3]
    inside = np.isfinite(index).all() and (index >= -0.5).all() and (index <= np.array(study.volume.array.shape) - 0.5).all()
    return float(sampled(study.volume, position[None])[0]) if inside else None


def signed(hu: float) -> str:
    """A whole number of HU with a minus sign of its own width."""
    return f"{round(hu)}".replace("-", "−")


def _points(points) -> tuple:
    return tuple(tuple(round(float(value), 3) for value in point) for point in points)
