"""Arrays as pictures that a browser shows: JPEG data addresses, and the tree's values for its colours."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from ccta.anatomy.reformat import CprGrid, cross_section_stack, frames_along, straightened_cpr
from viewer.app.planes import plane_image, plane_through, windowed
from viewer.app.state import ReadingState
from viewer.app.study import Study

CPR_SHAPE = 4.2
"""Length over width of the straightened vessel where its pane and length allow, so that it is shown about as long as it is."""
CROSS_HALF_MM = 6.0
SLICE_PIXELS = 560


def jpeg(grey: np.ndarray) -> str:
    """(rows, columns) uint8 -> data address."""
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def slice_picture(study: Study, state: ReadingState, name: str) -> tuple[str, tuple[float, float]]:
    """One slice, and where the cross-hair falls in it (fractions)."""
    plane = plane_through(study.volume, name, state.position_mm, state.field_mm)
    pixel_mm = max(plane.size_mm) / SLICE_PIXELS
    return jpeg(windowed(plane_image(study.volume, plane, pixel_mm), state.level_hu, state.width_hu)), plane.fraction(state.position_mm)


def cpr_picture(study: Study, state: ReadingState) -> str:
    """The vessel laid out straight, proximal end left; "" without a tree."""
    if state.branch < 0:
        return ""
    branch = study.branch(state.branch)
    grid = CprGrid(half_width_mm=float(np.clip(branch.length_mm / CPR_SHAPE / 2, 6, 18)), pixel_mm=0.2, step_mm=max(0.1, branch.length_mm / 800))
    cpr = straightened_cpr(study.volume, branch.points_mm, np.deg2rad(state.cpr_angle_deg), grid)
    return jpeg(windowed(cpr.image.T, state.level_hu, state.width_hu))


def cross_picture(study: Study, state: ReadingState) -> tuple[str, list[str]]:
    """The cross-section at the place, and its lumen and wall contours as SVG point lists in a 0-100 box."""
    if state.branch < 0:
        return "", []
    frames = frames_along(study.branch(state.branch))
    nearest = int(np.argmin(np.abs(frames.distance_mm - state.distance_mm)))
    one = type(frames)(*(getattr(frames, name)[nearest : nearest + 1] for name in ("distance_mm", "center_mm", "normal", "axis_u", "axis_v")))
    image = cross_section_stack(study.volume, one, CROSS_HALF_MM, 0.1)[0]
    return jpeg(windowed(image, state.level_hu, state.width_hu)), _contours(study, state, one)


def _contours(study: Study, state: ReadingState, frame) -> list[str]:
    section = study.sections[state.branch] if state.branch < len(study.sections) else None
    if section is None or not len(section):
        return []
    index = int(np.argmin(np.abs(section.distance_mm - state.distance_mm)))
    lists = []
    for radius in (section.lumen_radius_mm[index], section.wall_radius_mm[index]):
        offset = section.contour_mm(index, radius) - frame.center_mm[0]
        box = 50 + 50 / CROSS_HALF_MM * np.stack([offset @ frame.axis_u[0], offset @ frame.axis_v[0]], axis=1)
        lists.append(" ".join(f"{x:.1f},{y:.1f}" for x, y in box))
    return lists


def branch_values(study: Study) -> dict[str, list[np.ndarray]]:
    """Per kind of colour, one array per branch at its centerline points; NaN where it was not measured."""
    kinds: dict[str, list[np.ndarray]] = {"FFR": [], "diameter": [], "stenosis": []}
    for index, branch in enumerate(study.tree):
        s = branch.distance_mm
        curve = study.pullback.branches[index] if study.pullback else None
        kinds["FFR"].append(np.interp(s, curve.distance_mm, curve.ffr) if curve and curve.ffr else np.full(len(s), np.nan))
        section = study.sections[index] if index < len(study.sections) else None
        has = section is not None and len(section) > 0
        kinds["diameter"].append(np.interp(s, section.distance_mm, section.lumen_diameter_mm) if has else 2 * branch.radius_mm)
        degree = np.zeros(len(s))
        for stenosis in (x for x in study.stenoses if x.branch == index):
            degree[(s >= stenosis.entry_mm) & (s <= stenosis.exit_mm)] = stenosis.diameter_pct
        kinds["stenosis"].append(degree)
    return kinds
