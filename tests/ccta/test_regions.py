"""A reader's regions: OsiriX property lists, DICOM SEG and label images score exactly what they hold, lesion by lesion."""

import plistlib
import re

import nibabel
import numpy as np
import pytest
from pydicom import Dataset, FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid
from scipy import ndimage

from ccta import terms
from ccta.coordinates import to_patient_mm
from ccta.disease.calcium import score_regions
from ccta.errors import BadInput
from ccta.findings import Acquisition, Patient
from ccta.model import Volume
from ccta.reading.regions import read_regions
from ccta.reading.structured_reports import Placed
from tests.ccta.dicom_case import source
from tests.ccta.reference_scorer import inside_polygon, reference_agatston

SPACING = (0.5, 0.4, 3.0)
ACQUISITION = Acquisition(kvp=120.0, contrast=False)
DRAWN = (
    ("Left Anterior Descending Artery", 2, ((10.3, 10.2), (22.7, 11.1), (21.4, 23.3), (11.2, 22.2))),
    ("Left Anterior Descending Artery", 3, ((11.3, 10.2), (20.7, 12.1), (19.4, 21.3))),
    ("Right Coronary Artery", 5, ((30.2, 30.1), (44.6, 31.3), (40.4, 44.2), (29.4, 41.3))),
    ("Left Coronary Artery", 5, ((12.2, 40.3), (20.1, 40.7), (19.6, 47.2), (13.3, 46.4))),
    ("Left Circumflex Artery", 6, ((45.2, 10.1), (53.6, 10.3), (52.4, 20.2))),
)
"""(name as in COCA, slice, corners in voxel indices)."""
ARTERY = {"Left Anterior Descending Artery": "LAD", "Right Coronary Artery": "RCA", "Left Coronary Artery": "LM", "Left Circumflex Artery": "LCx"}


def test_more_lesions_of_a_report_than_one_artery_has_numbers_are_refused(image, tmp_path, monkeypatch):
    """The thousandth of the left main would be numbered as one of the LAD."""
    lesion = Placed("Calcium 1 LM", terms.VESSELS["LM"][0], (to_patient_mm(np.array([[1.0, 1, 2], [5, 1, 2], [5, 5, 2]]), image.affine),), {}, "f")
    listed = [lesion] * 999
    monkeypatch.setattr("ccta.reading.regions._is_dicom", lambda path: True)
    monkeypatch.setattr("ccta.reading.regions.is_report", lambda path: True)
    monkeypatch.setattr("ccta.reading.regions.calcium_of", lambda path, source: tuple(listed))
    (tmp_path / "sr.dcm").write_bytes(b"")
    assert set(np.unique(read_regions(tmp_path / "sr.dcm", image, source=source()).array).tolist()) == {0, 1001}
    listed.append(lesion)
    with pytest.raises(BadInput, match="1000 lesions"):
        read_regions(tmp_path / "sr.dcm", image, source=source())


@pytest.fixture(scope="module")
def image() -> Volume:
    """Blobs of 100-600 HU everywhere, feet first: k runs towards the feet."""
    hu = ndimage.gaussian_filter(np.random.default_rng(4).normal(0, 1, (60, 56, 9)), (1.5, 1.5, 0.6)) * 1100 + 150
    affine = np.array([[-0.5, 0, 0, 40.0], [0, 0.4, 0, -150.0], [0, 0, -3.0, 90.0], [0, 0, 0, 1]])
    return Volume(hu.astype(np.int16), affine)


def osirix(image: Volume, drawn=DRAWN, **changes) -> bytes:
    """The property list; ImageIndex counts from the other end and is a lie on purpose."""
    images = []
    for number, (name, k, corners) in enumerate(drawn):
        points = to_patient_mm(np.array([[*c, k] for c in corners], float), image.affine)
        roi = {"Name": name, "NumberOfPoints": len(corners), "Point_mm": [f"({x:.6f}, {y:.6f}, {z:.6f})" for x, y, z in points], "Point_px": [], "Type": 15}
        images.append({"ImageIndex": 77 - number, "NumberOfROIs": 1, "ROIs": [roi | changes]})
    return plistlib.dumps({"Images": images})


def masks(image: Volume, drawn=DRAWN) -> dict[str, np.ndarray]:
    """artery -> what its contours hold, pixel by pixel in plain Python."""
    found = {}
    for name, k, corners in drawn:
        mask = found.setdefault(ARTERY[name], np.zeros(image.array.shape, bool))
        for i in range(60):
            for j in range(56):
                mask[i, j, k] |= inside_polygon(i, j, list(corners))
    return found


def expected(image: Volume) -> dict[str, float]:
    return {vessel: reference_agatston(image.array.astype(float), mask, SPACING) for vessel, mask in masks(image).items()}


def scored(path, image):
    return score_regions(image, read_regions(path, image).array, ACQUISITION, Patient())


def test_osirix_contours_score_what_they_hold(image, tmp_path):
    (tmp_path / "reader.xml").write_bytes(osirix(image))
    found = scored(tmp_path / "reader.xml", image).calcium
    reference = expected(image)
    assert all(score > 0 for score in reference.values())
    for vessel, score in reference.items():
        assert found.vessels[vessel] == pytest.approx(score), vessel
    assert found.agatston == pytest.approx(sum(reference.values()))
    assert {x.source for x in found.lesions} == {"reader"} and not found.rejected and "a reader drew" in found.method


def test_lesion_by_lesion(image, tmp_path):
    """Each lesion's label is scored alone by the reference: the two contours of the LAD touch from slice to slice and are one lesion."""
    (tmp_path / "reader.xml").write_bytes(osirix(image))
    result = scored(tmp_path / "reader.xml", image)
    assert sorted(x.vessel for x in result.calcium.lesions) == ["LAD", "LCx", "LM", "RCA"]
    for lesion in result.calcium.lesions:
        inside = result.labels.array == lesion.id
        assert lesion.agatston == pytest.approx(reference_agatston(image.array.astype(float), inside, SPACING))
        assert lesion.volume_mm3 <= (inside & (image.array >= 130)).sum() * np.prod(SPACING) + 1e-9


def test_label_image_on_another_grid(image, tmp_path):
    """The same regions as NIfTI, flipped and with the axes exchanged, on a larger grid."""
    labels = np.zeros(image.array.shape, np.uint8)
    for vessel, mask in masks(image).items():
        labels[mask] = 1 + ("LM", "LAD", "LCx", "RCA").index(vessel)
    padded = np.pad(labels, 3)
    affine = image.affine.copy()
    affine[:3, 3] = to_patient_mm([-3, -3, -3], image.affine)
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = padded.shape[0] - 1
    nibabel.save(nibabel.Nifti1Image(padded[::-1], np.diag([-1.0, -1, 1, 1]) @ affine @ flip), tmp_path / "labels.nii.gz")
    found = scored(tmp_path / "labels.nii.gz", image).calcium
    for vessel, score in expected(image).items():
        assert found.vessels[vessel] == pytest.approx(score), vessel


def segmentation(image: Volume) -> FileDataset:
    """A minimal binary SEG, one segment per artery, frames in no order of position."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = SegmentationStorage, generate_uid(), ExplicitVRLittleEndian
    seg = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    seg.SOPClassUID, seg.SOPInstanceUID, seg.Modality, seg.SegmentationType = SegmentationStorage, meta.MediaStorageSOPInstanceUID, "SEG", "BINARY"
    seg.Rows, seg.Columns, seg.BitsAllocated, seg.BitsStored, seg.HighBit = image.array.shape[1], image.array.shape[0], 1, 1, 0
    seg.SamplesPerPixel, seg.PhotometricInterpretation, seg.PixelRepresentation = 1, "MONOCHROME2", 0
    frames, groups, segments = [], [], []
    for number, (vessel, mask) in enumerate(masks(image).items(), 1):
        segments.append(of(SegmentNumber=number, SegmentLabel=vessel))
        for k in np.flatnonzero(mask.any(axis=(0, 1)))[::-1]:
            frames.append(mask[:, :, k].T)
            place = of(ImagePositionPatient=[float(x) for x in to_patient_mm([0, 0, k], image.affine)])
            groups.append(of(PlanePositionSequence=[place], SegmentIdentificationSequence=[of(ReferencedSegmentNumber=number)]))
    measures = of(PixelSpacing=[SPACING[1], SPACING[0]], SliceThickness=3.0)
    orientation = of(ImageOrientationPatient=[-1.0, 0, 0, 0, 1, 0])
    seg.SharedFunctionalGroupsSequence = [of(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[orientation])]
    seg.PerFrameFunctionalGroupsSequence, seg.SegmentSequence, seg.NumberOfFrames = groups, segments, len(frames)
    packed = np.packbits(np.stack(frames).ravel(), bitorder="little").tobytes()
    seg.PixelData = packed + b"\0" * (len(packed) % 2)
    return seg


def of(**elements) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def test_dicom_segmentation(image, tmp_path):
    segmentation(image).save_as(tmp_path / "regions.dcm", enforce_file_format=True)
    found = scored(tmp_path / "regions.dcm", image).calcium
    for vessel, score in expected(image).items():
        assert found.vessels[vessel] == pytest.approx(score), vessel


def test_regions_on_thin_slices_are_scored_on_the_slabs(tmp_path):
    hu = np.zeros((30, 30, 24), np.int16)
    hu[8:14, 8:14, 9:15] = 320
    thin = Volume(hu, np.diag([0.5, 0.5, 1.0, 1.0]))
    drawn = tuple(("LAD", k, ((6.5, 6.5), (16.5, 6.5), (16.5, 16.5), (6.5, 16.5))) for k in range(9, 15))
    (tmp_path / "reader.xml").write_bytes(osirix(thin, drawn))
    found = scored(tmp_path / "reader.xml", thin).calcium
    assert found.agatston == pytest.approx(2 * 9.0 * 3) and "averaged to contiguous 3 mm" in found.method  # two slabs of 9 mm2 at 320 HU


@pytest.mark.parametrize("content, words", [
    (b"<plist><dict/></plist>", "no OsiriX property list"), (b"\x00\x01 not xml", "no OsiriX property list"), (b"", "no OsiriX property list"),
])  # fmt: skip
def test_damaged_files_are_refused_in_a_sentence(image, tmp_path, content, words):
    (tmp_path / "reader.xml").write_bytes(content)
    with pytest.raises(BadInput, match=words):
        read_regions(tmp_path / "reader.xml", image)


def test_regions_of_another_series_or_of_no_artery_are_refused(image, tmp_path):
    path = tmp_path / "reader.xml"
    far = Volume(image.array, image.affine + np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 500.0], [0, 0, 0, 0]]))
    path.write_bytes(osirix(far))
    with pytest.raises(BadInput, match="another series"):
        read_regions(path, image)
    path.write_bytes(osirix(image, Name="Aorta"))
    with pytest.raises(BadInput, match="'Aorta'"):
        read_regions(path, image)
    path.write_bytes(plistlib.dumps({"Images": []}))
    with pytest.raises(BadInput, match="holds no region"):
        read_regions(path, image)
    with pytest.raises(BadInput, match="does not exist"):
        read_regions(tmp_path / "none.xml", image)


def test_unknown_labels_are_refused(image, tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.full(image.array.shape, 9, np.uint8), np.eye(4)), tmp_path / "labels.nii.gz")
    with pytest.raises(BadInput, match=re.escape("1 LM, 2 LAD, 3 LCx, 4 RCA")):
        read_regions(tmp_path / "labels.nii.gz", image)


def test_a_contour_of_two_points_holds_nothing(image, tmp_path):
    (tmp_path / "reader.xml").write_bytes(osirix(image, (*DRAWN, ("LAD", 7, ((3.0, 3.0), (9.0, 9.0))))))
    assert scored(tmp_path / "reader.xml", image).calcium.agatston == pytest.approx(sum(expected(image).values()))
