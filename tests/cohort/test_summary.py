"""Tables of a cohort and their summary, on findings made by hand."""

import json

import numpy as np
import pandas
import pytest
from pyarrow import parquet

from ccta.cohort.comparison import bland_altman, roc, weighted_kappa
from ccta.cohort.dictionary import definition_of, field_docs, unit_of
from ccta.cohort.live_page import warnings_of
from ccta.cohort.record import start_cohort
from ccta.cohort.storage import Place
from ccta.cohort.summary import parse_pair
from ccta.cohort.table import Study
from ccta.cohort.tables import COLUMNS, write_tables
from ccta.errors import BadInput
from ccta.findings import Quality, Stenosis
from tests.ccta.example_findings import example_findings
from tests.conftest import run_ccta

FULL = example_findings()


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Twelve copies of the example findings with FFR and CAD-RADS of their own, and a case that never began."""
    root = tmp_path_factory.mktemp("cohort") / "out"
    studies = tuple(Study(f"p{k:02d}", "x", {}, {"note.site": "north"} if k == 0 else {}) for k in range(13))
    start_cohort(Place(str(root)), studies, {}, False)
    for k, study in enumerate(studies[:12]):
        vessels = {name: value.model_copy(update={"ffr": round(0.6 + 0.03 * k, 2)}) for name, value in FULL.ffr.vessels.items()}
        ffr = FULL.ffr.model_copy(update={"vessels": vessels})
        rads = FULL.cad_rads.model_copy(update={"category": ("2", "3", "4A")[k % 3]})
        (root / "cases" / study.id).mkdir(parents=True)
        (root / "cases" / study.id / "findings.json").write_text(FULL.model_copy(update={"ffr": ffr, "cad_rads": rads}).model_dump_json())
        entry = {"settings": {}, "versions": {"ccta-workstation": "1"}, "inputs": {"image": "ab"}, "outputs": {}, "seconds": k}
        (root / "cases" / study.id / "case.json").write_text(json.dumps({"stages": {"read": entry}}))
    write_tables(Place(str(root)))
    return root


def test_every_level_is_tidy_and_every_column_explained(cohort):
    frames = {level: pandas.read_parquet(cohort / "tables" / f"{level}.parquet") for level in COLUMNS}
    assert len(frames["patient"]) == 13 and frames["patient"]["provenance"].nunique() == 2  # "" of the case that never began; times do not count
    assert len(frames["lesion"]) == 12 * len(FULL.stenoses) and len(frames["segment"]) == 12 * len(FULL.tree.segments)
    assert not frames["vessel"].duplicated(["id", "vessel"]).any() and frames["patient"].loc[0, "note.site"] == "north"
    dictionary = pandas.read_csv(cohort / "tables" / "dictionary.csv")
    for level, frame in frames.items():
        assert list(dictionary.loc[dictionary["table"] == level, "name"]) == list(frame.columns)
        csv = pandas.read_csv(cohort / "tables" / f"{level}.csv")
        assert list(csv.columns) == list(frame.columns) and len(csv) == len(frame)
    assert dictionary["definition"].str.len().min() > 8
    field = parquet.read_schema(cohort / "tables" / "lesion.parquet").field("mld_mm")
    assert field.metadata[b"unit"] == b"mm"


def test_the_dictionary_takes_units_from_names_and_words_from_the_schema():
    assert (unit_of("mla_mm2"), unit_of("flow_ml_min"), unit_of("kernel"), unit_of("fai_hu")) == ("mm²", "mL/min", "", "HU")
    assert definition_of("lesion", "position_mm") == field_docs(Stenosis)["position_mm"] and "minimal lumen" in definition_of("lesion", "position_mm")
    assert "contrast timing" in field_docs(Quality)["rv_lv_ratio"]


def test_what_needs_a_person_is_said():
    found = json.loads(FULL.model_dump_json())
    found["quality"]["verdict"] = {"ffr": "too noisy for FFR.", "anatomy": "good", "calcium": "it is contrast-enhanced"}
    found["calcium_quality"] = {"unavailable": "no calcium series was read"}
    found["ffr"]["vessels"] = {"LAD": {"ffr": 0.78}}
    found["stenoses"] = [{"diameter_pct": 82.0}]
    assert warnings_of(found) == ["too noisy for FFR.", "stenosis of 82 %", "FFR 0.78 lies in the grey zone"]
    assert warnings_of({"quality": {"unavailable": "x"}, "stenoses": []}) == []


def test_the_summary_compares_with_the_researchers_columns(cohort, tmp_path, capsys):
    rows = [f"p{k:02d},{0.6 + 0.03 * k + (0.02 if k % 2 else -0.01):.3f},{('2', '3', '4A')[k % 3] if k else '3'}" for k in range(12)]
    (tmp_path / "lab.csv").write_text("id,invasive,reader\n" + "\n".join(rows))
    pairs = ("--columns", "ffr=invasive:0.80", "--columns", "cad_rads_category=reader")
    assert run_ccta("cohort", "summary", cohort, "--reference", tmp_path / "lab.csv", *pairs, "--json") == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    ffr, rads = answer["comparisons"]
    assert ffr["pairs"] == 12 and ffr["bland_altman"]["bias"] == pytest.approx(-0.005, abs=1e-3) and ffr["roc"]["positives"] == 7
    assert ffr["roc"]["auc"] == 1.0 and ffr["roc"]["interval"][0] < 0.7 and 0.8 < rads["kappa"]["kappa"] < 1
    names = {path.name for path in (cohort / "summary").iterdir()}
    assert {"index.html", "summary.json", "0_ffr_bland_altman.png", "0_ffr_roc.svg", "1_cad_rads_category_kappa.png", "distribution_ffr.png"} <= names
    assert run_ccta("cohort", "summary", cohort, "--reference", tmp_path / "lab.csv", "--columns", "ffr=nothing") == 2
    assert "there is no column 'nothing'" in capsys.readouterr().err


def test_bland_altman_by_hand():
    found = bland_altman(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 4.0]))
    assert (found.bias, found.sd) == (0.0, 1.0) and found.limits == (-1.96, 1.96)
    assert found.bias_interval[1] == pytest.approx(4.3027 / np.sqrt(3), abs=1e-3)  # Student's t with 2 degrees of freedom


def test_roc_by_hand():
    """Three of four pairs are ordered rightly."""
    found = roc(np.array([0.9, 0.4, 0.5, 0.1]), np.array([True, True, False, False]))
    assert found.auc == 0.75 and found.interval[0] < 0.75 < found.interval[1]
    assert np.trapezoid(found.true_positive, found.false_positive) == pytest.approx(found.auc)
    with pytest.raises(ValueError, match="at least two positives"):
        roc(np.arange(4.0), np.array([True, False, False, False]))


def test_delongs_interval_covers_the_truth():
    rng = np.random.default_rng(3)
    truth, hits = 0.7602, 0  # of two normal distributions one standard deviation apart: Phi(1 / sqrt 2)
    for _ in range(200):
        score = np.concatenate([rng.normal(1, 1, 30), rng.normal(0, 1, 40)])
        low, high = roc(score, np.arange(70) < 30).interval
        hits += low <= truth <= high
    assert 180 <= hits <= 199


def test_kappa_orders_categories_and_counts():
    found = weighted_kappa(["1", "10", "2", "2"], ["1", "10", "2", "1"])
    assert found.categories == ("1", "2", "10") and found.table.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]] and found.exact == 0.75
    assert found.interval[0] <= found.kappa <= found.interval[1]


@pytest.mark.parametrize("text", ["ffr", "=x", "ffr=", "ffr=x:y"])
def test_a_pair_that_is_none_is_refused(text):
    with pytest.raises(BadInput, match="write MEASURED=REFERENCE"):
        parse_pair(text)
