"""What a DICOM header says about the scan and the patient, in the words of findings.json."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from ccta.findings import Acquisition, Patient
from ccta.model import Unavailable, Volume
from ccta.reading.dicom_files import Image

RECONSTRUCTION_STRENGTH = re.compile(r"(asir|asir[- ]?v|admire|safire|adir|idose|veo|karl|ir)[ :=_-]*$", re.I)
"""A percentage behind one of these is a share of iterative reconstruction, no phase."""


def phase_percent(images: Sequence[Image]) -> float | None:
    """Cardiac phase in % of R-R: the nominal percentage, else a percentage written in the description or comments, else trigger time x heart rate."""
    first = images[0]
    nominal = first.number("NominalPercentageOfCardiacPhase")
    if nominal is not None and 0 <= nominal <= 100:
        return nominal
    for keyword in ("SeriesDescription", "ImageComments", "ProtocolName"):
        for found in re.finditer(r"(?<![\d.])(\d{1,2}(?:\.\d+)?|100)\s*%", first.text(keyword)):
            if not RECONSTRUCTION_STRENGTH.search(first.text(keyword)[: found.start()]):
                return float(found.group(1))
    delay_ms = phase_ms(images)
    rate = first.number("HeartRate")
    if delay_ms and rate and 30 <= rate <= 220:
        percent = delay_ms * rate / 60000 * 100
        return percent if percent <= 100 else None
    return None


def phase_ms(images: Sequence[Image]) -> float | None:
    """Cardiac phase in ms after the R wave: the nominal delay, else the trigger time, else ms written in the description or comments."""
    first = images[0]
    synchronised = first.number("HeartRate") or first.text("CardiacSynchronizationTechnique").upper() not in ("", "NONE")  # else 0 says nothing
    for keyword in ("NominalCardiacTriggerDelayTime", "TriggerTime"):
        delay = first.number(keyword)
        if delay is not None and (0 < delay <= 2000 or (delay == 0 and synchronised)):
            return delay
    for keyword in ("SeriesDescription", "ImageComments", "ProtocolName"):
        found = re.search(r"(?<![\d.])(\d{1,4})\s*ms\b", first.text(keyword), re.I)
        if found and int(found.group(1)) <= 2000:
            return float(found.group(1))
    return None


def is_gated(images: Sequence[Image]) -> bool | None:
    """True or False where the header says so, None where it is silent."""
    first = images[0]
    technique = first.text("CardiacSynchronizationTechnique").upper()
    if technique:
        return technique != "NONE"
    if phase_percent(images) is not None or phase_ms(images) is not None or first.number("HeartRate"):
        return True
    words = " ".join(first.text(k) for k in ("SeriesDescription", "ProtocolName", "ImageType", "ImageComments")).lower()
    if re.search(r"non[- ]?gated|ungated", words):
        return False
    return True if re.search(r"gated|ecg|bestdiast|bestsyst|cardiac|snapshot|coronary|calc|cascore|ca[- ]?sc", words) else None


def acquisition_of(images: Sequence[Image], volume: Volume) -> Acquisition:
    """Header facts; `contrast`, `source`, `series_uid` and `chosen_because` are filled by the caller."""
    first = images[0]
    kvp, phase = first.number("KVP"), phase_percent(images)
    return Acquisition(
        kvp=kvp if kvp and kvp > 0 else Unavailable("the header has no tube voltage"),
        kernel=kernel_of(first),
        spacing_mm=tuple(map(float, volume.spacing_mm)),
        shape=volume.array.shape,
        phase_percent=phase if phase is not None else Unavailable("the header has no cardiac phase"),
        gated=is_gated(images),
        manufacturer=first.text("Manufacturer"),
        model=first.text("ManufacturerModelName"),
        series_description=first.text("SeriesDescription"),
    )


def kernel_of(image: Image) -> str:
    """The convolution kernel; several values are joined with a stroke."""
    value = image.header.get("ConvolutionKernel")
    return "" if value is None else value if isinstance(value, str) else "/".join(map(str, value))


def patient_of(image: Image) -> Patient:
    """Identity, sex and age; the age comes from PatientAge, else from birth and study date."""
    sex = image.text("PatientSex").upper()
    age = age_years(image.text("PatientAge"), image.text("PatientBirthDate"), image.text("StudyDate"))
    return Patient(
        id=image.text("PatientID"),
        name=image.text("PatientName"),
        sex=sex if sex in ("M", "F", "O") else "",
        age_years=age if age is not None else Unavailable("the header has neither an age nor a birth date"),
        study_date=image.text("StudyDate"),
        study_description=image.text("StudyDescription"),
        accession_number=image.text("AccessionNumber"),
        study_uid=image.text("StudyInstanceUID"),
    )


def age_years(age: str, born: str, studied: str) -> float | None:
    """Age string (PS3.5: nnnD, nnnW, nnnM, nnnY), else completed years between two dates YYYYMMDD."""
    found = re.fullmatch(r"(\d{1,3})([DWMY])", age.strip().upper())
    if found:
        return int(found.group(1)) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[found.group(2)]
    try:
        birth, study = (date(int(d[:4]), int(d[4:6]), int(d[6:8])) for d in (born, studied))
    except ValueError:
        return None
    years = study.year - birth.year - ((study.month, study.day) < (birth.month, birth.day))
    return float(years) if 0 <= years <= 120 else None
