"""What each series is and what it is good for, from its header, its geometry and a few of its slices."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ccta.errors import BadInput
from ccta.model import Volume
from ccta.reading.contrast import has_contrast
from ccta.reading.dicom_files import Image
from ccta.reading.dicom_series import along_normal_mm, read_slices_hu, slice_spacing_mm, stack_problem
from ccta.reading.headers import is_gated, kernel_of, phase_ms, phase_percent

MIN_COVERAGE_MM = 60.0  # less cannot hold the coronary arteries (the heart is 100-140 mm high)
CORONARY_SPACING_MM = 1.0  # submillimetre slices are asked for by SCCT (Abbara 2016, J Cardiovasc Comput Tomogr 10:435)
CONTRAST_SLICES = 12  # looked at for contrast medium
DERIVED = {"MIP", "MINIP", "VRT", "CPR", "CURVED", "SCREEN SAVE", "MPR THICK"}
SHARP = re.compile(r"BONE|LUNG|EDGE|SHARP|STENT|[BI][RVLF]?(?:5[5-9]|[6-9]\d)|FC5\d|FC8\d|\bY[BCD]\b", re.I)  # noise and overshoot: wrong for lumen HU


@dataclass(frozen=True)
class SeriesInfo:
    """One series. kind: ccta, calcium, localiser or other. problem: the fault that `read` would raise. uid: Series UID, with `#n` for part n of a mixed one."""

    kind: str
    uid: str
    description: str
    modality: str
    files: int
    good_for: str
    kvp: float | None = None
    kernel: str = ""
    contrast: bool | None = None
    gated: bool | None = None
    phase_percent: float | None = None
    phase_ms: float | None = None
    slice_spacing_mm: float | None = None
    pixel_mm: float | None = None
    coverage_mm: float | None = None
    frame_of_reference_uid: str = ""
    study_uid: str = ""
    study_date: str = ""
    patient_id: str = ""
    problem: str = ""
    chosen_because: str = ""
    source: Path = Path()
    is_image_file: bool = False
    images: tuple[Image, ...] = field(default=(), repr=False, compare=False)

    @property
    def label(self) -> str:
        return f"'{self.description}'" if self.description else self.uid


def described_series(uid: str, images: Sequence[Image]) -> SeriesInfo:
    """Classify one stack of images (sorted along its normal). Reads up to `CONTRAST_SLICES` slices of a CT."""
    first = images[0]
    spacing = slice_spacing_mm(images)
    stacked = first.position_mm is not None and len(images) > 1
    facts = {
        "uid": uid, "description": first.text("SeriesDescription"), "modality": first.text("Modality"), "files": len(images), "kvp": first.number("KVP"),
        "kernel": kernel_of(first), "gated": is_gated(images), "phase_percent": phase_percent(images), "phase_ms": phase_ms(images),
        "slice_spacing_mm": spacing, "pixel_mm": None if first.spacing_mm is None else float(first.spacing_mm.mean()),
        "coverage_mm": float(np.ptp(along_normal_mm(images))) if stacked else None,
        "frame_of_reference_uid": first.text("FrameOfReferenceUID"), "study_uid": first.text("StudyInstanceUID"), "study_date": first.text("StudyDate"),
        "patient_id": first.text("PatientID"), "source": first.file.path.parent, "images": tuple(images),
    }  # fmt: skip
    excluded = _excluded(images, facts["modality"], spacing, facts["coverage_mm"])
    truncated = next((f"{i.file.name} is truncated: {i.truncated}. Copy it again." for i in images if i.truncated), "")
    if excluded:
        return SeriesInfo(kind=excluded[0], good_for=truncated or excluded[1], problem=truncated, **facts)
    problem = truncated or stack_problem(images)
    contrast = _contrast(images)
    kind, good_for = _use(contrast, spacing, phase_text(facts["phase_percent"], facts["phase_ms"]), facts["gated"])
    return SeriesInfo(kind=kind, good_for=f"nothing until repaired: {problem}" if problem else good_for, contrast=contrast, problem=problem, **facts)


def _excluded(images: Sequence[Image], modality: str, spacing: float | None, coverage: float | None) -> tuple[str, str] | None:
    """(kind, why it is of no use), or None for a stack of CT slices of the heart's height."""
    image_type = images[0].text("ImageType").upper()
    if modality != "CT":
        return "other", f"not a CT but {modality}: nothing here can be measured in Hounsfield units"
    if "LOCALIZER" in image_type or "SCOUT" in image_type:
        return "localiser", "planning only: a projection, not a stack of slices"
    if any(word in image_type for word in DERIVED):
        return "other", "a derived picture (projection or reformat), not the original slices"
    if images[0].position_mm is None:
        return "other", "the images carry no position in the patient"
    if images[0].intercept is None:
        return "other", "the images carry no rescale to Hounsfield units"
    if spacing is None or len(images) < 8 or coverage < MIN_COVERAGE_MM:
        return "other", f"it covers {coverage or 0:.0f} mm with {len(images)} slice(s), less than a heart"
    return None


def _contrast(images: Sequence[Image]) -> bool | None:
    """By content; by the header where no slice can be decoded."""
    middle = images[len(images) // 5 : len(images) - len(images) // 5]
    slices = _decodable([image for image in middle[:: max(1, len(middle) // CONTRAST_SLICES)] if not image.truncated])
    if slices:
        return has_contrast(slices, float(images[0].spacing_mm.mean()))
    agent = images[0].text("ContrastBolusAgent").upper()
    return None if not agent else agent not in ("NONE", "NO", "WITHOUT")


def _decodable(images: Sequence[Image]) -> list[np.ndarray]:
    """The slices that can be read: together, so that a file is opened once; one by one where one of them is damaged."""
    try:
        return read_slices_hu(images)
    except BadInput:
        found = []
        for image in images:
            with contextlib.suppress(BadInput):
                found += read_slices_hu([image])
        return found


def phase_text(percent: float | None, ms: float | None) -> str:
    """'75 %', '250 ms' or ''."""
    return f"{percent:g} %" if percent is not None else f"{ms:g} ms" if ms is not None else ""


def _use(contrast: bool | None, spacing: float, phase: str, gated: bool | None) -> tuple[str, str]:
    """(kind, what it is good for and why)."""
    if contrast:
        when = f" at {phase} of the cardiac cycle" if "%" in phase else f" at {phase} after the R wave" if phase else ""
        if spacing > CORONARY_SPACING_MM:
            return "ccta", f"heart and great vessels; slices of {spacing:g} mm are too thick for coronary arteries and FFR"
        return "ccta", f"coronary arteries, plaque and FFR: contrast-enhanced{when}, slices every {spacing:g} mm"
    if contrast is None:
        return "other", "it could not be decided whether contrast medium was given"
    gating = "ECG-gated" if gated else "not gated as far as the header says: opportunistic"
    return "calcium", f"calcium scoring: no contrast medium, slices every {spacing:g} mm, {gating}"


def described_image(path: Path, volume: Volume, notes: list[str], uid: str) -> SeriesInfo:
    """Classify a NIfTI, NRRD or MHA image by its content; it has no header that could say more. uid: derived from the content."""
    spacing = volume.spacing_mm
    depth = volume.array.shape[2]
    picked = range(depth // 5, depth - depth // 5, max(1, depth // CONTRAST_SLICES))
    contrast = has_contrast([volume.array[:, :, k] for k in picked], float(spacing[:2].mean()))
    kind, good_for = _use(contrast, float(max(spacing) if contrast else spacing[2]), "", None)
    return SeriesInfo(
        kind=kind, uid=uid, description=path.name, modality="CT", files=1, good_for="; ".join([good_for, *notes]), contrast=contrast,
        slice_spacing_mm=float(spacing[2]), pixel_mm=float(spacing[:2].mean()), coverage_mm=float(spacing[2] * (depth - 1)), source=path, is_image_file=True,
    )  # fmt: skip


def preference(series: SeriesInfo) -> tuple:
    """Sort key, best first. CCTA: sound, submillimetre, not sharp, mid-diastole, thin. Calcium: sound, gated, named so, not sharp, near 3 mm."""
    sharp = bool(SHARP.search(series.kernel))
    spacing = series.slice_spacing_mm or 99.0
    if series.kind == "ccta":
        return bool(series.problem), spacing > CORONARY_SPACING_MM, sharp, _phase_rank(series.phase_percent), spacing, -series.files, series.uid
    named = bool(re.search(r"calc|ca[- ]?sc|cacs|score", series.description, re.I))
    return bool(series.problem), series.gated is not True, not named, sharp, abs(spacing - 3.0), -series.files, series.uid


def _phase_rank(phase: float | None) -> float:
    """0 for mid-diastole (70-80 %, least motion below about 65 beats/min), then end-systole (35-45 %), then unknown, then the rest."""
    if phase is None:
        return 2.0
    if 70 <= phase <= 80:
        return abs(phase - 75) / 100
    return 1.0 if 35 <= phase <= 45 else 3.0 + abs(phase - 75) / 100
