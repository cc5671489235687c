"""Which DICOM images lie in a folder, a file or a zip archive: headers only, no pixels, nothing is unpacked to disk."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydicom import Dataset, config, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, MediaStorageDirectoryStorage

from ccta.errors import BadInput

config.settings.reading_validation_mode = config.IGNORE  # lenient when reading: a wrong value in an unused element is no reason to refuse a study

TAGS = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "Modality", "ImageType", "SeriesDescription",
    "SeriesNumber", "InstanceNumber", "AcquisitionNumber", "TemporalPositionIdentifier", "TriggerTime", "NominalPercentageOfCardiacPhase",
    "NominalCardiacTriggerDelayTime", "HeartRate", "CardiacSynchronizationTechnique", "ImageComments", "ProtocolName", "KVP", "ConvolutionKernel",
    "ContrastBolusAgent", "SliceThickness", "Manufacturer", "ManufacturerModelName", "PatientID", "PatientName", "PatientSex", "PatientAge",
    "PatientBirthDate", "StudyDate", "StudyDescription", "AccessionNumber", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows",
    "Columns", "BitsAllocated", "SamplesPerPixel", "NumberOfFrames", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope",
    "RescaleIntercept", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip
"""All that the reader uses of a header; anything else is skipped unparsed."""

_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"%PDF": "PDF", b"II*\x00": "TIFF", b"MM\x00*": "TIFF"}


@dataclass(frozen=True)
class File:
    """A file on disk, or a member of a zip archive (read in memory, so that no member name can escape to the disk)."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        return self.member or str(self.path)

    @property
    def size(self) -> int:
        return _archive(self.path).getinfo(self.member).file_size if self.member else self.path.stat().st_size

    def open(self):
        """A seekable binary stream."""
        return io.BytesIO(_archive(self.path).read(self.member)) if self.member else self.path.open("rb")


@lru_cache(maxsize=4)
def _archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


@dataclass(frozen=True, eq=False)
class Image:
    """One frame: where its pixels are and where it lies. position_mm (3,), orientation (2, 3): direction of columns' index i, then of rows' index j.

    spacing_mm: (between rows, between columns), as PixelSpacing. Geometry is None where the header has none.
    """

    file: File
    header: Dataset
    frame: int = 0
    position_mm: np.ndarray | None = None
    orientation: np.ndarray | None = None
    spacing_mm: np.ndarray | None = None
    slope: float = 1.0
    intercept: float | None = None
    truncated: str = ""

    def text(self, keyword: str) -> str:
        value = self.header.get(keyword)
        return "" if value is None else str(value).strip()

    def number(self, keyword: str) -> float | None:
        try:
            return float(self.header.get(keyword))
        except (TypeError, ValueError):
            return None


@dataclass(frozen=True)
class Scanned:
    """What was found: images, and for every other file the reason why it is none."""

    images: tuple[Image, ...]
    skipped: dict[str, str] = field(default_factory=dict)


def files_under(path: Path) -> list[File]:
    """Every file of a folder (recursive), of a zip archive, or the file itself, in a fixed order."""
    if not path.exists():
        raise BadInput(f"{path} does not exist; give a DICOM folder, a zip of one, or a NIfTI, NRRD or MHA image.")
    if path.is_dir():
        return [File(p) for p in sorted(path.rglob("*")) if p.is_file()]
    if zipfile.is_zipfile(path):
        return [File(path, info.filename) for info in _archive(path).infolist() if not info.is_dir()]
    return [File(path)]


def scan(path: Path) -> Scanned:
    """Read every header below `path`. The same image sent twice (one SOP Instance UID) is kept once."""
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(_images_of, files_under(path)))
    images, skipped, seen = [], {}, {}
    for found in results:
        for item in found:
            if isinstance(item, tuple):
                skipped[item[0].name] = item[1]
                continue
            first = seen.setdefault((item.text("SOPInstanceUID"), item.frame), item)
            if first is item:
                images.append(item)
            else:
                skipped[item.file.name] = f"the same image as {first.file.name}"
    return Scanned(tuple(images), skipped)


def _images_of(file: File) -> list:
    """The images of one file, or [(file, reason)]."""
    try:
        with file.open() as stream:
            start = stream.read(132)
            if start[128:] != b"DICM" and start[:2] != b"\x08\x00":
                return [(file, _other_kind(start))]
            stream.seek(0)
            header = dcmread(stream, stop_before_pixels=True, force=start[128:] != b"DICM", specific_tags=TAGS)
            left = file.size - stream.tell()
    except (InvalidDicomError, EOFError, OSError, ValueError, KeyError, AttributeError, zipfile.BadZipFile, RuntimeError) as error:
        return [(file, f"damaged DICOM file ({error})")]
    sop_class = header.file_meta.get("MediaStorageSOPClassUID", "") if hasattr(header, "file_meta") else ""
    if sop_class == MediaStorageDirectoryStorage:
        return [(file, "a DICOMDIR index; its images are read directly")]
    truncated = _truncation(header, sop_class, left)
    if not header.get("SeriesInstanceUID") or not header.get("Modality"):
        return [(file, f"truncated DICOM file: {truncated}" if truncated else "a DICOM file without a series")]
    return _frames(file, header, truncated)


def _other_kind(start: bytes) -> str:
    if not start:
        return "an empty file"
    return next((f"a {name} file" for magic, name in _MAGIC.items() if start.startswith(magic)), "not a DICOM file")


def _truncation(header: Dataset, sop_class: str, left: int) -> str:
    """'' or how much is missing: native pixel data must hold rows x columns x bytes x frames; `left` bytes follow the header."""
    ct = header.get("SOPClassUID", sop_class) in (CTImageStorage, EnhancedCTImageStorage)
    if "Rows" not in header or "BitsAllocated" not in header:
        return "the header ends before the image" if ct or not header.get("SOPClassUID") else ""
    if left <= 0:
        return "the file ends before the pixels"
    syntax = getattr(header.file_meta, "TransferSyntaxUID", None) if hasattr(header, "file_meta") else None
    if syntax is not None and (syntax.is_compressed or syntax.is_deflated):
        return ""
    wanted = header.Rows * header.Columns * header.BitsAllocated // 8 * header.get("SamplesPerPixel", 1) * int(header.get("NumberOfFrames") or 1)
    return f"it holds {max(left - 12, 0):,} of {wanted:,} bytes of pixels" if left - 8 < wanted else ""


def _frames(file: File, header: Dataset, truncated: str) -> list[Image]:
    """One Image per frame; enhanced multi-frame objects keep geometry and rescale in functional groups (PS3.3 C.7.6.16)."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence")
    if not per_frame:
        return [Image(file, header, 0, *_geometry(header, header, header), *_rescale(header), truncated)]
    shared = header.SharedFunctionalGroupsSequence[0] if header.get("SharedFunctionalGroupsSequence") else Dataset()

    def group(frame: Dataset, name: str) -> Dataset:
        items = frame.get(name) or shared.get(name)
        return items[0] if items else Dataset()

    images = []
    for index, frame in enumerate(per_frame):
        geometry = _geometry(*(group(frame, name) for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")))
        slim = _without_groups(header, group(frame, "CardiacSynchronizationSequence"))
        images.append(Image(file, slim, index, *geometry, *_rescale(group(frame, "PixelValueTransformationSequence")), truncated))
    return images


def _without_groups(header: Dataset, cardiac: Dataset) -> Dataset:
    slim = Dataset()
    slim.update({e.tag: e for e in header if e.VR != "SQ"})
    slim.update({e.tag: e for e in cardiac})
    return slim


def _geometry(position: Dataset, orientation: Dataset, measures: Dataset) -> tuple:
    """(position, orientation, spacing) or Nones where one of them is absent or unusable."""
    try:
        origin = np.array(position.get("ImagePositionPatient"), float)
        axes = np.array(orientation.get("ImageOrientationPatient"), float).reshape(2, 3)
        spacing = np.array(measures.get("PixelSpacing"), float)
        usable = origin.shape == (3,) and spacing.shape == (2,) and np.isfinite(origin).all() and (spacing > 0).all()
        unit = np.allclose(axes @ axes.T, np.eye(2), atol=1e-2)
    except (TypeError, ValueError):
        return None, None, None
    return (origin, axes / np.linalg.norm(axes, axis=1, keepdims=True), spacing) if usable and unit else (None, None, None)


def _rescale(header: Dataset) -> tuple[float, float | None]:
    intercept = header.get("RescaleIntercept")
    slope = header.get("RescaleSlope")
    return float(1 if slope is None else slope), None if intercept is None else float(intercept)


def counted_kinds(skipped: dict[str, str]) -> str:
    """'12 JPEG files and 1 PDF file': what a folder without DICOM holds."""
    counts = Counter("unknown file" if "not a DICOM" in reason else reason.split("(")[0].split(":")[0].removeprefix("a ").removeprefix("an ").strip()
                     for reason in skipped.values())  # fmt: skip
    return " and ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in counts.most_common(3))
