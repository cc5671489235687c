"""Coronary calcium without a CCTA: the usual courses of the arteries, valves and aorta in the frame of the heart, against which a spot is judged."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ccta.curves import resampled_curve
from ccta.disease.calcium_heart import HeartPlace, locate_heart
from ccta.disease.calcium_selection import BONE_MM3, Judge, Verdict, surroundings
from ccta.model import VESSELS, Volume

COURSES = (
    ("LM", ((-0.07, 0.04, 0.62), (0.12, 0.12, 0.60))),
    ("LAD", ((0.12, 0.12, 0.60), (0.31, 0.07, 0.58), (0.50, -0.17, 0.48), (0.57, -0.65, 0.25), (0.63, -0.95, -0.10), (0.75, -0.88, -0.95))),
    ("LAD", ((0.31, 0.07, 0.58), (0.75, -0.30, 0.25), (0.95, -0.40, -0.20))),  # diagonal
    ("LCx", ((0.12, 0.12, 0.60), (0.30, 0.30, 0.30), (0.49, 0.50, 0.02), (0.60, 0.45, -0.30), (0.45, 0.50, -0.60))),
    ("LCx", ((0.49, 0.50, 0.02), (0.90, 0.05, -0.50))),  # marginal
    ("RCA", ((-0.20, -0.28, 0.54), (-0.29, -0.43, 0.30), (-0.47, -0.56, -0.05), (-0.60, -0.60, -0.45), (-0.25, -0.05, -0.85))),
    ("RCA", ((-0.25, -0.05, -0.85), (0.30, -0.30, -0.95))),  # posterior descending
    ("aortic wall or valve", ((-0.22, -0.10, 0.38), (-0.27, -0.20, 0.75), (-0.30, -0.30, 1.30))),
    ("mitral annulus", ((0.05, 0.20, 0.20), (0.20, 0.32, 0.00), (0.30, 0.15, -0.15), (0.15, 0.05, 0.05), (0.05, 0.20, 0.20))),
)
"""Courses in half extents of the heart from its centre along L, P, S (`HeartPlace`). Drawn from textbook anatomy and set beside two patients' CTs
(one coronary tree, one heart), whose roots differ by 0.3 half extents; hence the wide `SCATTER_MM`, and probabilities well below 1."""

SCATTER_MM = 12.0
REACH_MM = 36.0  # three times the scatter
MARGIN_MM = 8.0  # the arteries run on the surface of the heart, whose outline is known to about three coarse voxels
FATTY = 0.2  # share of fat around a coronary lesion; partial volume and a neighbouring chamber leave at least this


def atlas_judge(volume: Volume) -> Judge:
    """Judge by place. A spot is compared with the nearest artery and the nearest non-coronary structure; fat about it speaks for an artery.

    Arteries run in epicardial fat, valves and aortic wall border on blood: a spot without fat around is set one scatter farther from every artery,
    one with at least `FATTY` of it one scatter farther from valves and aorta. Probability: exp(-d^2 / 2 scatter^2), normalised over all courses.
    Raises Refusal when the heart is not found.
    """
    place = locate_heart(volume)
    courses = [(name, cKDTree(resampled_curve(place.center_mm + np.array(q) * place.half_mm, 2.0))) for name, q in COURSES]

    def judge(spot_mm: np.ndarray, weights: np.ndarray, size_mm3: float) -> Verdict:
        center = np.average(spot_mm, axis=0, weights=weights)
        if not _near_heart(place, center):
            return Verdict(reason="outside the heart", nearby=False)
        if size_mm3 > BONE_MM3:
            within = float(place.contains(spot_mm).mean()) > 0.5  # a ring of ribs has its centre in the heart
            return Verdict(reason=f"bone or device: {size_mm3:.0f} mm3 in one piece", nearby=within)
        distance = _distances_mm(courses, center)
        fat, _ = surroundings(volume, spot_mm)
        fatty = min(fat / FATTY, 1.0)
        effective = {name: d + SCATTER_MM * (1 - fatty if name in VESSELS else fatty) for name, d in distance.items()}
        odds = {name: np.exp(-((d / SCATTER_MM) ** 2) / 2) + 1e-12 for name, d in effective.items()}
        best = min(effective, key=effective.get)
        vessel = min(VESSELS, key=distance.get)
        if best not in VESSELS:
            return Verdict(vessel, 0.0, f"{best}: {distance[best]:.0f} mm from its usual place, {100 * fat:.0f} % fat around")
        if distance[vessel] > REACH_MM:
            return Verdict(vessel, 0.0, f"{distance[vessel]:.0f} mm from the usual course of any artery (nearest: {vessel})")
        return Verdict(vessel, float(odds[vessel] / sum(odds.values())))

    return judge


def _near_heart(place: HeartPlace, center: np.ndarray) -> bool:
    offsets = MARGIN_MM * np.vstack([np.zeros(3), np.eye(3), -np.eye(3)])
    return bool(place.contains(center + offsets).any())


def _distances_mm(courses: list, center: np.ndarray) -> dict[str, float]:
    distance: dict[str, float] = {}
    for name, course in courses:
        distance[name] = min(distance.get(name, np.inf), float(course.query(center)[0]))
    return distance
