"""Training images made on the fly from chest maps: warped anatomy, drawn contrast, painted calcium, blur, slices, noise, fields of view.

What is drawn is wider than what scanners and patients show, so that a real scan is one more variation (Billot et al., Med Image Anal 2023;86:102789).
"""

from __future__ import annotations

import numba
import numpy as np
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation
from torch.nn.functional import interpolate

from ccta.networks.synthetic_calcium import add_calcium
from ccta.networks.windows import GRID_MM, PATCH
from ccta.tissues import CODE, MAP_STEP_MM, OFF_SCALE_MM, PLACES, TISSUES, ZONE_MM, ChestMap

FIELD_STEP = 12  # voxels between the nodes of the warp
PLAIN = 0.5  # share of images without contrast
CENTERED = 0.85  # share of patches about the heart
EVEN = 0.3  # share of CTAs whose pools are about equally bright
EDEMA = 0.15  # share of images whose fat about the heart is mixed with thymus, fluid or fibres
OUTSIDE_HU = -1024.0
ARTERY = CODE["artery"]
HEART = np.array([CODE[name] for name in ("ra", "rv", "la", "lv", "myocardium")])


def training_pair(chest: ChestMap, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(`PATCH` float32 HU, uint8 PLACES) of one warped, scanned part of a chest. A function of the map and the generator's state."""
    matrix, offset, field = drawn_warp(chest, rng)
    table, mixing = drawn_hu(rng)
    place_of = np.array([PLACES.get(tissue.place, 0) for tissue in TISSUES], np.uint8)
    image, tissue, off, place = sampled((chest.tissue, chest.off_lumen, chest.vessel), (table, place_of), (matrix, offset, field), PATCH)
    add_trabeculae(image, tissue, table, rng)
    add_texture(image, tissue, mixing, rng)
    add_calcium(image, tissue, off, place, GRID_MM, rng)
    image = scanned(image, rng)
    limit_view(image, place, rng)
    return image, place


def drawn_warp(chest: ChestMap, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(matrix (3, 3) and offset (3,) from the patch's voxels to the map's, field (3, a, b, c) added to the latter at every `FIELD_STEP`)."""
    turn = Rotation.from_euler("xyz", rng.normal(0, [8, 8, 12]), degrees=True).as_matrix()
    size = np.exp(rng.normal(0, 0.10) + rng.normal(0, 0.07, 3))
    shear = np.eye(3) + np.triu(rng.normal(0, 0.06, (3, 3)), 1)
    matrix = turn @ shear @ np.diag(size) * (GRID_MM / MAP_STEP_MM)
    if rng.random() < CENTERED:
        inside = np.argwhere(np.isin(chest.tissue[::4, ::4, ::4], HEART)) * 4
        target = inside.mean(axis=0) + rng.normal([0, 0, 8], [16, 16, 24]) / MAP_STEP_MM  # as often above the heart: vessels
    else:
        target = np.array(chest.tissue.shape) * rng.uniform(0.15, 0.85, 3)
    offset = target - matrix @ ((np.array(PATCH) - 1) / 2)
    nodes = [n // FIELD_STEP + 2 for n in PATCH]
    fine, broad = (ndimage.gaussian_filter(rng.normal(0, 1, (3, *nodes)), (0, wide, wide, wide), mode="wrap") for wide in (0.6, 1.3))
    bend = fine / fine.std() * rng.uniform(0, 3.5) + broad / broad.std() * rng.uniform(0, 7)
    return matrix, offset, bend / MAP_STEP_MM


def drawn_hu(rng, plain_share: float = PLAIN) -> tuple[np.ndarray, dict[str, float]]:
    """((T,) HU of every tissue, SD of slow variation by blood pool). Pools are drawn together: what fills them is one patient's blood.

    plain_share: of images without contrast."""
    table = np.array([rng.uniform(*tissue.plain_hu) for tissue in TISSUES])
    blood, plain, slow = rng.uniform(28, 58), rng.random() < plain_share, {}
    pool = drawn_pools(rng)
    for code, tissue in enumerate(TISSUES):
        if tissue.blood:
            table[code] = blood + rng.normal(0, 2) if plain else pool[tissue.blood] * np.clip(rng.normal(1, 0.07), 0.75, 1.25)
    if plain:
        table[CODE["myocardium"]] = blood + rng.uniform(-6, 18)
    else:
        table[CODE["myocardium"]] = rng.uniform(65, 170)
        mixing = rng.uniform(0, 0.25)
        slow = {"right": rng.choice([1.0, 2.0]) * mixing * pool["right"], "left": 0.15 * mixing * pool["left"]}
        for name in ("aorta_wall", "descending_wall", "atrial_wall", "rv_wall", "muscle", "stomach"):
            table[CODE[name]] += rng.uniform(0, 50)
        for name in ("liver", "spleen"):
            table[CODE[name]] += rng.uniform(0, 110)
    table[CODE["papillary"]] = table[CODE["myocardium"]] + rng.normal(0, 5)
    if rng.random() < EDEMA:
        table[[CODE["mediastinum"], CODE["pericardial_fat"]]] = rng.uniform(-70, 40, 2)
    return table.astype(np.float32), slow


def drawn_pools(rng) -> dict[str, float]:
    """HU of the blood pools in a CTA: from one phase of the bolus, or of a long bolus that fills all of them about equally."""
    left = rng.uniform(180, 750)
    if rng.random() < EVEN:
        return {name: left * rng.uniform(0.75, 1.2) for name in ("right", "venous", "mixed", "pulmonary")} | {"left": left}
    pool = {"left": left, "right": rng.uniform(40, 1.1 * left), "venous": rng.uniform(50, 0.9 * left), "mixed": rng.uniform(50, left)}
    return pool | {"pulmonary": rng.uniform(min(pool["right"], left), max(pool["right"], left))}


@numba.njit(cache=True, fastmath=True)
def sampled(chest, tables, warp, shape):
    """chest: (tissue, off_lumen, vessel) of a ChestMap; tables: HU and place of each tissue; warp: `drawn_warp`.

    (image by the partial volume of 2 x 2 x 2 sub-voxels; tissue, distance from an artery's lumen (mm) and place at the voxels' centres)."""
    (tissue, off_lumen, vessel), (table, place_of), (matrix, offset, field) = chest, tables, warp
    image, centre = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    off, place = np.full(shape, 99.0, np.float32), np.zeros(shape, np.uint8)
    parts = np.zeros((9, 3))  # from a voxel's centre, in the map; the last is the centre
    for s in range(8):
        for a in range(3):
            parts[s, a] = 0.25 * (matrix[a, 0] * (2 * (s & 1) - 1) + matrix[a, 1] * ((s & 2) - 1) + matrix[a, 2] * ((s & 4) / 2 - 1))
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                p, q, r = _warped(matrix, offset, field, i, j, k)
                total = 0.0
                for s in range(9):
                    x, y, z = p + parts[s, 0], q + parts[s, 1], r + parts[s, 2]
                    a, b, c = _inside(x + 0.5, tissue.shape[0] - 1), _inside(y + 0.5, tissue.shape[1] - 1), _inside(z + 0.5, tissue.shape[2] - 1)
                    code, near = tissue[a, b, c], 99.0
                    if vessel[a, b, c]:
                        near = OFF_SCALE_MM * _lerp(off_lumen, x, y, z)
                    if s < 8:
                        total += table[ARTERY] if near < 0 else table[code]
                    else:
                        centre[i, j, k], off[i, j, k] = code, near
                        place[i, j, k] = vessel[a, b, c] if near < ZONE_MM else place_of[code]
                image[i, j, k] = total / 8
    return image, centre, off, place


@numba.njit(cache=True, fastmath=True)
def _inside(x, last):
    """The whole part of x, within 0 to `last`."""
    return min(max(int(x), 0), last)


@numba.njit(cache=True, fastmath=True)
def _warped(matrix, offset, field, i, j, k):
    """Place in the map of a voxel of the patch."""
    a, b, c = i // FIELD_STEP, j // FIELD_STEP, k // FIELD_STEP
    x, y, z = i / FIELD_STEP - a, j / FIELD_STEP - b, k / FIELD_STEP - c
    first = matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k + offset[0]
    second = matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k + offset[1]
    third = matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k + offset[2]
    for n in range(8):
        p, q, r = n & 1, (n >> 1) & 1, n >> 2
        w = (x if p else 1 - x) * (y if q else 1 - y) * (z if r else 1 - z)
        first += w * field[0, a + p, b + q, c + r]
        second += w * field[1, a + p, b + q, c + r]
        third += w * field[2, a + p, b + q, c + r]
    return first, second, third


@numba.njit(cache=True, fastmath=True)
def _lerp(field, x, y, z):
    """Trilinear value at a place inside or beside the grid."""
    a, b, c = _inside(x, field.shape[0] - 2), _inside(y, field.shape[1] - 2), _inside(z, field.shape[2] - 2)
    x, y, z = min(max(x - a, 0.0), 1.0), min(max(y - b, 0.0), 1.0), min(max(z - c, 0.0), 1.0)
    value = 0.0
    for i in range(2):
        for j in range(2):
            w = (x if i else 1 - x) * (y if j else 1 - y)
            value += w * ((1 - z) * field[a + i, b + j, c] + z * field[a + i, b + j, c + 1])
    return value


def add_trabeculae(image: np.ndarray, tissue: np.ndarray, table: np.ndarray, rng) -> None:
    """Strands of muscle in the ventricles, the denser the nearer the wall, in place; what they are in stays ventricle."""
    ventricle = (tissue == CODE["rv"]) | (tissue == CODE["lv"])
    near_wall = 1 - ndimage.uniform_filter(ventricle.astype(np.float32), 7)
    strands = ndimage.gaussian_filter(rng.standard_normal(image.shape, dtype=np.float32), rng.uniform(0.5, 1.2))
    share = np.clip(strands / strands.std() - rng.uniform(1.2, 3.0) + 2 * near_wall, 0, 1) * ventricle
    image += share * (table[CODE["myocardium"]] - image)


def add_texture(image: np.ndarray, tissue: np.ndarray, mixing: dict[str, float], rng) -> None:
    """Slow variation of soft tissue and, in a CTA, of contrast that has not mixed, in place."""
    coarse = rng.standard_normal([n // 4 + 2 for n in image.shape]).astype(np.float32)
    slow = interpolate(torch.from_numpy(coarse)[None, None], scale_factor=4, mode="trilinear")[0, 0].numpy()[tuple(slice(n) for n in image.shape)]
    amplitude = np.full(len(TISSUES), rng.uniform(0, 6), np.float32)
    for code, known in enumerate(TISSUES):
        if known.blood in mixing:
            amplitude[code] += mixing[known.blood]
        elif known.name in ("lung", "marrow", "stomach", "bone"):
            amplitude[code] += rng.uniform(0, 60)
    image += amplitude[tissue] * slow


def scanned(image: np.ndarray, rng) -> np.ndarray:
    """Point spread, slices of any thickness, correlated noise: back on the same grid."""
    blur = rng.uniform(0.1, 0.8)
    image = ndimage.gaussian_filter(image, (blur, blur, rng.uniform(0.1, 0.6)))
    slice_mm = float(rng.choice([0.0, 2.5, 3.0, 5.0], p=[0.45, 0.1, 0.3, 0.15]))
    depth = image.shape[2]
    if slice_mm:
        image = ndimage.uniform_filter1d(image, max(1, round(slice_mm / GRID_MM + 0.25)), axis=2)
        at = np.arange(rng.uniform(0, slice_mm / GRID_MM), depth - 1, slice_mm / GRID_MM)
        low = np.floor(at).astype(int)
        image = image[:, :, low] * (1 - (at - low)) + image[:, :, low + 1] * (at - low)
    grain = rng.uniform(0, 0.9)
    noise = ndimage.gaussian_filter(rng.standard_normal(image.shape, dtype=np.float32), (grain, grain, 0 if slice_mm else 0.5 * grain))
    image = image + rng.uniform(1, 24) / noise.std() * noise
    if slice_mm:
        back = np.clip((np.arange(depth) - at[0]) / (at[1] - at[0]), 0, len(at) - 1.001)
        low = back.astype(int)
        image = image[:, :, low] * (1 - (back - low)) + image[:, :, low + 1] * (back - low)
    return image.astype(np.float32)


def limit_view(image: np.ndarray, place: np.ndarray, rng) -> None:
    """What lies outside a field of view, a cut-out of it, and the slices taken is not seen, in place."""
    x, y = np.ogrid[: image.shape[0], : image.shape[1]]
    hidden = np.zeros(image.shape, bool)
    if rng.random() < 0.3:
        middle, radius = np.array(image.shape[:2]) / 2 + rng.normal(0, 4, 2), rng.uniform(40, 64)
        hidden[np.hypot(x - middle[0], y - middle[1]) > radius] = True
    for axis, chance in ((0, 0.15), (1, 0.15), (2, 0.3)):
        size = image.shape[axis]
        for side in (slice(0, rng.integers(size // 4)), slice(size - rng.integers(size // 4), size)):
            if rng.random() < chance:
                hidden[(slice(None),) * axis + (side,)] = True
    image[hidden] = OUTSIDE_HU
    place[hidden] = 0
