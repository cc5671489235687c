"""Where a slice cuts lumen and outer wall: the contours of every branch as tubes, cut by the plane."""

from __future__ import annotations

import contourpy
import numpy as np

from ccta.model import CrossSections
from viewer.app.planes import Plane
from viewer.app.study import Study
from viewer.app.views.kept import kept

EVERY = 2
"""Planes of the contours that a tube takes: one in this many."""


def outline_paths(study: Study, plane: Plane) -> dict[str, str]:
    """SVG paths in a 0-100 box of the lumen and of the wall of all branches in a slice."""
    tubes = kept(study, "tubes", lambda: _tubes(study))
    return {name: " ".join(path for tube in tubes for path in _cut(tube[name], plane)) for name in ("lumen", "wall")}


def _tubes(study: Study) -> list[dict[str, np.ndarray]]:
    """Per branch, (M, A + 1, 3) positions of its lumen and wall rings, closed; without what lies in its parent's lumen."""
    found = []
    for index in range(len(study.tree)):
        section = study.section(index)
        rows = _own_planes(study, index, section) if section is not None else np.zeros(0, int)
        if len(rows) > 1:
            radii = {"lumen": section.lumen_radius_mm[rows], "wall": section.wall_radius_mm[rows]}
            found.append({name: _rings(section, rows, radius) for name, radius in radii.items()})
    return found


def _own_planes(study: Study, index: int, section: CrossSections) -> np.ndarray:
    rows = np.unique(np.append(np.arange(0, len(section), EVERY), len(section) - 1))
    parent = study.branch(index).parent
    if parent is None:
        return rows
    points, radius = study.branch(parent).points_mm, study.branch(parent).radius_mm
    apart = np.linalg.norm(section.center_mm[rows, None] - points[None], axis=-1)
    nearest = apart.argmin(axis=1)
    inside = apart[np.arange(len(rows)), nearest] < radius[nearest]
    return rows[np.argmin(inside) :] if not inside.all() else rows[:0]


def _rings(section: CrossSections, rows: np.ndarray, radius_mm: np.ndarray) -> np.ndarray:
    angle = 2 * np.pi * np.arange(radius_mm.shape[1] + 1) / radius_mm.shape[1]
    offset = np.cos(angle)[:, None] * section.axis_u[rows, None] + np.sin(angle)[:, None] * section.axis_v[rows, None]
    return section.center_mm[rows, None] + np.concatenate([radius_mm, radius_mm[:, :1]], axis=1)[..., None] * offset


def _cut(tube: np.ndarray, plane: Plane) -> list[str]:
    """SVG paths of the lines in which a tube meets a plane."""
    side = (tube.reshape(-1, 3) @ plane.normal).reshape(tube.shape[:2]) - plane.origin_mm @ plane.normal
    low, high = side.min(axis=1), side.max(axis=1)
    crossed = np.flatnonzero((np.minimum(low[:-1], low[1:]) <= 0) & (np.maximum(high[:-1], high[1:]) >= 0))
    if not len(crossed):
        return []
    rings = slice(crossed[0], crossed[-1] + 2)
    lines = contourpy.contour_generator(z=side[rings]).lines(0.0)
    return ["M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in _in_picture(tube[rings], line, plane)) for line in lines if len(line) > 1]


def _in_picture(tube: np.ndarray, line: np.ndarray, plane: Plane) -> np.ndarray:
    """(N, 2) percent of the picture of places given as (angle, ring) numbers between the tube's points."""
    column, row = np.clip(line, 0, np.array(tube.shape[1::-1]) - 1 - 1e-9).T
    a, m = column.astype(int), row.astype(int)
    x, y = (column - a)[:, None], (row - m)[:, None]
    position = (1 - y) * ((1 - x) * tube[m, a] + x * tube[m, a + 1]) + y * ((1 - x) * tube[m + 1, a] + x * tube[m + 1, a + 1])
    offset = position - plane.origin_mm
    return 100 * np.stack([offset @ plane.right / plane.size_mm[0], offset @ plane.down / plane.size_mm[1]], axis=1)
