"""Heart segmentation on a drawn heart whose truth is known, on a real scan where it is at hand, and on images that hold no heart."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from ccta.anatomy.heart import measure_heart, segment_heart
from ccta.anatomy.heart_aorta import bright_tubes
from ccta.anatomy.heart_grid import coarse, fine
from ccta.anatomy.heart_wall import closed
from ccta.coordinates import resampled_like
from ccta.errors import Refusal
from ccta.model import HEART_LABELS, Unavailable, Volume
from ccta.networks.inference import predict_places
from ccta.settings import SegmentSettings
from ccta.tissues import PLACES, PlaceMap

REAL = Path(__file__).parents[3] / "shared" / "data" / "patient_cta"


def ellipsoid(points_mm, center, radii):
    return (((points_mm - center) / radii) ** 2).sum(axis=-1) <= 1


def drawn_heart(spacing_mm=1.5, blood_hu=400.0, right_hu=300.0, noise_hu=15.0, seed=0):
    """(Volume HU, Volume labels) of ellipsoids about a valve at the origin, in LPS mm, fat around, lung outside."""
    low, high = np.array([-80.0, -80, -95]), np.array([95.0, 85, 75])
    shape = np.round((high - low) / spacing_mm).astype(int)
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = low
    p = np.moveaxis(np.indices(shape), 0, -1) * spacing_mm + low
    hu, label = np.full(shape, -850.0), np.zeros(shape, np.uint8)
    hu[ellipsoid(p, [10, 0, -15], [78, 70, 85])] = -90
    hu[p[..., 2] < -85] = 60
    axis = np.array([0.68, -0.45, -0.58]) / np.linalg.norm([0.68, -0.45, -0.58])
    along = (p - [38, 0, -33]) @ axis
    across = np.sqrt(np.maximum(((p - [38, 0, -33]) ** 2).sum(-1) - along**2, 0))
    wall = (along / 54) ** 2 + (across / 34) ** 2 <= 1
    cavity = ((along + 4) / 46) ** 2 + (across / 24) ** 2 <= 1
    x, y, z = np.moveaxis(p, -1, 0)
    tube = np.hypot(x, y - 0.05 * z) < 14.5
    parts = [
        ("rv", ellipsoid(p, [20, -42, -32], [40, 20, 32]) & ~wall, right_hu),
        ("ra", ellipsoid(p, [-38, -8, -22], [22, 24, 30]), right_hu),
        ("pulmonary_artery", (np.hypot(x - 28, y + 16 - 0.3 * (z - 20)) < 13) & (z > 6) & (z < 50), right_hu),
        ("la", ellipsoid(p, [-5, 40, -6], [34, 22, 25]), blood_hu),
        ("myocardium", wall, 110.0),
        ("lv", cavity, blood_hu),
        ("aorta", tube & (z > 0), blood_hu),
    ]
    for name, mask, value in parts:
        free = mask & ((label == 0) | (name in ("lv", "aorta")))
        hu[free], label[free] = value, HEART_LABELS[name]
    outflow = (np.hypot(x - 0.55 * -z, y) < 10) & (z <= 0) & (z > -22) & (label != HEART_LABELS["aorta"])
    hu[outflow], label[outflow] = blood_hu, HEART_LABELS["lv"]
    hu[np.hypot(x - 25, y - 72) < 11] = blood_hu
    hu += np.random.default_rng(seed).normal(0, noise_hu, shape)
    return Volume(hu.astype(np.int16), affine, "1.2.3"), Volume(label, affine, "1.2.3")


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b))


def per_label(found: Volume, truth: Volume):
    return {n: dice(found.array == i, truth.array == i) for n, i in HEART_LABELS.items() if n != "heart"}


@pytest.mark.parametrize("right_hu", [420.0, 230.0])
def test_drawn_heart_is_found(right_hu):
    volume, truth = drawn_heart(right_hu=right_hu)
    score = per_label(segment_heart(volume, SegmentSettings()), truth)
    assert min(score.values()) > 0.8, score
    assert score["aorta"] > 0.85 and score["lv"] > 0.9, score


def rough_places(truth: Volume, shift_mm: float = 2.0) -> PlaceMap:
    """What a network might say: the truth at 2 mm, blurred by 1.5 mm and off by `shift_mm`."""
    share = np.stack([ndimage.gaussian_filter((truth.array == code).astype(np.float32), 1.0) for code in range(max(PLACES.values()) + 1)])
    affine = truth.affine.copy()
    affine[:3, 3] += shift_mm / np.sqrt(3)
    return PlaceMap(share.astype(np.float16), affine)


@pytest.mark.parametrize("right_hu", [420.0, 120.0])
def test_a_networks_names_and_the_images_edges_are_better_than_either(right_hu):
    """Also where the right heart is as dim as muscle, which the image alone cannot tell."""
    volume, truth = drawn_heart(right_hu=right_hu)
    places = rough_places(truth)
    rough = per_label(resampled_like(Volume(places.label, places.affine), truth, order=0), truth)
    score = per_label(segment_heart(volume, SegmentSettings(), places), truth)
    assert min(score.values()) > 0.85 and score["lv"] > 0.95 and score["aorta"] > 0.93, score
    assert np.mean(list(score.values())) > np.mean(list(rough.values())), (score, rough)


def test_a_great_vessel_that_the_network_takes_for_the_other_in_part_stays_whole():
    volume, truth = drawn_heart(right_hu=300.0)
    places = rough_places(truth, 0.0)
    to_the_left = truth.affine[0, 3] + np.arange(truth.array.shape[0]) * truth.spacing_mm[0] > 7.0
    wedge = (places.label == HEART_LABELS["aorta"]) & to_the_left[:, None, None]
    places.probability[HEART_LABELS["aorta"], wedge], places.probability[HEART_LABELS["pulmonary_artery"], wedge] = 0, 1
    assert per_label(segment_heart(volume, SegmentSettings(), places), truth)["aorta"] > 0.9


def test_a_map_without_a_filled_left_heart_leaves_the_image_alone():
    volume, truth = drawn_heart()
    nothing = PlaceMap(np.eye(1, max(PLACES.values()) + 1, dtype=np.float16).reshape(-1, 1, 1, 1) * np.ones(truth.array.shape, np.float16), truth.affine)
    alone = segment_heart(volume, SegmentSettings())
    np.testing.assert_array_equal(segment_heart(volume, SegmentSettings(), nothing).array, alone.array)
    plain, _ = drawn_heart(spacing_mm=2.0, blood_hu=45, right_hu=45)
    with pytest.raises(Refusal):
        segment_heart(plain, SegmentSettings(), rough_places(truth))


def test_the_order_and_sign_of_the_voxel_axes_do_not_matter():
    volume, _ = drawn_heart()
    first = segment_heart(volume, SegmentSettings())
    turn = np.zeros((4, 4))
    turn[[0, 1, 2, 3], [2, 0, 1, 3]] = 1, 1, -1, 1
    array = volume.array.transpose(1, 2, 0)[:, ::-1]
    affine = volume.affine @ turn
    affine[:3, 3] += volume.affine[:3, 2] * (volume.array.shape[2] - 1)
    turned = segment_heart(Volume(np.ascontiguousarray(array), affine), SegmentSettings())
    back = turned.array[:, ::-1].transpose(2, 0, 1)
    assert dice(back == HEART_LABELS["aorta"], first.array == HEART_LABELS["aorta"]) > 0.95
    assert dice(back == HEART_LABELS["lv"], first.array == HEART_LABELS["lv"]) > 0.95


def test_measures_follow_the_labels():
    volume, truth = drawn_heart(noise_hu=0)
    found = measure_heart(truth, volume)
    ml = truth.voxel_mm3 / 1000
    assert found.lv_mass_g == pytest.approx(np.count_nonzero(truth.array == HEART_LABELS["myocardium"]) * ml * 1.05, abs=0.1)
    assert isinstance(found.lv_ef_pct, Unavailable) and "phase" in found.lv_edv_ml.reason
    cavity = np.count_nonzero(truth.array == HEART_LABELS["lv"]) * ml
    assert measure_heart(truth, volume, 75.0).lv_edv_ml == pytest.approx(cavity, abs=0.1)
    assert "35 %" in measure_heart(truth, volume, 35.0).lv_edv_ml.reason
    empty = measure_heart(truth.with_array(np.zeros_like(truth.array)), volume)
    assert isinstance(empty.lv_mass_g, Unavailable) and "40-400" in empty.lv_mass_g.reason


@pytest.mark.parametrize("kind", ["air", "noise", "no contrast", "vessel alone"])
def test_an_image_without_an_enhanced_heart_is_refused(kind):
    shape, rng = (70, 70, 60), np.random.default_rng(1)
    if kind == "no contrast":
        volume, _ = drawn_heart(spacing_mm=2.0, blood_hu=45, right_hu=45)
    else:
        array = {"air": np.full(shape, -1000.0), "noise": rng.normal(40, 30, shape), "vessel alone": np.full(shape, 40.0)}[kind]
        if kind == "vessel alone":
            array[np.hypot(*(np.indices(shape)[:2] - 35)) < 8] = 400
        volume = Volume(array.astype(np.int16), np.diag([1.5, 1.5, 1.5, 1]))
    with pytest.raises(Refusal):
        segment_heart(volume, SegmentSettings())


def test_a_bright_cylinder_is_a_tube():
    x, y, _ = np.indices((60, 60, 40))
    hu = np.where(np.hypot(x - 30.0, y - 25.0) * 1.5 < 14, 400.0, 0.0)
    tube = bright_tubes(hu, 1.5, 150.0, count=1)[0]
    assert np.abs(tube.center - [30, 25]).max() <= 1 and np.abs(tube.radius_mm - 14).max() <= 1.5 and len(tube.slice) == 40


def test_coarse_grid_keeps_every_place():
    index = np.indices((40, 50, 30))
    affine = np.array([[0, -0.6, 0, 5], [0.5, 0, 0, 7], [0, 0, 0.7, -3], [0, 0, 0, 1.0]])
    ramp = np.einsum("a,aijk->ijk", affine[2, :3] * 2 + affine[0, :3] * 3, index)
    grid = coarse(Volume(ramp.astype(np.float32), affine), 1.5)
    place = np.moveaxis(np.indices(grid.array.shape), 0, -1) * 1.5 + grid.affine[:3, 3]
    expected = 3 * (place[..., 0] - 5) + 2 * (place[..., 2] + 3)
    assert np.abs(grid.array - expected)[1:-1, 1:-1, 1:-1].max() < 1e-2


def test_fine_labels_follow_the_edge_of_the_image():
    x, y, z = np.indices((80, 80, 80)) * 0.5
    r = np.sqrt((x - 20) ** 2 + (y - 20) ** 2 + (z - 20) ** 2)
    volume = Volume(np.clip(400 - 400 * (r - 11.5), 0, 400).astype(np.int16), np.diag([0.5, 0.5, 0.5, 1]))
    grid = coarse(volume, 1.5)
    edge = np.full(9, np.nan)
    edge[6] = 200
    found = fine(Volume(np.where(grid.array > 200, 6, 0).astype(np.uint8), grid.affine), volume, edge)
    assert dice(found.array == 6, r <= 12) > 0.99


def test_closing_fills_gaps_narrower_than_the_ball_only():
    x = np.zeros((40, 20, 20), bool)
    x[5:15], x[18:28] = True, True
    shut = closed(x, 3.0, 1.0)
    assert shut[16, 10, 10] and not shut[30, 10, 10] and (shut >= x).all()


@pytest.mark.skipif(not REAL.exists(), reason=f"the real scan is absent: {REAL}")
def test_real_scan_against_another_program():
    import nibabel

    def load(name):
        image = nibabel.load(REAL / name)
        return Volume(np.asarray(image.dataobj), np.diag([-1.0, -1, 1, 1]) @ image.affine)

    volume = load("ct_cropped.nii.gz")
    heart = segment_heart(volume, SegmentSettings(), predict_places(volume))
    reference = resampled_like(load("heart.nii.gz"), volume, order=0).array > 0
    union = np.isin(heart.array, [HEART_LABELS[n] for n in ("lv", "myocardium", "rv", "la", "ra")])
    artery, trunk = load("pulmonary_artery.nii.gz").array > 0, heart.array == HEART_LABELS["pulmonary_artery"]
    print("chambers and wall", dice(union, reference), "with pulmonary artery", dice(union | trunk, reference), "pulmonary artery", dice(trunk, artery))
    assert dice(union, reference) > 0.86 and dice(union | trunk, reference) > 0.9  # the other program's heart has the walls of the atria and the trunk
    assert dice(trunk, artery) > 0.78  # and its artery not the trunk's beginning
    assert 60 < measure_heart(heart, volume).lv_mass_g < 250
