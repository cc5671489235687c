"""Tilted, oblique, feet-first and prone stacks end in patient axes with every value at its place; faults of a stack are named with theirs."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ccta.coordinates import to_index, to_patient_mm
from ccta.errors import BadInput, IncompleteSeries
from ccta.model import Volume
from ccta.reading.study import open_input, read
from ccta.reading.upright import off_axis_deg, upright
from tests.ccta.dicom_makers import AXIAL, slices, write_datasets, write_enhanced, write_series
from tests.ccta.test_reading_dicom import GRADIENT_HU_MM, ORIENTATIONS, ramp_spec

TILTED = np.array([[1.0, 0, 0], [0, np.cos(0.35), -np.sin(0.35)]])  # a gantry tilted by 20 degrees; the table moves along z
SMALL_TURN = Rotation.from_euler("z", 2, degrees=True).as_matrix()[:, :2].T


def ramp_at(spec, points_mm):
    """What `ramp_spec` put at a place, HU."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in spec.hu.shape], indexing="ij")).reshape(3, -1).T
    return points_mm @ GRADIENT_HU_MM - (to_patient_mm(corners, spec.affine) @ GRADIENT_HU_MM).min() - 900


def assert_ramp(volume, spec, true_affine):
    """Inside the source stack the ramp within its rounding (source and result: 1 HU); outside air. Returns the volume found inside over the stack's."""
    index = np.stack(np.meshgrid(*map(np.arange, volume.array.shape), indexing="ij"), axis=-1)
    points = to_patient_mm(index, volume.affine)
    source = to_index(points, true_affine)
    inside = ((source > -1e-6) & (source < np.array(spec.hu.shape) - 1 + 1e-6)).all(axis=-1)
    np.testing.assert_allclose(volume.array[inside], ramp_at(spec, points)[inside], atol=1.01)
    assert (volume.array[~inside & ((source < -1e-3) | (source > np.array(spec.hu.shape) - 1 + 1e-3)).any(axis=-1)] == -1024).all()
    return inside.sum() * volume.voxel_mm3 / np.prod((np.array(spec.hu.shape) - 1) * spec.spacing_mm)


def read_only_series(folder):
    series = open_input(folder).series
    assert len(series) == 1
    return read(series[0])


@pytest.mark.parametrize("name", [*ORIENTATIONS, "feet first, prone", "decubitus right", "turned by 2 degrees"])
def test_ramp_after_reading_has_patient_axes(tmp_path, name):
    more = {
        "feet first, prone": np.array([[1.0, 0, 0], [0, -1, 0]]), "decubitus right": np.array([[0, 1.0, 0], [-1, 0, 0]]), "turned by 2 degrees": SMALL_TURN,
    }  # fmt: skip
    spec = ramp_spec({**ORIENTATIONS, **more}[name], shape=(24, 20, 22))
    write_series(tmp_path, spec)
    scan = read_only_series(tmp_path)
    covered = assert_ramp(scan.volume, spec, spec.affine)
    turn, shear = off_axis_deg(scan.volume.affine)
    assert turn < 3 and shear < 0.5
    assert ("oblique" in scan.acquisition.chosen_because) == (name == "oblique")
    assert (scan.volume.array > -1024).all() if name != "oblique" else covered == pytest.approx(1, abs=0.1)


def test_tilted_gantry_is_resampled(tmp_path):
    spec = ramp_spec(TILTED, shape=(24, 40, 22), spacing_mm=(0.8, 0.7, 2.0))
    datasets, affine = slices(spec), spec.affine.copy()
    affine[:3, 2] = [0, 0, 2.0]
    index = np.stack(np.meshgrid(*map(np.arange, spec.hu.shape), indexing="ij"), axis=-1)
    ramp = ramp_at(spec, to_patient_mm(index, affine))
    for k, dataset in enumerate(datasets):
        dataset.ImagePositionPatient = list(affine[:3, :3] @ [0, 0, k] + affine[:3, 3])
        dataset.PixelData = np.rint(ramp[:, :, k].T + 1024).astype("<i2").tobytes()
    write_datasets(tmp_path, datasets)
    scan = read_only_series(tmp_path)
    assert assert_ramp(scan.volume, spec, affine) == pytest.approx(1, abs=0.1)
    assert "sheared (tilted gantry), 20.1 degrees" in scan.acquisition.chosen_because
    assert np.count_nonzero(scan.volume.affine[:3, :3]) == 3


def test_oblique_enhanced_multi_frame(tmp_path):
    spec = ramp_spec(ORIENTATIONS["oblique"], shape=(24, 20, 22))
    write_enhanced(tmp_path / "enhanced.dcm", spec)
    assert assert_ramp(read_only_series(tmp_path).volume, spec, spec.affine) == pytest.approx(1, abs=0.1)


def test_a_volume_with_patient_axes_is_left_alone():
    volume = Volume(np.zeros((4, 5, 6), np.int16), np.diag([-0.5, -0.5, 1.0, 1.0]))
    same, said = upright(volume)
    assert said == "" and np.shares_memory(same.array, volume.array)
    np.testing.assert_array_equal(same.affine, volume.affine)


def test_a_stack_that_moves_sideways_is_refused(tmp_path):
    datasets = slices(ramp_spec())
    for k, dataset in enumerate(datasets):
        dataset.ImagePositionPatient[1] += 5.0 * k
    write_datasets(tmp_path, datasets)
    with pytest.raises(IncompleteSeries, match="move sideways, 68 degrees off their normal"):
        read_only_series(tmp_path)


def test_a_box_absurdly_larger_than_the_stack_is_refused():
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [45, 35, 20], degrees=True).as_matrix()
    with pytest.raises(BadInput, match="lies so obliquely"):
        upright(Volume(np.zeros((400, 3, 3), np.int16), affine))


@pytest.mark.parametrize("orientation", [AXIAL, ORIENTATIONS["feet first"], ORIENTATIONS["coronal"]], ids=["axial", "feet first", "coronal"])
def test_overlapping_slices_are_named(tmp_path, orientation):
    """A slice that lies only half a spacing behind its neighbour: part of another reconstruction, or a repeated rotation."""
    spec = ramp_spec(orientation)
    extra = slices(spec)[4]
    normal = np.cross(*orientation)
    extra.ImagePositionPatient = list(np.array(extra.ImagePositionPatient) + 1.0 * normal)
    write_datasets(tmp_path, [*slices(spec), extra])
    with pytest.raises(IncompleteSeries, match=r"1 slice overlaps its neighbour at .* mm.*: 1 mm instead of 2 mm"):
        read_only_series(tmp_path)
