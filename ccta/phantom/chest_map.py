"""A phantom patient's chest as a label map with its arteries, for the training of networks: hearts, bodies and positions spread far beyond the usual."""

from __future__ import annotations

import numba
import numpy as np
from scipy.spatial import cKDTree

from ccta.coordinates import to_patient_mm
from ccta.model import SEGMENTS
from ccta.phantom.chest_variety import varied_layers, wide_form
from ccta.phantom.patient import PatientSpec, PhantomPatient, make_patient
from ccta.tissues import CODE, MAP_STEP_MM, OFF_SCALE_MM, PLACES, ChestMap

COARSE_MM = 4.0  # of the tissues' distances: organs bend over centimetres
HALF_MM = np.array([130.0, 130.0, 105.0])  # of the box about the heart
MIDDLE_MM = np.array([-15.0, 0.0, 0.0])
FAR_MM = 6.0  # from an artery's lumen; farther off no distance is kept
TISSUE_OF = {
    "skin_fat": "fat", "marrow": "marrow", "sternum": "bone", "sternum_marrow": "marrow", "muscle_back": "muscle", "bone_spine": "bone",
    "marrow_spine": "marrow", "canal": "muscle", "diaphragm": "muscle", "esophagus": "muscle", "aorta_wall_descending": "descending_wall",
    "aorta_descending": "descending_aorta", "fat": "pericardial_fat", "pulmonary_artery_outer": "pulmonary_artery", "aorta_outer": "aorta_wall",
    "ra_outer": "atrial_wall", "la_outer": "atrial_wall", "rv_outer": "rv_wall", "lv_outer": "myocardium", "bronchial_wall": "muscle", "bronchial_air": "air",
    "pulmonary_veins": "lung_veins",
}  # fmt: skip
"""Layers of the phantom whose tissue has another name."""


def chest_map(seed: int) -> ChestMap:
    """The patient of a training seed, a function of the seed alone."""
    patient = wide_patient(seed)
    count = np.rint(2 * HALF_MM / COARSE_MM).astype(int) + 1
    axes = [c - h + np.arange(n) * COARSE_MM for c, h, n in zip(MIDDLE_MM, HALF_MM, count, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    layers = varied_layers(patient, np.random.default_rng([seed, 4003]))
    distance = np.stack([shape(points).astype(np.float32) for _, shape in layers], axis=-1)
    code = np.array([CODE[TISSUE_OF.get(name, name)] for name, _ in layers], np.uint8)
    shape = np.floor((count - 1) * COARSE_MM / MAP_STEP_MM).astype(int) + 1
    tissue = topmost(distance, code, MAP_STEP_MM / COARSE_MM, tuple(shape))
    off_lumen, vessel = near_arteries(patient, tissue)
    return ChestMap(tissue, off_lumen, vessel)


def wide_patient(seed: int) -> PhantomPatient:
    """Sizes, turns and calibres far beyond those of the evaluation, no plaque: calcium is painted later."""
    rng = np.random.default_rng([seed, 4001])
    heart = float(rng.uniform(0.8, 1.2))
    spec = PatientSpec(
        dominance=str(rng.choice(["right", "left", "co-dominant"], p=[0.6, 0.2, 0.2])),
        ramus=bool(rng.random() < 0.3), plaques=(), calibre=float(rng.uniform(0.75, 1.35)), heart_size=heart,
        body_size=float(np.clip(heart * rng.uniform(0.9, 1.25), 0.75, 1.4)), turn_deg=tuple(float(x) for x in rng.normal(0, [10, 10, 14])),
    )  # fmt: skip
    return make_patient(1_000_000 + seed, spec, wide_form(rng))


@numba.njit(cache=True)
def topmost(distance, code, ratio, shape):
    """(shape) uint8 code of the last layer that covers each voxel; 0 where none does. distance: (ni, nj, nk, L) on a grid `1 / ratio` times as coarse."""
    result, possible = np.zeros(shape, np.uint8), layers_of_cells(distance)
    for i in range(shape[0]):
        a = min(int(i * ratio), distance.shape[0] - 2)
        x = i * ratio - a
        for j in range(shape[1]):
            b = min(int(j * ratio), distance.shape[1] - 2)
            y = j * ratio - b
            for k in range(shape[2]):
                c = min(int(k * ratio), distance.shape[2] - 2)
                z = k * ratio - c
                bits = possible[a, b, c]
                for n in range(distance.shape[3] - 1, -1, -1):
                    if not (bits >> n) & 1:
                        continue
                    value = 0.0
                    for p in range(2):
                        for q in range(2):
                            w = (x if p else 1 - x) * (y if q else 1 - y)
                            value += w * ((1 - z) * distance[a + p, b + q, c, n] + z * distance[a + p, b + q, c + 1, n])
                    if value < 0:
                        result[i, j, k] = code[n]
                        break
    return result


@numba.njit(cache=True)
def layers_of_cells(distance):
    """(ni - 1, nj - 1, nk - 1) int64: bit n is set where layer n (of 63 at most) covers a corner of the cell."""
    ni, nj, nk, layers = distance.shape
    result = np.zeros((ni - 1, nj - 1, nk - 1), np.int64)
    for i in range(ni):
        for j in range(nj):
            for k in range(nk):
                bits = np.int64(0)
                for n in range(layers):
                    if distance[i, j, k, n] < 0:
                        bits |= np.int64(1) << n
                result[max(i - 1, 0) : i + 1, max(j - 1, 0) : j + 1, max(k - 1, 0) : k + 1] |= bits
    return result


def near_arteries(patient: PhantomPatient, tissue: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(off_lumen, vessel) of a ChestMap."""
    affine = np.diag([MAP_STEP_MM, MAP_STEP_MM, MAP_STEP_MM, 1.0])
    affine[:3, 3] = MIDDLE_MM - HALF_MM
    branches = [vessel.branch for vessel in patient.vessels]
    nodes = np.vstack([branch.points_mm for branch in branches])
    radius = np.concatenate([branch.radius_mm for branch in branches])
    names = np.concatenate([[PLACES[SEGMENTS[s][1]] for s in branch.segment] for branch in branches]).astype(np.uint8)
    lowest = np.floor((nodes.min(axis=0) - FAR_MM - 3 - affine[:3, 3]) / MAP_STEP_MM).astype(int)
    highest = np.ceil((nodes.max(axis=0) + FAR_MM + 3 - affine[:3, 3]) / MAP_STEP_MM).astype(int) + 1
    box = tuple(slice(max(a, 0), min(b, n)) for a, b, n in zip(lowest, highest, tissue.shape, strict=True))
    index = np.stack(np.meshgrid(*[np.arange(s.start, s.stop) for s in box], indexing="ij"), axis=-1).reshape(-1, 3)
    apart, node = cKDTree(nodes).query(to_patient_mm(index, affine), distance_upper_bound=FAR_MM + 3)
    seen = np.isfinite(apart)
    off, vessel = np.full(tissue.shape, 127, np.int8), np.zeros(tissue.shape, np.uint8)
    where = tuple(index[seen].T)
    off[where] = np.clip(np.rint((apart[seen] - radius[node[seen]]) / OFF_SCALE_MM), -128, 127)
    vessel[where] = names[node[seen]]
    return off, vessel
