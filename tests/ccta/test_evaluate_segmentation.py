"""`ccta evaluate segmentation`: the phantom's truth against itself and against a finished case, tiny data sets end to end, tables that can fail, bad roots."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ccta.case import Case
from ccta.cli.evaluate_segmentation import FIRST_SEED, annotated, found_in
from ccta.cli.segmentation_tables import tables
from ccta.coordinates import to_patient_mm
from ccta.metrics.case_score import CaseScore, Found, LumenScore, StructureScore, score
from ccta.metrics.centerlines import MISSED, Overlap
from ccta.model import Volume
from ccta.phantom.patient import make_patient
from ccta.phantom.study import load_spec
from tests.ccta import dataset_makers as make
from tests.conftest import ROOT, run_ccta

SPEC = load_spec(ROOT / "data_samples" / "patient.json")


def test_the_truth_agrees_with_itself():
    """On voxels of 1 mm; the label map of the heart is put together again from its structures."""
    patient = make_patient(5, SPEC.patient)
    affine = np.eye(4)
    affine[:3, 3] = np.array(SPEC.ccta.center_mm) - [80, 80, 60]
    image, annotation = annotated(patient, Volume(np.zeros((160, 160, 120), np.int16), affine))
    heart = sum(n * annotation.structures[name] for n, name in enumerate(("lv", "myocardium", "rv", "la", "ra", "aorta", "pulmonary_artery"), 1))
    lumen = annotation.structures["lumen"]
    scored = score("itself", Found(image.affine, heart.astype(np.uint8), lumen.astype(np.uint8), patient.tree.continued()), annotation)
    assert all(one.dice == 1.0 and one.hd95_mm == 0.0 for one in scored.structures.values()) and set(scored.branch_dice.values()) == {1.0}
    assert scored.lumen == LumenScore(1.0, (0, 0, 0), 0) and all(
        o.ov == o.of == o.ot == 1.0 and o.ai_mm < 0.02 for _, o in scored.vessels
    )  # half a sampling step
    assert {"LM", "LAD", "LCx", "RCA", "D1"} <= set(scored.branch_dice)
    aorta, atrium = (to_patient_mm(np.argwhere(annotation.structures[name]), affine)[:, 1] for name in ("aorta", "la"))
    assert aorta.max() < atrium.max()  # the descending aorta, behind the left atrium, is none of ours


def test_the_pipelines_result_is_near_the_truth_and_not_the_truth(phantom_case):
    """The patient that the shared phantom case shows."""
    case = Case.open(phantom_case)
    image, annotation = annotated(make_patient(5, SPEC.patient), case.read_volume("image"))
    scored = score("case", Found(image.affine, case.read_volume("heart").array, case.read_volume("coronary").array, case.read_tree()), annotation)
    assert 0.7 < scored.structures["lumen"].dice < 1 and 0.85 < scored.lumen.cl_dice < 1
    assert 0 < scored.structures["lumen"].mean_mm < 1 and scored.structures["lv"].dice > 0.85
    main = [overlap for name, overlap in scored.vessels if name in ("LAD", "LCx", "RCA")]
    assert len(main) == 3 and all(o.ot > 0.9 and 0 < o.ai_mm < 0.5 for o in main)


@pytest.mark.parametrize("layout", ["imagecas-x", "cat08", "mmwhs", "files"])
def test_a_data_set_is_evaluated_to_the_end_where_everything_is_refused(layout, tmp_path, capsys):
    """No heart is in the tiny images: Dice 0, vessels missed, the reason beside the case."""
    root = make.MAKERS[layout](tmp_path)
    assert run_ccta("evaluate", "segmentation", root, "--dataset", layout, "--processes", "1", "--json") == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    case = said["cases"][0]
    assert case["refusals"] and all(one["dice"] == 0 and one["hd95_mm"] is None for one in case["structures"].values())
    assert all(overlap == {"ov": 0.0, "of": 0.0, "ot": 0.0, "ai_mm": None} for _, overlap in case["vessels"])
    assert bool(case["vessels"]) == (layout in ("imagecas-x", "cat08")) and said["left_out"] == {}
    if layout == "imagecas-x":
        assert case["branch_dice"] == {"LM": 0.0, "LAD": 0.0, "D1": 0.0} and "CAS-Net 0.912" in str(said["tables"])


def test_a_case_whose_files_do_not_fit_is_left_out_and_named(tmp_path, capsys):
    root = make.imagecas(tmp_path)
    moved = make.image().affine.copy()
    moved[:3, 3] += 100.0
    make.nifti(root / "1-200" / "2.label.nii.gz", make.lumen(), moved)
    words = ("evaluate", "segmentation", root, "--dataset", "imagecas", "--processes", "1", "--split")
    assert run_ccta(*words, "all") == 0
    out, err = capsys.readouterr()
    assert "left out 2: " in err and "outside the image" in err and "cases left out" in out
    assert run_ccta(*words, "train") == 2  # none is left
    assert "2.label.nii.gz lies to 100 % outside" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--dataset", "asoca"], "give the folder of the data set"),
        ([".", "--dataset", "phantom"], "phantoms are made, not read"),
        (["EMPTY", "--dataset", "mmwhs"], "holds no mmwhs case with its truth"),
        (["EMPTY/none", "--dataset", "mmwhs"], "does not exist"),
        (["EMPTY", "--dataset", "miccai"], "'miccai' is not one of"),
    ],
)
def test_a_bad_root_is_one_sentence(words, sentence, tmp_path, capsys):
    assert run_ccta("evaluate", "segmentation", *[word.replace("EMPTY", str(tmp_path)) for word in words]) == 2
    assert sentence in capsys.readouterr().err.strip().splitlines()[-1]


GOOD = StructureScore(0.97, 0.5, 0.1)


def scores(**changes) -> list[CaseScore]:
    """Two good cases, the second with changes."""
    structures = dict.fromkeys(("lv", "myocardium", "rv", "la", "ra", "aorta", "pulmonary_artery", "lumen"), GOOD)
    good = CaseScore("a", 22.0, structures, LumenScore(0.98, (0, 0, 0), 0), {"LAD": 0.95}, (("LAD", Overlap(0.99, 0.99, 1.0, 0.1)),), ())
    return [good, replace(good, name="b", **changes)]


def failing(made) -> list[str]:
    return [row[0] for row in made[0][2] if row[5] == "no"]


def test_the_table_of_a_good_segmentation_reaches_its_goals():
    made = tables("phantom", scores(), 0)
    assert (
        failing(made) == [] and [row[5] for row in made[0][2]].count("yes") == 12
    )  # lumen Dice, clDice, HD95, false branches, seven of the heart, none refused
    assert ["LAD", "2", "0.950", "0.990", "0.990", "1.000", "0.10"] in made[3][2]


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({"structures": {**scores()[0].structures, "lumen": StructureScore(0.6, 4.0, 0.1)}}, ["lumen Dice", "lumen HD95, mm"]),
        ({"structures": {**scores()[0].structures, "ra": StructureScore(0.8, 0.5, 0.1)}}, ["ra Dice"]),
        ({"lumen": LumenScore(0.7, (0, 0, 0), 4)}, ["lumen clDice", "false branches in a case"]),
        (
            {"structures": {**scores()[0].structures, "lumen": StructureScore(0.0, None, None)}, "refusals": ("noise",)},
            ["lumen Dice", "cases refused in part (what was refused scores 0)"],
        ),
    ],
)
def test_the_table_can_fail(changes, rows):
    assert failing(tables("phantom", scores(**changes), 0)) == rows


def test_a_missed_vessel_lowers_the_overlap_and_has_no_distance():
    made = dict((title, rows) for title, _, rows in tables("cat08", scores(vessels=(("LAD", MISSED),)), 0))
    row = {r[0]: r for r in made["segmentation, cat08, 2 cases"]}
    assert row["centerline overlap (OV)"][1:3] == ["0.495", "0.000"] and "Wolterink" in row["centerline overlap (OV)"][4]
    assert row["centerline distance inside (AI), mm"][1] == "0.10"


def test_noise_groups_and_what_was_left_out():
    made = tables("imagecas", scores(noise_hu=None), 3)
    assert [(row[0], row[1]) for row in made[-1][2]] == [("20-30 HU", "1"), ("not measured", "1")]
    assert ["cases left out: their files cannot be used", "3", "", "", "–", "–"] in made[0][2]


def test_an_image_without_a_heart_gives_reasons_and_no_masks():
    found = found_in(make.image(), arteries=True)
    assert found.heart is None and found.coronary is None and found.tree is None and found.refusals


def test_evaluate_segmentation_is_a_command(capsys):
    assert run_ccta("evaluate", "segmentation", "--help") == 0
    assert "--dataset" in capsys.readouterr().out and 1080 + 40 <= FIRST_SEED <= 1200 - 20
