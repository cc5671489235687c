"""The brush: a circle that pushes the contour being drawn, outwards from inside and inwards from outside. Pure changes of `ReadingState`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from viewer.app import editor
from viewer.app.editor import RADII_MM
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.tool_state import BRUSHES_MM
from viewer.app.words import NotPossible


def on_brush(state: ReadingState, study: Study) -> None:
    """Takes the brush up, or puts it away; opens the lumen contour where none is open. NotPossible without a contour."""
    if state.mode == "brush":
        state.mode = ""
        return
    if state.draft is None:
        editor.begin(state, study, "lumen")
    state.mode = "brush"


def on_brush_size(state: ReadingState, study: Study, steps: int) -> None:
    """The next larger or smaller circle."""
    sizes = sorted(BRUSHES_MM)
    at = min(range(len(sizes)), key=lambda k: abs(sizes[k] - state.tools.brush_mm))
    state.tools = replace(state.tools, brush_mm=sizes[int(np.clip(at + steps, 0, len(sizes) - 1))])


def on_push(state: ReadingState, study: Study, start: tuple[float, float], end: tuple[float, float]) -> None:
    """The circle moved from one place to the next (u, v mm from the center of the plane). Where it began decides: inside it widens, outside it narrows."""
    draft = state.draft
    if draft is None:
        raise NotPossible("choose_contour")
    if not np.isfinite([*start, *end]).all():
        raise ValueError(f"the brush needs finite coordinates, got {start}, {end}")
    section = study.section(draft.branch)
    radius_mm = editor.drawn_radius_mm(draft, section)
    after = pushed(radius_mm, start, end, state.tools.brush_mm)
    change = after - radius_mm + (np.array(draft.pushed_mm) if draft.pushed_mm else 0.0)
    state.draft = replace(draft, pushed_mm=tuple(map(float, change)))


def pushed(radius_mm: np.ndarray, start_mm: tuple[float, float], end_mm: tuple[float, float], brush_mm: float) -> np.ndarray:
    """(A,) radii after a circle went straight from one place to another, in steps of a quarter of its radius. The contour only moves out of its way."""
    way = np.linalg.norm(np.subtract(end_mm, start_mm))
    widens = contains(radius_mm, start_mm)
    for share in np.linspace(0, 1, 1 + int(np.ceil(way / (brush_mm / 4)))):
        radius_mm = _touched(radius_mm, np.add(start_mm, share * np.subtract(end_mm, start_mm)), brush_mm, widens)
    return np.clip(radius_mm, *RADII_MM)


def contains(radius_mm: np.ndarray, place_mm: tuple[float, float]) -> bool:
    """True where a place lies within a contour of polar radii."""
    count = len(radius_mm)
    at = np.mod(np.arctan2(place_mm[1], place_mm[0]) / (2 * np.pi) * count, count)
    return bool(np.hypot(*place_mm) <= np.interp(at, np.arange(count + 1), np.append(radius_mm, radius_mm[0])))


def _touched(radius_mm: np.ndarray, center_mm: np.ndarray, brush_mm: float, widens: bool) -> np.ndarray:
    """Rays from the center of the plane meet the circle where t² - 2 t (e·c) + c² - R² = 0: beyond it when it widens, before it when it narrows."""
    angle = 2 * np.pi * np.arange(len(radius_mm)) / len(radius_mm)
    along = center_mm[0] * np.cos(angle) + center_mm[1] * np.sin(angle)
    inside = along**2 - center_mm @ center_mm + brush_mm**2
    root = np.sqrt(np.maximum(inside, 0.0))
    if widens:
        return np.where((inside > 0) & (along + root > 0), np.maximum(radius_mm, along + root), radius_mm)
    return np.where((inside > 0) & (along - root > 0), np.minimum(radius_mm, along - root), radius_mm)
