"""Segmentation of made-up arteries whose axes and radii are known, and the refusals."""

from dataclasses import replace

import numpy as np
import pytest

from ccta.anatomy.branch_names import tree_findings
from ccta.anatomy.confidence import with_confidence
from ccta.anatomy.coronaries import epicardial_region, segment_coronaries, working_grid
from ccta.anatomy.coronaries_paint import rim, uncertainty_pct
from ccta.coordinates import sample, to_patient_mm
from ccta.errors import BadInput, Refusal
from ccta.model import HEART_LABELS, Branch, CoronaryTree, Unavailable, Volume
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
def found(scene):
    return segment_coronaries(*scene, SETTINGS)


@pytest.fixture(scope="module")
def label(found):
    return found.labels


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


def test_the_far_side_of_calcium_is_not_lumen():
    """Calcium that fades into fat passes through the brightness of blood; the artery beside it, and one as thin away from it, are no such edge."""
    x, y, z = np.indices((50, 50, 40)) * 0.4 - np.array([10, 10, 8])[:, None, None, None]
    artery, ball = np.hypot(x, y) < 1.6, np.sqrt(x**2 + (y - 2.6) ** 2 + z**2)
    calcified, thin = ball < 1.5, np.hypot(x - 7, y) < 0.5
    shell = (ball < 2.0) & ~calcified & (y > 2.6)
    edge = rim((artery | shell | thin) & ~calcified, calcified, np.full(3, 0.4))
    assert edge[shell].all() and not edge[thin].any() and edge[artery].mean() < 0.01
    assert not rim(artery, np.zeros_like(artery), np.full(3, 0.4)).any()


def test_the_border_of_an_artery_is_uncertain_and_its_axis_is_not(found):
    rca = left_and_right()["RCA"]
    axis = rca.points_mm[(np.hypot(*rca.points_mm[:, :2].T) > 16) & (rca.radius_mm > 1.3)]
    sure, unsure = (sample(found.uncertainty, axis + np.array([0, 0, off])).mean() for off in (0.0, 1.5))
    assert sure < 20 and unsure > sure + 20
    away = distance_to(left_and_right().values(), to_patient_mm(np.argwhere(found.uncertainty.array > 0), found.labels.affine))
    assert (away > 3.0).mean() < 0.05
    assert uncertainty_pct(np.array([0.0, 0.5, 1.0])).tolist() == [0, 100, 0]


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


def grid_points(hu, scene, settings=SETTINGS):
    """(N, 3) patient positions of the working grid that a network is asked on."""
    grid = working_grid(*scene, settings)
    assert hu.shape == grid.array.shape
    return to_patient_mm(np.stack(np.meshgrid(*map(np.arange, hu.shape), indexing="ij"), axis=-1).reshape(-1, 3), grid.affine)


@pytest.fixture(scope="module")
def bright(scene):
    """The same arteries with a vein as bright as they, and what a network says that knows the arteries: (scene, predict)."""
    made = render([*left_and_right().values(), vein()], [])

    def predict(hu, wanted, blood_hu):
        depth = distance_to(left_and_right().values(), grid_points(hu, made))
        probability = 1 / (1 + np.exp(np.clip(8 * depth, -30, 30)))
        return np.stack([probability.reshape(hu.shape), np.zeros(hu.shape)]).astype(np.float16) * (wanted.any())

    return made, predict


def test_what_the_network_takes_for_a_vein_is_left_out_however_bright(bright):
    made, predict = bright
    on_axis = vein().points_mm[distance_to(left_and_right().values(), vein().points_mm) > 2.5]
    alone, judged = segment_coronaries(*made, SETTINGS), segment_coronaries(*made, SETTINGS, predict)
    assert (sample(alone.labels, on_axis, order=0) > 0).mean() > 0.5 and isinstance(alone.probability, Unavailable)
    assert (sample(judged.labels, on_axis, order=0) > 0).mean() < 0.05
    for artery in left_and_right().values():
        outside_aorta = np.hypot(*artery.points_mm[:, :2].T) > 14.5
        assert (sample(judged.labels, artery.points_mm[outside_aorta], order=0) > 0).mean() > 0.9
    depth = distance_to(left_and_right().values(), to_patient_mm(np.argwhere(judged.labels.array == 1), made[0].affine))
    assert (depth > 0.4).mean() < 0.02  # the network's edge, not the threshold's
    assert judged.probability.array.dtype == np.uint8 and 90 < judged.probability.array.max() <= 100


@pytest.mark.parametrize("says", [lambda hu, wanted, blood_hu: np.zeros((2, *hu.shape), np.float16), lambda *_: Unavailable("blood of 900 HU")])
def test_a_network_that_does_not_know_the_image_changes_nothing(scene, label, says):
    found = segment_coronaries(*scene, SETTINGS, says)
    assert (found.labels.array == label.array).all()
    assert found.probability == Unavailable("blood of 900 HU") or not found.probability.array.any()


def test_confidence_is_the_share_that_the_network_sees():
    """A straight artery of two segments along x, seen over its first half."""
    points = np.column_stack([np.arange(0, 20.1, 0.5), np.full(41, 5.0), np.full(41, 5.0)])
    tree = CoronaryTree((Branch(points, np.ones(41), segment=np.where(points[:, 0] < 15, 6, 7)),), "right")
    seen = np.zeros((40, 20, 20), np.uint8)
    seen[:20, 9:12, 9:12] = 90
    volume = Volume(seen, np.diag([0.5, 0.5, 0.5, 1.0]))
    first, second = with_confidence(tree_findings(tree), tree, volume).segments
    assert first.confidence == pytest.approx(10 / 15, abs=0.06) and second.confidence == 0
    assert with_confidence(tree_findings(tree), tree, Unavailable("why")).segments[0].confidence == Unavailable("why")
