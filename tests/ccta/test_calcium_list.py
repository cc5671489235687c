"""Hand corrections: kept in the case, recorded, scored again without an image; later stages follow."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ccta.calcium_editing import correct
from ccta.case import Case
from ccta.disease.calcium_list import corrected, edit_of, totalled, with_corrections
from ccta.errors import BadInput
from ccta.findings import Acquisition, Calcium, CalciumLesion, Patient, RejectedCalcium
from ccta.model import Unavailable, Volume
from ccta.pipeline import STAGES
from ccta.runner import is_current, run_stages, stale_stages
from ccta.settings import Settings
from tests.ccta.test_calcium_selection import LAD_LINE, RCA_LINE, chest, tree
from tests.conftest import run_ccta

PATIENT = Patient(sex="M", age_years=62)
AT = "2025-06-01T10:00:00+00:00"


def spot(number, agatston, **more) -> dict:
    place = (10.0 * number, 0.0, 0.0)
    return {"id": number, "agatston": agatston, "volume_mm3": agatston, "mass_mg": agatston / 5, "peak_hu": 300.0, "center_mm": place} | more


@pytest.fixture
def calcium() -> Calcium:
    lesions = [
        CalciumLesion(**spot(1, 90.0, vessel="LAD", probability=0.9, restarts=[80.0, 100.0])),
        CalciumLesion(**spot(2, 40.0, vessel="LCx", probability=0.4, restarts=[45.0, 30.0])),
    ]
    rejected = [RejectedCalcium(**spot(3, 300.0, vessel="RCA", reason="aortic wall: 1 mm", restarts=[310.0, 290.0]))]
    bare = Calcium(agatston=0, volume_mm3=0, mass_mg=0, vessels={}, lesions=lesions, rejected=rejected, cac_drs="A0")
    return totalled(bare, PATIENT)


def test_totals_follow_from_the_list(calcium):
    assert (calcium.agatston, calcium.vessels["LAD"], calcium.cac_drs, calcium.agatston_interval) == (130.0, 90.0, "A2/N2", (125.0, 130.0))


@pytest.mark.parametrize("lesion, after, total, vessels, drs", [
    (2, "LAD", 130.0, {"LAD": 130.0, "LCx": 0.0}, "A2/N1"), (2, "not coronary", 90.0, {"LAD": 90.0, "LCx": 0.0}, "A1/N1"),
    (3, "RCA", 430.0, {"RCA": 300.0}, "A3/N3"), (3, "LM", 430.0, {"LM": 300.0, "RCA": 0.0}, "A3/N3"),
])  # fmt: skip
def test_accept_reject_and_reassign(calcium, lesion, after, total, vessels, drs):
    edit = edit_of(calcium, lesion, after, "Dr Li", AT)
    found = corrected(calcium, edit, PATIENT)
    assert (found.agatston, found.cac_drs) == (total, drs) and found.volume_mm3 == total
    assert {v: found.vessels[v] for v in vessels} == vessels
    assert found.corrections == [edit] and edit.by == "Dr Li" and edit.at == AT
    entry = next(x for x in (*found.lesions, *found.rejected) if x.id == lesion)
    assert entry.source == "corrected" and (isinstance(entry, RejectedCalcium) == (after == "not coronary"))
    assert found.percentile != calcium.percentile or total == 130.0
    assert calcium.agatston == 130.0  # the value given is not changed


def test_what_stood_there_before_is_recorded(calcium):
    assert edit_of(calcium, 1, "LCx", "Dr Li", AT).before == "LAD"
    assert edit_of(calcium, 3, "RCA", "Dr Li", AT).before == "not coronary (aortic wall: 1 mm)"


def test_there_and_back_again(calcium):
    away = corrected(calcium, edit_of(calcium, 2, "not coronary", "a", AT), PATIENT)
    back = corrected(away, edit_of(away, 2, "LCx", "b", AT), PATIENT)
    assert back.agatston == calcium.agatston and back.agatston_interval == calcium.agatston_interval and len(back.corrections) == 2


@pytest.mark.parametrize("lesion, after, by, words", [
    (9, "LAD", "x", "there is no calcium lesion 9; the list has 1, 2, 3"), (1, "LAD", "x", "already counts as LAD"), (1, "LCx", " ", "needs the name"),
    (3, "not coronary", "x", "already rejected"),
])  # fmt: skip
def test_refused(calcium, lesion, after, by, words):
    with pytest.raises(BadInput, match=words):
        edit_of(calcium, lesion, after, by, AT)


def test_a_new_analysis_keeps_corrections_by_place(calcium):
    edits = [edit_of(calcium, 2, "LAD", "Dr Li", AT), edit_of(calcium, 1, "not coronary", "Dr Li", AT)]
    moved = [x.model_copy(update={"id": x.id + 10, "center_mm": tuple(np.add(x.center_mm, 1.0))}) for x in calcium.lesions if x.id == 2]
    fresh = totalled(calcium.model_copy(update={"lesions": moved}), PATIENT)
    found, lost = with_corrections(fresh, edits, PATIENT)
    assert [x.vessel for x in found.lesions] == ["LAD"] and found.lesions[0].id == 12 and lost == edits[1:]


@pytest.fixture
def case(tmp_path) -> Case:
    """A case with a scored calcium image and no report yet."""
    case = Case.create(tmp_path / "case")
    case.write_volume("calcium_image", chest([(LAD_LINE[2], 3.0, 600), (RCA_LINE[1], 2.5, 350)]))
    case.write_volume("image", chest([]))
    case.write_tree(tree())
    case.update_findings(calcium_acquisition=Acquisition(kvp=120.0, contrast=False, series_uid="1.2.3"), patient=PATIENT)
    run(case)
    return case


def run(case: Case, names=("calcium",)):
    run_stages(case, [stage for stage in STAGES if stage.name in names], Settings(), lambda name: lambda message, share=None: None)


def calcium_stage():
    return next(stage for stage in STAGES if stage.name == "calcium")


def test_a_correction_in_the_case(case, monkeypatch):
    """Kept in calcium_edits.json and in the findings; no image is read; the stage stays current, the report becomes stale; rescoring keeps it."""
    run(case, ("verdict", "report"))
    before = case.findings().calcium
    labels = case.read_volume("calcium_labels")
    assert set(np.unique(labels.array)) == {0, 1, 2}
    with monkeypatch.context() as patch:
        patch.setattr(Case, "read_volume", lambda *_: pytest.fail("a correction must not read an image"))
        found = correct(case, 2, "LAD", "Dr Li")
    assert found.vessels == {"LM": 0, "LAD": pytest.approx(before.agatston), "LCx": 0, "RCA": 0} and found.cac_drs.endswith("N1")
    (kept,) = json.loads(case.path("calcium_edits").read_text())
    assert (kept["by"], kept["before"], kept["after"]) == ("Dr Li", "RCA", "LAD") and kept["at"].startswith("20")
    assert is_current(case, calcium_stage(), Settings()) and "report" in stale_stages(case, STAGES, Settings())
    run(case)
    again = case.findings().calcium
    assert again.vessels == found.vessels and again.lesions[1].source == "corrected" and again.corrections[0].by == "Dr Li"


def test_a_correction_holds_for_no_other_series_and_no_readers_regions(case):
    correct(case, 1, "not coronary", "Dr Li")
    rejected = case.findings().calcium.agatston
    case.update_findings(calcium_acquisition=Acquisition(kvp=120.0, contrast=False, series_uid="4.5.6"))
    run(case)
    assert case.findings().calcium.agatston > rejected and not case.findings().calcium.corrections
    case.update_findings(calcium_acquisition=Acquisition(kvp=120.0, contrast=False, series_uid="1.2.3"))
    run(case)
    assert case.findings().calcium.agatston == pytest.approx(rejected)
    labels = case.read_volume("calcium_labels")
    case.write_volume("calcium_regions", replace(labels, array=(labels.array > 0).astype(np.uint8) * 2))
    run(case)
    assert case.findings().calcium.agatston > rejected and not case.findings().calcium.corrections


def test_the_tree_of_a_scan_that_has_gone_is_not_used(case):
    case.path("image").unlink()
    run(case)
    calcium = case.findings().calcium
    assert "distance to the coronary tree" not in (calcium.reason if isinstance(calcium, Unavailable) else calcium.method)


def test_the_command(case, capsys):
    assert run_ccta("lesions", case.root) == 0
    assert "LAD" in capsys.readouterr().out
    assert run_ccta("lesions", case.root, "1", "--reject", "--by", "Dr Li") == 0
    assert case.findings().calcium.vessels["LAD"] == 0
    html = case.path("report_html").read_text()
    assert "Corrected by hand: lesion 1, LAD → not coronary, by Dr Li" in html
    assert run_ccta("lesions", case.root, "1", "--accept", "--by", "Dr Li") == 0
    assert case.findings().calcium.vessels["LAD"] > 0
    for words in (("1",), ("1", "--accept", "--reject"), ("1", "--vessel", "aorta"), ("7", "--reject")):
        assert run_ccta("lesions", case.root, *words) == 2
    assert "there is no calcium lesion 7" in capsys.readouterr().err


def test_a_damaged_list_of_corrections_is_refused(case):
    case.path("calcium_edits").write_text("[{}]")
    with pytest.raises(BadInput, match="no list of corrections"):
        case.calcium_edits()


def test_no_score_no_list(tmp_path, capsys):
    Case.create(tmp_path / "case")
    assert run_ccta("lesions", tmp_path / "case") == 2
    assert "has no calcium score" in capsys.readouterr().err


def test_labels_have_the_geometry_of_what_was_scored(case):
    labels, image = case.read_volume("calcium_labels"), case.read_volume("calcium_image")
    assert isinstance(labels, Volume) and labels.array.shape == image.array.shape
    np.testing.assert_allclose(labels.affine, image.affine)
