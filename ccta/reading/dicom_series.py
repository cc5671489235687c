"""DICOM images -> one volume in patient millimetres. Geometry comes from position and orientation only, never from SliceThickness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
from pydicom import dcmread
from pydicom.pixels import iter_pixels

from ccta.errors import BadInput, IncompleteSeries
from ccta.model import Volume
from ccta.reading import decoders
from ccta.reading.dicom_files import Image

decoders.install()

SAME_PLACE_MM = 0.01  # two slices closer than this lie at one position
MAX_TILT_DEG = 45.0  # gantries tilt by up to 30 degrees
AIR_HU = -1024
TISSUE_HU = (-900, 3071)  # padding that maps into this range would punch holes into tissue: the header is wrong, not the pixel

SPLIT_BY = (
    "NominalPercentageOfCardiacPhase", "TemporalPositionIdentifier", "TriggerTime", "AcquisitionNumber", "ImageType", "ConvolutionKernel", "ImageComments",
)  # fmt: skip
"""Elements that tell apart several stacks within one series, tried in this order when positions repeat."""


def grouped(images: Sequence[Image]) -> dict[str, list[Image]]:
    """uid -> images of one stack, sorted along the slice normal. A series that holds several stacks yields `uid#1`, `uid#2` ..."""
    series = defaultdict(lambda: defaultdict(list))
    for image in images:
        axes = () if image.orientation is None else tuple(np.round(image.orientation.ravel(), 2) + 0.0)
        shape = (image.text("Rows"), image.text("Columns"), () if image.spacing_mm is None else tuple(np.round(image.spacing_mm, 4)))
        series[image.text("SeriesInstanceUID")][axes, shape, "LOCALIZER" in image.text("ImageType")].append(image)
    stacks = {}
    for uid, by_geometry in series.items():
        parts = [part for group in by_geometry.values() for part in _split(group)]
        for index, part in enumerate(parts, 1):
            stacks[uid if len(parts) == 1 else f"{uid}#{index}"] = sorted_along_normal(part)
    return stacks


def _split(images: list[Image]) -> list[list[Image]]:
    """Several reconstructions sent as one series, told apart by the first header element that leaves no position twice."""
    if images[0].position_mm is None or not _repeats(images):
        return [images]
    for keyword in SPLIT_BY:
        parts = defaultdict(list)
        for image in images:
            parts[image.text(keyword)].append(image)
        if len(parts) > 1 and not any(_repeats(part) for part in parts.values()) and min(map(len, parts.values())) > 1:
            return [parts[key] for key in sorted(parts)]
    return [images]


def _repeats(images: list[Image]) -> bool:
    return bool((np.diff(np.sort(along_normal_mm(images))) < SAME_PLACE_MM).any())


def along_normal_mm(images: Sequence[Image]) -> np.ndarray:
    """(N,) ImagePositionPatient projected on the slice normal (row direction x column direction), mm."""
    normal = np.cross(*images[0].orientation)
    return np.array([image.position_mm for image in images]) @ normal


def sorted_along_normal(images: list[Image]) -> list[Image]:
    """Ascending position; images without geometry stay in the order of their instance number."""
    if any(image.position_mm is None for image in images):
        return sorted(images, key=lambda image: image.number("InstanceNumber") or 0)
    order = np.argsort(along_normal_mm(images), kind="stable")
    return [images[index] for index in order]


def slice_spacing_mm(images: Sequence[Image]) -> float | None:
    """Median distance between neighbouring slices, None where there is no stack."""
    if len(images) < 2 or images[0].position_mm is None:
        return None
    steps = np.diff(along_normal_mm(images))
    steps = steps[steps >= SAME_PLACE_MM]
    return float(np.median(steps)) if len(steps) else None


def stack_problem(images: Sequence[Image]) -> str:
    """'' for a complete, evenly spaced stack, else the sentence that names the first fault and its position. `images` sorted along the normal."""
    if any(image.position_mm is None for image in images):
        return "the images carry no position or orientation in the patient"
    spacing = slice_spacing_mm(images)
    if spacing is None:
        return f"it has {len(images)} image(s) and no stack of slices" if len(images) < 2 else "all slices lie at one position"
    steps = np.diff(along_normal_mm(images))
    again = "Send the series again from the PACS, or choose another one (`ccta list`)."
    double = np.flatnonzero(steps < SAME_PLACE_MM)
    if double.size:
        first, second = images[double[0]], images[double[0] + 1]
        return f"{_count(double.size, 'duplicate slice')}, the first at {_place(first)} ({first.file.name} and {second.file.name}). {again}"
    gap = np.flatnonzero(steps > 1.5 * spacing)
    if gap.size:
        missing = np.round(steps[gap] / spacing).astype(int) - 1
        more = f", in {gap.size} places" if gap.size > 1 else ""
        verb = "is" if missing.sum() == 1 else "are"
        return (
            f"{_count(max(1, missing.sum()), 'slice')} {verb} missing{', the first' if gap.size > 1 else ''} after {_place(images[gap[0]])} "
            f"(spacing {spacing:g} mm, the next slice at {_place(images[gap[0] + 1])}{more}). {again}"
        )
    return _overlapping(images, spacing, again) or _uneven(images, again) or _sideways(images, again)


def _overlapping(images: Sequence[Image], spacing: float, again: str) -> str:
    """A slice squeezed in between two regular neighbours: its two steps together make one spacing (else it is a displaced slice)."""
    steps = np.diff(along_normal_mm(images))
    pair = steps[:-1] + steps[1:]
    extra = np.flatnonzero((np.minimum(steps[:-1], steps[1:]) < 0.75 * spacing) & (pair < 1.25 * spacing))
    if not extra.size:
        return ""
    first = extra[0] + 1
    near = min(steps[first - 1], steps[first])
    verb = "overlaps its neighbour" if extra.size == 1 else "overlap their neighbours, the first"
    return f"{_count(extra.size, 'slice')} {verb} at {_place(images[first])}: {near:.2g} mm instead of {spacing:g} mm ({images[first].file.name}). {again}"


def _uneven(images: Sequence[Image], again: str) -> str:
    """Slices that leave the straight, even line through the first and last by more than a quarter of the spacing (and 0.05 mm)."""
    positions = np.array([image.position_mm for image in images])
    even = positions[0] + np.linspace(0, 1, len(images))[:, None] * (positions[-1] - positions[0])
    error = np.linalg.norm(positions - even, axis=1)
    spacing = slice_spacing_mm(images)
    worst = int(np.argmax(error))
    if error[worst] <= max(0.25 * spacing, 0.05):
        return ""
    return f"the slices are unevenly spaced: the one at {_place(images[worst])} is {error[worst]:.2f} mm from its place (spacing {spacing:g} mm). {again}"


def _sideways(images: Sequence[Image], again: str) -> str:
    """A stack that moves sideways more than a tilted gantry can make it (30 degrees)."""
    way = images[-1].position_mm - images[0].position_mm
    angle = np.degrees(np.arccos(np.clip(np.cross(*images[0].orientation) @ way / np.linalg.norm(way), -1, 1)))
    return f"the slices move sideways, {angle:.0f} degrees off their normal, which no gantry tilt does. {again}" if angle > MAX_TILT_DEG else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _place(image: Image) -> str:
    """The slice's position in words: patient z for (nearly) axial slices, else the distance along the slice normal."""
    normal = np.cross(*image.orientation)
    if abs(normal[2]) > 0.99:
        return f"z = {image.position_mm[2]:.1f} mm"
    return f"{image.position_mm @ normal:.1f} mm along the slice normal"


def affine_of(images: Sequence[Image]) -> np.ndarray:
    """(4, 4) index (i = column, j = row, k = slice) -> patient LPS mm, from PS3.3 equation C.7.6.2.1-1 and the first and last position."""
    first, last = images[0], images[-1]
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[0] * first.spacing_mm[1]
    affine[:3, 1] = first.orientation[1] * first.spacing_mm[0]
    affine[:3, 2] = (last.position_mm - first.position_mm) / (len(images) - 1)
    affine[:3, 3] = first.position_mm
    return affine


def read_volume(images: Sequence[Image], progress: Callable[[float], None] | None = None) -> Volume:
    """The stack as int16 HU, array (ni, nj, nk). Raises IncompleteSeries (faulty stack) or BadInput (faulty file), naming it.

    Memory: the result plus one slice per thread. The array is Fortran-ordered, a slice array[:, :, k] is contiguous.
    """
    problem = next((f"{image.file.name} is truncated: {image.truncated}. Copy it again." for image in images if image.truncated), "")
    if problem:
        raise BadInput(problem)
    problem = stack_problem(images)
    if problem:
        raise IncompleteSeries(problem)
    rows, columns = int(images[0].header.Rows), int(images[0].header.Columns)
    stack = np.empty((len(images), rows, columns), np.int16)
    _read_into(stack, images, progress)
    return Volume(stack.transpose(2, 1, 0), affine_of(images), images[0].text("FrameOfReferenceUID"))


def read_slices_hu(images: Sequence[Image]) -> list[np.ndarray]:
    """(rows, columns) int16 HU of each image: stored value x slope + intercept (PS3.3 C.11.1), padding -> air. BadInput names the faulty file."""
    slices = [np.empty(0)] * len(images)
    _read_into(slices, images)
    return slices


def _read_into(slices: np.ndarray | list[np.ndarray], images: Sequence[Image], progress: Callable[[float], None] | None = None) -> None:
    """Sets each item of `slices`. A file is opened once, whatever number of the frames are its own."""
    by_file = defaultdict(list)
    for index, image in enumerate(images):
        by_file[image.file].append(index)

    def read(indices: list[int]) -> int:
        indices.sort(key=lambda index: images[index].frame)
        for index, stored in zip(indices, _stored([images[index] for index in indices]), strict=True):
            slices[index] = _hu(images[index], stored)
        return len(indices)

    with ThreadPoolExecutor(4) as pool:
        done = 0
        for count in pool.map(read, by_file.values()):
            done += count
            if progress:
                progress(done / len(images))


def _stored(images: Sequence[Image]) -> Iterator[np.ndarray]:
    """The stored values of images of one file, ascending frames."""
    first, frames = images[0], [image.frame for image in images]
    try:
        with first.file.open_whole() as stream:
            if not first.number("NumberOfFrames") and frames == [0]:
                yield dcmread(stream).pixel_array
                return
            whole = frames == list(range(int(first.number("NumberOfFrames") or 0)))
            indices = None if whole else frames  # without them, compressed frames are found in one pass
            with closing(iter_pixels(stream, indices=indices)) as found:
                for _ in images:
                    stored = next(found, None)
                    if stored is None:
                        raise ValueError("it holds fewer frames than its header names")
                    yield stored
    except Exception as error:  # decoders raise whatever their library raises; the file is what the user can act on
        raise BadInput(f"{first.file.name} cannot be decoded ({type(error).__name__}: {error}). Copy it again, or choose another series.") from error


def _hu(image: Image, stored: np.ndarray) -> np.ndarray:
    if stored.ndim != 2:
        raise BadInput(f"{image.file.name} is a colour picture of shape {stored.shape}, not a CT slice.")
    slope, intercept = image.slope, image.intercept or 0.0
    whole = float(slope).is_integer() and float(intercept).is_integer()
    hu = stored.astype(np.int32) * int(slope) + int(intercept) if whole else np.rint(stored * slope + intercept)
    padding = _padding(image, stored, slope, intercept)
    if padding is not None:
        hu[padding] = AIR_HU
    return np.clip(hu, -32768, 32767).astype(np.int16)


def _padding(image: Image, stored: np.ndarray, slope: float, intercept: float) -> np.ndarray | None:
    """Mask of padding pixels, or None. A value written unsigned for signed pixels is read as what it means."""
    value, limit = image.number("PixelPaddingValue"), image.number("PixelPaddingRangeLimit")
    if value is None:
        return None
    bounds = [v - 65536 if image.number("PixelRepresentation") == 1 and v > 32767 else v for v in (value, value if limit is None else limit)]
    low, high = sorted(bounds)
    if any(TISSUE_HU[0] < v * slope + intercept < TISSUE_HU[1] for v in bounds):
        return None
    return (stored >= low) & (stored <= high)
