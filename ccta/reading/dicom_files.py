"""Which DICOM images lie in a folder, a file or a zip archive: headers only, no pixels. Whatever a hostile file holds, the answer is an image or a reason."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom import Dataset, config, dcmread
from pydicom.uid import UID, CTImageStorage, DeflatedExplicitVRLittleEndian, EnhancedCTImageStorage, MediaStorageDirectoryStorage

from ccta.reading.input_files import File, files_under
from ccta.reading.text import finite, readable

config.settings.reading_validation_mode = config.IGNORE  # lenient when reading: a wrong value in an unused element is no reason to refuse a study

TAGS = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "Modality", "ImageType", "SeriesDescription",
    "SeriesNumber", "InstanceNumber", "AcquisitionNumber", "TemporalPositionIdentifier", "TriggerTime", "NominalPercentageOfCardiacPhase",
    "NominalCardiacTriggerDelayTime", "HeartRate", "CardiacSynchronizationTechnique", "ImageComments", "ProtocolName", "KVP", "ConvolutionKernel",
    "ContrastBolusAgent", "SliceThickness", "Manufacturer", "ManufacturerModelName", "PatientID", "PatientName", "PatientSex", "PatientAge",
    "PatientBirthDate", "StudyDate", "StudyDescription", "AccessionNumber", "StudyTime", "StudyID", "ReferringPhysicianName", "IssuerOfPatientID",
    "PatientSize", "PatientWeight", "PositionReferenceIndicator", "InstitutionName", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows",
    "Columns", "BitsAllocated", "SamplesPerPixel", "NumberOfFrames", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope",
    "RescaleIntercept", "BurnedInAnnotation", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip
"""All that the reader uses of a header; anything else is skipped unparsed."""

MAX_SIDE = 8192  # pixels; CT slices have 512 to 2048
MAX_INFLATED_BYTES = 2**30  # of one deflated file
SPACING_MM = (0.02, 20.0)  # of pixels; outside, the header is wrong
FARTHEST_MM = 1e5  # of a position from the scanner's origin
LARGEST_SLOPE, LARGEST_INTERCEPT = 1e4, 1e6

_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"%PDF": "PDF", b"II*\x00": "TIFF", b"MM\x00*": "TIFF",
          b"PK\x03\x04": "zip"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Image:
    """One frame: where its pixels are and where it lies. position_mm (3,), orientation (2, 3): direction of columns' index i, then of rows' index j.

    spacing_mm: (between rows, between columns), as PixelSpacing. Geometry is None where the header has none. truncated: '' or what is missing of the file.
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
        return "" if value is None else readable(str(value))

    def number(self, keyword: str) -> float | None:
        return finite(self.header.get(keyword))


@dataclass(frozen=True)
class Scanned:
    """What was found: images, and for every other file the reason why it is none."""

    images: tuple[Image, ...]
    skipped: dict[str, str] = field(default_factory=dict)


def scan(path: Path) -> Scanned:
    """Read every header below `path` (of a DICOMDIR: below its folder). The same image sent twice (one SOP Instance UID) is kept once."""
    files = files_under(path)
    if len(files) == 1 and path.is_file() and path.name.upper() == "DICOMDIR":
        files = files_under(path.absolute().parent)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(_images_of, files))
    images, skipped, seen = [], {}, {}
    for found in results:
        for item in found:
            if isinstance(item, tuple):
                skipped[item[0].name] = item[1]
                continue
            first = seen.setdefault((item.text("SOPInstanceUID") or item.file.name, item.frame), item)
            if first is item:
                images.append(item)
            else:
                skipped[item.file.name] = f"the same image as {first.file.name}"
    return Scanned(tuple(images), skipped)


def _images_of(file: File) -> list:
    """The images of one file, or [(file, reason)]."""
    try:
        start = file.start(4096)
        if start[128:132] != b"DICM" and start[:2] != b"\x08\x00":
            return [(file, _other_kind(start))]
        with file.open() as stream:
            inflated = _inflated_bytes(stream) if DeflatedExplicitVRLittleEndian.encode() in start else None
            parsed = dcmread(stream, stop_before_pixels=True, force=start[128:132] != b"DICM", specific_tags=TAGS)
            left = file.size - stream.tell() if inflated is None else inflated
        header = _sound(parsed)
        meta = _sound(getattr(parsed, "file_meta", Dataset()))
    except MemoryError:
        return [(file, "damaged DICOM file (an element claims more memory than there is)")]
    except Exception as error:  # pydicom and the archive raise what they meet; the file is what the user can act on
        return [(file, f"damaged DICOM file ({' '.join(str(error).split())[:200]})")]
    sop_class = str(meta.get("MediaStorageSOPClassUID", ""))
    if sop_class == MediaStorageDirectoryStorage:
        return [(file, "a DICOMDIR index; its images are read directly")]
    truncated = _truncation(header, UID(str(meta.get("TransferSyntaxUID", ""))), sop_class, left)
    if not header.get("SeriesInstanceUID") or not header.get("Modality"):
        return [(file, f"truncated DICOM file: {truncated}" if truncated else "a DICOM file without a series")]
    rows, columns = (finite(header.get(name)) for name in ("Rows", "Columns"))
    if rows is None or columns is None:
        return [(file, f"truncated DICOM file: {truncated}" if truncated else f"a DICOM file without an image ({header.Modality})")]
    if not (1 <= rows <= MAX_SIDE and 1 <= columns <= MAX_SIDE):
        return [(file, f"damaged DICOM file (it claims {rows:g} x {columns:g} pixels)")]
    return _frames(file, header, truncated)


def _sound(header: Dataset) -> Dataset:
    """The elements whose values can be parsed; the others are as good as absent."""
    sound = Dataset()
    for tag in list(header.keys()):
        try:
            sound[tag] = header[tag]
        except Exception:  # pydicom raises what it meets in a damaged value
            continue
    return sound


def _other_kind(start: bytes) -> str:
    if not start:
        return "an empty file"
    return next((f"a {name} file" for magic, name in _MAGIC.items() if start.startswith(magic)), "not a DICOM file")


def _inflated_bytes(stream) -> int:
    """The size of the deflated part (PS3.5 A.5), found without keeping it. ValueError where it is cut, or too large. The stream is left at its start."""
    stream.seek(132)
    group = stream.read(12)  # (0002,0000) UL: the length of the rest of the file meta information
    stream.seek(144 + int.from_bytes(group[8:12], "little"))
    inflate, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while not inflate.eof and (chunk := stream.read(2**16)):
        total += len(inflate.decompress(chunk))
        if total > MAX_INFLATED_BYTES:
            raise ValueError(f"its deflated part holds more than {MAX_INFLATED_BYTES / 1e9:.1f} GB")
    if not inflate.eof:
        raise ValueError("its deflated part is cut off")
    stream.seek(0)
    return total


def _truncation(header: Dataset, syntax: UID, sop_class: str, left: int) -> str:
    """'' or how much is missing: native pixel data must hold rows x columns x bytes x frames; `left` bytes follow the header."""
    ct = header.get("SOPClassUID", sop_class) in (CTImageStorage, EnhancedCTImageStorage)
    numbers = [finite(header.get(name)) for name in ("Rows", "Columns", "BitsAllocated")]
    if None in numbers:
        return "the header ends before the image" if ct or not header.get("SOPClassUID") else ""
    if left <= 0:
        return "the file ends before the pixels"
    if syntax.is_transfer_syntax and syntax.is_compressed:
        return ""
    rows, columns, bits = map(int, numbers)
    samples, frames = (int(finite(header.get(name)) or 1) for name in ("SamplesPerPixel", "NumberOfFrames"))
    wanted = rows * columns * (bits // 8) * samples * frames
    return f"it holds {max(left - 12, 0):,} of {wanted:,} bytes of pixels" if left - 8 < wanted else ""


FUNCTIONAL_GROUPS = (
    "CardiacSynchronizationSequence", "CTReconstructionSequence", "CTXRayDetailsSequence", "TemporalPositionSequence", "CTImageFrameTypeSequence",
)  # fmt: skip
"""Whose elements stand in a classic header: phase, kernel, tube voltage, time, frame type (PS3.3 C.8.15.3)."""


def _frames(file: File, header: Dataset, truncated: str) -> list[Image]:
    """One Image per frame; enhanced multi-frame objects keep geometry and rescale in functional groups (PS3.3 C.7.6.16)."""
    per_frame = _items(header, "PerFrameFunctionalGroupsSequence")
    if not per_frame:
        return [Image(file, header, 0, *geometry_of(header, header, header), *_rescale(header), truncated)]
    shared = next(iter(_items(header, "SharedFunctionalGroupsSequence")), Dataset())

    def group(frame: Dataset, name: str) -> Dataset:
        return next(iter(_items(frame, name) or _items(shared, name)), Dataset())

    plain = Dataset()
    plain.update({e.tag: e for e in header if e.VR != "SQ"})
    images = []
    for index, frame in enumerate(per_frame):
        geometry = geometry_of(*(group(frame, name) for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")))
        own = _with_groups(plain, [group(frame, name) for name in FUNCTIONAL_GROUPS])
        images.append(Image(file, own, index, *geometry, *_rescale(group(frame, "PixelValueTransformationSequence")), truncated))
    return images


def _items(dataset: Dataset, name: str) -> list[Dataset]:
    """The items of a sequence; none where the element is absent or no sequence."""
    value = dataset.get(name)
    return list(value) if isinstance(value, Sequence) and all(isinstance(item, Dataset) for item in value) else []


def _with_groups(plain: Dataset, groups: list[Dataset]) -> Dataset:
    """A classic header of one frame: the object's own elements and those of its functional groups."""
    own = Dataset()
    own.update(plain)
    for group in groups:
        own.update({e.tag: e for e in _sound(group)})
    if own.get("FrameType"):
        own.ImageType = own.FrameType
    return own


def geometry_of(position: Dataset, orientation: Dataset, measures: Dataset) -> tuple:
    """(position, orientation, spacing) or Nones where one of them is absent or unusable."""
    try:
        origin = np.array(position.get("ImagePositionPatient"), float)
        axes = np.array(orientation.get("ImageOrientationPatient"), float).reshape(2, 3)
        spacing = np.array(measures.get("PixelSpacing"), float)
    except (TypeError, ValueError, AttributeError):
        return None, None, None
    usable = origin.shape == (3,) and spacing.shape == (2,) and (np.abs(origin) < FARTHEST_MM).all() and np.isfinite(axes).all()
    usable = usable and (spacing > SPACING_MM[0]).all() and (spacing < SPACING_MM[1]).all()
    unit = usable and np.allclose(axes @ axes.T, np.eye(2), atol=1e-2)
    return (origin, axes / np.linalg.norm(axes, axis=1, keepdims=True), spacing) if unit else (None, None, None)


def _rescale(header: Dataset) -> tuple[float, float | None]:
    """(slope, intercept) to HU; the intercept is None where there is none, or none that could be meant."""
    slope, intercept = finite(header.get("RescaleSlope", 1.0)), finite(header.get("RescaleIntercept"))
    sane = slope is not None and intercept is not None and 0 < abs(slope) <= LARGEST_SLOPE and abs(intercept) <= LARGEST_INTERCEPT
    return (slope, intercept) if sane else (1.0, None)


def counted_kinds(skipped: dict[str, str]) -> str:
    """'12 JPEG files and 1 PDF file': what a folder without DICOM holds."""
    counts = Counter("unknown file" if "not a DICOM" in reason else reason.split("(")[0].split(":")[0].removeprefix("a ").removeprefix("an ").strip()
                     for reason in skipped.values())  # fmt: skip
    return " and ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in counts.most_common(3))
