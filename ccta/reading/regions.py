"""A reader's regions of calcium on the grid of an image: OsiriX property lists (as COCA has them), DICOM SEG, and label images.

Result: a label map whose values are 1000 x the artery's number in `VESSELS` (from 1) + the lesion's number in that artery. In one artery, drawn areas that
touch, in one slice or the next, are one lesion.
"""

from __future__ import annotations

import plistlib
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.pixels import pixel_array
from scipy import ndimage
from skimage.draw import polygon

from ccta.coordinates import to_index, to_patient_mm
from ccta.errors import BadInput
from ccta.model import VESSELS, Volume
from ccta.reading.image_files import is_image_file

ARTERY = 1000
NAMES = (
    ("LM", r"left[ _-]*main|^lm(ca)?$|left[ _-]*coronary([ _-]*artery)?$|^lca$"), ("LAD", r"\blad\b|anterior[ _-]*desc|diagonal"),
    ("LCx", r"\blc?x\b|\bcx\b|circumflex|marginal"), ("RCA", r"\brca\b|right[ _-]*coronary"),
)  # fmt: skip
"""Spellings of the arteries; COCA calls the left main "Left Coronary Artery"."""
OFF_SLICE = 0.5  # of the increment: a contour farther from every slice belongs to another image


def read_regions(path: Path, image: Volume, names: Iterable[str] = VESSELS) -> Volume:
    """(the image's shape) uint16 label map, see above. names: artery of label 1, 2, ... in a label image.

    Raises BadInput: unreadable, another image's regions, an artery that is not named, or nothing drawn.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path} does not exist; give the file of a reader's regions (OsiriX XML, DICOM SEG, NIfTI, NRRD or MHA)")
    arteries = _label_image(path, image, tuple(names)) if is_image_file(path) else _seg(path, image) if _is_dicom(path) else _osirix(path, image)
    if not arteries.any():
        raise BadInput(f"{path} holds no region inside the image; check that it was drawn on this series")
    return image.with_array(numbered(arteries))


def numbered(arteries: np.ndarray) -> np.ndarray:
    """Artery numbers per voxel -> 1000 x artery + lesion."""
    result = np.zeros(arteries.shape, np.uint16)
    for artery in range(1, len(VESSELS) + 1):
        parts, count = ndimage.label(arteries == artery, np.ones((3, 3, 3)))
        if count >= ARTERY:
            raise BadInput(f"the regions hold {count} separate pieces of {VESSELS[artery - 1]}; a reader's lesions are far fewer: give lesions, not noise")
        result[parts > 0] = ARTERY * artery + parts[parts > 0]
    return result


def artery_number(name: str, path: Path) -> int:
    """1-4 by the name of a region; BadInput for a name of no artery."""
    for artery, pattern in NAMES:
        if re.search(pattern, name.strip(), re.I):
            return VESSELS.index(artery) + 1
    raise BadInput(f"{path} has a region named {name!r}, which is none of LM, LAD, LCx, RCA; rename it or take it out")


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _osirix(path: Path, image: Volume) -> np.ndarray:
    """Contours of an OsiriX property list. Their place is Point_mm (patient mm); ImageIndex counts slices either way and is not used."""
    try:
        content = plistlib.loads(path.read_bytes())
        regions = [roi for entry in content["Images"] for roi in entry.get("ROIs", [])]
        outlines = [(str(roi.get("Name", "")), _points(roi)) for roi in regions]
    except Exception as error:  # plistlib and expat raise many types; a wrong structure raises KeyError, TypeError or ValueError
        raise BadInput(f"{path} is no OsiriX property list of regions ({' '.join(str(error).split())[:150]}); export the regions again") from error
    arteries = np.zeros(image.array.shape, np.uint8)
    for name, points_mm in outlines:
        if len(points_mm) >= 3:  # fewer enclose nothing
            _fill(arteries, to_index(points_mm, image.affine), artery_number(name, path), path)
    return arteries


def _points(roi: dict) -> np.ndarray:
    """(N, 3) patient mm from strings such as "(12.5, -30.1, 140.0)"."""
    rows = [[float(x) for x in re.findall(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?", text)] for text in roi["Point_mm"]]
    if any(len(row) != 3 for row in rows):
        raise ValueError("a point of a contour has not three coordinates")
    return np.array(rows, float).reshape(-1, 3)


def _fill(arteries: np.ndarray, index: np.ndarray, artery: int, path: Path) -> None:
    """Pixels whose middle lies in a contour (N, 3), given in voxel indices, on the nearest slice. The first contour keeps a pixel that two hold."""
    k = float(index[:, 2].mean())
    if np.ptp(index[:, 2]) > 2 * OFF_SLICE or not -OFF_SLICE <= k <= arteries.shape[2] - 1 + OFF_SLICE:
        raise BadInput(f"{path} has a contour that lies on no slice of this image (slice {k:.1f} of {arteries.shape[2]}); it was drawn on another series")
    plane = arteries[:, :, min(max(round(k), 0), arteries.shape[2] - 1)]
    i, j = polygon(index[:, 0], index[:, 1], plane.shape)
    free = plane[i, j] == 0
    plane[i[free], j[free]] = artery


def _seg(path: Path, image: Volume) -> np.ndarray:
    """A DICOM Segmentation: one segment per artery, frames placed by their position and orientation."""
    try:
        seg = dcmread(path)
        if seg.Modality != "SEG":
            raise BadInput(f"{path} is DICOM of modality {seg.Modality}, not a segmentation; give a SEG object")
        frames = np.reshape(pixel_array(seg), (-1, int(seg.Rows), int(seg.Columns)))
        names = {int(s.SegmentNumber): f"{s.get('SegmentLabel', '')}" for s in seg.SegmentSequence}
        groups = list(seg.PerFrameFunctionalGroupsSequence)
    except BadInput:
        raise
    except Exception as error:  # a damaged file and a missing decoder raise many types
        raise BadInput(f"{path} cannot be read as a DICOM segmentation ({' '.join(str(error).split())[:150]}); export it again") from error
    arteries = np.zeros(image.array.shape, np.uint8)
    used = {}
    for frame, group in zip(frames, groups, strict=True):
        if not frame.any():
            continue
        number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        used.setdefault(number, artery_number(names[number], path))
        _place_frame(arteries, image, frame, _frame_affine(seg, group), used[number])
    return arteries


def _frame_affine(seg, group) -> np.ndarray:
    """(4, 4) (column, row, 0) -> patient mm of one frame (PS3.3 C.7.6.2.1-1); what all frames share stands in the shared groups."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
    source = group if "PlaneOrientationSequence" in group else shared
    row, column = np.array(source.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    measures = (group if "PixelMeasuresSequence" in group else shared).PixelMeasuresSequence[0]
    down, across = (float(x) for x in measures.PixelSpacing)
    affine = np.eye(4)
    affine[:3] = np.column_stack([row * across, column * down, np.cross(row, column), position])
    return affine


def _place_frame(arteries: np.ndarray, image: Volume, frame: np.ndarray, affine: np.ndarray, artery: int) -> None:
    """Marks the image's voxels whose middle lies in a marked pixel of the frame, on the slice nearest to it."""
    rows, columns = np.nonzero(frame)
    k = float(np.mean(to_index(to_patient_mm(np.column_stack([columns, rows, 0 * rows]), affine), image.affine)[:, 2]))
    if not -OFF_SLICE <= k <= arteries.shape[2] - 1 + OFF_SLICE:
        raise BadInput(f"a frame of the segmentation lies {k:.0f} slices into an image of {arteries.shape[2]}; it belongs to another series")
    plane = arteries[:, :, min(max(round(k), 0), arteries.shape[2] - 1)]
    grid = np.stack([*np.meshgrid(*map(np.arange, plane.shape), indexing="ij"), np.full(plane.shape, k)], axis=-1)
    pixel = np.rint(to_index(to_patient_mm(grid, image.affine), affine)[..., :2]).astype(int)
    inside = ((pixel >= 0) & (pixel < [frame.shape[1], frame.shape[0]])).all(axis=-1)
    marked = np.zeros(plane.shape, bool)
    marked[inside] = frame[pixel[inside][:, 1], pixel[inside][:, 0]] > 0
    plane[marked & (plane == 0)] = artery


def _label_image(path: Path, image: Volume, names: tuple[str, ...]) -> np.ndarray:
    """NIfTI, NRRD or MHA labels, on the image's grid by the nearest voxel. Label n is artery names[n - 1]."""
    try:
        array, affine = _labels_of(path)
    except Exception as error:  # nibabel and ITK raise many types for a damaged file
        raise BadInput(f"{path} cannot be read as a label image ({' '.join(str(error).split())[:150]}); copy it again") from error
    array = np.asarray(array)[..., 0] if array.ndim == 4 and array.shape[3] == 1 else np.asarray(array)
    found = np.unique(array)
    unknown = [float(value) for value in found if value not in range(len(names) + 1)]
    if array.ndim != 3 or unknown:
        told = ", ".join(f"{n} {name}" for n, name in enumerate(names, 1))
        raise BadInput(f"{path} holds the values {unknown[:5]}, not labels; known are {told} (setting calcium_label_names of [read])")
    numbers = np.array([0, *(artery_number(name, path) for name in names)], np.uint8)[array.astype(int)]
    matrix = np.linalg.inv(affine) @ image.affine
    return ndimage.affine_transform(numbers, matrix[:3, :3], offset=matrix[:3, 3], output_shape=image.array.shape, order=0, mode="constant", cval=0)


def _labels_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(array, affine to patient LPS mm)."""
    if ".nii" in path.name.lower():
        import nibabel

        nifti = nibabel.load(path)
        return np.asanyarray(nifti.dataobj), np.diag([-1.0, -1.0, 1.0, 1.0]) @ nifti.affine
    import itk

    image = itk.imread(str(path))
    affine = np.eye(4)
    affine[:3, :3] = itk.array_from_matrix(image.GetDirection()) @ np.diag(np.array(image.GetSpacing()))
    affine[:3, 3] = np.array(image.GetOrigin())
    return itk.array_from_image(image).T, affine
