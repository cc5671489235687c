"""One patient from DICOM to report, and real data. The phantom's truth stands beside the result, never inside the analysis."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from pypdf import PdfReader

from ccta.case import Case
from ccta.cli.demo import compared, nearest_stenosis
from ccta.cli.stages import NAMES, pipeline
from ccta.findings import Findings
from ccta.model import SEGMENTS, Unavailable
from ccta.runner import stale_stages
from ccta.settings import FlowSettings, Settings
from cfd.lumen import subtree
from cfd.pipeline import Anatomy, solve_flow
from tests.conftest import ROOT, run_ccta


@pytest.fixture(scope="module")
def found(phantom_case) -> Findings:
    return Case.open(phantom_case).findings()


def test_the_analysis_never_saw_the_truth(phantom_case, phantom_study):
    assert not list(phantom_study[0].rglob("truth.json")) and not list(phantom_case.parent.rglob("truth.json"))
    makers = ("phantom.py", "demo.py", "evaluate.py", "evaluate_segmentation.py", "evaluate_disease.py", "train.py")  # training sees none that is evaluated
    sources = [p for p in Path(ROOT / "ccta").rglob("*.py") if "phantom" not in p.parts and p.name not in makers]
    assert not [p for p in (*sources, *Path(ROOT / "cfd").rglob("*.py")) if re.search(r"truth\.json|ccta\.phantom", p.read_text())]


def test_all_files_of_the_case_are_there(phantom_case):
    names = {p.name for p in phantom_case.iterdir()}
    assert {"case.json", "image.nii.gz", "calcium_image.nii.gz", "heart.nii.gz", "coronary.nii.gz", "tree.vtp", "tree.json", "contours.vtp"} <= names
    assert {"surface.vtp", "pullback.json", "findings.json", "report.html", "report.pdf"} <= names
    assert not [name for name in names if name.startswith(".partial")]


def test_findings_follow_their_schema(phantom_case):
    data = json.loads((phantom_case / "findings.json").read_text())
    jsonschema.validate(data, Findings.model_json_schema(by_alias=True))
    assert data["schema"] == "1.0" and data["patient"]["id"]


def test_each_stage_is_recorded_and_current(phantom_case):
    case = Case.open(phantom_case)
    assert set(case.record()["stages"]) == set(NAMES)
    for name, entry in case.record()["stages"].items():
        assert entry["command"].startswith("ccta analyse") and entry["versions"]["ccta-workstation"], name
    flow = Settings().flow.__class__(model="rom")
    assert stale_stages(case, pipeline(), Settings(flow=flow)) == []


def test_the_main_arteries_are_named(found, phantom_study):
    true = {s["id"]: s["length_mm"] for s in phantom_study[1]["tree"]["segments"]}
    named = {s.id: s.length_mm for s in found.tree.segments}
    main = [i for i in (1, 2, 3, 5, 6, 7, 8, 11, 13) if i in true]
    assert set(main) <= set(named), f"of {main}, {sorted(set(main) - set(named))} were not found"
    assert found.tree.dominance == phantom_study[1]["tree"]["dominance"]
    assert sum(named.values()) > 0.8 * sum(true.values())


def test_the_severe_stenosis_is_found_where_it_is(found, phantom_study):
    worst = max(phantom_study[1]["stenoses"], key=lambda s: s["diameter_pct"])
    near = nearest_stenosis(found, worst)
    assert near is not None and SEGMENTS[near.segment][1] == worst["vessel"]
    assert near.diameter_pct == pytest.approx(worst["diameter_pct"], abs=15)


def test_no_second_vessel_is_called_severely_stenosed(found, phantom_study):
    true = {s["vessel"] for s in phantom_study[1]["stenoses"]}
    assert {s.vessel for s in found.stenoses if s.diameter_pct >= 50} <= true


def test_calcium_agrees_with_the_truth(found, phantom_study):
    assert found.calcium.agatston == pytest.approx(phantom_study[1]["calcium"]["agatston"], rel=0.25)
    assert {lesion.vessel for lesion in found.calcium.lesions} == {lesion["vessel"] for lesion in phantom_study[1]["calcium"]["lesions"]}


def test_flow_is_plausible(found, phantom_case):
    pullback = Case.open(phantom_case).pullback()
    assert pullback.mass_error < 1e-6
    assert all(0 < value <= 1.01 for branch in pullback.branches for value in branch.ffr)
    worst = max(found.stenoses, key=lambda s: s.diameter_pct)
    behind = found.ffr.vessels[worst.vessel].ffr
    assert not isinstance(behind, Unavailable) and behind == min(v.ffr for v in found.ffr.vessels.values() if not isinstance(v.ffr, Unavailable))


def test_report_says_what_was_found(found, phantom_case):
    text = "".join(page.extract_text() for page in PdfReader(phantom_case / "report.pdf").pages)
    html = (phantom_case / "report.html").read_text()
    for said in (found.cad_rads.text, "Research use", f"{found.calcium.agatston:.0f}"):
        assert said in text and said in html
    assert "http://" not in re.sub(r"http://www\.w3\.org", "", html)


def test_a_changed_setting_makes_later_stages_stale(phantom_case, tmp_path):
    case = tmp_path / "case"
    shutil.copytree(phantom_case, case)
    (case / "case.toml").write_text('[flow]\nmodel = "rom"\nsystolic_mmhg = 150.0\ndiastolic_mmhg = 90.0\n')
    assert run_ccta("flow", case, "--model", "rom") == 0
    assert Case.open(case).findings().ffr.pa_mmhg == pytest.approx(110.0, abs=0.1)
    assert "150" in (case / "report.html").read_text()


def test_a_stent_is_planned_and_the_case_stays_as_it_is(phantom_case, tmp_path, capsys):
    case = tmp_path / "case"
    shutil.copytree(phantom_case, case)
    assert run_ccta("flow", case, "--stent", "mLAD") == 0
    plan = json.loads((case / "plan.json").read_text())
    (lesion,) = [one for one in plan["ffr"] if one["place"].startswith("behind mLAD")]
    assert lesion["before"] == pytest.approx(Case.open(phantom_case).findings().ffr.vessels["LAD"].ffr, abs=1e-3)
    assert lesion["after"] > lesion["before"] + 0.05 and "before" in capsys.readouterr().out
    assert (case / "findings.json").read_bytes() == (phantom_case / "findings.json").read_bytes()
    assert run_ccta("flow", case, "--stent", "mLAD:1-2") == 2


def test_the_demo_table_has_a_row_per_truth(found, phantom_study):
    rows = compared(found, phantom_study[1])
    assert len([r for r in rows if r[0].startswith("stenosis in segment")]) == len(phantom_study[1]["stenoses"])
    assert all(len(row) == 3 and row[1] for row in rows)


def test_three_dimensional_flow_agrees_with_the_reduced_model(phantom_case):
    """On the right coronary artery as measured, with the part of the myocardium that it supplies (the left tree takes minutes: `make bench`)."""
    case = Case.open(phantom_case)
    whole, sections = case.read_tree(), case.read_sections()
    tree, index = subtree(whole, next(i for i, branch in enumerate(whole) if branch.name == "RCA"))
    own = [replace(sections[old], branch=new) for new, old in enumerate(index)]
    anatomy = Anatomy(tree, own, surface=case.read_surface(), lv_mass_g=30.0)
    settings = FlowSettings(interval_samples=20, elements_per_diameter=4.0)
    solved, reduced = (solve_flow(anatomy, settings, model).pullback for model in ("3d", "rom"))
    assert solved.model == "3d" and solved.mass_error < 1e-4
    for ours, theirs in zip(solved.branches, reduced.branches, strict=True):
        assert ours.ffr[-1] == pytest.approx(theirs.ffr[-1], abs=0.03), ours.name


def test_real_scan_is_read_and_refused_in_words(real_data, tmp_path):
    """1.5 mm voxels give heart and aorta, and no coronary arteries: a report that says so."""
    assert run_ccta("analyse", real_data / "patient_cta" / "ct_cropped.nii.gz", tmp_path / "case") == 0
    case = Case.open(tmp_path / "case")
    heart, findings = case.read_volume("heart"), case.findings()
    assert {1, 2, 6} <= set(np.unique(heart.array)), "LV, myocardium and aorta"
    for section in (findings.tree, findings.stenoses, findings.plaque, findings.ffr):
        assert isinstance(section, Unavailable) and "1.50 mm" in section.reason
    text = "".join(page.extract_text() for page in PdfReader(case.path("report_pdf")).pages)
    assert "1.50 mm" in text and "not available" in text.lower()


@pytest.mark.parametrize("side", ["lca", "rca"])
def test_real_coronary_tree_by_the_reduced_model(real_data, tmp_path, side):
    tree = real_data / "patient_tree"
    words = ("flow", "--surface", tree / "NARCO_119.stl", "--centerlines", tree / f"{side}_cl.vtp", tmp_path / "out", "--model", "rom")
    assert run_ccta(*words) == 0
    result = json.loads((tmp_path / "out" / "pullback.json").read_text())
    assert len(result["outlets"]) == {"lca": 5, "rca": 4}[side] and result["mass_error"] < 1e-6
    assert all(0.3 < branch["ffr"][-1] <= 1 for branch in result["branches"])


def test_real_coronary_tree_in_three_dimensions(real_data, tmp_path):
    tree = real_data / "patient_tree"
    assert run_ccta("flow", "--surface", tree / "NARCO_119.stl", "--centerlines", tree / "rca_cl.vtp", tmp_path / "out", "--model", "3d") == 0
    result = json.loads((tmp_path / "out" / "pullback.json").read_text())
    assert result["mass_error"] < 1e-3 and {"mesh.msh", "flow.vtu", "surface.vtp"} <= {p.name for p in (tmp_path / "out").iterdir()}
