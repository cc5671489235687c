"""What an input holds, which series is chosen and why; image files; bad input in one clear sentence."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image as Picture

from ccta.coordinates import to_patient_mm
from ccta.errors import BadInput, BadSettings, IncompleteSeries
from ccta.model import Unavailable
from ccta.reading.headers import age_years
from ccta.reading.study import listed, open_input, read
from ccta.settings import ReadSettings
from tests.ccta.dicom_makers import SeriesSpec, chest_hu, write_brain_mr, write_series

REAL = Path(__file__).parents[3] / "shared/data/patient_cta/ct_cropped.nii.gz"


def ccta(phase=75, **more):
    tags = {"SeriesDescription": f"CCTA {phase} %", "NominalPercentageOfCardiacPhase": float(phase), **more.pop("tags", {})}
    return SeriesSpec(chest_hu((64, 64, 130)), spacing_mm=(5, 4, 0.6), tags=tags, **more)


def calcium(**more):
    tags = {"SeriesDescription": "CaSc 3.0", "ContrastBolusAgent": "named although none was given", **more.pop("tags", {})}
    return SeriesSpec(chest_hu((64, 64, 40), contrast=False), spacing_mm=(5, 4, 3.0), tags=tags, **more)


def test_study_with_everything(tmp_path):
    best, systole, score = ccta(75), ccta(40), calcium()
    sharp = ccta(75, tags={"ConvolutionKernel": "Bv64"})
    for n, spec in enumerate((systole, sharp, best, score)):
        write_series(tmp_path / "deep" / str(n), spec)
    write_brain_mr(tmp_path / "mr")
    (tmp_path / "notes.txt").write_text("hello")
    inventory = open_input(tmp_path)
    chosen = inventory.chosen("ccta")
    assert chosen.uid == best.uid and "75 %" in chosen.chosen_because and "preferred to 2 other(s)" in chosen.chosen_because
    assert inventory.chosen("calcium").uid == score.uid
    assert {row["chosen_as"] for row in listed(inventory)} == {"ccta", "calcium", ""}
    assert list(inventory.skipped.values()) == ["not a DICOM file"]
    assert inventory.chosen("ccta", ReadSettings(series_uid=systole.uid)).uid == systole.uid
    with pytest.raises(BadSettings, match=r"series 1\.2\.3, which .* does not hold"):
        inventory.chosen("ccta", ReadSettings(series_uid="1.2.3"))


def test_scan_carries_acquisition_and_patient(tmp_path):
    spec = ccta()
    write_series(tmp_path, spec)
    scan = read(open_input(tmp_path).required("ccta"))
    np.testing.assert_array_equal(scan.volume.array, spec.hu)
    np.testing.assert_allclose(scan.volume.affine, spec.affine, atol=1e-5)
    a = scan.acquisition
    assert (a.kvp, a.kernel, a.phase_percent, a.contrast, a.gated, a.shape) == (120, "Bv40", 75, True, True, (64, 64, 130))
    assert a.spacing_mm == pytest.approx((5, 4, 0.6)) and a.series_uid == spec.uid and a.chosen_because
    assert (scan.patient.sex, scan.patient.age_years, scan.patient.study_date) == ("M", 62, "20240131")


def test_contrast_is_seen_in_the_image_not_believed_from_the_header(tmp_path):
    write_series(tmp_path / "a", calcium())
    info = open_input(tmp_path).series[0]
    assert info.contrast is False and info.kind == "calcium"
    missing = open_input(tmp_path).chosen("ccta")
    assert isinstance(missing, Unavailable) and "calcium scoring: no contrast medium" in missing.reason


def test_thick_contrast_series_says_what_it_cannot_give(tmp_path):
    spec = SeriesSpec(chest_hu((64, 64, 40)), spacing_mm=(5, 4, 2.5))
    write_series(tmp_path, spec)
    assert "too thick for coronary arteries and FFR" in open_input(tmp_path).chosen("ccta").good_for


def test_missing_slice_is_refused_when_read_but_a_sound_series_is_preferred(tmp_path):
    faulty, sound = ccta(75), ccta(60)
    write_series(tmp_path / "a", faulty, skip=(20,))
    inventory = open_input(tmp_path)
    with pytest.raises(IncompleteSeries, match=r"1 slice is missing after z = -138\.6 mm"):
        read(inventory.required("ccta"))
    write_series(tmp_path / "b", sound)
    assert open_input(tmp_path).required("ccta").uid == sound.uid


def test_one_dicom_file_and_localiser_are_too_little(tmp_path):
    paths = write_series(tmp_path, ccta())
    with pytest.raises(BadInput, match=r"covers 0 mm with 1 slice\(s\), less than a heart"):
        open_input(paths[0]).required("ccta")


@pytest.mark.parametrize("kind, sentence", [
    ("empty", "is empty"),
    ("absent", "does not exist"),
    ("jpegs", r"holds 3 JPEG files and no DICOM image \(pictures have no Hounsfield units"),
    ("text", "holds 1 unknown file and no DICOM image"),
    ("mr", r"MR series 't1 mprage brain' of 20 image\(s\) \(not a CT but MR"),
    ("cut header", "cut.dcm is a truncated DICOM file"),
    ("cut pixels", "is truncated: it holds"),
    ("nifti folder", "holds 1 image file"),
])  # fmt: skip
def test_bad_folders(tmp_path, kind, sentence):
    folder = tmp_path / "in"
    if kind != "absent":
        folder.mkdir()
    if kind == "jpegs":
        for n in range(3):
            Picture.new("L", (20, 20)).save(folder / f"{n}.jpg")
    if kind == "text":
        (folder / "a.txt").write_text("no image")
    if kind == "mr":
        write_brain_mr(folder)
    if kind == "nifti folder":
        nibabel.Nifti1Image(np.zeros((9, 9, 9)), np.eye(4)).to_filename(folder / "a.nii.gz")
    if kind.startswith("cut"):
        source = write_series(tmp_path / "whole", ccta())[0].read_bytes()
        (folder / "cut.dcm").write_bytes(source[: 300 if kind == "cut header" else -100])
    with pytest.raises(BadInput, match=sentence):
        open_input(folder).required("ccta")


def test_truncated_slice_in_a_series_is_named(tmp_path):
    path = write_series(tmp_path, ccta())[40]
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(BadInput, match=f"{path.name} is truncated"):
        read(open_input(tmp_path).required("ccta"))


def test_header_cut_away_leaves_a_gap_whose_cause_is_named(tmp_path):
    path = write_series(tmp_path, ccta())[40]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(IncompleteSeries) as error:
        inventory = open_input(tmp_path)
        raise IncompleteSeries(inventory.required("ccta").problem)
    assert "1 slice is missing" in str(error.value) and path.name in str(error.value)


def ramp_lps(affine_lps, shape):
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return np.rint(to_patient_mm(index, affine_lps) @ [1.0, -2.0, 0.5]).astype(np.int16) - 500


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_image_files_agree_in_patient_mm(tmp_path, suffix):
    affine, shape = np.array([[-1.5, 0, 0, 40], [0, 0, 2.0, -70], [0, 1.2, 0, 30], [0, 0, 0, 1]], float), (20, 24, 22)
    hu, path = ramp_lps(affine, shape), tmp_path / f"image{suffix}"
    if "nii" in suffix:
        nibabel.Nifti1Image(hu, np.diag([-1.0, -1, 1, 1]) @ affine).to_filename(path)
    else:
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(hu.T))
        image.SetSpacing([1.5, 1.2, 2.0])
        image.SetOrigin([40, -70, 30])
        image.SetDirection((affine[:3, :3] / [1.5, 1.2, 2.0]).ravel().tolist())
        SimpleITK.WriteImage(image, str(path))
    scan = read(open_input(path).series[0])
    assert abs(scan.volume.affine[2, 2]) == pytest.approx(1.2)  # k runs head-foot
    np.testing.assert_allclose(scan.volume.array, ramp_lps(scan.volume.affine, scan.volume.array.shape), atol=1)


def test_offset_of_1024_is_taken_off_and_said(tmp_path):
    stored = chest_hu().astype(np.int32) + 1024
    nibabel.Nifti1Image(np.clip(stored, 0, None).astype(np.uint16), np.diag([5, 4, 3.0, 1])).to_filename(tmp_path / "a.nii")
    scan = read(open_input(tmp_path / "a.nii").series[0])
    assert np.median(scan.volume.array[30:34, 26:30, 20:30]) == pytest.approx(400, abs=10) and "offset of 1024" in scan.acquisition.chosen_because


@pytest.mark.parametrize("dtype, slope, intercept", [(np.int16, 1, 0), (np.int16, 1, -1024), (np.int16, 0.5, 3), (np.uint16, 1, -1024), (np.float32, 1, 0)])
def test_nifti_scaling_is_applied(tmp_path, dtype, slope, intercept):
    hu = chest_hu((24, 22, 20))
    hu[3, 3, 3] = 32767
    stored = np.rint((hu - float(intercept)) / slope).clip(-32768, 65535 if dtype == np.uint16 else 32767).astype(dtype)
    nibabel.Nifti1Image(stored, np.diag([-5, -5, 5, 1])).to_filename(tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()  # scl_slope, scl_inter
    (tmp_path / "a.nii").write_bytes(content)
    expected = np.clip(np.rint(stored * float(slope) + intercept), -32768, 32767)
    np.testing.assert_array_equal(read(open_input(tmp_path / "a.nii").series[0]).volume.array, expected)


def test_colour_nifti_is_refused(tmp_path):
    colour = np.zeros((9, 9, 9), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    nibabel.Nifti1Image(colour, np.eye(4)).to_filename(tmp_path / "a.nii")
    with pytest.raises(BadInput, match="a CT has numbers"):
        open_input(tmp_path / "a.nii")


@pytest.mark.parametrize("case, sentence", [
    ("label", "holds values from 0 to 1: not Hounsfield units"), ("4d", "one 3-D image is needed"), ("no orientation", "states no orientation"),
    ("spacing", "its spacing is lost"), ("cut", "cannot be read as an image"), ("nan", "NaN or infinite"), ("thin", "too few voxels"),
])  # fmt: skip
def test_bad_image_files(tmp_path, case, sentence):
    path, affine, array = tmp_path / "a.nii.gz", np.diag([2.0, 2, 2, 1]), chest_hu((24, 24, 24)).astype(np.float32)
    array = {"label": (array > 0).astype(np.uint8), "4d": np.stack([array] * 3, -1), "thin": array[:, :, :2]}.get(case, array)
    if case == "nan":
        array[3, 3, 3] = np.nan
    image = nibabel.Nifti1Image(array, np.diag([300.0, 300, 300, 1]) if case == "spacing" else affine)
    if case == "no orientation":
        image.set_sform(None, 0)
        image.set_qform(None, 0)
    image.to_filename(path)
    if case == "cut":
        path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BadInput, match=sentence):
        open_input(path)


def test_a_picture_is_refused(tmp_path):
    Picture.new("L", (20, 20)).save(tmp_path / "slice.png")
    with pytest.raises(BadInput, match="is a picture: it has no Hounsfield units"):
        open_input(tmp_path / "slice.png")


@pytest.mark.parametrize("text, born, studied, age", [
    ("063Y", "", "", 63), ("018M", "", "", 1.5), ("", "19600615", "20240614", 63), ("", "19600615", "20240615", 64), ("", "", "20240101", None),
    ("?", "x", "y", None),
])  # fmt: skip
def test_age(text, born, studied, age):
    assert age_years(text, born, studied) == age


def test_real_scan():
    if not REAL.exists():
        pytest.skip(f"{REAL} is absent")
    scan = read(open_input(REAL).required("ccta"))
    assert scan.volume.array.shape == (122, 102, 112) and scan.acquisition.contrast is True
    np.testing.assert_allclose(scan.volume.spacing_mm, 1.5)
    np.testing.assert_allclose(scan.volume.affine[:3, 3], [-71.658, -255.658, 576.2], atol=1e-2)
    assert "too thick for coronary arteries" in scan.acquisition.chosen_because
