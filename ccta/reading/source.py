"""The DICOM instances of a series that was read, for the objects that will refer to them."""

from __future__ import annotations

from collections.abc import Sequence

from ccta.model import Unavailable
from ccta.reading.dicom_files import Image
from ccta.source_series import SourceSeries, SourceSlice

HEADER = (
    "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex", "PatientAge", "PatientSize", "PatientWeight", "StudyInstanceUID",
    "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription", "SeriesInstanceUID", "SeriesNumber",
    "SeriesDescription", "Modality", "FrameOfReferenceUID", "PositionReferenceIndicator", "SliceThickness", "Manufacturer", "ManufacturerModelName",
    "InstitutionName",
)  # fmt: skip
NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


def slices_of(images: Sequence[Image]) -> list[SourceSlice]:
    """The instance, or frame of one, of each image."""
    return [
        SourceSlice(
            sop_class_uid=image.text("SOPClassUID"), sop_instance_uid=image.text("SOPInstanceUID"), position_mm=tuple(map(float, image.position_mm)),
            frame=image.frame + 1 if image.number("NumberOfFrames") else 0,
        )
        for image in images
    ]  # fmt: skip


def source_of(images: Sequence[Image]) -> SourceSeries | Unavailable:
    """The series behind `images`, in their order. Unavailable where the files lack the UIDs by which an object could refer to them."""
    first = images[0]
    header = {keyword: text for keyword in HEADER if (text := first.text(keyword))}
    missing = [keyword for keyword in NEEDED if keyword not in header]
    if not all(image.text("SOPInstanceUID") and image.text("SOPClassUID") for image in images):
        missing.append("SOPInstanceUID")
    if missing or first.orientation is None:
        return Unavailable(f"the files of the series carry no {', '.join(missing) or 'orientation'}: nothing can refer to them")
    return SourceSeries(
        header=header, rows=int(first.header.Rows), columns=int(first.header.Columns), slices=slices_of(images),
        orientation=tuple(tuple(map(float, axis)) for axis in first.orientation), pixel_spacing_mm=tuple(map(float, first.spacing_mm)),
    )  # fmt: skip
