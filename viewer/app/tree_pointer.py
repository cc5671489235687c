"""What of the 3-D tree the pointer is on, from the camera of the browser that draws it: no picking in the browser, which is slow without a graphics card."""

from __future__ import annotations

import numpy as np

from viewer.app.study import Study
from viewer.app.tool_state import TreePlace

REACH = 0.015
"""Of the height of the picture: how far beside the centerline the pointer may be; at least the vessel's own radius."""


def seen_at(points_mm: np.ndarray, camera: dict, aspect: float) -> tuple[np.ndarray, np.ndarray]:
    """((N, 2) fractions of the picture from its top left, (N,) depth in mm) of patient positions. aspect: width over height.

    camera: position, focalPoint, viewUp in patient mm and the vertical viewAngle in degrees, as vtk.js has them.
    """
    position, focus, up = (np.asarray(camera[name], float) for name in ("position", "focalPoint", "viewUp"))
    forward = (focus - position) / np.linalg.norm(focus - position)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    offset = np.asarray(points_mm, float) - position
    depth = np.maximum(offset @ forward, 1e-6)
    half = depth * np.tan(np.deg2rad(float(camera.get("viewAngle", 30.0))) / 2)
    x, y = offset @ right / (half * aspect), offset @ np.cross(right, forward) / half
    return np.stack([0.5 + 0.5 * x, 0.5 - 0.5 * y], axis=1), depth


def nearest_drawn(study: Study, camera: dict, pointer: tuple[float, float], aspect: float) -> TreePlace | None:
    """The place on the tree under the pointer (fractions of the picture), the front one where two vessels lie behind each other; None beside the tree."""
    best, found = np.inf, None
    for index, branch in enumerate(study.tree):
        places, depth = seen_at(branch.points_mm, camera, aspect)
        apart = np.hypot((places[:, 0] - pointer[0]) * aspect, places[:, 1] - pointer[1])
        drawn_radius = branch.radius_mm / (2 * depth * np.tan(np.deg2rad(float(camera.get("viewAngle", 30.0))) / 2))
        on = np.flatnonzero(apart <= np.maximum(REACH, drawn_radius))
        if len(on):
            front = on[depth[on] <= depth[on].min() + 3 * branch.radius_mm.max()]
            nearest = front[np.argmin(apart[front])]
            if depth[nearest] < best:
                best, found = float(depth[nearest]), TreePlace(index, float(branch.distance_mm[nearest]))
    return found
