"""Plaque classes in the wall, as the findings count them, looked up at any place beside a branch, and their colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccta.disease.plaque import branch_plaque
from ccta.disease.plaque_classes import thresholds
from ccta.model import CrossSections
from viewer.app.study import Study
from viewer.app.views.kept import kept

CLASSES = ("low_attenuation", "fibro_fatty", "fibrous", "calcified")
"""Of CLINICAL, from the lowest HU; keys of `viewer.app.words`."""
CLASS_RGB = np.array([(213, 60, 20), (240, 200, 60), (30, 150, 110), (120, 160, 255)], np.uint8)
"""Hues that colour-blind readers tell apart (after Okabe and Ito 2008), none of the grey of the image."""
OPACITY = 0.6


@dataclass(frozen=True, eq=False)
class PlaqueMap:
    """Of one branch: its planes, the wall that was counted, (M, A) radii, and (M, A, R) classes 1-4 from lumen to wall, 0 where there is no plaque."""

    sections: CrossSections
    lumen_mm: np.ndarray
    wall_mm: np.ndarray
    classes: np.ndarray

    @property
    def reach_mm(self) -> float:
        """Beyond this from the centerline there is none."""
        return float(self.wall_mm.max())


def plaque_map(study: Study, branch: int) -> PlaqueMap | None:
    """None where the branch has no contours."""
    return kept(study, ("plaque", branch), lambda: _plaque_map(study, branch))


def _plaque_map(study: Study, branch: int) -> PlaqueMap | None:
    own = study.section(branch)
    if own is None or len(own) < 2:
        return None
    sections = [one for one in study.sections if len(one) > 1]
    settings = study.settings.measure
    limits_hu, _ = kept(study, "plaque limits", lambda: thresholds(study.volume, sections, settings))
    found = branch_plaque(study.volume, study.tree, own, sections, settings, [one for one in study.stenoses if one.branch == branch])
    classes = np.where(found.volume_mm3 > 0, 1 + np.digitize(found.hu, limits_hu), 0).astype(np.uint8)
    return PlaqueMap(own, found.sections.lumen_radius_mm, found.sections.wall_radius_mm, classes)


def burden_pct(plaque: PlaqueMap) -> np.ndarray:
    """(M,) plaque area over the area within the outer wall at each plane, percent."""
    layers = plaque.classes.shape[2]
    edge_mm = plaque.lumen_mm[..., None] + (plaque.wall_mm - plaque.lumen_mm)[..., None] * np.arange(layers + 1) / layers
    return 100 * (np.diff(edge_mm**2, axis=-1) * (plaque.classes > 0)).sum(axis=(1, 2)) / (plaque.wall_mm**2).sum(axis=1)


def classes_at(plaque: PlaqueMap, plane: np.ndarray, u_mm: np.ndarray, v_mm: np.ndarray) -> np.ndarray:
    """Class at in-plane offsets (...) of planes (...): 0 where there is no plaque."""
    angles, layers = plaque.classes.shape[1:]
    plane, u_mm, v_mm = np.broadcast_arrays(plane, u_mm, v_mm)
    radius = np.hypot(u_mm, v_mm)
    ray = np.round(np.arctan2(v_mm, u_mm) / (2 * np.pi) * angles).astype(int) % angles
    lumen, wall = plaque.lumen_mm[plane, ray], plaque.wall_mm[plane, ray]
    share = (radius - lumen) / np.maximum(wall - lumen, 1e-6)
    inside = (share >= 0) & (share < 1)
    return np.where(inside, plaque.classes[plane, ray, np.clip(share * layers, 0, layers - 1).astype(int)], 0)


def classes_along(plaque: PlaqueMap, distance_mm: np.ndarray, positions_mm: np.ndarray) -> np.ndarray:
    """Class at positions (..., 3) that lie in the planes at distances (...) of the branch."""
    own = plaque.sections
    plane = np.round(np.interp(distance_mm, own.distance_mm, np.arange(len(own)))).astype(int)
    plane = np.broadcast_to(plane, positions_mm.shape[:-1])
    offset = positions_mm - own.center_mm[plane]
    return classes_at(plaque, plane, (offset * own.axis_u[plane]).sum(axis=-1), (offset * own.axis_v[plane]).sum(axis=-1))


def painted(picture: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """A grey (..., ) or coloured (..., 3) uint8 picture with the classes over it."""
    colour = picture if picture.ndim == classes.ndim + 1 else np.repeat(picture[..., None], 3, axis=-1)
    found = classes > 0
    if found.any():
        colour = colour.copy()
        colour[found] = ((1 - OPACITY) * colour[found] + OPACITY * CLASS_RGB[classes[found] - 1]).astype(np.uint8)
    return colour


def plaque_legend(study: Study) -> list[dict]:
    """Colour, word and limits of each class, as the findings used them; [] without contours."""
    sections = [one for one in study.sections if len(one) > 1]
    if not any(one.reliable.any() for one in sections):
        return []
    limits, _ = kept(study, "plaque limits", lambda: thresholds(study.volume, sections, study.settings.measure))
    low, middle, high = (f"{x:.0f}" for x in limits)
    texts = (f"< {low}", f"{low}–{middle}", f"{middle}–{high}", f"> {high}")
    return [{"css": f"rgb{tuple(map(int, rgb))}", "word": word, "hu": text} for rgb, word, text in zip(CLASS_RGB, CLASSES, texts, strict=True)]
