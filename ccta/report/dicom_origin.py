"""What every DICOM object of a case has in common: the source study, UIDs that follow from the content, maker and time."""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from highdicom import UID, AlgorithmIdentificationSequence
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from ccta.errors import BadInput
from ccta.model import Volume
from ccta.report import dicom_codes as codes
from ccta.source_series import SourceSeries
from ccta.terms import MAKER, MODEL

SERIAL = "0"
RESEARCH = "Research use only, not for diagnosis"
FIRST_SERIES = 9000
"""Series numbers of ours begin here, away from the scanner's."""
COPIED = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "PatientAge", "PatientSize", "PatientWeight", "IssuerOfPatientID", "StudyInstanceUID",
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
)  # fmt: skip
NEVER_ABSENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName")
SEXES = ("M", "F", "O")


@dataclass(frozen=True)
class Origin:
    """A source series and the moment that the objects carry. rejected: instance UIDs that a PACS was told to hide, which no object may have again."""

    source: SourceSeries
    at: datetime
    rejected: frozenset[str] = frozenset()

    @cached_property
    def datasets(self) -> list[Dataset]:
        """One dataset per source slice, without pixels: what highdicom asks of source images. BadInput for frames of one file."""
        if any(one.frame for one in self.source.slices):
            raise BadInput("the source series is an enhanced multi-frame CT: DICOM objects are made for one file per slice only")
        return [self._slice(index) for index in range(len(self.source.slices))]

    def _slice(self, index: int) -> Dataset:
        source, one = self.source, self.source.slices[index]
        dataset = self.patient_and_study()
        dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.InstanceNumber = one.sop_class_uid, one.sop_instance_uid, index + 1
        dataset.SeriesInstanceUID, dataset.Modality = source["SeriesInstanceUID"], source["Modality"] or "CT"
        dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = source["FrameOfReferenceUID"], source["PositionReferenceIndicator"]
        dataset.Rows, dataset.Columns = source.rows, source.columns
        dataset.PixelSpacing = [_decimal(value) for value in source.pixel_spacing_mm]
        dataset.SliceThickness = dataset.SpacingBetweenSlices = _decimal(self.spacing_mm)
        dataset.ImageOrientationPatient = [_decimal(value) for axis in source.orientation for value in axis]
        dataset.ImagePositionPatient = [_decimal(value) for value in one.position_mm]
        return dataset

    @property
    def spacing_mm(self) -> float:
        """Between slices."""
        first, last = (np.array(self.source.slices[k].position_mm) for k in (0, -1))
        return float(np.linalg.norm(last - first) / max(1, len(self.source.slices) - 1))

    @property
    def affine(self) -> np.ndarray:
        """(4, 4) index (column, row, slice) -> patient LPS mm of the stack on disk."""
        source, matrix = self.source, np.eye(4)
        first, last = (np.array(source.slices[k].position_mm) for k in (0, -1))
        matrix[:3, 0] = np.array(source.orientation[0]) * source.pixel_spacing_mm[1]
        matrix[:3, 1] = np.array(source.orientation[1]) * source.pixel_spacing_mm[0]
        matrix[:3, 2] = (last - first) / max(1, len(source.slices) - 1)
        matrix[:3, 3] = first
        return matrix

    def is_grid_of(self, volume: Volume) -> bool:
        """True where a volume's voxels are the pixels of the stack on disk (within a thousandth of a mm at its far corner)."""
        shape = (self.source.columns, self.source.rows, len(self.source.slices))
        corners = np.array([[0, 0, 0, 1], [*(n - 1 for n in shape), 1]]).T
        return volume.array.shape == shape and bool(np.abs((volume.affine - self.affine) @ corners).max() < 1e-3)

    def patient_and_study(self) -> Dataset:
        """Patient and study as they are in the source; what an object must have is there, empty if need be."""
        dataset = Dataset()
        dataset.SpecificCharacterSet = "ISO_IR 192"
        for keyword in COPIED:
            text = self.source[keyword]
            if text or keyword in NEVER_ABSENT:
                setattr(dataset, keyword, text)
        if dataset.PatientSex not in SEXES:
            dataset.PatientSex = ""
        return dataset

    def uid(self, *content) -> UID:
        """A UID that follows from the study and the content: the same object made twice is the same instance (PS3.5 B.2, 128 bits of SHA-256)."""
        digest = hashlib.sha256(self.source["StudyInstanceUID"].encode())
        for part in content:
            digest.update(b"\0" + (part if isinstance(part, bytes) else str(part).encode()))
        return UID(f"2.25.{int(digest.hexdigest()[:32], 16)}")

    def labelled(self, kind: str, number: int, description: str, *content) -> dict:
        """The arguments that highdicom's constructors share: a series per kind of object, an instance per content."""
        return {
            "series_instance_uid": self.uid("series", kind),
            "series_number": FIRST_SERIES + number,
            "sop_instance_uid": self._instance_uid(kind, *content),
            "instance_number": 1,
            "manufacturer": MAKER,
            "manufacturer_model_name": MODEL,
            "device_serial_number": SERIAL,
            "software_versions": version(),
            "series_description": f"{description} ({RESEARCH})"[:64],
            "specific_character_set": "ISO_IR 192",
            "content_date": self.at.date(),
            "content_time": self.at.time(),
        }

    def _instance_uid(self, *content) -> UID:
        """Of the content; another one where that was rejected, since what is hidden under a UID stays hidden (IHE IOCM)."""
        made, count = self.uid("instance", *content), 0
        while made in self.rejected:
            count += 1
            made = self.uid("instance", *content, f"after rejection {count}")
        return made


def version() -> str:
    """Of this software."""
    return importlib.metadata.version("ccta-workstation")


def algorithm() -> AlgorithmIdentificationSequence:
    """This software, as objects name it."""
    return AlgorithmIdentificationSequence(name=MAKER, family=codes.ALGORITHM_FAMILY, version=version())


def finished(dataset: Dataset, origin: Origin) -> Dataset:
    """The object with the case's time as that of its making, and with its study's description."""
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = origin.at.strftime("%Y%m%d"), origin.at.strftime("%H%M%S")
    for keyword in ("StudyDescription", "PatientAge", "IssuerOfPatientID"):
        if origin.source[keyword] and keyword not in dataset:
            setattr(dataset, keyword, origin.source[keyword])
    dataset.file_meta.TransferSyntaxUID = dataset.file_meta.get("TransferSyntaxUID", ExplicitVRLittleEndian)
    return dataset


def _decimal(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 VR DS)."""
    text = repr(float(value))
    return text if len(text) <= 16 else f"{value:.9g}"
