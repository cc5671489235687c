"""The phantom as a DICOM study: CT Image Storage, single frame, explicit VR little endian, with truth.json beside the files."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from ccta.errors import BadSettings, StorageFailed
from ccta.model import Volume
from ccta.phantom.patient import PatientSpec, PhantomPatient, make_patient
from ccta.phantom.plaques import PlaqueSpec
from ccta.phantom.scanner import CALCIUM_SERIES, ScannerSpec, scan
from ccta.phantom.truth import truth_of
from ccta.settings import settings_from

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class StudySpec:
    """One patient and the series that are made: the CCTA, the calcium series (None: left out) and further phases of the CCTA, in percent."""

    patient: PatientSpec = field(default_factory=PatientSpec)
    ccta: ScannerSpec = field(default_factory=ScannerSpec)
    calcium: ScannerSpec | None = CALCIUM_SERIES
    phases: tuple[int, ...] = ()


def load_spec(path: Path) -> StudySpec:
    """A specification from JSON: {"patient": {..., "plaques": [{...}]}, "ccta": {...}, "calcium": {...} or null, "phases": [...]}.

    Raises BadSettings on anything unknown or out of range.
    """
    try:
        values = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadSettings(f"{path} is not a readable JSON file ({error}); see `ccta phantom --help` for an example") from error
    if not isinstance(values, dict) or not set(values) <= {f.name for f in fields(StudySpec)}:
        raise BadSettings(f"{path} must be one JSON object with the keys {', '.join(f.name for f in fields(StudySpec))}")
    return spec_from(values)


def spec_from(values: dict) -> StudySpec:
    """StudySpec from nested tables; an unknown key, a missing segment or a value of the wrong kind is an error."""
    patient = dict(table(values, "patient"))
    if patient.get("plaques") is not None:
        patient["plaques"] = tuple(plaque_from(plaque) for plaque in patient["plaques"])
    phases = values.get("phases", [])
    if not isinstance(phases, list) or not all(isinstance(phase, int) and 0 <= phase < 100 for phase in phases):
        raise BadSettings(f"phases is {phases!r}; it must be a list of whole percentages from 0 to 99")
    return StudySpec(
        patient=settings_from(PatientSpec, patient),
        ccta=series_from(ScannerSpec(), table(values, "ccta")),
        calcium=None if values.get("calcium", {}) is None else series_from(CALCIUM_SERIES, table(values, "calcium")),
        phases=tuple(phases),
    )


def table(values: dict, name: str) -> dict:
    """One table of the specification, empty where it is absent."""
    found = values.get(name, {})
    if not isinstance(found, dict):
        raise BadSettings(f"{name} is {found!r}; it must be a table of settings")
    return found


def plaque_from(values) -> PlaqueSpec:
    """One plaque; its segment must be given."""
    if not isinstance(values, dict) or "segment" not in values:
        raise BadSettings(f'the plaque {values!r} names no segment; give the SCCT number, as in {{"segment": 7}}')
    return settings_from(PlaqueSpec, values)


def series_from(base: ScannerSpec, values: dict) -> ScannerSpec:
    """`base` with some values replaced; lists become tuples of numbers."""
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    settings_from(ScannerSpec, {name: value for name, value in values.items() if not isinstance(value, tuple)})
    for name in ("shape", "center_mm"):
        kind = int if name == "shape" else (int, float)
        if name in values and not (isinstance(values[name], tuple) and len(values[name]) == 3 and all(isinstance(x, kind) for x in values[name])):
            raise BadSettings(f"{name} is {values[name]!r}; it must be a list of three numbers")
    unknown = set(values) - {f.name for f in fields(ScannerSpec)}
    if unknown:
        raise BadSettings(f"a series has no setting {sorted(unknown)}; it has {[f.name for f in fields(ScannerSpec)]}")
    return replace(base, **values)


def write_study(out: Path, seed: int = 1, spec: StudySpec | None = None, progress: Progress | None = None) -> None:
    """DICOM files in one folder per series, and truth.json. progress: called with (what, fraction 0-1)."""
    spec, out = spec or StudySpec(), Path(out)
    say = progress or (lambda what, fraction: None)
    patient = make_patient(seed, spec.patient)
    try:
        out.mkdir(parents=True, exist_ok=True)
        series = [("ccta", "Coronary CTA", spec.ccta)]
        series += [(f"ccta_{p}", f"Coronary CTA {p} %", replace(spec.ccta, phase_percent=p)) for p in spec.phases]
        series += [("calcium", "Calcium score", spec.calcium)] if spec.calcium else []
        for number, (folder, title, scanner) in enumerate(series, 1):
            volume = scan(patient, scanner, lambda f, title=title: say(title, 0.9 * f))
            write_series(out / folder, volume, header(patient, scanner, title, number))
            say(title, 1.0)
        truth = truth_of(patient, spec.ccta, spec.calcium)
        (out / "truth.json").write_text(json.dumps(truth.model_dump(mode="json", by_alias=True), indent=1))
        say("Truth", 1.0)
    except OSError as error:
        raise StorageFailed(f"the study could not be written to {out} ({error.strerror or error}); free some space or choose another folder") from error


def uid(*parts) -> str:
    """The same UID for the same parts."""
    return generate_uid(entropy_srcs=["ccta phantom", *[str(part) for part in parts]])


def header(patient: PhantomPatient, scanner: ScannerSpec, title: str, number: int) -> pydicom.Dataset:
    """What all slices of one series share."""
    ds = pydicom.Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID = CTImageStorage
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "CT", "CCTA phantom", "Analytic scanner"
    ds.InstitutionName, ds.StationName, ds.SoftwareVersions, ds.DeviceSerialNumber = "Phantom laboratory", "PHANTOM", "1", "1"
    ds.PatientName, ds.PatientID = f"Phantom^Seed {patient.seed}", f"PHANTOM{patient.seed:04d}"
    ds.PatientSex, ds.PatientAge = patient.spec.sex, f"{patient.spec.age_years:03d}Y"
    ds.PatientBirthDate = f"{2025 - patient.spec.age_years}0101"
    ds.StudyInstanceUID = uid(patient.seed, patient.spec, "study")
    ds.SeriesInstanceUID = uid(patient.seed, patient.spec, scanner, title)
    ds.FrameOfReferenceUID = uid(patient.seed, patient.spec, "frame")
    ds.StudyID, ds.AccessionNumber, ds.SeriesNumber = str(patient.seed), f"PH{patient.seed:06d}", number
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20250601"
    ds.StudyTime, ds.ReferringPhysicianName, ds.PositionReferenceIndicator, ds.Laterality = "090000", "", "", ""
    ds.StudyDescription, ds.SeriesDescription = "CT coronary angiography", title
    ds.BodyPartExamined, ds.PatientPosition = "HEART", "HFS"
    ds.KVP, ds.XRayTubeCurrent, ds.Exposure, ds.ExposureTime, ds.GantryDetectorTilt = scanner.kvp, 450, 120, 280, 0
    ds.ConvolutionKernel, ds.FilterType = ("Bv40" if scanner.contrast else "Qr36"), "WEDGE"
    ds.ReconstructionDiameter = round(scanner.pixel_mm * scanner.shape[0], 3)
    ds.NominalPercentageOfCardiacPhase = scanner.phase_percent
    ds.HeartRate, ds.CardiacSynchronizationTechnique = 58, "PROSPECTIVE"
    if scanner.contrast:
        ds.ContrastBolusAgent, ds.ContrastBolusRoute, ds.ContrastBolusVolume = "Iohexol 350", "INTRAVENOUS", 70
    image_header(ds, scanner)
    return ds


def image_header(ds: pydicom.Dataset, scanner: ScannerSpec) -> None:
    """Geometry and pixel description."""
    ds.SliceThickness = scanner.thickness_mm or scanner.increment_mm
    ds.SpacingBetweenSlices = scanner.increment_mm
    ds.PixelSpacing, ds.ImageOrientationPatient = [scanner.pixel_mm, scanner.pixel_mm], [1, 0, 0, 0, 1, 0]
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = scanner.shape[1], scanner.shape[0], 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = (200, 800) if scanner.contrast else (60, 400)


def write_series(folder: Path, volume: Volume, shared: pydicom.Dataset) -> None:
    """One file per slice, IM0001.dcm from feet to head."""
    folder.mkdir(parents=True, exist_ok=True)
    start = datetime(2025, 6, 1, 9, 5 * int(shared.SeriesNumber), 0)
    stored = (np.clip(volume.array, -1024, 3071) + 1024).astype("<u2")
    for k in range(volume.array.shape[2]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
        meta.MediaStorageSOPInstanceUID = uid(shared.SeriesInstanceUID, k)
        ds = FileDataset(str(folder), shared, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPInstanceUID, ds.InstanceNumber, ds.AcquisitionNumber = meta.MediaStorageSOPInstanceUID, k + 1, 1
        position = volume.affine[:3, 3] + k * volume.affine[:3, 2]
        ds.ImagePositionPatient, ds.SliceLocation = [round(float(x), 4) for x in position], round(float(position[2]), 4)
        ds.AcquisitionTime = ds.ContentTime = ds.SeriesTime = start.strftime("%H%M%S")
        ds.ContentTime = (start + timedelta(milliseconds=10 * k)).strftime("%H%M%S.%f")
        ds.PixelData = np.ascontiguousarray(stored[:, :, k].T).tobytes()
        ds["PixelData"].VR = "OW"
        ds.save_as(folder / f"IM{k + 1:04d}.dcm", enforce_file_format=True)
