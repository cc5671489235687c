"""DICOM segmentations: what each type marks, frames at any angle, and damaged objects, which end in one sentence."""

import copy

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from scipy import ndimage

from ccta.coordinates import to_index, to_patient_mm
from ccta.errors import BadInput
from ccta.model import Volume
from ccta.reading.regions import read_regions
from tests.ccta.test_regions import SPACING, image, masks, of, segmentation

assert image  # the fixture


def saved(seg: Dataset, path):
    seg.save_as(path, enforce_file_format=True)
    return path


def arteries(path, image: Volume) -> np.ndarray:
    return read_regions(path, image).array // 1000


def truth(image: Volume) -> np.ndarray:
    found = np.zeros(image.array.shape, int)
    for vessel, mask in masks(image).items():
        found[mask] = 1 + ("LM", "LAD", "LCx", "RCA").index(vessel)
    return found


def with_pixels(seg: Dataset, frames: np.ndarray, kind: str) -> Dataset:
    """The same object with one byte per pixel."""
    seg.SegmentationType, seg.BitsAllocated, seg.BitsStored, seg.HighBit = kind, 8, 8, 7
    seg.PixelData = frames.astype(np.uint8).tobytes() + b"\0" * (frames.size % 2)
    seg["PixelData"].VR = "OB"
    return seg


def test_a_fractional_segmentation_marks_from_half_its_maximum(image, tmp_path):
    seg = segmentation(image)
    inside = seg.pixel_array.astype(bool)
    around = np.array([ndimage.binary_dilation(frame, iterations=2) for frame in inside])
    for most, half in ((255, 128), (100, 50)):
        seg.MaximumFractionalValue, seg.SegmentationFractionalType = most, "PROBABILITY"
        with_pixels(seg, np.where(inside, half, np.where(around, half - 1, 0)), "FRACTIONAL")
        np.testing.assert_array_equal(arteries(saved(seg, tmp_path / "f.dcm"), image), truth(image))
    del seg.MaximumFractionalValue
    with pytest.raises(BadInput, match="cannot be read as a DICOM segmentation"):
        arteries(saved(seg, tmp_path / "f.dcm"), image)


def label_map(image: Volume, padding: int | None) -> Dataset:
    """One frame per slice, the pixel's value is the segment's number; `padding` is the background."""
    seg, values = segmentation(image), truth(image)
    names = ("LM", "LAD", "LCx", "RCA")
    seg.SegmentSequence = [of(SegmentNumber=10 + n, SegmentLabel=name) for n, name in enumerate(names, 1)]
    seg.NumberOfFrames = image.array.shape[2]
    places = [[float(x) for x in to_patient_mm([0, 0, k], image.affine)] for k in range(image.array.shape[2])]
    seg.PerFrameFunctionalGroupsSequence = [of(PlanePositionSequence=[of(ImagePositionPatient=place)]) for place in places]
    if padding is not None:
        seg.PixelPaddingValue = padding
    seg.SOPClassUID = seg.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.7"
    return with_pixels(seg, np.where(values > 0, values + 10, padding or 0).transpose(2, 1, 0), "LABELMAP")


@pytest.mark.parametrize("padding", [None, 0, 255])
def test_a_label_map(image, tmp_path, padding):
    np.testing.assert_array_equal(arteries(saved(label_map(image, padding), tmp_path / "l.dcm"), image), truth(image))


def test_a_label_that_is_not_described_and_an_unknown_type_are_refused(image, tmp_path):
    seg = label_map(image, None)
    del seg.SegmentSequence[1]
    with pytest.raises(BadInput, match="a frame shows segment 12, which is not described"):
        arteries(saved(seg, tmp_path / "l.dcm"), image)
    seg.SegmentationType = "SURFACE"
    with pytest.raises(BadInput, match="of type SURFACE; known are BINARY, FRACTIONAL, LABELMAP"):
        arteries(saved(seg, tmp_path / "l.dcm"), image)


def test_another_frame_of_reference_is_refused(image, tmp_path):
    seg = segmentation(image)
    seg.FrameOfReferenceUID = "1.2.3"
    path = saved(seg, tmp_path / "s.dcm")
    np.testing.assert_array_equal(arteries(path, Volume(image.array, image.affine, "1.2.3")), truth(image))
    with pytest.raises(BadInput, match="another frame of reference"):
        arteries(path, Volume(image.array, image.affine, "1.2.4"))


@pytest.mark.parametrize("tilt_deg, turn_deg", [(0, 0), (2.5, 0), (20, 0), (35, 25), (90, 0)])
def test_frames_at_any_angle_are_placed_by_their_geometry(tmp_path, tilt_deg, turn_deg):
    """A ball of 14 mm, drawn on planes every millimetre."""
    grid = Volume(np.zeros((80, 70, 40), np.int16), np.array([[0.6, 0, 0, -20.0], [0, 0.7, 0, -24], [0, 0, 1.5, -30], [0, 0, 0, 1]]))
    middle = np.array([3.0, 1.0, -2.0])
    a, b = np.radians([tilt_deg, turn_deg])
    tilt = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    turn = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    axes = turn @ tilt
    seg = segmentation(Volume(np.zeros((60, 56, 9), np.int16), np.eye(4)))
    frames, groups = [], []
    columns, rows = np.meshgrid(np.arange(60), np.arange(56))
    for along in range(-16, 17):
        origin = middle + axes @ [-18.0, -16.8, along]
        place = origin + (columns * 0.6)[..., None] * axes[:, 0] + (rows * 0.6)[..., None] * axes[:, 1]
        frames.append(np.linalg.norm(place - middle, axis=-1) < 14.0)
        groups.append(of(PlanePositionSequence=[of(ImagePositionPatient=[float(x) for x in origin])]))
    seg.SegmentSequence = [of(SegmentNumber=1, SegmentLabel="LAD")]
    shared = seg.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence = [of(PixelSpacing=[0.6, 0.6], SliceThickness=1.0)]
    shared.PlaneOrientationSequence = [of(ImageOrientationPatient=[float(f"{x:.9f}") for x in axes[:, :2].T.ravel()])]
    shared.SegmentIdentificationSequence = [of(ReferencedSegmentNumber=1)]
    seg.PerFrameFunctionalGroupsSequence, seg.NumberOfFrames, seg.Rows, seg.Columns = groups, len(frames), 56, 60
    with_pixels(seg, np.array(frames), "BINARY")
    seg.BitsAllocated, seg.BitsStored, seg.HighBit = 1, 1, 0
    seg.PixelData = np.packbits(np.array(frames).ravel(), bitorder="little").tobytes()
    found = arteries(saved(seg, tmp_path / "s.dcm"), grid) == 2
    index = np.stack(np.meshgrid(*map(np.arange, grid.array.shape), indexing="ij"), axis=-1)
    ball = np.linalg.norm(to_patient_mm(index, grid.affine) - middle, axis=-1) < 14.0
    assert 2 * (found & ball).sum() / (found.sum() + ball.sum()) > 0.96
    assert ndimage.label(found)[1] == 1


def test_two_far_frames_mark_their_own_slices_whatever_thickness_is_claimed(image, tmp_path):
    seg = segmentation(image)
    kept = [0, len(seg.PerFrameFunctionalGroupsSequence) - 1]
    pixels = seg.pixel_array[kept]
    seg.PerFrameFunctionalGroupsSequence, seg.NumberOfFrames = [seg.PerFrameFunctionalGroupsSequence[n] for n in kept], 2
    seg.PixelData = np.packbits(pixels.ravel(), bitorder="little").tobytes()
    seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = [of(PixelSpacing=[SPACING[1], SPACING[0]], SliceThickness=30.0)]
    found = arteries(saved(seg, tmp_path / "s.dcm"), image)
    assert sorted(found.any(axis=(0, 1)).nonzero()[0]) == sorted(
        round(float(to_index(group.PlanePositionSequence[0].ImagePositionPatient, image.affine)[2])) for group in seg.PerFrameFunctionalGroupsSequence
    )


def paths_of(dataset: Dataset, path=()):
    """Every element of a dataset, those of nested items too (of the first two items)."""
    for element in dataset:
        yield (*path, element.keyword)
        if element.VR == "SQ":
            for number, item in enumerate(element.value[:2]):
                yield from paths_of(item, (*path, element.keyword, number))


def reached(dataset: Dataset, path) -> Dataset:
    for step in path:
        dataset = dataset[step] if isinstance(step, int) else dataset[step].value
    return dataset


def tried(path, image) -> str:
    """'' or our sentence; anything else that is raised fails the test."""
    try:
        read_regions(path, image)
    except BadInput as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", ["binary", "label map"])
def test_every_element_may_be_missing_or_empty(image, tmp_path, kind):
    made = segmentation(image) if kind == "binary" else label_map(image, 0)
    said = {}
    for path in list(paths_of(made)):
        for change in ("missing", "empty"):
            seg = copy.deepcopy(made)
            holder = reached(seg, path[:-1])
            if change == "missing":
                del holder[path[-1]]
            else:
                holder[path[-1]].value = [] if holder[path[-1]].VR == "SQ" else None
            try:
                seg.save_as(tmp_path / "s.dcm", enforce_file_format=True)
            except Exception:  # pydicom cannot write such an object
                continue
            said[path, change] = tried(tmp_path / "s.dcm", image)
    groups = ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")
    for needed in ("Rows", "PixelData", "SegmentSequence", *groups, "SegmentationType", "Modality"):
        assert said[(needed,), "missing"], needed
    assert len(said) > 60


@pytest.mark.parametrize("share", np.linspace(0.02, 0.995, 60))
def test_a_truncated_object(image, tmp_path, share):
    content = saved(segmentation(image), tmp_path / "s.dcm").read_bytes()
    (tmp_path / "s.dcm").write_bytes(content[: int(len(content) * share)])
    assert tried(tmp_path / "s.dcm", image)


@pytest.mark.parametrize("change", [
    {"NumberOfFrames": 1}, {"NumberOfFrames": 0}, {"NumberOfFrames": 9999999}, {"Rows": 65535, "Columns": 65535}, {"Rows": 0}, {"Columns": 3},
    {"SegmentSequence": []}, {"PerFrameFunctionalGroupsSequence": []}, {"BitsAllocated": 16}, {"PixelData": b""}, {"SegmentationType": "FRACTIONAL"},
])  # fmt: skip
def test_counts_that_do_not_fit(image, tmp_path, change):
    seg = segmentation(image)
    for keyword, value in change.items():
        setattr(seg, keyword, value)
    assert tried(saved(seg, tmp_path / "s.dcm"), image)


@pytest.mark.parametrize("values", [[1e9, 0, 0], [float("nan")] * 3, [0, 0]])
def test_positions_that_cannot_be(image, tmp_path, values):
    seg = segmentation(image)
    seg.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient = values
    assert tried(saved(seg, tmp_path / "s.dcm"), image)


def test_random_damage(image, tmp_path):
    content = saved(segmentation(image), tmp_path / "s.dcm").read_bytes()
    pixels = len(dcmread(tmp_path / "s.dcm").PixelData)
    random = np.random.default_rng(11)
    for _ in range(300):
        damaged = bytearray(content)
        for place in random.integers(132, len(content) - pixels, 3):
            damaged[place] = random.integers(256)
        (tmp_path / "s.dcm").write_bytes(damaged)
        tried(tmp_path / "s.dcm", image)
