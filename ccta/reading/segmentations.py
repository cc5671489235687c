"""DICOM Segmentation objects (PS3.3 A.51) as arteries on the grid of an image: binary, fractional and label map, at any orientation of their frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.pixels import pixel_array

from ccta.coordinates import to_index, to_patient_mm
from ccta.errors import BadInput
from ccta.model import Volume
from ccta.reading.artery_names import artery_number
from ccta.reading.dicom_files import geometry_of
from ccta.reading.input_files import File
from ccta.reading.text import finite

TYPES = ("BINARY", "FRACTIONAL", "LABELMAP")
MARKED_SHARE = 0.5  # of the maximum: a pixel of a fractional segmentation that is at least half inside
ON_SLICE = 0.02  # of the increment: frames this near to slices were drawn on them
SAME_PLACE_MM = 0.01
EDGE_MM = 1e-6  # rounding; a voxel midway between two frames belongs to one of them


@dataclass(frozen=True, eq=False)
class Frame:
    """A segment on one plane. marked: (rows, columns) bool. affine: (4, 4), (column, row, mm along the normal) -> patient mm. step_mm: declared, or None."""

    segment: int
    marked: np.ndarray
    affine: np.ndarray
    step_mm: float | None


def segmented_arteries(path: Path, image: Volume) -> np.ndarray:
    """(the image's shape) uint8: the artery's number in VESSELS (from 1) of each voxel. Raises BadInput as `segmented`, and for a segment of no artery."""
    return segmented(path, image, lambda item: artery_number(str(item.get("SegmentLabel", "")), path))


def segmented(path: Path, image: Volume, number_of: Callable[[Dataset], int]) -> np.ndarray:
    """(the image's shape) uint8: the number that `number_of` gives to a segment's description where a voxel's middle lies in a marked pixel of it.

    0 leaves a segment out. The first segment keeps a voxel. Raises BadInput: damaged, no segmentation, of another frame of reference or place.
    """
    try:
        seg = _opened(path)
        described = {int(item.SegmentNumber): item for item in seg.SegmentSequence}
        frames = list(_frames(seg, described))
    except BadInput:
        raise
    except Exception as error:  # a damaged file and a missing decoder raise many types
        raise BadInput(f"{path} cannot be read as a DICOM segmentation ({' '.join(str(error).split())[:150]}); export it again") from error
    theirs, ours = str(seg.get("FrameOfReferenceUID") or ""), image.frame_of_reference_uid
    if theirs and ours and theirs != ours:
        raise BadInput(f"{path} is a segmentation in another frame of reference than this image; it belongs to another series")
    arteries = np.zeros(image.array.shape, np.uint8)
    numbers = {segment: number_of(described[segment]) for segment in dict.fromkeys(frame.segment for frame in frames)}
    frames = [frame for frame in frames if numbers[frame.segment]]
    thickness_mm = _thickness_mm(frames, image) if frames else 0.0
    for frame in frames:
        _place(arteries, image, frame, thickness_mm, numbers[frame.segment])
    return arteries


def _opened(path: Path) -> Dataset:
    with File(path).open() as stream:
        seg = dcmread(stream)
    modality, kind = str(seg.get("Modality") or "unknown"), str(seg.get("SegmentationType") or "unknown")
    if modality != "SEG":
        raise BadInput(f"{path} is DICOM of modality {modality}, not a segmentation; give a SEG object")
    if kind not in TYPES:
        raise BadInput(f"{path} is a segmentation of type {kind}; known are {', '.join(TYPES)}: export it as one of them")
    return seg


def _frames(seg: Dataset, names: dict[int, Dataset]) -> Iterator[Frame]:
    """Each marked segment of each frame. Raises whatever a damaged object brings."""
    groups, shared = list(seg.PerFrameFunctionalGroupsSequence), (seg.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    if int(seg.get("NumberOfFrames", 1)) != len(groups):
        raise ValueError(f"it claims {seg.get('NumberOfFrames', 1)} frames and describes {len(groups)}")
    for stored, group in zip(np.reshape(pixel_array(seg), (len(groups), int(seg.Rows), int(seg.Columns))), groups, strict=True):
        position, orientation, measures = (_item(group, shared, f"{name}Sequence") for name in ("PlanePosition", "PlaneOrientation", "PixelMeasures"))
        origin, axes, spacing = geometry_of(position, orientation, measures)
        if origin is None:
            raise ValueError("a frame has no usable position, orientation or pixel spacing")
        affine = np.eye(4)
        affine[:3] = np.column_stack([axes[0] * spacing[1], axes[1] * spacing[0], np.cross(*axes), origin])
        step_mm = finite(measures.get("SpacingBetweenSlices")) or finite(measures.get("SliceThickness"))
        for segment, marked in _segments(seg, stored, group, shared, names):
            if segment not in names:
                raise ValueError(f"a frame shows segment {segment}, which is not described")
            if marked.any():
                yield Frame(segment, marked, affine, step_mm)


def _segments(seg: Dataset, stored: np.ndarray, group: Dataset, shared: Dataset, names: dict[int, Dataset]) -> list[tuple[int, np.ndarray]]:
    """(segment, mask) of a frame. A label map has several; its background is the padding value, or a 0 that is no segment."""
    if seg.SegmentationType == "LABELMAP":
        background = {int(seg.PixelPaddingValue)} if "PixelPaddingValue" in seg else {0} - set(names)
        return [(int(value), stored == value) for value in np.unique(stored) if int(value) not in background]
    segment = int(_item(group, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber)
    if seg.SegmentationType == "BINARY":
        return [(segment, stored > 0)]
    most = float(seg.MaximumFractionalValue)
    if not most > 0:
        raise ValueError(f"its maximum fractional value is {most:g}")
    return [(segment, stored >= MARKED_SHARE * most)]


def _item(group: Dataset, shared: Dataset, name: str) -> Dataset:
    """The frame's own functional group, else the one that all frames share (PS3.3 C.7.6.16)."""
    return (group if name in group else shared)[name].value[0]


def _thickness_mm(frames: list[Frame], image: Volume) -> float:
    """How far along its normal a frame reaches, in all. Frames drawn on the image's slices: their increment. Else the frames' own step."""
    increment_mm, normals = float(image.spacing_mm[2]), np.array([frame.affine[:3, 2] for frame in frames])
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    slices = np.array([to_index(to_patient_mm(corners * [*frame.marked.shape[::-1], 0], frame.affine), image.affine)[:, 2] for frame in frames])
    if (np.abs(slices - np.rint(slices[:, :1])) < ON_SLICE).all():
        return increment_mm
    places_mm = np.sort([normal @ frame.affine[:3, 3] for frame, normal in zip(frames, normals, strict=True)])
    gaps_mm = np.diff(places_mm)[np.diff(places_mm) > SAME_PLACE_MM]
    widest_mm = max(frames[0].step_mm or 0.0, increment_mm)
    return float(min([widest_mm, *gaps_mm]))


def _place(arteries: np.ndarray, image: Volume, frame: Frame, thickness_mm: float, artery: int) -> None:
    """Marks the voxels whose middle lies in a marked pixel and within half the thickness of the frame's plane."""
    rows, columns = np.nonzero(frame.marked)
    low = np.array([columns.min() - 0.5, rows.min() - 0.5, -thickness_mm / 2])
    high = np.array([columns.max() + 0.5, rows.max() + 0.5, thickness_mm / 2])
    corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T
    reach = to_index(to_patient_mm(corners, frame.affine), image.affine)
    plane, border = (reach[::2] + reach[1::2]) / 2, np.array(image.array.shape) - 1
    first = np.maximum(np.floor(reach.min(axis=0)), 0).astype(int)
    last = np.minimum(np.ceil(reach.max(axis=0)), border).astype(int)
    if (plane.max(axis=0) < -0.5).any() or (plane.min(axis=0) > border + 0.5).any() or (first > last).any():
        raise BadInput("a frame of the segmentation lies outside the image; it belongs to another series")
    box = tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))
    grid = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(first, last, strict=True)), indexing="ij"), axis=-1)
    place = to_index(to_patient_mm(grid, image.affine), frame.affine)
    pixel = np.rint(place[..., :2]).astype(int)
    inside = ((pixel >= 0) & (pixel < frame.marked.shape[::-1])).all(axis=-1)
    inside &= (place[..., 2] >= -thickness_mm / 2 - EDGE_MM) & (place[..., 2] < thickness_mm / 2 - EDGE_MM)
    part = arteries[box]
    inside[inside] = frame.marked[pixel[inside][:, 1], pixel[inside][:, 0]]
    part[inside & (part == 0)] = artery
