"""Training pairs of the coronary network: views of artery scenes with drawn contrast, veins, leads, stents and calcium, then a drawn scanner.

What is drawn is wider than what scanners and patients show, so that a real scan is one more variation (Billot et al., Med Image Anal 2023;86:102789).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from ccta.coordinates import to_index
from ccta.networks.coronary_input import CORONARY_PATCH, STEP_MM
from ccta.networks.synthesis import OUTSIDE_HU, drawn_hu
from ccta.tissues import CODE, TISSUES, ArteryScene, Line, View

Painter = Callable[[ArteryScene, View, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""(scene, view, rng) -> (HU without blur or noise, CORONARY_LABELS)."""


def coronary_pair(scene: ArteryScene, paint: Painter, rng: np.random.Generator) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """(`CORONARY_PATCH` float32 HU, HU of the aorta as a reader would measure it, uint8 CORONARY_LABELS, bool centerline)."""
    affine = drawn_affine(scene, rng)
    table, mixing = drawn_hu(rng, plain_share=0.0)
    blood = float(table[CODE["aorta"]])
    artery = np.array([table[CODE["artery"]], rng.uniform(10, 90), rng.uniform(-40, 60), rng.uniform(0.8, 2.6)])
    texture = np.array([mixing.get(tissue.blood, 0.0) + rng.uniform(0, 8) for tissue in TISSUES])
    view = View(affine, CORONARY_PATCH, table, texture, artery, drawn_lines(scene, affine, blood, rng))
    image, label = paint(varied_plaques(scene, rng), view, rng)
    line = centerline(scene, affine, label)
    image, targets = scanned(image, np.stack([label, line]), rng)
    return image, blood * float(np.clip(rng.normal(1, 0.05), 0.85, 1.15)), targets[0], targets[1] > 0


def drawn_affine(scene: ArteryScene, rng: np.random.Generator) -> np.ndarray:
    """(4, 4) voxel index to mm: any place near an artery, any size, most often about upright, sometimes turned or mirrored."""
    angle = rng.normal(0, 20, 3) if rng.random() < 0.7 else rng.uniform(-180, 180, 3)
    size = np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.07, 3)) * np.where(rng.random(3) < 0.15, -1, 1)
    shear = np.eye(3) + np.triu(rng.normal(0, 0.05, (3, 3)), 1)
    branch = scene.branch(int(rng.integers(len(scene.start) - 1)))
    aim = scene.node[rng.integers(branch.start, branch.stop), :3]
    kind = rng.random()
    if kind < 0.12:  # where an artery begins
        aim = scene.node[branch.start, :3]
    elif kind < 0.35 and len(plaque := np.flatnonzero(np.isfinite(scene.shape[:, 3]))):
        aim = scene.node[rng.choice(plaque), :3]
    away_mm = rng.choice([4.0, 20.0], p=[0.8, 0.2])  # hard negatives: chamber borders and grooves without an artery
    affine = np.eye(4)
    affine[:3, :3] = STEP_MM * Rotation.from_euler("xyz", angle, degrees=True).as_matrix() @ shear @ np.diag(size)
    affine[:3, 3] = aim + rng.normal(0, away_mm, 3) - affine[:3, :3] @ ((np.array(CORONARY_PATCH) - 1) / 2)
    return affine


def varied_plaques(scene: ArteryScene, rng: np.random.Generator) -> ArteryScene:
    """The scene with its calcium and lipid turned, stretched and of another density, its plaques of another HU."""
    part, shape = scene.part.copy(), scene.shape.copy()
    part[:, 1] *= rng.uniform(0.4, 1.1, len(part))
    part[:, 2] += rng.normal(0, 1.0, len(part))
    part[:, 3] *= rng.uniform(0.4, 1.5, len(part))
    part[:, 4] = np.clip(part[:, 4] + rng.normal(0, 0.1, len(part)), 0.2, 0.8)
    part[:, 6] *= rng.uniform(0.5, 1.5)
    shape[:, 3] += rng.uniform(-40, 50)
    return replace(scene, part=part, shape=shape)


def drawn_lines(scene: ArteryScene, affine: np.ndarray, blood_hu: float, rng: np.random.Generator) -> tuple[Line, ...]:
    """Veins beside arteries and free ones, stents, leads, and calcium that is not coronary."""
    middle = affine[:3, :3] @ ((np.array(CORONARY_PATCH) - 1) / 2) + affine[:3, 3]
    found = [beside(scene, middle, blood_hu, rng) for _ in range(rng.integers(0, 4))]
    if rng.random() < 0.3:
        found.append(_clear(scene, Line(_curve(middle, 12, 20, rng), rng.uniform(0.5, 2.2), blood_hu * rng.uniform(0.3, 1.0), fill=True)))
    if rng.random() < 0.06:
        found.append(Line(_curve(middle, 10, 40, rng), rng.uniform(0.4, 1.2), rng.uniform(2000, 9000)))
    for _ in range(rng.integers(0, 3) if rng.random() < 0.3 else 0):
        found.append(_clear(scene, Line(_curve(middle, 10, 2, rng), rng.uniform(0.4, 1.8), rng.uniform(300, 1200))))
    if rng.random() < 0.12:
        found.append(stent(scene, middle, rng))
    return tuple(line for line in found if line is not None and len(line.points_mm) > 1)


def beside(scene: ArteryScene, middle: np.ndarray, blood_hu: float, rng: np.random.Generator) -> Line | None:
    """A vein that runs along an artery near the middle, at any distance from touching it to some millimetres, up to as bright as it."""
    first = int(np.argmin(np.linalg.norm(scene.node[:, :3] - middle - rng.normal(0, 8, 3), axis=1)))
    owner = scene.branch(int(np.searchsorted(scene.start, first, side="right")) - 1)
    reach = int(rng.uniform(20, 90))
    piece = scene.node[max(owner.start, first - reach) : min(owner.stop, first + reach) : 4]
    side, radius = rng.normal(0, 1, 3), rng.uniform(0.5, 2.6)
    away = piece[:, 13] + radius + rng.uniform(0.3, 4.0) + 1.5 * np.sin(np.arange(len(piece)) / rng.uniform(4, 12) + rng.uniform(0, 6)) ** 2
    across = side - piece[:, 3:6] * (piece[:, 3:6] @ side)[:, None]
    points = piece[:, :3] + away[:, None] * across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 0.2)
    bright = blood_hu * (rng.uniform(0.3, 0.9) if rng.random() < 0.93 else rng.uniform(0.9, 1.05))
    return _clear(scene, Line(points, radius, bright, fill=True))


def stent(scene: ArteryScene, middle: np.ndarray, rng: np.random.Generator) -> Line:
    """A metal mesh as the hollow tube that CT makes of it, in the artery nearest to the middle."""
    first = int(np.argmin(np.linalg.norm(scene.node[:, :3] - middle, axis=1)))
    owner = scene.branch(int(np.searchsorted(scene.start, first, side="right")) - 1)
    reach = int(rng.uniform(4, 12) / 0.25)
    piece = scene.node[max(owner.start, first - reach) : min(owner.stop, first + reach)]
    return Line(piece[:, :3], float(piece[:, 13].mean()) + 0.2, rng.uniform(1500, 9000), rng.uniform(0.12, 0.3))


def _curve(middle: np.ndarray, spread_mm: float, length_mm: float, rng: np.random.Generator) -> np.ndarray:
    """(8, 3) a bent line that passes near the middle."""
    along = np.linspace(-0.5, 0.5, 8)[:, None] * length_mm
    bend = rng.normal(0, 0.15, (2, 3)) * length_mm
    way = rng.normal(0, 1, 3)
    part = along / length_mm
    return middle + rng.normal(0, spread_mm, 3) + along * way / np.linalg.norm(way) + np.sin(3 * part) * bend[0] + part**2 * bend[1]


def _clear(scene: ArteryScene, line: Line) -> Line | None:
    """The longest stretch of a line that no artery touches; None where there is none."""
    apart, node = cKDTree(scene.node[:, :3]).query(line.points_mm)
    free = apart > scene.shape[node, 0] + scene.shape[node, 1] + line.radius_mm
    runs, count = ndimage.label(free)
    if not count:
        return None
    longest = runs == 1 + int(np.argmax(np.bincount(runs)[1:]))
    return replace(line, points_mm=line.points_mm[longest])


def centerline(scene: ArteryScene, affine: np.ndarray, label: np.ndarray) -> np.ndarray:
    """(ni, nj, nk) uint8: voxels of the lumen or its calcium through which a centerline runs."""
    index = np.rint(to_index(scene.node[:, :3], affine)).astype(int)
    index = index[((index >= 0) & (index < label.shape)).all(axis=1)]
    line = np.zeros_like(label)
    line[tuple(index.T)] = 1
    return line * (label > 0)


def scanned(image: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(HU as a scanner shows them, targets where they then lie): motion, steps, kernel, slices of 0.4-1.5 mm, noise of any grain, scale, borders."""
    if rng.random() < 0.25:
        image = ndimage.uniform_filter1d(image, int(rng.integers(2, 6)), axis=int(rng.integers(2)))
    if rng.random() < 0.12:
        image, targets = stepped(image, targets, rng)
    blur = rng.uniform(0.2, 1.05)
    image = ndimage.gaussian_filter(image, (blur, blur, rng.uniform(0.2, 0.9)))
    if rng.random() < 0.25:  # a sharp kernel
        image += rng.uniform(0.2, 0.9) * (image - ndimage.gaussian_filter(image, 1.2))
    slice_voxels = rng.uniform(0.4, 1.5) / STEP_MM
    image = ndimage.correlate1d(image, profile(slice_voxels), axis=2)
    image = resliced(image, slice_voxels * rng.uniform(0.5, 1.0), noise_of(image.shape, rng), rng)
    image = image * rng.uniform(0.93, 1.07) + rng.normal(0, 10)
    if rng.random() < 0.1:
        axis, cut = int(rng.integers(3)), int(rng.integers(4, 24))
        hidden = (slice(None),) * axis + (slice(0, cut) if rng.random() < 0.5 else slice(-cut, None),)
        image[hidden] = OUTSIDE_HU
        targets[:, *hidden] = 0
    return image.astype(np.float32), targets


def stepped(image: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A step between two slabs: the slices above it lie up to 1.5 mm aside."""
    cut, shift = int(rng.integers(12, image.shape[2] - 12)), tuple(int(n) for n in rng.integers(-3, 4, 2))
    image, targets = image.copy(), targets.copy()
    image[:, :, cut:] = np.roll(image[:, :, cut:], shift, axis=(0, 1))
    targets[:, :, :, cut:] = np.roll(targets[:, :, :, cut:], shift, axis=(1, 2))
    return image, targets


def profile(width: float) -> np.ndarray:
    """A box of `width` voxels with partial weights at its ends; sums to 1."""
    reach = max(0, int(np.ceil((width - 1) / 2 - 1e-9)))
    weight = np.clip((width + 1) / 2 - np.abs(np.arange(-reach, reach + 1)), 0, 1)
    return weight / weight.sum()


def resliced(image: np.ndarray, step: float, noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Slices `step` voxels apart, noise added to each, and back by linear interpolation; steps below a voxel are left out."""
    if step <= 1.0:
        return image + noise
    at = np.arange(rng.uniform(0, step), image.shape[2] - 1.001, step)
    low = np.floor(at).astype(int)
    image = image[:, :, low] * (1 - (at - low)) + image[:, :, low + 1] * (at - low) + noise[:, :, : len(at)]
    back = np.clip((np.arange(noise.shape[2]) - at[0]) / step, 0, len(at) - 1.001)
    low = back.astype(int)
    return image[:, :, low] * (1 - (back - low)) + image[:, :, low + 1] * (back - low)


def noise_of(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """5-70 HU of noise from white to coarse; a third of it without its slow part, as sharp kernels leave it."""
    grain = rng.uniform(0.2, 1.4)
    noise = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), (grain, grain, rng.uniform(0, 0.9)))
    if rng.random() < 0.35:
        noise -= ndimage.gaussian_filter(noise, 2.5 * grain)
    return noise * np.float32(np.exp(rng.uniform(np.log(5), np.log(70))) / noise.std())
