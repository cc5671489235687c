"""The curved (stretched) vessel: its contours and plaque, and its way between picture, branch and patient."""

from __future__ import annotations

import numpy as np

from ccta.anatomy.stretched import Stretched, StretchedFrame, stretched, stretched_frame
from ccta.model import CrossSections
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.views.colouring import PlaqueMap, classes_along
from viewer.app.views.kept import kept

STEEP = 0.35
"""Where the share of the picture's lines across the vessel is smaller, they run nearly along it, and no edge is drawn."""
STEPS = 4


def frame_of(study: Study, branch: int) -> StretchedFrame:
    """What stays the same while a branch turns."""
    return kept(study, ("stretched", branch), lambda: stretched_frame(study.branch(branch)))


def curve_of(state: ReadingState, study: Study) -> Stretched:
    """The surface as it is shown."""
    return stretched(frame_of(study, state.branch), np.deg2rad(state.cpr_angle_deg))


def curved_at(state: ReadingState, study: Study, x: float) -> float:
    """Fraction of the branch's length at a fraction of the picture's width."""
    curve = curve_of(state, study)
    return float(curve.distance_at(x * curve.frame.width_mm) / curve.frame.distance_mm[-1])


def place_in_curve(state: ReadingState, study: Study, x: float, y: float) -> np.ndarray:
    """(3,) patient position at fractions of the picture."""
    curve = curve_of(state, study)
    return curve.position_mm(np.float64(x * curve.frame.width_mm), (y - 0.5) * curve.frame.height_mm)


def x_of(state: ReadingState, study: Study, distance_mm: float) -> float:
    """Percent of the picture's width of a place on the branch."""
    curve = curve_of(state, study)
    return float(100 * curve.place_at(distance_mm) / curve.frame.width_mm)


def curved_edges(section: CrossSections | None, curve: Stretched) -> list[str]:
    """SVG paths in a 0-100 box where the surface meets lumen (two) and wall (two); [] without contours.

    A line of the surface leaves the plane of its own centre where the vessel is oblique to it: the radius is read at the plane that it reaches.
    """
    if section is None:
        return []
    along, across = section.normal @ curve.line, np.hypot(section.axis_u @ curve.line, section.axis_v @ curve.line)
    angle = np.arctan2(section.axis_v @ curve.line, section.axis_u @ curve.line)
    x = 100 * curve.place_at(section.distance_mm) / curve.frame.width_mm
    middle = curve.beside_mm(section.center_mm)
    paths = []
    for radius_mm in (section.lumen_radius_mm, section.wall_radius_mm):
        for side in (1.0, -1.0):
            lateral = middle + side * _crossing_mm(section, radius_mm, angle + (np.pi if side < 0 else 0.0), side * along, across)
            paths.append(_path(x, 50 + 100 * lateral / curve.frame.height_mm, across >= STEEP))
    return paths


def _crossing_mm(section: CrossSections, radius_mm: np.ndarray, angle: np.ndarray, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """(M,) how far a line from each centre runs until it meets a contour, by fixed-point iteration over the planes that it passes."""
    planes, rays = np.arange(len(section)), radius_mm.shape[1]
    ray = np.round(angle / (2 * np.pi) * rays).astype(int) % rays
    reach = radius_mm[planes, ray] / np.maximum(across, STEEP)
    for _ in range(STEPS):
        there = np.round(np.interp(section.distance_mm + reach * along, section.distance_mm, planes)).astype(int)
        reach = radius_mm[there, ray[there]] / np.maximum(across, STEEP)
    return reach


def _path(x: np.ndarray, y: np.ndarray, drawn: np.ndarray) -> str:
    parts, pen = [], "M"
    for one_x, one_y, here in zip(x[::2], y[::2], drawn[::2], strict=True):
        if here:
            parts.append(f"{pen}{one_x:.1f},{one_y:.1f}")
        pen = "L" if here else "M"
    return " ".join(parts)


def curved_classes(plaque: PlaqueMap, curve: Stretched) -> np.ndarray:
    """(rows, columns) plaque class of every pixel."""
    frame = curve.frame
    rows, columns = frame.shape
    found = np.zeros((rows, columns), np.uint8)
    place = (np.arange(columns) + 0.5) * frame.pixel_mm
    place = place[place <= curve.unrolled_mm[-1]]
    center, distance = curve.center_at(place), curve.distance_at(place)
    along = np.gradient(center, axis=0) @ curve.line / np.maximum(np.linalg.norm(np.gradient(center, axis=0), axis=1), 1e-9)
    reach = round(plaque.reach_mm / STEEP / frame.pixel_mm)
    row = np.round(curve.beside_mm(center) / frame.pixel_mm).astype(int)[:, None] + rows // 2 + np.arange(-reach, reach + 1)
    offset = (row - rows // 2) * frame.pixel_mm - curve.beside_mm(center)[:, None]
    classes = classes_along(plaque, distance[:, None] + offset * along[:, None], center[:, None] + offset[..., None] * curve.line)
    inside = (row >= 0) & (row < rows)
    found[row[inside], np.broadcast_to(np.arange(len(place))[:, None], row.shape)[inside]] = classes[inside]
    return found
