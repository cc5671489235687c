"""Tissues of the chest as a label map knows them: what CT shows of each, with and without contrast, and which place each belongs to.

The synthesis of training images draws from these ranges, which are wider than what patients show (SynthSeg: Billot et al., Med Image Anal
2023;86:102789).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccta.coordinates import to_index
from ccta.model import HEART_LABELS, VESSELS

PLACES = HEART_LABELS | {vessel: 9 + n for n, vessel in enumerate(VESSELS)} | {"descending_aorta": 13}
"""What the heart network tells apart; 0 is everything else. LM, LAD, LCx, RCA: within `ZONE_MM` of the artery or of a side branch of it."""
ZONE_MM = 2.5  # about an artery's lumen: its wall, its calcium, and the blur of a 3-mm slice


@dataclass(frozen=True)
class Tissue:
    """plain_hu: (low, high) without contrast. blood: the blood pool that gives it its HU in a CTA, '' for a tissue that contrast changes little."""

    name: str
    plain_hu: tuple[float, float]
    place: str = ""
    blood: str = ""


TISSUES = (
    Tissue("air", (-1024, -980)),
    Tissue("fat", (-125, -70)),
    Tissue("muscle", (30, 75)),
    Tissue("bone", (180, 900)),
    Tissue("marrow", (20, 300)),
    Tissue("lung", (-940, -600)),
    Tissue("lung_vessels", (20, 55), "", "mixed"),
    Tissue("lung_arteries", (20, 55), "", "pulmonary"),
    Tissue("lung_veins", (28, 60), "", "left"),
    Tissue("cava", (28, 60), "", "right"),
    Tissue("mediastinum", (-125, -50)),
    Tissue("liver", (-5, 80)),
    Tissue("spleen", (30, 65)),
    Tissue("stomach", (-300, 80)),
    Tissue("pericardial_sac", (-20, 50), "heart"),
    Tissue("pericardial_fat", (-125, -60), "heart"),
    Tissue("vein", (28, 60), "heart", "venous"),
    Tissue("pulmonary_artery", (28, 60), "pulmonary_artery", "pulmonary"),
    Tissue("aorta_wall", (30, 65), "aorta"),
    Tissue("aorta", (28, 60), "aorta", "left"),
    Tissue("descending_wall", (30, 65), "descending_aorta"),
    Tissue("descending_aorta", (28, 60), "descending_aorta", "left"),
    Tissue("atrial_wall", (30, 60), "heart"),
    Tissue("rv_wall", (30, 60), "heart"),
    Tissue("myocardium", (35, 65), "myocardium"),
    Tissue("ra", (28, 60), "ra", "right"),
    Tissue("rv", (28, 60), "rv", "right"),
    Tissue("la", (28, 60), "la", "left"),
    Tissue("lv", (28, 60), "lv", "left"),
    Tissue("papillary", (35, 65), "lv"),
    Tissue("artery", (28, 60), "", "left"),
)
CODE = {tissue.name: code for code, tissue in enumerate(TISSUES)}
MAP_STEP_MM = 1.5  # of a ChestMap; interpolated distances place the arteries' walls finer
OFF_SCALE_MM = 0.05  # of its stored distances


@dataclass(frozen=True, eq=False)
class ChestMap:
    """All (ni, nj, nk), axes to L, P, S, `MAP_STEP_MM`. tissue: uint8 CODE. off_lumen: int8 distance from the nearest artery's lumen in `OFF_SCALE_MM`.

    Far from the arteries off_lumen is 127 and vessel 0; near them vessel holds the PLACES code of the nearest.
    """

    tissue: np.ndarray
    off_lumen: np.ndarray
    vessel: np.ndarray


@dataclass(frozen=True, eq=False)
class ArteryScene:
    """A patient's heart with its arteries as geometry, from which any view can be painted.

    codes: (L,) uint8 CODE of the tissue layers in painter's order. distance: (L, nx, ny, nz) int8 signed distance of each in `OFF_SCALE_MM`, on the
    painter's grid from origin_mm. node, shape, start, part, part_start: the arteries' tubes, as the painter packs them; node[:, :3] are centerline points
    (mm) and node[:, 13] the lumen's radius; branch b owns nodes start[b]:start[b + 1].
    """

    codes: np.ndarray
    origin_mm: np.ndarray
    distance: np.ndarray
    node: np.ndarray
    shape: np.ndarray
    start: np.ndarray
    part: np.ndarray
    part_start: np.ndarray

    def branch(self, number: int) -> slice:
        """The nodes of one branch."""
        return slice(int(self.start[number]), int(self.start[number + 1]))


@dataclass(frozen=True, eq=False)
class Line:
    """A tube that is no artery: vein, lead, stent, calcium. points_mm: (N, 3). wall_mm: of a hollow tube, 0: solid.

    fill: it takes the place of what is darker; otherwise its HU are added."""

    points_mm: np.ndarray
    radius_mm: float
    hu: float
    wall_mm: float = 0.0
    fill: bool = False


@dataclass(frozen=True, eq=False)
class View:
    """What is painted of a scene. affine: (4, 4) voxel index to mm; hu, texture_hu: (T,) of each tissue, mean and SD of its slow variation.

    artery_hu: (blood, wall, lipid, HU per mg/cm3 of calcium)."""

    affine: np.ndarray
    shape: tuple[int, int, int]
    hu: np.ndarray
    texture_hu: np.ndarray
    artery_hu: np.ndarray
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, eq=False)
class PlaceMap:
    """probability: (C, ni, nj, nk) of PLACES, 0 being everything else; affine: (4, 4) of that grid to patient mm. Beyond the grid all is place 0."""

    probability: np.ndarray
    affine: np.ndarray

    def at(self, points_mm: np.ndarray) -> np.ndarray:
        """(N, 3) -> (N, C), trilinear."""
        index = to_index(np.asarray(points_mm, float), self.affine)
        low = np.floor(index).astype(int)
        found = np.zeros((len(index), len(self.probability)))
        for corner in np.ndindex(2, 2, 2):
            at = low + corner
            weight = np.prod(1 - np.abs(index - at), axis=1)
            inside = ((at >= 0) & (at < self.probability.shape[1:])).all(axis=1)
            found[inside] += weight[inside, None] * self.probability[:, *at[inside].T].T
            found[~inside, 0] += weight[~inside]
        return found

    @property
    def label(self) -> np.ndarray:
        """(ni, nj, nk) uint8, the most probable place."""
        return self.probability.argmax(axis=0).astype(np.uint8)
