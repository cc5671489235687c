"""`ccta calcium` end to end on a small DICOM series: automatic, with a reader's regions, and its report page; `ccta evaluate calcium`'s table."""

import io
import plistlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from ccta.calcium_editing import correct, correct_by_report
from ccta.case import Case
from ccta.cli import evaluate
from ccta.cli.evaluate import PatientResult, summary
from ccta.coordinates import to_patient_mm
from ccta.model import Volume
from ccta.phantom.calcium_truth import calcium_points_mm, lesion_of
from ccta.phantom.cohort import calcium_patient
from ccta.phantom.scanner import scan
from ccta.report.calcium_cuts import lesion_cuts, pages_of
from ccta.report.content import build
from ccta.report.dicom_objects import write_objects
from ccta.report.pictures import make_pictures
from tests.ccta.dicom_makers import SeriesSpec, write_series
from tests.ccta.reference_scorer import inside_polygon, reference_agatston
from tests.conftest import run_ccta

VALIDATOR = Path(sys.executable).parent / "dciodvfy"
SQUARE = ((-8, -8), (9, -8), (9, 9), (-8, 9))


@pytest.fixture(scope="module")
def patient():
    """Two calcified plaques of the LAD; aortic and mitral calcium."""
    return calcium_patient(103)


@pytest.fixture(scope="module")
def volume(patient) -> Volume:
    return scan(patient[0], replace(patient[1], shape=(264, 264, 44), pixel_mm=0.8))


@pytest.fixture(scope="module")
def place_mm(patient) -> np.ndarray:
    """The middle of one true lesion."""
    return np.array(lesion_of(patient[0], next(n for n, plaque in enumerate(patient[0].plaques) if plaque.spec.kind != "soft"), patient[1]).center_mm)


@pytest.fixture(scope="module")
def study(volume, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    spec = SeriesSpec(volume.array, origin_mm=tuple(volume.affine[:3, 3]), spacing_mm=tuple(volume.spacing_mm), tags={"SeriesDescription": "CaSc 3.0 Qr36"})
    write_series(folder, spec)
    return folder


@pytest.fixture(scope="module")
def automatic(study, tmp_path_factory) -> Case:
    root = tmp_path_factory.mktemp("case") / "case"
    assert run_ccta("calcium", study, root) == 0
    return Case.open(root)


def reader_file(volume: Volume, place_mm, path, name="Left Anterior Descending Artery"):
    """A square about the calcium on two of its slices."""
    i, j, k = np.rint((place_mm - volume.affine[:3, 3]) / volume.spacing_mm).astype(int)
    drawn, inside = [], np.zeros(volume.array.shape, bool)
    for slice_ in (k, k + 1):
        corners = [(i + a + 0.3, j + b + 0.2) for a, b in SQUARE]
        points = to_patient_mm(np.array([[*c, slice_] for c in corners]), volume.affine)
        roi = {"Name": name, "NumberOfPoints": 4, "Point_mm": [f"({x:.4f}, {y:.4f}, {z:.4f})" for x, y, z in points]}
        drawn.append({"ImageIndex": 0, "NumberOfROIs": 1, "ROIs": [roi]})
        for a in range(i - 12, i + 13):
            for b in range(j - 12, j + 13):
                inside[a, b, slice_] = inside_polygon(a, b, corners)
    path.write_bytes(plistlib.dumps({"Images": drawn}))
    return inside


def test_automatic(automatic):
    found = automatic.findings().calcium
    assert found.vessels["LAD"] == found.agatston > 50
    low, high = found.agatston_interval
    assert low <= found.agatston <= high and high > low
    assert not automatic.path("calcium_regions").exists()


def test_with_a_readers_regions(study, volume, place_mm, tmp_path):
    """Exactly the two slices that were drawn on, although the calcium has more."""
    inside = reader_file(volume, place_mm, tmp_path / "reader.xml")
    assert run_ccta("calcium", study, tmp_path / "case", "--regions", tmp_path / "reader.xml") == 0
    case = Case.open(tmp_path / "case")
    found = case.findings().calcium
    assert found.agatston == pytest.approx(reference_agatston(volume.array.astype(float), inside, volume.spacing_mm), rel=1e-6)
    assert [x.source for x in found.lesions] == ["reader"] and "a reader drew" in found.method
    assert run_ccta("calcium", study, tmp_path / "case") == 0  # without regions again: automatic, the drawn ones are gone
    again = Case.open(tmp_path / "case")
    assert again.findings().calcium.agatston > found.agatston and not again.path("calcium_regions").exists()


def test_bad_regions_are_refused_before_anything_is_scored(study, volume, place_mm, tmp_path, capsys):
    assert run_ccta("calcium", study, tmp_path / "case", "--regions", tmp_path / "none.xml") == 2
    assert "does not exist" in capsys.readouterr().err and not (tmp_path / "case").exists()
    reader_file(volume, place_mm, tmp_path / "reader.xml", name="Aorta")
    assert run_ccta("calcium", study, tmp_path / "case", "--regions", tmp_path / "reader.xml") == 2
    assert "'Aorta'" in capsys.readouterr().err and not (tmp_path / "case" / "findings.json").exists()


def test_the_report_has_a_picture_of_every_lesion_with_its_outline(automatic):
    found = automatic.findings()
    image, labels = automatic.read_volume("calcium_image"), automatic.read_volume("calcium_labels")
    cuts = lesion_cuts(image, labels, found.calcium)
    assert len(cuts) == len(found.calcium.lesions) == 2
    assert cuts[0].scored.sum() == ((labels.array == 1) & (image.array >= 130)).sum(axis=(0, 1)).max()
    rows, columns = np.nonzero(cuts[0].scored)
    assert abs(np.median(rows) - cuts[0].hu.shape[0] / 2) < 3 and abs(np.median(columns) - cuts[0].hu.shape[1] / 2) < 3
    content = build(found, make_pictures(found, calcium=cuts))
    section = next(s for s in content.sections if s.title == "Coronary calcium")
    assert "calcium_1" in [p.key for p in section.pictures]
    assert section.tables[1].rows[0][1].text == "LAD" and dict(section.facts)["Spread of the score"].endswith("happens to lie")
    pixels = np.asarray(Image.open(io.BytesIO(content.pictures["calcium_1"])).convert("RGB")).astype(int)
    red = (pixels[..., 0] > 200) & (pixels[..., 1] < 110) & (pixels[..., 2] < 110)
    assert red.sum() > 50
    assert "data:image/png;base64," in automatic.path("report_html").read_text() and automatic.path("report_pdf").stat().st_size > 20_000


def test_many_lesions_take_several_pictures(automatic):
    found = automatic.findings()
    cut = lesion_cuts(automatic.read_volume("calcium_image"), automatic.read_volume("calcium_labels"), found.calcium)[0]
    assert [len(page) for page in pages_of((cut,) * 47)] == [20, 20, 7]


def results(**changes) -> list[PatientResult]:
    good = {"lesions": 2, "detected": 2, "right": 2, "assigned": 2, "false": 0}
    scores = (0.0, 0.0, 50.0, 150.0, 400.0, 900.0)
    made = [PatientResult(seed=n, truth=s, found=s, **(good if s else dict.fromkeys(good, 0))) for n, s in enumerate(scores)]
    return [*made[:-1], PatientResult(**(vars(made[-1]) | changes))]


def reached(rows) -> list[str]:
    return [row[3] for row in rows]


def test_the_table_of_a_perfect_score():
    assert reached(summary(results(), 5.0)) == ["yes"] * 5 + ["–"] + ["yes"] * 3


@pytest.mark.parametrize("changes, failing", [
    ({"found": 300.0}, [0]), ({"found": 90.0}, [0, 1]), ({"assigned": 0}, [2]), ({"detected": 0}, [3]), ({"false": 4}, [4]),
    ({"truth": 0.0, "found": 3.0, "lesions": 0, "detected": 0, "right": 0, "assigned": 0}, [1, 6]),
    ({"truth": 0.0, "found": 0.0, "lesions": 0, "detected": 0, "right": 0, "assigned": 0, "refusal": "no heart"}, [1, 6, 7]),
    ({"found": 0.0, "detected": 0, "right": 0, "assigned": 0, "refusal": "no heart"}, [0, 1, 3, 7]),
])  # fmt: skip
def test_the_table_can_fail(changes, failing):
    assert [n for n, said in enumerate(reached(summary(results(**changes), 5.0))) if said == "no"] == failing
    assert reached(summary(results(), 9.0))[8] == "no"


def test_second_pieces_are_said():
    assert summary(results(pieces=3), 5.0)[5][1] == "0.50"


def test_true_calcium_lies_where_its_lesion_is():
    patient, series = calcium_patient(103)
    for number, plaque in enumerate(patient.plaques):
        if plaque.spec.kind != "soft":
            points, lesion = calcium_points_mm(patient, number), lesion_of(patient, number, series)
            apart = np.linalg.norm(points - lesion.center_mm, axis=1)
            assert apart.min() < 3 and 0.3 * plaque.spec.length_mm < apart.max() < 0.5 * plaque.spec.length_mm + 4


def test_one_patient_has_no_agreement(capsys):
    assert run_ccta("evaluate", "calcium", "--patients", "1") == 2
    assert "--patients" in capsys.readouterr().err


def test_evaluate_is_a_command(capsys):
    assert run_ccta("evaluate", "calcium", "--help") == 0
    assert "ccta evaluate calcium --patients 40" in capsys.readouterr().out and evaluate.FIRST_SEED == 1160


def test_a_report_of_ours_brings_its_lesions_back(study, automatic, tmp_path, capsys):
    """Lesions read by hand, as regions and as corrections of a fresh list: the same score of the same arteries."""
    read = Case.open(shutil.copytree(automatic.root, tmp_path / "read"))
    correct(read, 1, "not coronary", "Dr Li"), correct(read, 2, "RCA", "Dr Li")
    sr = next(path for path in write_objects(read) if path.stem == "sr_measurements")
    told = subprocess.run([VALIDATOR, sr], capture_output=True, text=True, check=False)
    assert "Error" not in told.stdout + told.stderr
    theirs = read.findings().calcium
    assert run_ccta("calcium", study, tmp_path / "regions", "--regions", sr) == 0
    ours = Case.open(tmp_path / "regions").findings().calcium
    assert ours.vessels == pytest.approx(theirs.vessels) and "a reader drew" in ours.method and theirs.vessels["RCA"] > 0
    assert [(x.vessel, round(x.volume_mm3, 3), x.source) for x in ours.lesions] == [(x.vessel, round(x.volume_mm3, 3), "reader") for x in theirs.lesions]
    copy = Case.open(shutil.copytree(automatic.root, tmp_path / "copy"))
    edits, left_out = correct_by_report(copy, sr, "Dr Wang")
    assert (len(edits), left_out) == (2, []) and copy.findings().calcium.vessels == theirs.vessels
    other = dcmread(sr)
    other.PatientID = "somebody"
    other.save_as(tmp_path / "other.dcm")
    assert run_ccta("calcium", study, tmp_path / "none", "--regions", tmp_path / "other.dcm") == 2
    assert "another patient" in capsys.readouterr().err and not (tmp_path / "none" / "findings.json").exists()
