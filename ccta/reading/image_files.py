"""NIfTI, NRRD and MHA/MHD images -> Volume in LPS millimetres, with the checks that a file without a clinical header needs."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from ccta.errors import BadInput
from ccta.model import Volume
from ccta.reading.input_files import DEFLATE_RATIO
from ccta.reading.upright import upright

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")


MAX_VOXELS = 2**31  # four times a scan of 1024 x 1024 x 512


def is_image_file(path: Path) -> bool:
    """By name: one of `SUFFIXES`."""
    return path.name.lower().endswith(SUFFIXES)


def read_image(path: Path) -> tuple[Volume, list[str]]:
    """(volume as int16 HU, notes on what was changed). The axes are the patient's, k closest to head-foot.

    Raises BadInput: a picture, damaged, not 3-D, no orientation, implausible spacing or HU.
    """
    if path.name.lower().endswith(PICTURES):
        raise BadInput(f"{path} is a picture: it has no Hounsfield units and no millimetres. Give the DICOM series it was made from.")
    array, affine = _stored(path)
    array, notes = hounsfield(array, path.name)
    volume, said = upright(Volume(array, affine))
    return volume, [*notes, said] if said else notes


def read_labels(path: Path) -> Volume:
    """A label map as it is stored (int16), its axes as they are. Raises BadInput as `read_image` does, but takes any values."""
    array, affine = _stored(path)
    return Volume(array[..., 0] if array.ndim == 4 else array, affine)


def _stored(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(int16 values, affine to patient LPS mm), the geometry checked."""
    try:
        array, affine = _nifti(path) if ".nii" in path.name.lower() else _nrrd_or_mha(path)
    except BadInput:
        raise
    except Exception as error:  # nibabel and SimpleITK raise many types for a damaged file
        raise BadInput(f"{path} cannot be read as an image ({' '.join(str(error).split())[:200]}). It may be truncated: copy it again.") from error
    _check_geometry(path, array, affine)
    return array, affine


def _nifti(path: Path):
    import nibabel

    image = nibabel.load(path)
    if int(image.header["sform_code"]) == 0 and int(image.header["qform_code"]) == 0:
        raise BadInput(f"{path} states no orientation (sform and qform code are 0): left and right would be a guess. Convert it again from DICOM.")
    _check_size(path, image.shape, image.get_data_dtype().itemsize, path.stat().st_size)
    array = as_int16(image.dataobj.get_unscaled(), path.name, image.dataobj.slope, image.dataobj.inter)
    scale_mm = {"meter": 1e3, "micron": 1e-3}.get(image.header.get_xyzt_units()[0], 1.0)
    return array, np.diag([-scale_mm, -scale_mm, scale_mm, 1.0]) @ image.affine  # RAS -> LPS


def _nrrd_or_mha(path: Path):
    import SimpleITK  # loads in half a second; ITK's own Python package needs nine and 800 MB for the same readers

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    on_disk = sum(file.stat().st_size for file in (path, *data_files(path)))
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    if reader.GetNumberOfComponents() != 1:
        raise BadInput(f"{path} has {reader.GetNumberOfComponents()} values per voxel; a CT has one.")
    shape = reader.GetSize()
    _check_size(path, shape, SimpleITK.Image([1] * max(2, min(len(shape), 3)), reader.GetPixelID()).GetSizeOfPixelComponent(), on_disk)
    image = reader.Execute()
    array = as_int16(SimpleITK.GetArrayViewFromImage(image).T, path.name)
    if array.ndim != 3:
        return array, np.eye(4)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) @ np.diag(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return array, affine


def data_files(path: Path) -> list[Path]:
    """The data files that a detached header (MHD, NHDR) names, as far as they are there. BadInput where one lies outside the header's folder."""
    if path.suffix.lower() in (".nii", ".gz"):
        return []
    with path.open("rb") as file:
        head = file.read(2**16).decode("latin-1")
    named = re.search(r"^(?:ElementDataFile *=|data ?file:) *(.*)$", head, re.M | re.I)
    name = named.group(1).strip() if named else "LOCAL"
    names = [name] if not name.upper().startswith("LIST") else head[named.end() :].split()
    if any(Path(one).is_absolute() or ".." in Path(one).parts for one in names):
        raise BadInput(f"{path} names a data file outside its own folder ({name[:80]}), which is not followed. Put both files into one folder.")
    beside = [path.parent / one.split()[0] for one in names if one.upper() != "LOCAL" and one.split()]
    return [one for one in beside if one.is_file()]


def _check_size(path: Path, shape, bytes_per_voxel: int, on_disk: int) -> None:
    """BadInput where the header claims more than the file can hold, before anything is allocated for it."""
    voxels = math.prod(int(n) for n in shape)
    if voxels > MAX_VOXELS or voxels * bytes_per_voxel > DEFLATE_RATIO * on_disk:
        raise BadInput(f"{path} claims {' x '.join(map(str, shape))} voxels and has {on_disk:,} bytes: its header is damaged. Copy it again.")


def _check_geometry(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    if array.ndim != 3 and not (array.ndim == 4 and array.shape[3] == 1):
        raise BadInput(f"{path} has shape {array.shape}; one 3-D image is needed (one phase of a multi-phase file).")
    if min(array.shape[:3]) < 8:
        raise BadInput(f"{path} has shape {array.shape}: too few voxels along one axis to be a scan of the heart.")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    sound = np.isfinite(affine).all() and (spacing > 0.05).all() and (spacing < 12).all()
    if not (sound and abs(np.linalg.det(affine[:3, :3] / spacing)) > 0.1):
        raise BadInput(f"{path} has voxels of {np.round(spacing, 4).tolist()} mm, which no heart CT has: its spacing is lost or not in millimetres.")


def as_int16(stored: np.ndarray, name: str, slope: float = 1.0, intercept: float = 0.0) -> np.ndarray:
    """int16 of stored x slope + intercept, rounded and clipped, slab by slab along the last axis: no copy of the image in another type."""
    if stored.dtype.kind not in "iuf":
        raise BadInput(f"{name} holds values of type {stored.dtype}; a CT has numbers.")
    if stored.dtype == np.int16 and (slope, intercept) == (1.0, 0.0):
        return np.array(stored)
    out = np.empty(stored.shape, np.int16, order="F")
    for k in range(stored.shape[-1]):
        slab = stored[..., k] * np.float32(slope) + np.float32(intercept)
        if not np.isfinite(slab).all():
            raise BadInput(f"{name} holds NaN or infinite values.")
        out[..., k] = np.clip(np.rint(slab), -32768, 32767)
    return out


def hounsfield(array: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """(int16 HU, notes). Values stored with the offset 1024 (air at 0, as in CAT08) are shifted back and said so; others without air are refused."""
    array = array[..., 0] if array.ndim == 4 else array
    sparse = array[:: max(1, array.shape[0] // 64), :: max(1, array.shape[1] // 64), :: max(1, array.shape[2] // 64)]
    low, high = float(sparse.min()), float(sparse.max())
    if low < -300:
        return array, []
    soft = np.count_nonzero((sparse > 900) & (sparse < 1500)) / sparse.size
    if low >= 0 and low < 700 and soft > 0.1:
        return np.maximum(array, -31744) - np.int16(1024), ["the values were stored with an offset of 1024, which was taken off"]
    raise BadInput(f"{name} holds values from {low:g} to {high:g}: not Hounsfield units (air is near -1000). Give the CT itself, not a label map.")
