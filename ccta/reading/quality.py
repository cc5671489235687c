"""Image quality of a coronary CT: noise, SNR, CNR, contrast timing, coverage, steps between slabs; a verdict in words per task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ccta.coordinates import to_patient_mm
from ccta.findings import Acquisition, Quality
from ccta.model import HEART_LABELS, Unavailable, Volume
from ccta.reading.classify import CORONARY_SPACING_MM
from ccta.reading.slab_steps import slab_steps

ROOT_MM = 40.0  # around the aortic valve: the root and the proximal ascending aorta
WALL_MM = 3.0  # eroded off the aorta, so that neither wall nor blur enters the noise
MIN_ROI_MM2 = 60.0
FAT_HU = (-190.0, -30.0)
AIR_HU = -1024  # padding, and what lies outside a resampled stack
FAT_REACH_MM = 15.0  # epicardial and perivascular fat, not the subcutaneous
LOW_AORTA_HU = 250.0  # SCCT 2016 (Abbara et al., J Cardiovasc Comput Tomogr 10:435) asks for more than 250 HU in the coronaries
NO_AORTA_HU = 130.0  # below this the lumen does not stand out from the wall (muscle 50-110 HU when enhanced)
LOW_CNR, NO_CNR = 8.0, 4.0  # below 8 contours widen, below 4 lumen and fat overlap within two standard deviations each
HIGH_NOISE_HU = 45.0  # plaque classes are 100 HU wide: at this noise a third of the voxels changes class
EARLY_RATIO = 1.25  # right over left ventricle: the bolus is still in the right heart


@dataclass(frozen=True)
class _Measured:
    noise_hu: float | None
    aorta_hu: float | None
    fat_hu: float | None
    rv_lv_ratio: float | None
    cut: tuple[str, ...]
    has_steps: bool


def assess_quality(volume: Volume, heart: Volume, acquisition: Acquisition) -> Quality:
    """volume: HU. heart: HEART_LABELS on the same grid; labels may be missing, what needs them is then Unavailable.

    Noise: robust SD (1.4826 MAD) about a plane fitted per slice within the eroded aortic root, median over slices. SNR = aorta / noise.
    CNR = (aorta - epicardial fat) / noise.
    """
    if heart.array.shape != volume.array.shape:
        raise ValueError(f"heart labels of shape {heart.array.shape} do not fit an image of shape {volume.array.shape}")
    noise, aorta = _root_noise(volume, heart)
    steps = slab_steps(volume, heart)
    measured = _Measured(noise, aorta, _fat_hu(volume, heart), _rv_lv_ratio(volume, heart), tuple(_coverage(volume, heart)), bool(steps))
    warnings = [*_timing(measured), *(f"the heart is cut off {where}" for where in measured.cut), *(step.sentence for step in steps)]
    no_aorta = Unavailable("the aortic root was not found in this image")
    cnr = (aorta - measured.fat_hu) / noise if noise and measured.fat_hu is not None else None
    return Quality(
        noise_hu=noise if noise else no_aorta,
        snr=aorta / noise if noise else no_aorta,
        cnr=cnr if cnr is not None else Unavailable("no epicardial fat was found to compare with") if noise else no_aorta,
        aorta_hu=aorta if aorta is not None else no_aorta,
        fat_hu=measured.fat_hu if measured.fat_hu is not None else Unavailable("no epicardial fat was found"),
        rv_lv_ratio=measured.rv_lv_ratio if measured.rv_lv_ratio is not None else Unavailable("the ventricles were not found in this image"),
        steps_mm=[step.z_mm for step in steps],
        verdict=verdicts(volume, acquisition, measured, cnr),
        warnings=warnings,
    )


def _root_noise(volume: Volume, heart: Volume) -> tuple[float | None, float | None]:
    """(noise SD, mean HU) of the aortic root, or Nones."""
    root = _root_slices(heart)
    noise, level = [], []
    for k in root[:: max(1, len(root) // 24)]:
        mask = heart.array[:, :, k] == HEART_LABELS["aorta"]
        rows, columns = (slice(max(0, w.min() - 1), w.max() + 2) for w in np.nonzero(mask))
        inner = ndimage.distance_transform_edt(np.pad(mask[rows, columns], 1), sampling=volume.spacing_mm[:2])[1:-1, 1:-1] > WALL_MM
        if inner.sum() * np.prod(volume.spacing_mm[:2]) < MIN_ROI_MM2:
            continue
        hu = volume.array[rows, columns, k][inner].astype(float)
        plane = np.column_stack([np.ones(len(hu)), *np.nonzero(inner)])
        residual = hu - plane @ np.linalg.lstsq(plane, hu, rcond=None)[0]
        noise.append(1.4826 * np.median(np.abs(residual - np.median(residual))))
        level.append(np.median(hu))
    return (float(np.median(noise)), float(np.median(level))) if noise and np.median(noise) > 0 else (None, None)


def _root_slices(heart: Volume) -> np.ndarray:
    """Slices of the aorta within `ROOT_MM` of the place where it comes nearest to the left ventricle (all of them without one)."""
    step = np.maximum(1, np.round(3.0 / heart.spacing_mm)).astype(int)
    small = heart.array[:: step[0], :: step[1], :: step[2]]
    aorta = np.argwhere(small == HEART_LABELS["aorta"])
    ventricle = np.argwhere(small == HEART_LABELS["lv"])
    if not len(aorta):
        return np.zeros(0, int)
    aorta_mm, ventricle_mm = (to_patient_mm(index * step, heart.affine) for index in (aorta, ventricle))
    if len(ventricle):
        valve = aorta_mm[np.argmin(cKDTree(ventricle_mm).query(aorta_mm)[0])]
        aorta = aorta[np.linalg.norm(aorta_mm - valve, axis=1) < ROOT_MM]
    return np.unique(aorta[:, 2] * step[2])


def _fat_hu(volume: Volume, heart: Volume) -> float | None:
    """Median HU of fat within `FAT_REACH_MM` of the heart, every few millimetres; voxels whose 3 x 3 mean is fat, so that noise is not selected."""
    inside = np.flatnonzero(heart.array.any(axis=(0, 1)))
    found = []
    for k in inside[:: max(1, round(4.0 / volume.spacing_mm[2]))]:
        near = ndimage.distance_transform_edt(heart.array[:, :, k] == 0, sampling=volume.spacing_mm[:2]) <= FAT_REACH_MM
        smooth = ndimage.uniform_filter(volume.array[:, :, k].astype(np.float32), 3)
        found.append(smooth[near & (smooth > FAT_HU[0]) & (smooth < FAT_HU[1])])
    values = np.concatenate(found) if found else np.zeros(0)
    return float(np.median(values)) if len(values) > 200 else None


def _rv_lv_ratio(volume: Volume, heart: Volume) -> float | None:
    """Median HU of the right over that of the left ventricle."""
    left, right = (volume.array[::2, ::2, ::2][heart.array[::2, ::2, ::2] == HEART_LABELS[name]] for name in ("lv", "rv"))
    return float(np.median(right) / max(np.median(left), 1.0)) if min(len(left), len(right)) >= 100 else None


def _timing(measured: _Measured) -> list[str]:
    """Sentences on the bolus: strength in the aorta, right over left ventricle."""
    said = []
    if measured.aorta_hu is not None and measured.aorta_hu < LOW_AORTA_HU:
        said.append(f"weak contrast: {measured.aorta_hu:.0f} HU in the aorta, {LOW_AORTA_HU:.0f} HU are asked for")
    if measured.rv_lv_ratio is not None and measured.rv_lv_ratio > EARLY_RATIO:
        ratio = f"{measured.rv_lv_ratio:.1f} times as bright as the left"
        said.append(f"early scan: the right ventricle is {ratio}; streaks may cross the right coronary artery")
    return said


def _coverage(volume: Volume, heart: Volume) -> list[str]:
    """Where a chamber is cut: by the first or last slice, by the field of view, or by padding. Not the right atrium: its veins leave the image."""
    chambers = [HEART_LABELS[name] for name in ("lv", "myocardium", "rv", "la")]
    upward = heart.affine[2, 2] > 0
    faces = {
        "below" if upward else "above": heart.array[:, :, 0], "above" if upward else "below": heart.array[:, :, -1],
        "at one side": heart.array[0], "at the other side": heart.array[-1], "in front": heart.array[:, 0], "at the back": heart.array[:, -1],
    }  # fmt: skip
    least = 100.0 / float(np.min(heart.spacing_mm)) ** 2  # voxels of about 1 cm2
    cut = [where for where, face in faces.items() if np.isin(face, chambers).sum() > least]
    thin = (slice(None, None, 2),) * 3
    padding = volume.array[thin] <= AIR_HU
    if padding.any() and (ndimage.binary_dilation(padding) & np.isin(heart.array[thin], chambers)).sum() > least / 4:
        cut.append("by the border of what was reconstructed")
    return cut


def verdicts(volume: Volume, acquisition: Acquisition, measured: _Measured, cnr: float | None) -> dict[str, str]:
    """Per task "good" or the sentences that say what is wrong, the gravest first."""
    size = float(volume.spacing_mm.max())
    coarse = f"voxels of {size:.2g} mm are larger than {CORONARY_SPACING_MM:g} mm"
    anatomy, plaque, ffr = [], [], []
    if size > CORONARY_SPACING_MM:
        anatomy.append(f"not possible: {coarse}; coronary arteries of 2 to 4 mm cannot be followed (SCCT asks for submillimetre voxels)")
        plaque.append(f"not possible: {coarse}")
        ffr.append(f"not possible: {coarse}; the lumen area that FFR rests on cannot be measured")
    if (measured.aorta_hu is not None and measured.aorta_hu < NO_AORTA_HU) or acquisition.contrast is False:
        for task in (anatomy, plaque, ffr):
            task.append("not possible: the arteries are not filled with contrast medium")
    elif measured.aorta_hu is not None and measured.aorta_hu < LOW_AORTA_HU:
        for task in (anatomy, plaque, ffr):
            task.append(f"limited: weak contrast ({measured.aorta_hu:.0f} HU)")
    if cnr is not None and cnr < LOW_CNR:
        word = "not possible" if cnr < NO_CNR else "limited"
        for task in (anatomy, plaque, ffr):
            task.append(f"{word}: contrast-to-noise ratio {cnr:.1f}")
    if measured.noise_hu and measured.noise_hu > HIGH_NOISE_HU:
        plaque.append(f"limited: noise of {measured.noise_hu:.0f} HU blurs the plaque classes")
    if measured.has_steps:
        ffr.append("limited: the image has steps between slabs; vessel calibre there is wrong")
        anatomy.append("limited: the image has steps between slabs")
    if measured.cut:
        anatomy.append(f"limited: the heart is cut off {' and '.join(measured.cut)}; arteries there are missing")
        ffr.append("limited: arteries outside the image take flow that is not counted")
    calcium = "not from this series: it is contrast-enhanced" if acquisition.contrast else "good"
    sentences = {"anatomy": anatomy, "plaque": plaque, "ffr": ffr}
    ordered = {task: sorted(found, key=lambda s: not s.startswith("not")) for task, found in sentences.items()}
    return {"calcium": calcium, **{task: "; ".join(found) or "good" for task, found in ordered.items()}}
