"""Small DICOM series for tests: any orientation, pixel coding and fault, written with pydicom."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

AXIAL = np.array([[1.0, 0, 0], [0, 1, 0]])
"""Head first, supine: columns to the left, rows to the back."""


@dataclass
class SeriesSpec:
    """A stack of slices. orientation: (2, 3) direction of the column index, then of the row index. tags: extra or overriding elements."""

    hu: np.ndarray  # (ni, nj, nk), i = column, j = row, k = slice
    origin_mm: tuple = (-100.0, -90.0, -150.0)
    spacing_mm: tuple = (0.8, 0.7, 2.0)  # along i, j, k
    orientation: np.ndarray = field(default_factory=lambda: AXIAL.copy())
    signed: bool = True
    slope: float | tuple = 1.0  # one per slice when a tuple
    intercept: float = -1024.0
    modality: str = "CT"
    tags: dict = field(default_factory=dict)
    uid: str = field(default_factory=generate_uid)
    study_uid: str = field(default_factory=generate_uid)
    frame_uid: str = field(default_factory=generate_uid)

    @property
    def affine(self) -> np.ndarray:
        """(4, 4) index -> patient LPS mm: the truth that a reader has to find."""
        affine = np.eye(4)
        normal = np.cross(*self.orientation)
        affine[:3, :3] = np.column_stack([*self.orientation, normal]) * np.array(self.spacing_mm)
        affine[:3, 3] = self.origin_mm
        return affine


def slices(spec: SeriesSpec) -> list[Dataset]:
    """One dataset per slice, in order of k."""
    return [_slice(spec, k) for k in range(spec.hu.shape[2])]


def _slice(spec: SeriesSpec, k: int) -> Dataset:
    slope = spec.slope[k] if isinstance(spec.slope, tuple) else spec.slope
    stored = np.rint((spec.hu[:, :, k].T - spec.intercept) / slope)
    position = spec.affine[:3, :3] @ [0, 0, k] + spec.affine[:3, 3]
    dataset = _common(spec, CTImageStorage if spec.modality == "CT" else MRImageStorage)
    dataset.InstanceNumber = k + 1
    dataset.ImagePositionPatient = [float(f"{v:.6f}") for v in position]
    dataset.ImageOrientationPatient = [float(f"{v:.8f}") for v in spec.orientation.ravel()]
    dataset.PixelSpacing = [spec.spacing_mm[1], spec.spacing_mm[0]]
    dataset.SliceThickness = "7.7"  # a lie on purpose: nobody may use it
    dataset.RescaleSlope, dataset.RescaleIntercept = float(slope), float(spec.intercept)
    dataset.PixelData = stored.astype("<i2" if spec.signed else "<u2").tobytes()
    _apply(dataset, spec.tags)
    return dataset


def _common(spec: SeriesSpec, sop_class: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = spec.uid, spec.study_uid, spec.frame_uid
    dataset.Modality, dataset.ImageType, dataset.SeriesDescription = spec.modality, ["ORIGINAL", "PRIMARY", "AXIAL"], "test series"
    dataset.PatientName, dataset.PatientID, dataset.PatientSex, dataset.PatientAge, dataset.StudyDate = "Test^Patient", "T1", "M", "062Y", "20240131"
    dataset.KVP, dataset.ConvolutionKernel, dataset.Manufacturer = "120", "Bv40", "Test"
    dataset.Columns, dataset.Rows = spec.hu.shape[:2]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, int(spec.signed)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    return dataset


def _apply(dataset: Dataset, tags: dict) -> None:
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)


def write_series(folder: Path, spec: SeriesSpec, skip: tuple = ()) -> list[Path]:
    """Write the slices under names that do not sort like their positions, without the ones in `skip`. Returns the paths in order of k."""
    return write_datasets(folder, [d for k, d in enumerate(slices(spec)) if k not in skip])


def write_datasets(folder: Path, datasets: list[Dataset]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{dataset.SOPInstanceUID}.dcm" for dataset in datasets]
    for path, dataset in zip(paths, datasets, strict=True):
        dataset.save_as(path, enforce_file_format=True)
    return paths


def write_enhanced(path: Path, spec: SeriesSpec) -> Path:
    """The same stack as one Enhanced CT object: geometry in functional groups, frames in reverse order."""
    dataset = _common(spec, EnhancedCTImageStorage)
    order = range(spec.hu.shape[2] - 1, -1, -1)
    dataset.NumberOfFrames = spec.hu.shape[2]
    shared = Dataset()
    shared.PlaneOrientationSequence = [_of(ImageOrientationPatient=list(spec.orientation.ravel()))]
    shared.PixelMeasuresSequence = [_of(PixelSpacing=[spec.spacing_mm[1], spec.spacing_mm[0]], SliceThickness=7.7)]
    shared.PixelValueTransformationSequence = [_of(RescaleSlope=spec.slope, RescaleIntercept=spec.intercept, RescaleType="HU")]
    dataset.SharedFunctionalGroupsSequence = [shared]
    positions = [spec.affine[:3, :3] @ [0, 0, k] + spec.affine[:3, 3] for k in order]
    dataset.PerFrameFunctionalGroupsSequence = [_of(PlanePositionSequence=[_of(ImagePositionPatient=list(p))]) for p in positions]
    stored = [np.rint((spec.hu[:, :, k].T - spec.intercept) / spec.slope).astype("<i2" if spec.signed else "<u2") for k in order]
    dataset.PixelData = np.stack(stored).tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


def _of(**elements) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def write_brain_mr(folder: Path) -> list[Path]:
    """Twenty slices of an MR."""
    hu = np.random.default_rng(0).integers(0, 900, (32, 32, 20))
    return write_series(folder, SeriesSpec(hu, modality="MR", intercept=0.0, tags={"SeriesDescription": "t1 mprage brain", "KVP": None}))


def chest_hu(shape=(64, 64, 50), contrast: bool = True, noise_hu: float = 10.0, seed: int = 0) -> np.ndarray:
    """A coarse chest, HU int16: body, two lungs, a heart that is a sphere of blood (400 or 40 HU). For reading tests, not for anatomy."""
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    hu = np.where((i / 0.95) ** 2 + (j / 0.8) ** 2 < 1, 0.0, -1000.0)
    hu[((abs(i) - 0.5) / 0.35) ** 2 + (j / 0.6) ** 2 < 1] = -850.0
    hu[i**2 + (j + 0.1) ** 2 + (k / 1.2) ** 2 < 0.45**2] = 400.0 if contrast else 40.0
    return (hu + np.random.default_rng(seed).normal(0, noise_hu, shape)).astype(np.int16)
