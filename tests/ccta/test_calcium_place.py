"""Calcium without a CCTA on a phantom chest with aortic, mitral and other calcium: landmarks, traced arteries, verdicts; any orientation and position."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from ccta.coordinates import resampled, sample, to_index, to_patient_mm, upright
from ccta.disease.calcium import score_calcium
from ccta.disease.calcium_aorta import AorticTube, find_aorta
from ccta.disease.calcium_heart import locate_heart
from ccta.disease.calcium_place import SURFACE_MM, HeartMap, _verdict, map_heart, place_judge, vessel_of
from ccta.disease.calcium_selection import Spot, Verdict, looks_metallic, metal_verdict
from ccta.errors import Refusal
from ccta.findings import Acquisition, Findings, Patient
from ccta.model import Volume
from ccta.phantom.cohort import calcium_patient
from ccta.phantom.heart import FLOW, ROOT
from ccta.phantom.scanner import scan
from ccta.report.calcium_section import calcium_section

ACQUISITION = Acquisition(kvp=120.0, contrast=False)


@pytest.fixture(scope="module")
def patient():
    return calcium_patient(103)


@pytest.fixture(scope="module")
def image(patient) -> Volume:
    return scan(patient[0], replace(patient[1], shape=(264, 264, 44), pixel_mm=0.8))


@pytest.fixture(scope="module")
def known(image) -> HeartMap:
    return map_heart(image)


@pytest.fixture(scope="module")
def found(image):
    return score_calcium(image, ACQUISITION, Patient()).calcium


def test_the_aortic_root_is_found(patient, known):
    axis = to_patient_mm(ROOT + np.arange(5, 60)[:, None] * FLOW, patient[0].anatomy.to_patient)
    assert known.seen
    assert np.linalg.norm(axis - known.aorta.root_mm, axis=1).min() < 5.0
    assert 12 < known.aorta.radius_mm[0] < 20
    assert abs(known.aorta.root_mm[2] - to_patient_mm(ROOT + 14 * FLOW, patient[0].anatomy.to_patient)[2]) < 10


def test_arteries_are_traced_in_the_fat(patient, known):
    """Mean distance of the first 80 mm of the true artery from the traced way; half a slice and two coarse voxels are 4 mm."""
    for branch in patient[0].tree:
        if branch.name in ("LAD", "LCx", "RCA"):
            way = np.vstack([known.ways["LM"], known.ways["LAD"]]) if branch.name == "LAD" else known.ways[branch.name]
            near = branch.points_mm[branch.distance_mm < 80]
            assert cKDTree(way).query(near)[0].mean() < 7.0, branch.name
            assert np.median(cKDTree(way).query(near)[0]) < 4.5, branch.name


def test_lesions_are_found_and_the_rest_is_rejected_with_its_reason(patient, found):
    true = [v for v in patient[0].vessels if v.inclusions]
    assert true and {x.vessel for x in found.lesions} == {"LAD"} and len(found.lesions) == 2
    kinds = {deposit.kind for deposit in patient[0].deposits}
    assert {"aortic wall", "mitral annulus"} <= kinds
    reasons = {spot.reason.split(":")[0] for spot in found.rejected}
    assert "mitral annulus" in reasons and all(spot.reason for spot in found.rejected)
    others = np.array([deposit.points_mm.mean(axis=0) for deposit in patient[0].deposits])
    assert min(np.linalg.norm(others - x.center_mm, axis=1).min() for x in found.lesions) > 8
    assert all(0 < x.probability <= 1 for x in found.lesions) and "traced in the fat" in found.method


@pytest.mark.parametrize("flips", [(0, 2), (0, 1), (1, 2)], ids=["feet first", "prone", "all but left-right"])
def test_any_orientation_and_position_gives_the_same(image, found, flips):
    """The stored axes run the other way, and the patient lies half a metre elsewhere: the same anatomy in millimetres."""
    array, affine = image.array, image.affine.copy()
    for axis in flips:
        array = np.flip(array, axis)
        affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
        affine[:3, axis] *= -1
    affine[:3, 3] += [310.0, -120.0, 700.0]
    turned = score_calcium(Volume(array, affine), ACQUISITION, Patient()).calcium
    assert turned.agatston == pytest.approx(found.agatston) and [x.vessel for x in turned.lesions] == [x.vessel for x in found.lesions]
    np.testing.assert_allclose(np.subtract(turned.lesions[0].center_mm, found.lesions[0].center_mm), [310, -120, 700], atol=0.01)


def test_the_table_under_the_patient_is_no_lung(image):
    """Foam of -900 HU behind the back, larger than a lung, does not move the heart."""
    place = locate_heart(image)
    array = np.pad(image.array, ((0, 0), (0, 90), (0, 0)), constant_values=-1000)
    array[20:240, 285:340] = -900
    moved = locate_heart(Volume(array, image.affine))
    np.testing.assert_allclose(moved.center_mm, place.center_mm, atol=4.0)


def test_upright_keeps_every_voxel_in_its_place(image):
    affine = image.affine.copy()
    affine[:3, :3] = affine[:3, [2, 0, 1]] * [-1, 1, -1]
    turned = Volume(image.array.transpose(2, 0, 1), affine)
    for_index = to_patient_mm(np.array([3, 40, 60]), affine)
    straight = upright(turned)
    assert (np.diag(straight.affine)[:3] > 0).all()
    assert straight.array[tuple(np.rint(to_index(for_index, straight.affine)).astype(int))] == turned.array[3, 40, 60]
    with pytest.raises(Refusal, match="obliquely"):
        upright(Volume(np.zeros((4, 4, 4)), np.array([[1.0, 0.9, 0, 0], [0.95, 0.5, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])))


def test_no_aorta_no_tube():
    grid = Volume(np.full((60, 60, 30), 40.0, np.float32), np.diag([2.0, 2, 2, 1]))
    with pytest.raises(Refusal, match="aorta was not found"):
        find_aorta(grid, np.ones(grid.array.shape, np.float32))


def test_a_tube_of_blood_in_fat_is_followed():
    """A leaning cylinder of 15 mm radius: its axis to 1.5 mm, its radius to 1.5 mm; distances from its wall have their sign."""
    i, j, k = np.meshgrid(*map(np.arange, (80, 70, 30)), indexing="ij")
    axis = 70 + 0.3 * 2.0 * k
    hu = np.where((2.0 * i - axis) ** 2 + (2.0 * j - 66) ** 2 < 15.0**2, 40.0, -95.0).astype(np.float32)
    grid = resampled(Volume(hu, np.diag([2.0, 2, 2, 1])), 2.0)
    tube = find_aorta(grid, np.ones(hu.shape, np.float32))
    middle = len(tube.radius_mm) // 2
    assert abs(tube.radius_mm[middle] - 15) <= 1.5
    assert np.linalg.norm(tube.center_mm[middle, :2] - [70 + 0.3 * tube.center_mm[middle, 2], 66]) < 1.5
    outside = tube.center_mm[middle] + [0, 25.0, 0]
    assert tube.off_wall_mm(np.array([outside, tube.center_mm[middle]])) == pytest.approx([10.0, -15.0], abs=1.6)


def test_left_main_by_its_distance_from_the_aorta():
    aorta = AorticTube(np.array([[0.0, 0, 0], [0, 0, 40.0]]), np.array([15.0, 15.0]))
    apart = {"LM": 2.0, "LAD": 3.0, "LCx": 4.0, "RCA": 40.0}
    assert vessel_of(apart, aorta, np.array([21.0, 5.0, 0.0])) == "LM"
    assert vessel_of(apart, aorta, np.array([32.0, 5.0, 0.0])) == "LAD"
    assert vessel_of(apart | {"RCA": 1.0}, aorta, np.array([5.0, -17.0, 0.0])) == "RCA"


def rod(length_mm: float, hu) -> Spot:
    """Along x, 3 mm thick; hu: one value per mm."""
    x, y, z = np.meshgrid(np.arange(0, length_mm, 0.5), np.arange(-1.5, 1.6, 0.5), np.arange(-1.5, 1.6, 1.5), indexing="ij")
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    values = np.interp(points[:, 0], np.arange(len(hu)), hu) * np.exp(-(points[:, 1] ** 2) / 4)
    return Spot(points, values, values - 129, len(points) * 0.375)


def test_stents_and_metal_are_told_from_calcium():
    random = np.random.default_rng(0)
    assert looks_metallic(rod(18, np.full(18, 950.0) + random.normal(0, 40, 18))).startswith("stent")
    assert looks_metallic(rod(6, np.full(6, 2700.0))).startswith("stent or other metal")
    assert looks_metallic(rod(18, np.where(np.arange(18) < 9, 1100.0, 400.0))) == ""
    assert looks_metallic(rod(8, np.full(8, 1000.0))) == "" and looks_metallic(rod(18, np.full(18, 500.0))) == ""


@pytest.mark.parametrize("peak_hu, scale, note, metal", [
    (1500.0, 1.0, False, False), (1700.0, 1.0, True, False), (2600.0, 1.0, False, True), (1900.0, 147 / 130, True, False), (2700.0, 147 / 130, True, False),
    (2900.0, 207 / 130, True, False), (3071.0, 207 / 130, False, True),
])  # fmt: skip
def test_heavy_plaque_is_no_metal(peak_hu, scale, note, metal):
    """A compact spot with one voxel of the peak; calcium is brighter at a lower voltage, by the ratio of the thresholds."""
    spot = rod(6, np.full(6, 600.0))
    spot.hu[len(spot.hu) // 2] = peak_hu
    verdict = metal_verdict(spot, Verdict("LAD", 0.9), scale)
    assert (verdict.note == f"possible metal ({peak_hu:.0f} HU): check") == note and verdict.reason.startswith("stent or other metal") == metal
    assert verdict.vessel == "LAD" and (verdict.probability == 0.9) != metal


def faint(center: np.ndarray) -> Spot:
    """Three voxels just above the threshold, 5 mm3."""
    return Spot(center + np.array([[0, 0, 0], [0.8, 0, 0], [0, 0.8, 0]]), np.full(3, 134.0), np.full(3, 5.0), 5.0)


def test_noise_near_an_artery_is_listed_and_farther_off_is_not(image, known):
    judge = place_judge(image, known, (40.0, 20.0))
    near, far = judge(faint(known.ways["LAD"][40])), judge(faint(known.place.center_mm))
    assert near.reason.startswith("noise") and near.nearby and near.vessel == "LAD"
    assert far.reason.startswith("noise") and not far.nearby


def test_what_is_not_listed_is_counted_on_the_page(found):
    unlisted = found.rejected_unlisted
    assert unlisted and all(count > 0 for count in unlisted.values()) and "outside the heart" in unlisted
    said = [line for line in calcium_section(Findings(calcium=found), {}).paragraphs if line.startswith("Not counted and not listed")]
    assert len(said) == 1 and f"{unlisted['outside the heart']} outside the heart" in said[0]


def test_nothing_in_the_outer_fat_away_from_the_arteries_counts(image, known):
    """Dense spots of 3 mm all over the fat 25-43 mm from every traced way: pericardium, if anything."""
    region, judge = known.place.region, place_judge(image, known, (40.0, 20.0))
    points = to_patient_mm(np.argwhere(region.array), region.affine)
    away = np.min([cKDTree(way).query(points)[0] for way in known.ways.values()], axis=0)
    points = points[(away > 25) & (away < 43) & (sample(image, points) < -60) & (sample(known.place.outside_mm, points) > SURFACE_MM[1])]
    points = points[np.random.default_rng(0).permutation(len(points))[:40]]
    ball_mm = np.stack(np.mgrid[-1:2, -1:2, -1:2], -1).reshape(-1, 3) * 1.0
    verdicts = [judge(Spot(point + ball_mm, np.full(27, 500.0), np.full(27, 371.0), 27.0)) for point in points]
    assert len(verdicts) > 20 and all(verdict.reason for verdict in verdicts)


FAR = {"aortic wall": np.inf, "aortic valve": np.inf, "mitral annulus": 60.0}


def at(apart_mm: float, outside_mm: float, fat: float = 0.6) -> Verdict:
    return _verdict("LAD", {"LM": 90.0, "LAD": apart_mm, "LCx": 80.0, "RCA": 80.0}, FAR, fat, outside_mm)


def test_side_branches_lie_on_the_muscle():
    assert at(15, 3).reason == "" and at(35, 3).probability < 0.1 and at(8, 12).reason == "" and at(8, 12, 0.05).probability > 0
    assert at(15, 10).reason == "pericardium or outer fat: 10 mm outside the muscle and 15 mm from the nearest artery (LAD)"
    assert at(46, 3).reason.startswith("away from the arteries: 46 mm")


def test_probability_falls_with_the_distance_to_a_half_at_20_mm():
    falling = [at(mm, 3).probability for mm in (0, 5, 10, 15, 20)]
    assert all(np.diff(falling) < -0.01) and falling[0] > 0.85 and falling[-1] == pytest.approx(0.5, abs=0.02)
