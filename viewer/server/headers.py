"""What the server reads of a DICOM file: who it belongs to, and whether it is whole."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import pydicom
from pydicom.dataset import FileDataset
from pydicom.pixels.utils import get_expected_length

from ccta.errors import BadInput

UID = re.compile(r"\d+(\.\d+)*")
CT_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT Image Storage",
}
"""What is analysed: only these make a study ready for work, or reopen it."""
BESIDE_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.11.1": "Grayscale Softcopy Presentation State Storage",
    "1.2.840.10008.5.1.4.1.1.30": "Parametric Map Storage",
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.88.11": "Basic Text SR Storage",
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR Storage",
    "1.2.840.10008.5.1.4.1.1.88.33": "Comprehensive SR Storage",
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR Storage",
    "1.2.840.10008.5.1.4.1.1.88.59": "Key Object Selection Document Storage",
    "1.2.840.10008.5.1.4.1.1.88.67": "X-Ray Radiation Dose SR Storage",
    "1.2.840.10008.5.1.4.1.1.104.1": "Encapsulated PDF Storage",
}
"""What belongs to such a study and is kept with it."""
ACCEPTED = CT_IMAGES | BESIDE_IMAGES
TEXTS = {
    "patient_id": ("PatientID", 64),
    "patient_name": ("PatientName", 324),
    "birth_date": ("PatientBirthDate", 8),
    "sex": ("PatientSex", 16),
    "accession": ("AccessionNumber", 64),
    "description": ("StudyDescription", 64),
    "study_date": ("StudyDate", 8),
    "study_time": ("StudyTime", 16),
}
"""Columns of the study, their attributes and lengths."""


class ForeignObject(BadInput):
    """A DICOM object of a kind that this server does not keep."""


@dataclass(frozen=True)
class Header:
    """What the database keeps of one instance; `study` holds the columns of its study."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str
    modality: str
    study: dict[str, str]

    @property
    def is_image(self) -> bool:
        return self.sop_class_uid in CT_IMAGES


def header_of(data: bytes) -> Header:
    """The header of a DICOM file. BadInput where it is damaged or cut off, ForeignObject where it is nothing that a CT study holds."""
    try:
        dataset = pydicom.dcmread(io.BytesIO(data))
        sop_class = str(dataset.file_meta.MediaStorageSOPClassUID)
        uids = [str(dataset.get(name, "")) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
        texts = {column: _clean(dataset.get(name, ""), length) for column, (name, length) in TEXTS.items()}
        modality, whole = _clean(dataset.get("Modality", ""), 16), _is_whole(dataset)
    except Exception as error:  # pydicom raises a dozen types for a damaged file
        raise BadInput(f"this is no DICOM file, or it is damaged ({type(error).__name__})") from error
    if not all(len(uid) <= 64 and UID.fullmatch(uid) for uid in uids):
        raise BadInput("the file's study, series or SOP instance UID is missing or not a UID")
    if sop_class not in ACCEPTED or str(dataset.get("SOPClassUID", "")) != sop_class:
        raise ForeignObject(f"objects of the class {_clean(sop_class, 64)} are not kept here: CT images, and reports and segmentations of CT, are")
    if not whole:
        raise BadInput("the pixel data are cut off")
    return Header(*uids, sop_class, modality, texts)


def _is_whole(dataset: FileDataset) -> bool:
    """False where uncompressed pixel data are missing or shorter than the image."""
    if str(dataset.file_meta.MediaStorageSOPClassUID) not in CT_IMAGES:
        return True
    if "PixelData" not in dataset:
        return False
    return dataset.file_meta.TransferSyntaxUID.is_compressed or len(dataset.PixelData) >= get_expected_length(dataset)


def _clean(value, length: int) -> str:
    """Text as a database takes it: no control characters, at most so long."""
    text = "\\".join(map(str, value)) if isinstance(value, (list, pydicom.multival.MultiValue)) else str(value or "")
    return "".join(c for c in text if c.isprintable())[:length]
