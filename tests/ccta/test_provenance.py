"""`--resume` notices a changed input; the CCTA and the calcium series of a case are read, replaced and refused each by itself."""

import os
import re
import zipfile

import nibabel
import numpy as np
import pytest
import SimpleITK

from ccta.case import Case
from ccta.cli.stages import pipeline
from ccta.findings import Findings
from ccta.model import Unavailable
from ccta.reading import study
from ccta.reading.study import open_input, read
from ccta.report.content import build
from ccta.runner import StageResult, run_stages, select, stale_stages
from ccta.settings import ReadSettings, Settings
from tests.ccta.dicom_makers import SeriesSpec, chest_hu, write_series
from tests.conftest import run_ccta

STUDY, FRAME = "1.2.3.4", "1.2.3.4.5"


def ccta_spec(seed=0, **more) -> SeriesSpec:
    tags = {"SeriesDescription": "CCTA 75 %", "NominalPercentageOfCardiacPhase": 75.0, **more.pop("tags", {})}
    return SeriesSpec(chest_hu((64, 64, 70), seed=seed), spacing_mm=(5, 4, 1.0), tags=tags, study_uid=STUDY, frame_uid=FRAME, **more)


def calcium_spec(seed=0, **more) -> SeriesSpec:
    tags = {"SeriesDescription": "CaSc 3.0", **more.pop("tags", {})}
    return SeriesSpec(chest_hu((64, 64, 30), contrast=False, seed=seed), spacing_mm=(5, 4, 3.0), tags=tags, study_uid=STUDY, frame_uid=FRAME, **more)


def reading(source, case: Case, settings=None, resume=True, kinds=("ccta", "calcium")) -> dict[str, StageResult]:
    stages = select(pipeline(source, kinds), ["read", "read_calcium"] if len(kinds) == 2 else ["read_calcium"])
    return {r.name: r for r in run_stages(case, stages, settings or Settings(), lambda name: lambda message, share=None: None, resume)}


def statuses(results) -> list[str]:
    return [result.status for result in results.values()]


@pytest.fixture
def case(tmp_path) -> Case:
    return Case.create(tmp_path / "case")


@pytest.fixture
def folder(tmp_path):
    write_series(tmp_path / "study" / "a", ccta_spec())
    write_series(tmp_path / "study" / "b", calcium_spec())
    return tmp_path / "study"


def test_an_unchanged_folder_is_not_read_again_and_a_changed_series_is(folder, case):
    assert statuses(reading(folder, case)) == ["done", "done"]
    assert statuses(reading(folder, case)) == ["current", "current"]
    (folder / "notes.txt").write_text("no image")
    assert statuses(reading(folder, case)) == ["current", "current"]
    slice_ = next((folder / "b").iterdir())
    os.utime(slice_, ns=(1, 1))
    assert statuses(reading(folder, case)) == ["current", "done"]
    for path in (folder / "a").iterdir():
        path.unlink()
    other = ccta_spec(seed=7)
    write_series(folder / "a", other)
    assert statuses(reading(folder, case)) == ["done", "current"]
    np.testing.assert_array_equal(case.read_volume("image").array, other.hu)


def test_stages_can_run_twice(folder, case):
    stages = select(pipeline(folder), ["read", "read_calcium"])
    for _ in range(2):
        assert [r.status for r in run_stages(case, stages, Settings(), lambda name: lambda message, share=None: None)] == ["done", "done"]


def test_another_folder_is_read(folder, case, tmp_path):
    reading(folder, case)
    other = ccta_spec(seed=3)
    write_series(tmp_path / "other", other)
    results = reading(tmp_path / "other", case)
    assert statuses(results) == ["done", "refused"] and "no non-contrast CT" in results["read_calcium"].reason
    np.testing.assert_array_equal(case.read_volume("image").array, other.hu)
    assert not case.path("calcium_image").exists()


def test_a_calcium_series_that_arrives_later_is_read(folder, case, tmp_path):
    (folder / "b").rename(tmp_path / "later")
    assert statuses(reading(folder, case)) == ["done", "refused"]
    assert statuses(reading(folder, case)) == ["current", "current"]
    (tmp_path / "later").rename(folder / "b")
    assert statuses(reading(folder, case)) == ["current", "done"]


def test_a_changed_zip_is_read_again(folder, case, tmp_path):
    def pack(spec):
        write_series(tmp_path / spec.uid, spec)
        with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
            for path in (tmp_path / spec.uid).iterdir():
                archive.write(path, path.name)

    pack(ccta_spec())
    assert reading(tmp_path / "study.zip", case)["read"].status == "done"
    assert reading(tmp_path / "study.zip", case)["read"].status == "current"
    pack(ccta_spec(seed=5))
    assert reading(tmp_path / "study.zip", case)["read"].status == "done"


@pytest.mark.parametrize("name", ["a.nii.gz", "a.mha", "a.mhd"])
def test_an_image_file_is_known_by_its_content(tmp_path, case, name):
    path = tmp_path / name

    def write(seed):
        hu = chest_hu((64, 64, 30), seed=seed)
        if ".nii" in name:
            nibabel.Nifti1Image(hu, np.diag([5.0, 4, 3, 1])).to_filename(path)
        else:
            image = SimpleITK.GetImageFromArray(np.ascontiguousarray(hu.T))
            image.SetSpacing([5.0, 4, 3])
            SimpleITK.WriteImage(image, str(path))

    write(0)
    first = read(open_input(path).series[0]).acquisition.series_uid
    assert re.fullmatch(r"2\.25\.\d{1,39}", first)
    assert reading(path, case)["read"].status == "done" and reading(path, case)["read"].status == "current"
    write(1)
    assert reading(path, case)["read"].status == "done"
    assert case.findings().acquisition.series_uid not in (first, "")
    write(0)
    assert read(open_input(path).series[0]).acquisition.series_uid == first


def regions_of(value: int, path):
    labels = np.zeros((64, 64, 30), np.uint8)
    labels[30:34, 30:34, 10:12] = value
    nibabel.Nifti1Image(labels, np.diag([-1.0, -1, 1, 1]) @ calcium_spec().affine).to_filename(path)


def test_a_changed_file_of_regions_is_read_again(folder, case, tmp_path):
    settings = Settings(read=ReadSettings(calcium_regions=str(tmp_path / "labels.nii")))
    regions_of(2, tmp_path / "labels.nii")
    assert statuses(reading(folder, case, settings)) == ["done", "done"]
    assert statuses(reading(folder, case, settings)) == ["current", "current"]
    regions_of(4, tmp_path / "labels.nii")
    assert statuses(reading(folder, case, settings)) == ["current", "done"]
    assert case.read_volume("calcium_regions").array.max() // 1000 == 4


def test_the_command_with_resume_takes_changed_regions(folder, tmp_path):
    for artery in (2, 4):
        regions_of(artery, tmp_path / "labels.nii")
        assert run_ccta("calcium", folder, tmp_path / "case", "--regions", tmp_path / "labels.nii", "--resume") == 0
        assert Case.open(tmp_path / "case").read_volume("calcium_regions").array.max() // 1000 == artery


def snapshot(case: Case) -> dict:
    return {item: case.digest(item) for item in ("image", "heart", "tree", "findings.acquisition", "findings.patient", "findings.heart", "findings.tree")}


@pytest.fixture
def analysed(tmp_path, case) -> Case:
    """A case of a CCTA alone, with what `segment` could make of it."""
    write_series(tmp_path / "ccta", ccta_spec())
    assert run_ccta("analyse", tmp_path / "ccta", case.root, "--flow", "none") == 0
    return case


def test_calcium_beside_an_analysed_ccta_leaves_it_alone(analysed, tmp_path):
    """From a folder without and with a CCTA of its own: the case's image, its stages and its patient stay, the calcium comes."""
    before, stages = snapshot(analysed), analysed.record()["stages"]
    assert isinstance(analysed.findings().calcium_acquisition, Unavailable)
    write_series(tmp_path / "b", calcium_spec(tags={"PatientName": "Other^Spelling"}))
    for other_ccta in (False, True):
        if other_ccta:
            write_series(tmp_path / "b" / "another", ccta_spec(seed=9))
        assert run_ccta("calcium", tmp_path / "b", analysed.root) == 0
        assert analysed.findings().calcium_acquisition.series_description == "CaSc 3.0" and snapshot(analysed) == before
        recorded = analysed.record()["stages"]
        assert all(recorded[name] == stages[name] for name in ("read", "segment", "tree", "measure"))
        assert not {"read", "segment", "tree", "measure", "flow"} & set(stale_stages(analysed, pipeline(), Settings()))


def test_calcium_of_another_patient_is_refused(analysed, tmp_path, capsys):
    before = {path.name: path.read_bytes() for path in analysed.root.iterdir()}
    write_series(tmp_path / "b", calcium_spec(tags={"PatientID": "T2"}))
    assert run_ccta("calcium", tmp_path / "b", analysed.root) == 2
    assert "is of patient T2" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in analysed.root.iterdir()} == before


def test_calcium_alone_does_not_read_the_ccta(folder, tmp_path, monkeypatch):
    seen, real = [], study.read_volume
    monkeypatch.setattr(study, "read_volume", lambda images, progress=None: seen.append(len(images)) or real(images, progress))
    assert run_ccta("calcium", folder, tmp_path / "case") == 0
    assert seen == [30] and not (tmp_path / "case" / "image.nii.gz").exists()


@pytest.fixture(params=["missing slice", "truncated", "undecodable"])
def fault(request):
    def break_(folder, spec) -> str:
        paths = write_series(folder, spec)
        if request.param == "missing slice":
            paths[8].unlink()
            return "1 slice is missing"
        content = paths[8].read_bytes()
        if request.param == "truncated":
            paths[8].write_bytes(content[:-500])
            return f"{paths[8].name} is truncated"
        paths[8].write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.50"[:20]))
        return paths[8].name

    return break_


def test_a_faulty_ccta_leaves_the_calcium_score(tmp_path, fault):
    words = fault(tmp_path / "study" / "a", ccta_spec())
    write_series(tmp_path / "study" / "b", calcium_spec())
    assert run_ccta("analyse", tmp_path / "study", tmp_path / "case") == 0
    found = Case.open(tmp_path / "case").findings()
    assert words in found.acquisition.reason and words in found.quality.reason and words in found.stenoses.reason
    assert found.calcium_acquisition.series_description == "CaSc 3.0" and found.patient.id == "T1"
    assert words not in getattr(found.calcium, "reason", "")
    report = (tmp_path / "case" / "report.html").read_text()
    assert words in report and "CaSc 3.0" in report


def test_a_faulty_calcium_series_leaves_the_ccta(tmp_path, fault):
    write_series(tmp_path / "study" / "a", ccta_spec())
    words = fault(tmp_path / "study" / "b", calcium_spec())
    assert run_ccta("analyse", tmp_path / "study", tmp_path / "case", "--flow", "none") == 0
    case = Case.open(tmp_path / "case")
    found = case.findings()
    assert words in found.calcium_acquisition.reason and words in found.calcium.reason and words in found.calcium_quality.reason
    assert found.acquisition.series_description == "CCTA 75 %" and case.path("heart").exists() | isinstance(found.heart, Unavailable)


def test_two_faulty_series_are_bad_input_that_names_both(tmp_path, capsys):
    first = write_series(tmp_path / "study" / "a", ccta_spec())
    second = write_series(tmp_path / "study" / "b", calcium_spec())
    first[5].unlink()
    second[5].write_bytes(second[5].read_bytes()[:-500])
    assert run_ccta("analyse", tmp_path / "study", tmp_path / "case") == 2
    said = capsys.readouterr().err
    assert "1 slice is missing" in said and f"{second[5].name} is truncated" in said and "Traceback" not in said
    assert [path.name for path in (tmp_path / "case").iterdir()] == ["case.json"]


def test_a_faulty_calcium_series_is_bad_input_where_nothing_else_was_asked_for(folder, tmp_path, capsys):
    next((folder / "b").iterdir()).unlink()
    list((folder / "b").iterdir())[10].unlink()
    assert run_ccta("calcium", folder, tmp_path / "case") == 2
    assert "missing" in capsys.readouterr().err and [path.name for path in (tmp_path / "case").iterdir()] == ["case.json"]


def test_the_verdict_on_the_calcium_series_is_told_beside_that_on_the_ccta(folder, case):
    reading(folder, case)
    found = case.findings()
    assert found.task_verdicts == {"calcium": found.calcium_quality.verdict} and Findings().task_verdicts == {}
    facts = dict(next(s for s in build(found).sections if s.title == "Image quality").facts)
    assert "calcium" in next(iter(facts)) and found.calcium_quality.verdict.removeprefix("good") in next(iter(facts.values()))
