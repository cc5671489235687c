"""The tables of `ccta evaluate tree` and `ccta evaluate disease`, and the patients that they are made of."""

import numpy as np
import pytest

from ccta.agreement import centerline_agreement
from ccta.cli.evaluate_disease import FIRST_SEED, MASK, OWN, Lesion, PatientResult, compared, disease_rows, missed, points_of, tree_rows
from ccta.model import Branch, CoronaryTree
from ccta.phantom.cohort import LESION_REFERENCE_MM, disease_patient
from ccta.phantom.truth import cad_rads_of, plaque_of, stenosis_of
from tests.ccta.example_findings import stenosis
from tests.conftest import run_ccta


def line(length_mm=50.0, offset_mm=0.0, segment=7, radius_mm=1.5):
    x = np.arange(0, length_mm + 1e-9, 0.5)
    points = np.stack([x, np.full_like(x, offset_mm), 0 * x], axis=1)
    return Branch(points, np.full(len(x), radius_mm), segment=np.full(len(x), segment), name="LAD")


def agreement(found, true, healthy_mm=1.5):
    return centerline_agreement(CoronaryTree((found,)), CoronaryTree((true,)), [np.full(len(true.radius_mm), healthy_mm)])


def test_the_same_centerline_agrees():
    same = agreement(line(), line())
    assert (same.overlap, same.right_names) == (1.0, same.named) and same.accuracy_mm == pytest.approx(0.0, abs=1e-9)


def test_half_a_centerline_overlaps_by_two_thirds():
    """Half of the true points, those within 1.5 mm of the found end too, and all of the found ones: (265 + 250) / (500 + 250)."""
    assert agreement(line(25), line()).overlap == pytest.approx(515 / 750, abs=0.003)


def test_a_centerline_beside_the_vessel_and_a_wrong_name():
    beside = agreement(line(offset_mm=0.4, segment=8), line())
    assert beside.overlap == 1.0 and beside.accuracy_mm == pytest.approx(0.4, abs=0.01) and beside.right_names == 0
    assert agreement(line(offset_mm=2.0), line()).overlap == 0.0


def test_arteries_too_small_need_not_be_found():
    assert agreement(line(25), line(), healthy_mm=np.repeat([1.5, 0.6], [51, 50])).overlap == pytest.approx(1.0, abs=0.02)


def result(*lesions, way=MASK, **values):
    plaque = {name: (100.0, 100.0) for name in ("total", "calcified", "noncalcified")}
    return PatientResult(400, way, **({"lesions": lesions, "plaque": plaque, "categories": ("3", "3"), "seconds": 20.0} | values))


def shown(rows):
    return {row[0]: (row[2], row[4]) for row in rows}


def test_lesions_are_counted():
    good = Lesion("soft", 60.0, 1.2, 64.0, 1.1, (55.0, 72.0))
    low = Lesion("calcified", 55.0, 1.4, 45.0, 1.7, (40.0, 50.0))
    rows = shown(disease_rows([result(good, low), result(Lesion("mixed", 70.0, 0.9), false_pct=(55.0, 30.0))], MASK))
    assert rows["diameter stenosis, mean absolute error"] == ("7.0 points, 2 lesions", "no")
    assert rows["diameter stenosis, bias"][0] == "-3.0 points"
    assert rows["lesions >= 50 %: sensitivity"] == ("0.333 of 3", "no")
    assert rows["lesions >= 50 %: positive predictive value"][0] == "0.500"
    assert rows["lesions of 25 % and more found"][0] == "66.7 % of 3"
    assert rows["minimal lumen diameter, mean absolute error"] == ("0.20 mm", "yes")
    assert rows["90 % intervals that hold the true stenosis"] == ("50 %", "no")
    assert rows["diameter stenosis, mixed plaque"][0] == "no lesions"


def test_a_refused_patient_is_no_success():
    lesion = Lesion("soft", 60.0, 1.2)
    refused = result(lesion, categories=("1", "N"), refusal="no artery", overlap=0.0)
    rows = shown(disease_rows([refused, refused], MASK))
    assert rows["lesions >= 50 %: sensitivity"] == ("0.000 of 2", "no") and rows["CAD-RADS category, weighted kappa"][1] == "no"
    tree = shown(tree_rows([refused, result(lesion, overlap=1.0, accuracy_mm=0.1, right_names=96, named=100)], OWN))
    assert tree["centerline overlap OV"] == ("0.500", "no") and tree["patients refused"] == ("1 of 2", "no")
    assert tree["length with the right segment name"] == ("96.0 %", "yes")


def test_points_of_a_lesion_lie_about_its_narrowest_place():
    points = points_of(CoronaryTree((line(),)), stenosis(7, 50, branch=0, entry_mm=10.0, exit_mm=30.0, position_mm=20.0))
    assert points[[0, -1], 0].tolist() == [15.0, 25.0]


def test_patients_have_lesions_that_can_be_graded():
    patient, series = disease_patient(405)
    again, _ = disease_patient(405)
    assert patient.spec == again.spec and 3 <= len(patient.plaques) <= 4 and 15 <= series.noise_hu <= 35
    for plaque in patient.plaques:
        vessel = patient.vessels[plaque.branch]
        assert 2 * np.interp(plaque.distance_mm, vessel.branch.distance_mm, vessel.healthy_radius_mm) >= 0.95 * LESION_REFERENCE_MM
    points = np.vstack([branch.points_mm for branch in patient.tree])
    corner = np.array(series.shape) * [0.4, 0.4, 0.5] / 2
    assert (abs(points - series.center_mm) < corner - 20).all()


def test_the_truth_agrees_with_itself():
    patient, _ = disease_patient(405)
    true = [stenosis_of(patient, n) for n in range(len(patient.plaques))]
    found = compared(patient, MASK, (patient.tree, true[::-1], plaque_of(patient), cad_rads_of(true, None).category, 1.0))
    assert found.overlap > 0.999 and found.accuracy_mm < 0.01 and found.right_names >= 0.999 * found.named and found.false_pct == ()
    assert all(x.found_pct == x.true_pct and x.mld_mm == x.true_mld_mm for x in found.lesions) and found.categories[0] == found.categories[1]
    rows = disease_rows([found, found], MASK)
    assert [row[0] for row in rows if row[4] == "no"] == ["90 % intervals that hold the true stenosis"]  # all of them hold it: too many
    nothing = missed(patient, OWN, "no artery")
    assert len(nothing.lesions) == len(true) and all(x.found_pct is None for x in nothing.lesions)


def test_they_are_commands(capsys):
    for command in ("tree", "disease"):
        assert run_ccta("evaluate", command, "--help") == 0 and f"ccta evaluate {command} --patients 30" in capsys.readouterr().out
        assert run_ccta("evaluate", command, "--patients", "1") == 2
    assert FIRST_SEED == 2000
