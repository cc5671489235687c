"""DICOM -> volume: patient millimetres, pixel coding, faults named with their place."""

import shutil
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ccta.coordinates import to_patient_mm
from ccta.errors import BadInput, IncompleteSeries
from ccta.reading.dicom_files import scan
from ccta.reading.dicom_series import affine_of, grouped, read_volume, stack_problem
from tests.ccta.dicom_makers import AXIAL, SeriesSpec, slices, write_datasets, write_enhanced, write_series

ORIENTATIONS = {
    "axial, head first supine": AXIAL,
    "feet first": np.array([[-1.0, 0, 0], [0, 1, 0]]),
    "prone": np.array([[-1.0, 0, 0], [0, -1, 0]]),
    "sagittal": np.array([[0, 1.0, 0], [0, 0, -1]]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, -1]]),
    "oblique": Rotation.from_euler("xyz", [20, -35, 10], degrees=True).as_matrix()[:, :2].T,
}
GRADIENT_HU_MM = np.array([2.0, -3.0, 1.5])


def ramp_spec(orientation=AXIAL, shape=(12, 10, 9), **more) -> SeriesSpec:
    """HU = g . x in patient mm, shifted to -900: the value says where the voxel lies."""
    spec = SeriesSpec(np.zeros(shape), orientation=orientation, **more)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    ramp = to_patient_mm(index, spec.affine) @ GRADIENT_HU_MM
    spec.hu = np.rint(ramp - ramp.min() - 900)
    return spec


def volume_in(folder):
    stacks = grouped(scan(folder).images)
    assert len(stacks) == 1
    return read_volume(next(iter(stacks.values())))


def assert_same(volume, spec, tolerance_hu=0.0):
    """Every stored voxel is found again at its place in the patient (slices may run the other way)."""
    index = np.stack(np.meshgrid(*map(np.arange, volume.array.shape), indexing="ij"), axis=-1)
    back = (to_patient_mm(index, volume.affine) - spec.affine[:3, 3]) @ np.linalg.inv(spec.affine[:3, :3]).T
    nearest = np.rint(back).astype(int)
    np.testing.assert_allclose(back, nearest, atol=1e-4)
    np.testing.assert_allclose(volume.array, spec.hu[tuple(np.moveaxis(nearest, -1, 0))], atol=tolerance_hu)


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("signed", [True, False])
def test_ramp_in_patient_mm_is_recovered(tmp_path, name, signed):
    spec = ramp_spec(ORIENTATIONS[name], signed=signed, intercept=-1024.0)
    write_series(tmp_path, spec)
    volume = volume_in(tmp_path)
    assert volume.array.shape == spec.hu.shape and volume.array.dtype == np.int16
    assert volume.frame_of_reference_uid == spec.frame_uid
    assert_same(volume, spec)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(angles=st.tuples(*3 * [st.floats(-180, 180)]), spacing=st.tuples(*3 * [st.floats(0.3, 3)]), origin=st.tuples(*3 * [st.floats(-300, 300)]))
def test_any_orientation(tmp_path_factory, angles, spacing, origin):
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()[:, :2].T
    spec = ramp_spec(axes, shape=(5, 4, 6), spacing_mm=tuple(round(s, 3) for s in spacing), origin_mm=tuple(round(o, 2) for o in origin))
    folder = tmp_path_factory.mktemp("series")
    write_series(folder, spec)
    assert_same(volume_in(folder), spec)


def test_slope_per_slice_and_fractional_slope(tmp_path):
    spec = ramp_spec(slope=tuple([1.0, 0.5, 2.0] * 3), intercept=-1000.0)
    write_series(tmp_path, spec)
    assert_same(volume_in(tmp_path), spec, tolerance_hu=1.0)


def test_values_beyond_int16_are_clipped_not_wrapped(tmp_path):
    spec = ramp_spec(signed=False, slope=1.0, intercept=-1024.0)
    spec.hu[0, 0, :] = 60000
    write_series(tmp_path, spec)
    assert volume_in(tmp_path).array.max() == 32767


@pytest.mark.parametrize("padding", [63536, -2000])
def test_padding_becomes_air_whether_written_signed_or_not(tmp_path, padding):
    spec = ramp_spec(intercept=0.0)
    spec.hu[:3, :3, :] = -2000
    datasets = slices(spec)
    for dataset in datasets:
        dataset.add_new("PixelPaddingValue", "US" if padding > 0 else "SS", padding)
    write_datasets(tmp_path, datasets)
    volume = volume_in(tmp_path)
    assert (volume.array[:3, :3] == -1024).all() and volume.array[4:, 4:].min() >= -900


def test_padding_of_a_tissue_value_is_not_believed(tmp_path):
    spec = ramp_spec(intercept=0.0)
    spec.hu[5, 5, 5] = 0
    write_series(tmp_path, spec, skip=())
    datasets = slices(spec)
    for dataset in datasets:
        dataset.add_new("PixelPaddingValue", "SS", 0)
    shutil.rmtree(tmp_path)
    write_datasets(tmp_path, datasets)
    assert_same(volume_in(tmp_path), spec)


def test_missing_slices_are_counted_and_located(tmp_path):
    write_series(tmp_path, ramp_spec(shape=(6, 6, 12), origin_mm=(0, 0, -150.0), spacing_mm=(1, 1, 0.5)), skip=(4,))
    with pytest.raises(IncompleteSeries, match=r"1 slice is missing after z = -148\.5 mm \(spacing 0\.5 mm, the next slice at z = -147\.5 mm\)"):
        volume_in(tmp_path)


def test_two_gaps(tmp_path):
    write_series(tmp_path, ramp_spec(shape=(6, 6, 14)), skip=(3, 4, 9))
    with pytest.raises(IncompleteSeries, match=r"3 slices are missing, the first after z = -146\.0 mm .* in 2 places"):
        volume_in(tmp_path)


def test_gap_in_an_oblique_series_is_given_along_its_normal(tmp_path):
    write_series(tmp_path, ramp_spec(ORIENTATIONS["oblique"]), skip=(4,))
    with pytest.raises(IncompleteSeries, match=r"1 slice is missing after -?\d+\.\d mm along the slice normal"):
        volume_in(tmp_path)


def test_two_different_slices_at_one_place(tmp_path):
    spec = ramp_spec()
    datasets = slices(spec)
    write_datasets(tmp_path, [*datasets, slices(spec)[3]])
    with pytest.raises(IncompleteSeries, match=r"1 duplicate slice, the first at z = -144\.0 mm"):
        volume_in(tmp_path)


def test_the_same_file_twice_is_read_once(tmp_path):
    spec = ramp_spec()
    paths = write_series(tmp_path, spec)
    shutil.copy(paths[2], tmp_path / "copy.dcm")
    found = scan(tmp_path)
    assert next(iter(found.skipped.values())).startswith("the same image as")
    assert_same(volume_in(tmp_path), spec)


def test_uneven_spacing(tmp_path):
    datasets = slices(ramp_spec())
    datasets[4].ImagePositionPatient[2] += 0.8
    write_datasets(tmp_path, datasets)
    with pytest.raises(IncompleteSeries, match=r"unevenly spaced: the one at z = -141\.2 mm is 0\.80 mm from its place"):
        volume_in(tmp_path)


def test_positions_rounded_by_the_scanner_are_accepted(tmp_path):
    spec = ramp_spec(shape=(6, 6, 21), spacing_mm=(1, 1, 0.625))
    datasets = slices(spec)
    for dataset in datasets:
        dataset.ImagePositionPatient[2] = round(float(dataset.ImagePositionPatient[2]), 1)
    write_datasets(tmp_path, datasets)
    assert volume_in(tmp_path).spacing_mm[2] == pytest.approx(0.625, abs=0.01)


def test_truncated_file_is_named(tmp_path):
    paths = write_series(tmp_path, ramp_spec())
    paths[5].write_bytes(paths[5].read_bytes()[:-40])
    with pytest.raises(BadInput, match=f"{paths[5].name} is truncated: it holds 200 of 240 bytes"):
        volume_in(tmp_path)


def test_two_phases_in_one_series_become_two_stacks(tmp_path):
    spec = ramp_spec()
    other = ramp_spec(uid=spec.uid, tags={"NominalPercentageOfCardiacPhase": 40.0})
    spec.tags = {"NominalPercentageOfCardiacPhase": 75.0}
    write_series(tmp_path, spec)
    write_series(tmp_path, other)
    stacks = grouped(scan(tmp_path).images)
    assert sorted(stacks) == [f"{spec.uid}#1", f"{spec.uid}#2"]
    assert [len(s) for s in stacks.values()] == [9, 9] and not any(stack_problem(s) for s in stacks.values())


def test_a_localiser_in_the_series_is_split_off(tmp_path):
    spec = ramp_spec()
    scout = ramp_spec(ORIENTATIONS["coronal"], shape=(12, 10, 1), uid=spec.uid, tags={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    write_series(tmp_path, spec)
    write_series(tmp_path, scout)
    assert sorted(len(s) for s in grouped(scan(tmp_path).images).values()) == [1, 9]


@pytest.mark.parametrize("signed", [True, False])
def test_enhanced_multi_frame_equals_the_single_frames(tmp_path, signed):
    spec = ramp_spec(ORIENTATIONS["oblique"], signed=signed)
    write_enhanced(tmp_path / "enhanced.dcm", spec)
    assert_same(volume_in(tmp_path), spec)


def test_zip_is_read_without_unpacking_even_with_hostile_names(tmp_path):
    spec = ramp_spec()
    paths = write_series(tmp_path / "in", spec)
    archive = tmp_path / "box" / "study.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as z:
        for n, path in enumerate(paths):
            z.write(path, f"../../escape/{n}.dcm")
    assert_same(volume_in(archive), spec)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["box", "in"] and [p.name for p in archive.parent.iterdir()] == ["study.zip"]


def test_tilted_gantry_shears_the_affine(tmp_path):
    spec = ramp_spec()
    datasets = slices(spec)
    for k, dataset in enumerate(datasets):
        dataset.ImagePositionPatient[1] += 0.5 * k
    write_datasets(tmp_path, datasets)
    affine = affine_of(next(iter(grouped(scan(tmp_path).images).values())))
    np.testing.assert_allclose(affine[:3, 2], [0, 0.5, 2.0], atol=1e-6)
