"""A reader's regions of calcium on the grid of an image: OsiriX property lists (as COCA has them), DICOM SEG, our own DICOM SR, and label images.

Result: a label map whose values are 1000 x the artery's number in `VESSELS` (from 1) + the lesion's number in that artery. In one artery, drawn areas that
touch, in one slice or the next, are one lesion; an SR says itself which are.
"""

from __future__ import annotations

import plistlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.draw import polygon

from ccta.coordinates import to_index
from ccta.errors import BadInput
from ccta.model import VESSELS, Unavailable, Volume
from ccta.reading.artery_names import artery_number
from ccta.reading.image_files import is_image_file
from ccta.reading.segmentations import segmented_arteries
from ccta.reading.structured_reports import VESSEL_OF, calcium_of, is_report
from ccta.source_series import SourceSeries

ARTERY = 1000
OFF_SLICE = 0.5  # of the increment: a contour farther from every slice belongs to another image


def read_regions(path: Path, image: Volume, names: Iterable[str] = VESSELS, source: SourceSeries | Unavailable | None = None) -> Volume:
    """(the image's shape) uint16 label map, see above. names: artery of label 1, 2, ... in a label image. source: the series that the image is.

    Raises BadInput: unreadable, another image's regions, an artery that is not named, or nothing drawn.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path} does not exist; give the file of a reader's regions (OsiriX XML, DICOM SEG or SR, NIfTI, NRRD or MHA)")
    if _is_dicom(path) and is_report(path):
        return image.with_array(_reported(path, image, source))
    arteries = _label_image(path, image, tuple(names)) if is_image_file(path) else segmented_arteries(path, image) if _is_dicom(path) else _osirix(path, image)
    if not arteries.any():
        raise BadInput(f"{path} holds no region inside the image; check that it was drawn on this series")
    return image.with_array(numbered(arteries))


def numbered(arteries: np.ndarray) -> np.ndarray:
    """Artery numbers per voxel -> 1000 x artery + lesion."""
    result = np.zeros(arteries.shape, np.uint16)
    for artery in range(1, len(VESSELS) + 1):
        parts, count = ndimage.label(arteries == artery, np.ones((3, 3, 3)))
        _check_count(count, f"separate pieces of {VESSELS[artery - 1]}")
        result[parts > 0] = ARTERY * artery + parts[parts > 0]
    return result


def _check_count(count: int, what: str) -> None:
    """BadInput for numbers that would be those of another artery."""
    if count >= ARTERY:
        raise BadInput(f"the regions hold {count} {what}; a reader's lesions are far fewer: give lesions, not noise")


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _reported(path: Path, image: Volume, source: SourceSeries | Unavailable | None) -> np.ndarray:
    """The lesions of a report of ours, filled as they were outlined and numbered as they were listed."""
    if not source:
        raise BadInput(f"{path} is a report of a DICOM study, and this image comes of none; give regions as NIfTI, NRRD or MHA labels")
    labels = np.zeros(image.array.shape, np.uint16)
    lesions = calcium_of(path, source)
    _check_count(len(lesions), "lesions")
    for number, lesion in enumerate(lesions, 1):
        if len(lesion.outlines_mm[0]) < 3:
            raise BadInput(f"{path} gives {lesion.name} as a point, not as an outline; correct the list with `ccta lesions CASE --from {path}`")
        for outline in lesion.outlines_mm:
            _fill(labels, to_index(outline, image.affine), ARTERY * (VESSELS.index(VESSEL_OF[lesion.site]) + 1) + number, path)
    if not labels.any():
        raise BadInput(f"{path} lists no calcium inside the image; without --regions it is found automatically")
    return labels


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


def filled(outlines_mm: Sequence[np.ndarray], image: Volume) -> np.ndarray:
    """(the image's shape) bool: what closed outlines (N, 3), in patient mm, hold on its slices. BadInput where one lies on none."""
    inside = np.zeros(image.array.shape, np.uint8)
    for outline in outlines_mm:
        _fill(inside, to_index(outline, image.affine), 1, Path("the report"))
    return inside > 0


def _fill(arteries: np.ndarray, index: np.ndarray, artery: int, path: Path) -> None:
    """Marks pixels whose middle lies in a contour (N, 3), given in voxel indices, on the nearest slice. The first contour keeps a pixel that two hold."""
    k = float(index[:, 2].mean())
    if np.ptp(index[:, 2]) > 2 * OFF_SLICE or not -OFF_SLICE <= k <= arteries.shape[2] - 1 + OFF_SLICE:
        raise BadInput(f"{path} has a contour that lies on no slice of this image (slice {k:.1f} of {arteries.shape[2]}); it was drawn on another series")
    plane = arteries[:, :, min(max(round(k), 0), arteries.shape[2] - 1)]
    i, j = polygon(index[:, 0], index[:, 1], plane.shape)
    free = plane[i, j] == 0
    plane[i[free], j[free]] = artery


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
