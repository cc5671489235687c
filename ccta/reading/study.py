"""What an input holds, what each series is good for, which one is chosen and why; then the chosen one as a volume with its acquisition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ccta.errors import BadInput, BadSettings
from ccta.findings import Acquisition, Patient
from ccta.model import Unavailable, Volume
from ccta.reading.classify import SeriesInfo, described_image, described_series, preference
from ccta.reading.dicom_files import counted_kinds, scan
from ccta.reading.dicom_series import grouped, read_volume
from ccta.reading.headers import acquisition_of, patient_of
from ccta.reading.image_files import PICTURES, is_image_file, read_image
from ccta.reading.phases import PhaseSet, phase_sets
from ccta.reading.provenance import content_uid
from ccta.reading.source import source_of
from ccta.reading.upright import upright
from ccta.settings import ReadSettings
from ccta.source_series import SourceSeries

WANTED = {"ccta": "contrast-enhanced CT of the heart", "calcium": "non-contrast CT of the heart"}


@dataclass(frozen=True)
class Scan:
    """One series, read: HU volume, how it was acquired, of whom, and from which DICOM instances."""

    volume: Volume
    acquisition: Acquisition
    patient: Patient
    source: SourceSeries | Unavailable


@dataclass(frozen=True)
class Inventory:
    """All series of an input. skipped: file name -> why it is no image."""

    source: Path
    series: tuple[SeriesInfo, ...]
    skipped: dict[str, str] = field(default_factory=dict)

    def chosen(self, kind: str, settings: ReadSettings | None = None) -> SeriesInfo | Unavailable:
        """The series to use as "ccta" or "calcium", with `chosen_because`; Unavailable says what was found instead.

        A faulty series is chosen only when no sound one is there; `read` then raises with the fault. The calcium series is of the CCTA's own study.
        Raises BadSettings for an unknown uid.
        """
        settings = settings or ReadSettings()
        uid = settings.series_uid if kind == "ccta" else settings.calcium_series_uid
        if uid:
            return self._by_uid(uid)
        candidates = sorted((s for s in self.series if s.kind == kind), key=preference)
        if not candidates and kind == "ccta" and len(self.series) == 1 and self.series[0].is_image_file:
            candidates = list(self.series)
        if not candidates:
            return Unavailable(f"no {WANTED[kind]} was found in {self.source}: {self.summary()}")
        own = self._of_the_ccta(candidates, settings) if kind == "calcium" else candidates
        if not own:
            return Unavailable(f"the {WANTED[kind]} in {self.source} ({candidates[0].label}) belongs to another study than the chosen coronary CT")
        others = f"; preferred to {len(own) - 1} other(s) such as {own[1].label}" if len(own) > 1 else f"; the only {WANTED[kind]}"
        studies = len({s.study_uid for s in self.series if not s.is_image_file})
        mixed = f"; the input mixes {studies} studies, see `ccta list`" if studies > 1 else ""
        return replace(own[0], chosen_because=f"{own[0].good_for}{others}{mixed}")

    def _of_the_ccta(self, candidates: list[SeriesInfo], settings: ReadSettings) -> list[SeriesInfo]:
        """Those of the chosen CCTA's study, else of its patient on its day; all where there is no CCTA."""
        ccta = self.chosen("ccta", settings)
        if isinstance(ccta, Unavailable):
            return candidates
        same_day = [s for s in candidates if ccta.patient_id and (s.patient_id, s.study_date) == (ccta.patient_id, ccta.study_date)]
        return [s for s in candidates if s.study_uid == ccta.study_uid] or same_day

    @property
    def phase_sets(self) -> tuple[PhaseSet, ...]:
        """The 4-D sets among the series."""
        return phase_sets(self.series)

    def required(self, kind: str, settings: ReadSettings | None = None) -> SeriesInfo:
        """As `chosen`, but raises BadInput where there is none."""
        found = self.chosen(kind, settings)
        if isinstance(found, Unavailable):
            sentence = found.reason[0].upper() + found.reason[1:]
            raise BadInput(f"{sentence}. Give the folder of a coronary CT, or see what is there with `ccta list`.")
        return found

    def _by_uid(self, uid: str) -> SeriesInfo:
        if uid.isdecimal() and 1 <= int(uid) <= len(self.series):
            return replace(self.series[int(uid) - 1], chosen_because=f"asked for as number {uid} of the list")
        matches = sorted((s for s in self.series if s.uid == uid or s.uid.split("#")[0] == uid), key=preference)
        if not matches:
            raise BadSettings(f"The settings ask for series {uid}, which {self.source} does not hold; it holds {[s.uid for s in self.series]}.")
        return replace(matches[0], chosen_because="asked for by its uid")

    def summary(self) -> str:
        """One clause: modality, number of images and description of the first few series."""
        shown = [f"{s.modality} series {s.label} of {s.files} image(s) ({s.good_for})" for s in self.series[:3]]
        more = f" and {len(self.series) - 3} more" if len(self.series) > 3 else ""
        return f"it holds {'; '.join(shown)}{more}"


def open_input(path: Path | str) -> Inventory:
    """Look into a DICOM folder, one DICOM file, a zip, or a NIfTI/NRRD/MHA image. Raises BadInput when there is no medical image at all."""
    path = Path(path)
    if path.name.lower().endswith(PICTURES) or (path.is_file() and is_image_file(path)):
        volume, notes = read_image(path)
        return Inventory(path, (described_image(path, volume, notes, content_uid(path)),))
    found = scan(path)
    if found.images:
        series = [described_series(uid, images) for uid, images in grouped(found.images).items()]
        lost = [name for name, reason in found.skipped.items() if reason.startswith(("damaged", "truncated"))]
        return Inventory(path, tuple(_told_of_lost(s, lost) for s in series), found.skipped)
    raise BadInput(_nothing_found(path, found.skipped))


def _told_of_lost(series: SeriesInfo, lost: list[str]) -> SeriesInfo:
    """A series with a gap, in a folder with an unreadable file: the sentence names that file, for it is the likely cause."""
    if not series.problem or not lost:
        return series
    return replace(series, problem=f"{series.problem} Unreadable in the same input: {', '.join(lost[:3])}{' ...' if len(lost) > 3 else ''}.")


def _nothing_found(path: Path, skipped: dict[str, str]) -> str:
    if not skipped:
        return f"{path} is empty: give a folder with the DICOM files of a coronary CT."
    damaged = {name: reason for name, reason in skipped.items() if "DICOM file" in reason and not reason.startswith("not")}
    if damaged:
        name, reason = next(iter(damaged.items()))
        return f"{name} is a {reason.removeprefix('a ')}, and {path} holds no other DICOM image. Copy the study again."
    images = [name for name in skipped if is_image_file(Path(name))]
    if images:
        return f"{path} holds {len(images)} image file(s) such as {images[0]} and no DICOM: give one of these files itself."
    pictures = any("JPEG" in reason or "PNG" in reason for reason in skipped.values())
    why = " (pictures have no Hounsfield units and no millimetres)" if pictures else ""
    return f"{path} holds {counted_kinds(skipped)} and no DICOM image{why}: give the DICOM files of a coronary CT."


def read(series: SeriesInfo, progress: Callable[[float], None] | None = None) -> Scan:
    """The series as HU volume in patient LPS mm. Raises IncompleteSeries or BadInput naming the fault and where it is."""
    if series.is_image_file:
        volume, notes = read_image(series.source)
        acquisition = Acquisition(
            spacing_mm=tuple(map(float, volume.spacing_mm)), shape=volume.array.shape, contrast=series.contrast, source=series.source.name,
            series_uid=series.uid, series_description=series.description, chosen_because="; ".join([series.chosen_because, *notes]).strip("; "),
        )  # fmt: skip
        return Scan(volume, acquisition, Patient(), Unavailable("the image was not read from DICOM files"))
    if series.modality != "CT":
        raise BadInput(f"Series {series.label} is {series.modality}, not CT. Give a coronary CT.")
    volume, said = upright(read_volume(series.images, progress))
    because = "; ".join(filter(None, (series.chosen_because, said)))
    acquisition = acquisition_of(series.images, volume).model_copy(
        update={"contrast": series.contrast, "source": str(series.source), "series_uid": series.uid, "chosen_because": because}
    )
    return Scan(volume, acquisition, patient_of(series.images[0]), source_of(series.images))


def listed(inventory: Inventory, settings: ReadSettings | None = None) -> list[dict]:
    """The rows of `ccta list`: one plain dict per series; `chosen_as` names the use it would be chosen for, `phase_set` the 4-D set it is part of."""
    picks = {kind: inventory.chosen(kind, settings) for kind in WANTED}
    sets = {s.uid: found.label for found in inventory.phase_sets for s in found.series}
    studies = list(dict.fromkeys(s.study_uid for s in inventory.series))
    rows = []
    for number, s in enumerate(inventory.series, 1):
        uses = [kind for kind, pick in picks.items() if isinstance(pick, SeriesInfo) and pick.uid == s.uid]
        rows.append({
            "number": number, "uid": s.uid, "study": studies.index(s.study_uid) + 1, "study_uid": s.study_uid, "kind": s.kind, "modality": s.modality,
            "description": s.description, "files": s.files, "kvp": s.kvp, "kernel": s.kernel, "contrast": s.contrast, "gated": s.gated,
            "phase_percent": s.phase_percent, "phase_ms": s.phase_ms, "phase_set": sets.get(s.uid, ""), "slice_spacing_mm": s.slice_spacing_mm,
            "pixel_mm": s.pixel_mm, "coverage_mm": s.coverage_mm, "good_for": s.good_for, "problem": s.problem,
            "chosen_as": ", ".join(uses), "because": "; ".join(picks[k].chosen_because for k in uses),
        })  # fmt: skip
    return rows
