"""NIfTI, NRRD and MHA/MHD images -> Volume in LPS millimetres, with the checks that a file without a clinical header needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ccta.errors import BadInput
from ccta.model import Volume
from ccta.reading.upright import upright

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")


def is_image_file(path: Path) -> bool:
    """By name: one of `SUFFIXES`."""
    return path.name.lower().endswith(SUFFIXES)


def read_image(path: Path) -> tuple[Volume, list[str]]:
    """(volume as int16 HU, notes on what was changed). The axes are the patient's, k closest to head-foot.

    Raises BadInput: a picture, damaged, not 3-D, no orientation, implausible spacing or HU.
    """
    if path.name.lower().endswith(PICTURES):
        raise BadInput(f"{path} is a picture: it has no Hounsfield units and no millimetres. Give the DICOM series it was made from.")
    try:
        array, affine = _nifti(path) if ".nii" in path.name.lower() else _itk(path)
    except BadInput:
        raise
    except Exception as error:  # nibabel and ITK raise many types for a damaged file
        raise BadInput(f"{path} cannot be read as an image ({' '.join(str(error).split())[:200]}). It may be truncated: copy it again.") from error
    _check_geometry(path, array, affine)
    array, notes = hounsfield(array, path.name)
    volume, said = upright(Volume(array, affine))
    return volume, [*notes, said] if said else notes


def _nifti(path: Path):
    import nibabel

    image = nibabel.load(path)
    if int(image.header["sform_code"]) == 0 and int(image.header["qform_code"]) == 0:
        raise BadInput(f"{path} states no orientation (sform and qform code are 0): left and right would be a guess. Convert it again from DICOM.")
    array = np.asanyarray(image.dataobj)
    scale_mm = {"meter": 1e3, "micron": 1e-3}.get(image.header.get_xyzt_units()[0], 1.0)
    return array, np.diag([-scale_mm, -scale_mm, scale_mm, 1.0]) @ image.affine  # RAS -> LPS


def _itk(path: Path):
    import itk

    image = itk.imread(str(path))
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise BadInput(f"{path} has {image.GetNumberOfComponentsPerPixel()} values per voxel; a CT has one.")
    array = itk.array_from_image(image).T
    if array.ndim != 3:
        return array, np.eye(4)
    affine = np.eye(4)
    affine[:3, :3] = itk.array_from_matrix(image.GetDirection()) @ np.diag(np.array(image.GetSpacing()))
    affine[:3, 3] = np.array(image.GetOrigin())
    return array, affine


def _check_geometry(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    if array.ndim != 3 and not (array.ndim == 4 and array.shape[3] == 1):
        raise BadInput(f"{path} has shape {array.shape}; one 3-D image is needed (one phase of a multi-phase file).")
    if min(array.shape[:3]) < 8:
        raise BadInput(f"{path} has shape {array.shape}: too few voxels along one axis to be a scan of the heart.")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not (np.isfinite(affine).all() and (spacing > 0.05).all() and (spacing < 12).all()):
        raise BadInput(f"{path} has voxels of {np.round(spacing, 4).tolist()} mm, which no heart CT has: its spacing is lost or not in millimetres.")


def hounsfield(array: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """(int16 HU, notes). Values stored with the offset 1024 (air at 0, as in CAT08) are shifted back and said so; others without air are refused."""
    if not np.issubdtype(array.dtype, np.integer):
        if not np.isfinite(array).all():
            raise BadInput(f"{name} holds NaN or infinite values.")
        array = np.rint(array)
    array = array[..., 0] if array.ndim == 4 else array
    sparse = array[:: max(1, array.shape[0] // 64), :: max(1, array.shape[1] // 64), :: max(1, array.shape[2] // 64)]
    low, high = float(sparse.min()), float(sparse.max())
    if low < -300:
        return np.clip(array, -32768, 32767).astype(np.int16, copy=False), []
    soft = np.count_nonzero((sparse > 900) & (sparse < 1500)) / sparse.size
    if low >= 0 and low < 700 and soft > 0.1:
        return np.clip(array.astype(np.int32) - 1024, -32768, 32767).astype(np.int16), ["the values were stored with an offset of 1024, which was taken off"]
    raise BadInput(f"{name} holds values from {low:g} to {high:g}: not Hounsfield units (air is near -1000). Give the CT itself, not a label map.")
