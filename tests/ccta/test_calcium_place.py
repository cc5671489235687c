"""Calcium without a CCTA: the judge on places that are given, and the network's places on a phantom chest with aortic, mitral and other calcium."""

from dataclasses import replace

import numpy as np
import pytest

from ccta.coordinates import to_patient_mm
from ccta.disease.calcium import score_calcium
from ccta.disease.calcium_place import place_judge
from ccta.disease.calcium_selection import Spot
from ccta.errors import Refusal
from ccta.findings import Acquisition, Findings, Patient
from ccta.model import Volume
from ccta.networks.inference import predict_places
from ccta.phantom.calcium_truth import calcium_points_mm
from ccta.phantom.cohort import calcium_patient
from ccta.phantom.scanner import scan
from ccta.report.calcium_section import calcium_section
from ccta.tissues import PLACES, PlaceMap

ACQUISITION = Acquisition(kvp=120.0, contrast=False)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


@pytest.fixture(scope="module")
def patient():
    return calcium_patient(103)


@pytest.fixture(scope="module")
def image(patient) -> Volume:
    return scan(patient[0], replace(patient[1], shape=(264, 264, 44), pixel_mm=0.8))


def scored(image: Volume):
    return score_calcium(image, ACQUISITION, Patient(), None, predict_places(image)).calcium


@pytest.fixture(scope="module")
def found(image):
    return scored(image)


def test_lesions_are_found_and_the_rest_is_rejected_with_its_reason(patient, found):
    true = [number for number, vessel in enumerate(patient[0].plaques) if vessel.spec.kind != "soft"]
    assert len(true) == 2 and [x.vessel for x in found.lesions] == ["LAD", "LAD"]
    for lesion in found.lesions:
        assert min(np.linalg.norm(calcium_points_mm(patient[0], number) - lesion.center_mm, axis=1).min() for number in true) < 3
        assert 0.5 <= lesion.probability <= 1
    assert {"aortic wall", "mitral annulus"} <= {deposit.kind for deposit in patient[0].deposits}
    said = {spot.reason.split(":")[0] for spot in found.rejected}
    assert (
        said & {"valve or left ventricle", "mitral annulus or left atrium"} and all(spot.reason for spot in found.rejected) and "heart network" in found.method
    )


@pytest.mark.parametrize("flips", [(0, 2), (0, 1), (1, 2)], ids=["feet first", "prone", "all but left-right"])
def test_any_orientation_and_position_gives_the_same(image, found, flips):
    """The stored axes run the other way, and the patient lies half a metre elsewhere: the same anatomy in millimetres."""
    array, affine = image.array, image.affine.copy()
    for axis in flips:
        array = np.flip(array, axis)
        affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
        affine[:3, axis] *= -1
    affine[:3, 3] += [310.0, -120.0, 700.0]
    turned = scored(Volume(array, affine))
    assert turned.agatston == pytest.approx(found.agatston) and [x.vessel for x in turned.lesions] == [x.vessel for x in found.lesions]
    np.testing.assert_allclose(np.subtract(turned.lesions[0].center_mm, found.lesions[0].center_mm), [310, -120, 700], atol=0.01)


def test_what_is_not_listed_is_counted_on_the_page(found):
    unlisted = found.rejected_unlisted
    assert unlisted and all(count > 0 for count in unlisted.values()) and "outside the heart" in unlisted
    said = [line for line in calcium_section(Findings(calcium=found), {}).paragraphs if line.startswith("Not counted and not listed")]
    assert len(said) == 1 and f"{unlisted['outside the heart']} outside the heart" in said[0]


def places(name: str, elsewhere: str = "lv") -> PlaceMap:
    """Half of a box of 16 x 12 x 12 cm is `name`, with 80 % of the probability; the other half `elsewhere`, for sure."""
    probability = np.zeros((14, 80, 60, 60), np.float32)
    probability[PLACES[elsewhere], 40:] = 1.0
    probability[PLACES[name], :40], probability[PLACES["heart"], :40] = 0.8, 0.2
    return PlaceMap(probability, AFFINE)


BLOOD = Volume(np.random.default_rng(0).normal(40, 20, (160, 120, 40)).astype(np.float32), np.diag([1.0, 1.0, 3.0, 1.0]))


def ball(center, hu=500.0) -> Spot:
    points = np.asarray(center, float) + np.stack(np.mgrid[-1:2, -1:2, -1:2], -1).reshape(-1, 3)
    return Spot(points, np.full(27, hu), np.full(27, hu - 129), 27.0)


def test_the_likeliest_place_decides():
    """Fat weighs 0.03: 0.8 / (0.8 + 0.03 x 0.2)."""
    judge = place_judge(BLOOD, places("LCx"))
    inside, near, far, outside = (judge(ball([x, 60, 60])) for x in (40, 90, 110, 180))
    assert inside.vessel == "LCx" and inside.probability == pytest.approx(0.9926, abs=1e-4) and not inside.reason
    assert near.reason == "valve or left ventricle: 100 % likely, LM 0 %" and near.nearby
    assert far.reason == near.reason and not far.nearby  # more than 2 cm from any artery's place
    assert outside.reason == "outside the heart" and not outside.nearby


def test_in_doubt_between_fat_and_artery_calcium_is_the_arterys():
    known = places("RCA")
    known.probability[PLACES["RCA"], :40], known.probability[PLACES["heart"], :40] = 0.2, 0.8
    assert place_judge(BLOOD, known)(ball([40, 60, 60])).probability == pytest.approx(0.2 / 0.224)
    known.probability[PLACES["RCA"], :40], known.probability[PLACES["heart"], :40] = 0.01, 0.99
    assert place_judge(BLOOD, known)(ball([40, 60, 60])).reason.startswith("pericardium or fat away from the arteries: 75 % likely, RCA 25 %")


@pytest.mark.parametrize("name, words", [("aorta", "aortic wall or valve: 99"), ("la", "mitral annulus or left atrium: 99"), ("ra", "right atrium: 96")])
def test_what_is_not_an_arterys_has_its_reason(name, words):
    probability = places(name).probability
    probability[PLACES["RCA"], 44:48, 28:32, 28:32], probability[PLACES["lv"], 44:48, 28:32, 28:32] = 1.0, 0.0
    assert place_judge(BLOOD, PlaceMap(probability, AFFINE))(ball([70, 60, 60])).reason.startswith(f"{words} % likely")


def faint(center) -> Spot:
    """Three voxels just above the threshold, 5 mm3."""
    return Spot(np.asarray(center, float) + np.array([[0, 0, 0], [0.8, 0, 0], [0, 0.8, 0]]), np.full(3, 134.0), np.full(3, 5.0), 5.0)


def test_noise_near_an_artery_is_listed_and_farther_off_is_not():
    judge = place_judge(BLOOD, places("LAD"))
    near, far = judge(faint([70, 60, 60])), judge(faint([94, 60, 60]))
    assert near.reason.startswith("noise: 134 HU, within 5 SD (20 HU)") and near.nearby and near.vessel == "LAD"
    assert far.reason.startswith("noise") and not far.nearby


def test_bone_is_no_lesion_even_in_an_arterys_place():
    spot = ball([40, 60, 60])
    assert place_judge(BLOOD, places("RCA"))(replace(spot, size_mm3=6000.0)).reason == "bone or device: 6000 mm3 in one piece"


def test_no_heart_no_score():
    empty = PlaceMap(np.concatenate([np.ones((1, 20, 20, 20)), np.zeros((13, 20, 20, 20))]).astype(np.float32), AFFINE)
    with pytest.raises(Refusal, match="the heart was not found in the image"):
        place_judge(BLOOD, empty)


def test_places_between_voxels_and_beyond_the_grid():
    known = places("LAD")
    at = known.at(to_patient_mm(np.array([[10, 10, 10], [39.5, 10, 10], [200, 0, 0], [-0.5, 10, 10]]), AFFINE))
    assert at[0, PLACES["LAD"]] == pytest.approx(0.8) and at[1, PLACES["LAD"]] == pytest.approx(0.4) and at[1, PLACES["lv"]] == pytest.approx(0.5)
    assert at[2, 0] == 1 and at[3, 0] == pytest.approx(0.5) and np.allclose(at.sum(axis=1), 1)
