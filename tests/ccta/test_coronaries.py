"""Segmentation of made-up arteries whose axes and radii are known, and the refusals."""

from dataclasses import replace

import numpy as np
import pytest

from ccta.anatomy.coronaries import epicardial_region, segment_coronaries
from ccta.coordinates import sample, to_patient_mm
from ccta.errors import BadInput, Refusal
from ccta.model import HEART_LABELS, Volume
from ccta.settings import SegmentSettings
from tests.ccta.coronary_scene import distance_to, left_and_right, render, vein

SETTINGS = SegmentSettings()


def plaques(points_mm, hu):
    """A 2.5 mm long occlusion of the LCx by soft plaque, and a calcified plaque on the wall of the RCA."""
    lcx, rca = (left_and_right()[name].points_mm for name in ("LCx", "RCA"))
    hu = np.where(np.linalg.norm(points_mm - lcx[40], axis=1) < 1.6, np.minimum(hu, 60.0), hu)
    return np.where(np.linalg.norm(points_mm - (rca[70] + [0, 0, 1.3]), axis=1) < 1.2, 1100.0, hu)


@pytest.fixture(scope="module")
def scene():
    return render(left_and_right().values(), [vein()], extra=plaques)


@pytest.fixture(scope="module")
def label(scene):
    return segment_coronaries(*scene, SETTINGS)


def test_every_artery_is_found_over_its_whole_length_behind_an_occlusion_too(label):
    for name, artery in left_and_right().items():
        outside_aorta = np.hypot(*artery.points_mm[:, :2].T) > 14.5
        found = sample(label, artery.points_mm[outside_aorta], order=0) > 0
        assert found.mean() > 0.9, name


def test_a_dimmer_vein_that_touches_the_lad_is_left_out(label):
    on_axis = vein().points_mm[distance_to(left_and_right().values(), vein().points_mm) > 1.5]
    assert (sample(label, on_axis, order=0) > 0).mean() < 0.05


def test_the_label_keeps_to_the_arteries_and_has_their_volume(label):
    depth = distance_to(left_and_right().values(), to_patient_mm(np.argwhere(label.array > 0), label.affine))
    assert (depth > 1.0).mean() < 0.02
    true_mm3 = sum(np.sum(np.pi * t.radius_mm[:-1] ** 2 * np.linalg.norm(np.diff(t.points_mm, axis=0), axis=1)) for t in left_and_right().values())
    assert (label.array > 0).sum() * label.voxel_mm3 == pytest.approx(true_mm3, rel=0.2)


def test_calcium_is_labelled_calcified_and_nothing_else_is(label):
    centre = left_and_right()["RCA"].points_mm[70] + [0, 0, 1.3]
    places = to_patient_mm(np.argwhere(label.array == 2), label.affine)
    assert len(places) > 20
    assert (np.linalg.norm(places - centre, axis=1) < 2.5).all()


def test_input_is_not_changed_and_the_grid_is_kept(scene, label):
    assert label.array.shape == scene[0].array.shape
    assert label.array.dtype == np.uint8
    np.testing.assert_array_equal(label.affine, scene[0].affine)


def test_refuses_large_voxels(scene):
    image, heart = (Volume(v.array[::4, ::4, ::4], v.affine @ np.diag([4, 4, 4, 1.0])) for v in scene)
    with pytest.raises(Refusal, match=r"voxels of 2\.00 mm are too large"):
        segment_coronaries(image, heart, SETTINGS)


def test_refuses_an_image_without_contrast(scene):
    image, heart = scene
    with pytest.raises(Refusal, match="choose the contrast-enhanced"):
        segment_coronaries(image.with_array(np.minimum(image.array, 60)), heart, SETTINGS)


def test_refuses_too_much_noise(scene):
    image, heart = scene
    noise = np.random.default_rng(0).normal(0, 130, image.array.shape)
    with pytest.raises(Refusal, match="contrast-to-noise"):
        segment_coronaries(image.with_array((image.array + noise).astype(np.int16)), heart, SETTINGS)


def test_refuses_where_there_is_no_aorta_no_heart_or_no_artery(scene):
    image, heart = scene
    with pytest.raises(Refusal, match="aorta was not found"):
        segment_coronaries(image, heart.with_array(np.where(heart.array == HEART_LABELS["aorta"], 0, heart.array)), SETTINGS)
    with pytest.raises(Refusal, match="no heart"):
        segment_coronaries(image, heart.with_array(np.where(heart.array == HEART_LABELS["aorta"], heart.array, 0)), SETTINGS)
    with pytest.raises(Refusal, match="no artery could be followed"):
        segment_coronaries(*render([], []), SETTINGS)


def test_another_shape_of_labels_is_bad_input(scene):
    image, heart = scene
    with pytest.raises(BadInput, match="differ in shape"):
        segment_coronaries(image, Volume(heart.array[:-1], heart.affine), SETTINGS)


def test_arteries_may_lie_in_the_grooves_of_the_heart_but_not_away_from_it():
    """Two chambers 16 mm apart: the fat between them belongs to the heart, that beside them only up to 5 mm."""
    settings = SegmentSettings()
    heart = np.zeros((80, 100, 60), bool)
    heart[20:60, 10:34, 15:45] = heart[20:60, 66:90, 15:45] = True  # 0.5 mm voxels
    region = epicardial_region(heart, settings)
    assert region[heart].all() and region[40, 50, 30] and region[40, 96, 30]
    assert not region[40, 50, 0] and not region[2, 20, 30] and region[12, 20, 30]


def test_a_setting_reaches_the_algorithm(scene):
    with pytest.raises(Refusal, match="voxels of"):
        segment_coronaries(*scene, replace(SETTINGS, coronary_max_voxel_mm=0.3))
