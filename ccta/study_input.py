"""The first stages: the CCTA and the calcium series of a study into the case. Each is read by itself, so that one can be faulty, replaced or left alone."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ccta.case import Case
from ccta.errors import BadInput, Refusal
from ccta.findings import Patient
from ccta.model import Unavailable, Volume
from ccta.runner import Progress, Stage
from ccta.settings import ReadSettings, Settings

if TYPE_CHECKING:
    from ccta.reading.study import Inventory, Scan

KINDS = ("ccta", "calcium")


class StudyInput:
    """A study on disk, opened once for the stages that read of it. kinds: the series that the command can use."""

    def __init__(self, path: Path, kinds: tuple[str, ...] = KINDS):
        self.path, self.kinds = Path(path), kinds
        self._faults: dict[str, str] = {}
        self._scans: dict[str, Scan] = {}
        self._digests: dict[tuple, dict[str, str]] = {}

    @cached_property
    def inventory(self) -> Inventory:
        """What the study holds. Raises BadInput when that is no image."""
        from ccta.reading.study import open_input

        return open_input(self.path)

    def digests(self, kind: str, settings: Settings) -> dict[str, str]:
        """Of what is read as `kind`: the input and, where given, the file of regions. Taken once, before the pixels are read."""
        from ccta.reading.provenance import content_digest, input_digest, is_one_file

        read = settings.read
        if (kind, read) not in self._digests:
            series = None if is_one_file(self.path) else self.inventory.chosen(kind, read)
            values = {"input": input_digest(self.path, series)}
            if kind == "calcium" and Path(read.calcium_regions).is_file():
                values["regions"] = content_digest(Path(read.calcium_regions))
            self._digests[kind, read] = values
        return self._digests[kind, read]

    def scan(self, kind: str, settings: Settings, progress: Progress) -> Scan:
        """The chosen series, read. Where it is absent or faulty: Refusal if another series of the study can be analysed, else BadInput."""
        if kind not in self._scans:
            self._faults.pop(kind, None)  # handed out before
        fault = self._fault(kind, settings, progress)
        if not fault:
            return self._scans.pop(kind)
        others = [other for other in self.kinds if other != kind]
        if any(not self._fault(other, settings, progress) for other in others):
            raise Refusal(fault)
        faulty = [self._faults[k] for k in self.kinds if not isinstance(self.inventory.chosen(k, settings.read), Unavailable)]
        raise BadInput(" ".join(faulty) or fault)

    def _fault(self, kind: str, settings: Settings, progress: Progress) -> str:
        """'' or why the series cannot be used. It is read here, once, and waits for its stage."""
        from ccta.reading.study import read

        if kind in self._faults:
            return self._faults[kind]
        if "inventory" not in vars(self):
            progress(f"looking into {self.path}")
        self.digests(kind, settings)
        series = self.inventory.chosen(kind, settings.read)
        self._faults[kind] = series.reason if isinstance(series, Unavailable) else ""
        if series:
            progress(f"reading {series.description or 'the image'}")
            try:
                self._scans[kind] = read(series)
            except BadInput as error:
                self._faults[kind] = str(error)
        return self._faults[kind]


def reading_stages(study: StudyInput) -> dict[str, Stage]:
    """`read` (the CCTA) and `read_calcium`. They write the patient, too, whom a refusal leaves as he is."""
    return {
        "read": Stage(
            "read", (), ("image", "source", "findings.acquisition"), partial(read_ccta, study), settings=("read",), sources=partial(study.digests, "ccta")
        ),
        "read_calcium": Stage(
            "read_calcium",
            (),
            ("calcium_image", "calcium_source", "calcium_regions", "findings.calcium_acquisition", "findings.calcium_quality"),
            partial(read_calcium, study),
            settings=("read",),
            sources=partial(study.digests, "calcium"),
        ),
    }


def read_ccta(study: StudyInput, case: Case, settings: Settings, progress: Progress) -> dict[str, str]:
    """The contrast-enhanced image, its acquisition, the patient, and the DICOM instances behind it."""
    scan = study.scan("ccta", settings, progress)
    case.write_volume("image", scan.volume)
    case.update_findings(patient=scan.patient, acquisition=scan.acquisition)
    return case.write_source("source", scan.source)


def read_calcium(study: StudyInput, case: Case, settings: Settings, progress: Progress) -> dict[str, str]:
    """The non-contrast image, its acquisition and quality, and a reader's regions where given. What the case has of a CCTA stays as it is."""
    from ccta.reading.calcium_quality import assess_calcium_quality

    scan = study.scan("calcium", settings, progress)
    beside_ccta = bool(case.findings().acquisition)
    if beside_ccta:
        check_same_patient(case, scan.patient)
    regions = _read_regions(scan, settings.read, progress)
    case.write_volume("calcium_image", scan.volume)
    patient = {} if beside_ccta else {"patient": scan.patient}
    quality = assess_calcium_quality(scan.volume, scan.acquisition)
    case.update_findings(calcium_acquisition=scan.acquisition, calcium_quality=quality, **patient)
    absent = case.write_source("calcium_source", scan.source)
    if regions is None:
        return {**absent, "calcium_regions": "no reader's regions were given"}
    case.write_volume("calcium_regions", regions)
    return absent


def check_same_patient(case: Case, patient: Patient) -> None:
    """BadInput where both name a patient and not the same one."""
    known = case.findings().patient.id
    if known and patient.id and known != patient.id:
        raise BadInput(f"the calcium series is of patient {patient.id}, {case.root} holds the CCTA of patient {known}; choose a new directory for the case")


def _read_regions(scan: Scan, settings: ReadSettings, progress: Progress) -> Volume | None:
    """A reader's calcium regions on the calcium image; None where no file of them is given."""
    from ccta.reading.regions import read_regions

    if not settings.calcium_regions:
        return None
    progress(f"regions of {settings.calcium_regions}")
    return read_regions(Path(settings.calcium_regions), scan.volume, settings.calcium_label_names, scan.source)
