"""Directions of one heart, for naming arteries: from the labels where they are known, else from the arteries and normal anatomy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccta.anatomy.branch_names_graph import Pieces
from ccta.model import HEART_LABELS, Volume

APEX_PRIOR = np.array([0.58, -0.48, -0.66])  # LV long axis in supine adults, LPS (Odille et al. 2017 and normal atlases): left, anterior, down
LATERAL_PRIOR = np.array([0.6, 0.8, 0.0])  # from the right to the left ventricle: left and posterior


@dataclass(frozen=True, eq=False)
class Frame:
    """origin_mm: (3,) aortic root. apex: unit vector base -> apex. lateral: unit vector RV -> LV free wall, perpendicular to apex.

    inferior: unit vector towards the diaphragm, perpendicular to both. All patient LPS.
    """

    origin_mm: np.ndarray
    apex: np.ndarray
    lateral: np.ndarray
    inferior: np.ndarray

    def place(self, points_mm: np.ndarray) -> np.ndarray:
        """(N, 3) LPS -> (N, 3) mm along apex, lateral, inferior from the origin."""
        return (points_mm - self.origin_mm) @ np.stack([self.apex, self.lateral, self.inferior]).T


def heart_frame(heart: Volume | None, pieces: Pieces) -> Frame:
    """From the heart labels, or without them from the ostia and the artery that reaches farthest towards the usual apex."""
    ostia = np.array([pieces.pieces[r].points_mm[0] for r in pieces.roots()])
    origin = ostia.mean(axis=0)
    ends = np.vstack([p.points_mm for p in pieces.pieces])
    apex, lateral = APEX_PRIOR, LATERAL_PRIOR
    centers = _centers(heart)
    if centers is not None:
        origin = centers["aorta"]
        apex = _unit(centers["apex"] - origin)
        lateral = centers["lv"] - centers["rv"] if "rv" in centers else LATERAL_PRIOR
    else:
        reach = ends - origin
        apex = _unit(_unit(reach[np.argmax(reach @ APEX_PRIOR)]) + APEX_PRIOR)
    lateral = _unit(lateral - (lateral @ apex) * apex)
    inferior = np.cross(apex, lateral)
    return Frame(origin, apex, lateral, inferior if inferior[2] < 0 else -inferior)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _centers(heart: Volume | None) -> dict[str, np.ndarray] | None:
    """Patient positions of the aortic valve end, the apex, the LV and the RV; None without an aorta and an LV."""
    if heart is None:
        return None
    step = np.maximum(1, np.round(2.0 / heart.spacing_mm).astype(int))
    labels = heart.array[:: step[0], :: step[1], :: step[2]]
    scale = heart.affine[:3, :3] * step

    def points(*names):
        return np.argwhere(np.isin(labels, [HEART_LABELS[n] for n in names])) @ scale.T + heart.affine[:3, 3]

    lv, aorta, rv = points("lv", "myocardium"), points("aorta"), points("rv")
    if len(lv) < 100 or len(aorta) < 50:
        return None
    center = lv.mean(axis=0)
    far = np.linalg.norm(aorta - center, axis=1)
    valve = aorta[far <= np.quantile(far, 0.05)].mean(axis=0)
    out = np.linalg.norm(lv - valve, axis=1)
    found = {"aorta": valve, "lv": center, "apex": lv[out >= np.quantile(out, 0.99)].mean(axis=0)}
    return found | ({"rv": rv.mean(axis=0)} if len(rv) >= 100 else {})
