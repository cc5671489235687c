"""The tree of a CCTA is used for the calcium scan only where both share their coordinates; where it is left out, the method says why."""

from dataclasses import replace

import numpy as np
import pytest

from ccta.case import Case
from ccta.disease.calcium_beside import tree_beside
from ccta.findings import Acquisition, Patient
from ccta.model import CoronaryTree, Volume
from ccta.pipeline import STAGES
from ccta.runner import run_stages
from ccta.settings import Settings
from ccta.tissues import PlaceMap
from tests.ccta.test_calcium_selection import LAD_LINE, chest, known_places, tree

CALCIUM = chest([(LAD_LINE[2], 3.0, 600)])


def of_frame(volume: Volume, uid: str, up_mm: float = 0.0) -> Volume:
    affine = volume.affine.copy()
    affine[2, 3] += up_mm
    return replace(volume, frame_of_reference_uid=uid, affine=affine)


def moved(*by_mm: float) -> CoronaryTree:
    return CoronaryTree(tuple(replace(branch, points_mm=np.add(branch.points_mm, by_mm)) for branch in tree()), "right")


@pytest.mark.parametrize("ours, theirs", [("", ""), ("1.2", ""), ("", "1.2"), ("1.2", "1.2")])
def test_a_tree_of_the_same_or_an_unknown_frame_is_used(ours, theirs):
    assert isinstance(tree_beside(tree(), of_frame(CALCIUM, theirs), of_frame(CALCIUM, ours)), CoronaryTree)


def test_another_frame_of_reference_and_another_place_are_refused():
    assert "different frames of reference" in tree_beside(tree(), of_frame(CALCIUM, "1.2"), of_frame(CALCIUM, "1.3")).reason
    apart = tree_beside(tree(), of_frame(CALCIUM, ""), of_frame(CALCIUM, "", up_mm=500.0))
    assert apart.reason.startswith("0 % of it lies inside the calcium scan")
    assert isinstance(tree_beside(tree(), CALCIUM, of_frame(CALCIUM, "", up_mm=20.0)), CoronaryTree)  # short at one end


@pytest.fixture
def case(tmp_path, monkeypatch) -> Case:
    monkeypatch.setattr("ccta.networks.inference.predict_places", known_places)
    case = Case.create(tmp_path / "case")
    case.write_tree(tree())
    case.update_findings(calcium_acquisition=Acquisition(kvp=120.0, contrast=False, series_uid="1.2.3"), patient=Patient(sex="M", age_years=62))
    return case


def scored(case: Case, ccta: Volume, calcium: Volume):
    case.write_volume("image", ccta)
    case.write_volume("calcium_image", calcium)
    run_stages(case, [s for s in STAGES if s.name == "calcium"], Settings(), lambda name: lambda message, share=None: None)
    return case.findings().calcium


def test_calcium_beside_a_ccta_of_another_frame_is_scored_without_it(case):
    """The tree lies 35 mm off in its own coordinates: with it, nothing would be near an artery and the score would be 0."""
    case.write_tree(moved(25, -25, 0))
    wrong = scored(case, of_frame(CALCIUM, "1.2"), of_frame(CALCIUM, "1.2"))
    assert wrong.agatston == 0 and "distance to the coronary tree" in wrong.method
    found = scored(case, of_frame(CALCIUM, "1.2"), of_frame(CALCIUM, "1.3"))
    assert found.vessels["LAD"] > 50 and "the coronary tree of the CCTA was left out: the calcium scan and the CCTA have different frames" in found.method
    assert "distance to the coronary tree" in scored(case, of_frame(CALCIUM, ""), of_frame(CALCIUM, "1.3")).method


def test_scans_that_lie_apart_are_scored_without_the_tree(case):
    case.write_tree(moved(0, 0, 900))
    found = scored(case, of_frame(CALCIUM, "", up_mm=900.0), CALCIUM)
    assert found.vessels["LAD"] > 50 and "0 % of it lies inside the calcium scan" in found.method


def test_a_refusal_says_that_the_tree_was_left_out(case, monkeypatch):
    nothing = PlaceMap(np.concatenate([np.ones((1, 9, 9, 9)), np.zeros((13, 9, 9, 9))]), np.diag([20.0, 20, 20, 1]))
    monkeypatch.setattr("ccta.networks.inference.predict_places", lambda volume: nothing)
    empty = CALCIUM.with_array(np.full(CALCIUM.array.shape, -1000, np.int16))
    found = scored(case, of_frame(CALCIUM, "1.2"), of_frame(empty, "1.3"))
    assert "different frames of reference" in found.reason


def test_the_geometry_of_an_image_is_read_without_its_pixels(case):
    case.write_volume("image", of_frame(CALCIUM, "1.2"))
    geometry = case.read_volume("image", pixels=False)
    np.testing.assert_allclose(geometry.affine, CALCIUM.affine, atol=1e-4)
    assert geometry.array.shape == CALCIUM.array.shape and geometry.frame_of_reference_uid == "1.2" and not geometry.array.any()
    assert geometry.array.strides == (0, 0, 0)
