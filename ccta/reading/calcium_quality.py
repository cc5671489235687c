"""Image quality of a non-contrast series for calcium scoring: noise, gating, increment, kernel, tube voltage, height; one verdict in words."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ccta.findings import Acquisition, CalciumQuality
from ccta.model import Unavailable, Volume
from ccta.reading.classify import SHARP

SLICE_MM = 3.0  # that the Agatston score is defined for
MAX_INCREMENT_MM = 5.0
BLOCK_MM = 10.0  # of soft tissue, in which noise is measured about a plane
SOFT_HU = (-30.0, 120.0)  # blood, muscle and liver without contrast medium, averaged over `MEAN_MM`
MEAN_MM = 6.0  # leaves a quarter of the noise, so that noisy images have blocks, too
MIN_BLOCKS = 20
ASKED_NOISE_HU = 23.0  # at 3 mm, large patients: McCollough 2007 (Radiology 243:527); 20 HU for the others
USELESS_NOISE_HU = 42.0  # 130 HU is then two standard deviations above blood (45 HU): noise makes lesions
HEART_MM = 100.0  # height of a heart: less cannot hold it


def assess_calcium_quality(volume: Volume, acquisition: Acquisition) -> CalciumQuality:
    """volume: HU without contrast medium. No labels are needed: noise is taken from soft tissue wherever it fills a block.

    noise_3mm: averaging thinner slices to 3 mm divides independent noise by the square root of their number.
    """
    noise, increment = soft_tissue_noise_hu(volume), float(volume.spacing_mm[2])
    at_3mm = noise * min(1.0, (increment / SLICE_MM) ** 0.5) if noise is not None else None
    grave, mild = [], []
    if acquisition.contrast:
        grave.append("not from this series: it is contrast-enhanced")
    if increment > MAX_INCREMENT_MM + 0.01:
        grave.append(f"not possible: slices every {increment:.2g} mm; 3 mm are asked for")
    if at_3mm is not None and at_3mm > USELESS_NOISE_HU:
        grave.append(f"not possible: noise of {at_3mm:.0f} HU alone reaches the threshold of 130 HU")
    elif at_3mm is not None and at_3mm > ASKED_NOISE_HU:
        mild.append(f"limited: noise of {at_3mm:.0f} HU at 3 mm, {ASKED_NOISE_HU:.0f} HU are asked for; small lesions may be noise")
    mild += _limits_of_the_scan(acquisition, increment, volume)
    unknown = Unavailable("no block of soft tissue was found to measure noise in")
    return CalciumQuality(
        noise_hu=noise if noise is not None else unknown, noise_3mm_hu=at_3mm if at_3mm is not None else unknown, verdict="; ".join([*grave, *mild]) or "good"
    )


def _limits_of_the_scan(acquisition: Acquisition, increment: float, volume: Volume) -> list[str]:
    said = []
    if increment > SLICE_MM + 0.5:
        said.append(f"limited: slices every {increment:.2g} mm instead of 3 mm; small lesions are averaged away")
    if not acquisition.gated:
        said.append(f"limited: {'not gated' if acquisition.gated is False else 'not gated as far as the header says'}; motion smears lesions")
    if SHARP.search(acquisition.kernel):
        said.append(f"limited: the sharp kernel {acquisition.kernel} raises noise and peaks")
    if acquisition.kvp and abs(float(acquisition.kvp) - 120.0) > 1:
        said.append(f"limited: {acquisition.kvp:g} kVp instead of 120; the threshold is adapted by a published table")
    height = increment * (volume.array.shape[2] - 1)
    if height < HEART_MM:
        said.append(f"limited: {height:.0f} mm of height may not hold the whole heart")
    return said


def soft_tissue_noise_hu(volume: Volume) -> float | None:
    """Standard deviation of the noise, HU: 1.4826 MAD about a plane, in blocks of pure soft tissue; their median. None: too few blocks."""
    side = np.maximum(4, np.round(BLOCK_MM / volume.spacing_mm[:2])).astype(int)
    grid = np.stack(np.meshgrid(np.arange(side[0]), np.arange(side[1]), indexing="ij"), -1).reshape(-1, 2)
    plane = np.column_stack([np.ones(len(grid)), grid])
    residual_of = np.eye(len(grid)) - plane @ np.linalg.pinv(plane)
    found = []
    depth = volume.array.shape[2]
    for k in range(0, depth, max(1, depth // 16)):
        hu = volume.array[:, :, k].astype(np.float32)
        smooth = ndimage.uniform_filter(hu, np.maximum(3, np.round(MEAN_MM / volume.spacing_mm[:2]).astype(int)))
        soft = (smooth > SOFT_HU[0]) & (smooth < SOFT_HU[1])
        count = np.array(hu.shape) // side
        tiled = [a[: count[0] * side[0], : count[1] * side[1]].reshape(count[0], side[0], count[1], side[1]).swapaxes(1, 2) for a in (hu, soft)]
        values = tiled[0].reshape(-1, len(grid))[tiled[1].reshape(-1, len(grid)).all(axis=1)]
        residual = values @ residual_of
        found += list(1.4826 * np.median(np.abs(residual - np.median(residual, axis=1, keepdims=True)), axis=1))
    return float(np.median(found)) if len(found) >= MIN_BLOCKS else None
