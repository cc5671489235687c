"""DICOM objects of a case: valid by dciodvfy, read back by dcmtk and highdicom, tied to the study, the same instance when made twice."""

import shutil
import subprocess
import sys
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread

from ccta.case import Case
from ccta.errors import BadInput
from ccta.reading.label_names import case_labels
from ccta.reading.structured_reports import measurements_of
from ccta.report import signing
from ccta.report.dicom_documents import rejection_note
from ccta.report.dicom_objects import write_objects
from ccta.report.dicom_origin import Origin
from tests.ccta.dicom_case import FRAME, NAME, STUDY, report, write_dicom_case
from tests.conftest import run_ccta

KINDS = {"seg_heart", "seg_coronary", "seg_calcium", "sr_measurements", "pdf_report", "sc_1", "ko_key_objects"}
VALIDATOR = Path(sys.executable).parent / "dciodvfy"


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    return write_dicom_case(tmp_path_factory.mktemp("dicom") / "case")


@pytest.fixture(scope="module")
def files(case) -> dict[str, Path]:
    return {path.stem: path for path in write_objects(case)}


def test_every_kind_is_there_and_valid_by_dciodvfy(files):
    assert set(files) >= KINDS
    for path in files.values():
        told = subprocess.run([VALIDATOR, path], capture_output=True, text=True, check=False)
        lines = (told.stdout + told.stderr).splitlines()
        assert lines and not [line for line in lines if line.startswith("Error")], (path.name, lines)


def test_dcmtk_reads_the_documents_with_the_chinese_name(files):
    if not shutil.which("dsrdump"):
        pytest.skip("dcmtk's dsrdump is not installed (Debian package dcmtk)")
    for name in ("sr_measurements", "ko_key_objects"):
        told = subprocess.run(["dsrdump", "+U8", files[name]], capture_output=True, text=True, check=False)
        assert told.returncode == 0 and "王^小东" in told.stdout, told.stderr
    text = subprocess.run(["dsrdump", "+U8", files["sr_measurements"]], capture_output=True, text=True, check=True).stdout
    assert "Lumen Diameter Stenosis" in text and "3 - Moderate stenosis" in text and "SCOORD3D" in text


def test_objects_belong_to_the_study_of_the_patient(files):
    for path in files.values():
        dataset = dcmread(path)
        assert (dataset.PatientID, dataset.StudyInstanceUID, dataset.AccessionNumber) == ("P-1", STUDY, "A7731"), path.name
        assert str(dataset.PatientName) == NAME.rstrip("=") and dataset.SpecificCharacterSet == "ISO_IR 192", path.name
        assert dataset.StudyDescription == "冠状动脉CT" or path.stem.startswith(("ko", "sc")), path.name
    for name in ("seg_heart", "seg_coronary", "seg_calcium"):
        assert dcmread(files[name]).FrameOfReferenceUID == FRAME
    assert "Research use only" in dcmread(files["pdf_report"]).SeriesDescription


def test_segmentations_hold_the_labels_and_name_their_source_slices(case, files):
    heart = case.read_volume("heart").array
    back = hd.seg.segread(files["seg_heart"])
    masks = back.get_volume(combine_segments=True).array
    kept = np.flatnonzero((heart > 0).any(axis=(0, 1)))
    assert np.array_equal(masks[: len(kept)].transpose(2, 1, 0), heart[:, :, kept[0] : kept[-1] + 1])
    uids = {uid for _, _, uid in back.get_source_image_uids()}
    assert {one.sop_instance_uid for one in case.read_source().slices} >= uids and len(uids) >= len(kept)
    calcium = hd.seg.segread(files["seg_calcium"])
    assert [d.SegmentLabel for d in calcium.SegmentSequence] == ["calcium LAD", "calcium RCA"]
    plaque = hd.seg.segread(files["seg_coronary"])
    assert plaque.number_of_segments == 5 and plaque.segmentation_type.value == "BINARY"


def test_the_sr_reads_back_to_the_findings(case, files):
    read, found = measurements_of(files["sr_measurements"]), case.findings()
    assert read["Patient"]["Coronary artery calcium score"] == found.calcium.agatston and read["Vessel LAD"]["Fractional flow reserve"] == 0.76
    for index, one in enumerate(found.stenoses, 1):
        group = next(values for name, values in read.items() if name.startswith(f"Stenosis {index} "))
        assert group["Lumen Diameter Stenosis"] == pytest.approx(one.diameter_pct, abs=1e-3)
        assert group["Vessel lumen diameter"] == pytest.approx(one.mld_mm, abs=1e-3)
        assert group["Fractional flow reserve"] == found.ffr.lesions[index - 1].ffr


def test_the_pdf_is_the_report_and_key_objects_point_to_pictures_and_slices(case, files):
    pdf = dcmread(files["pdf_report"])
    assert pdf.EncapsulatedDocument[: pdf.EncapsulatedDocumentLength] == case.path("report_pdf").read_bytes()
    assert "draft" in pdf.DocumentTitle
    shown = {i.ReferencedSOPInstanceUID for s in dcmread(files["ko_key_objects"]).CurrentRequestedProcedureEvidenceSequence
             for r in s.ReferencedSeriesSequence for i in r.ReferencedSOPSequence}  # fmt: skip
    assert {str(dcmread(p).SOPInstanceUID) for n, p in files.items() if n.startswith("sc_")} < shown
    assert shown & {one.sop_instance_uid for one in case.read_source().slices}


def test_the_same_content_is_the_same_instance_and_a_signature_a_new_one(case, files, tmp_path):
    copy = Case.open(shutil.copytree(case.root, tmp_path / "case"))
    before = {name: dcmread(path).SOPInstanceUID for name, path in files.items()}
    shutil.rmtree(copy.path("dicom"))
    assert {path.stem: dcmread(path).SOPInstanceUID for path in write_objects(copy)} == before
    report(copy)
    signing.sign(copy, "王医生")
    signing.add_addendum(copy, "王医生", "More.")
    after = {path.stem: dcmread(path) for path in write_objects(copy)}
    assert {n for n in before if after[n].SOPInstanceUID != dcmread(files[n]).SOPInstanceUID} == {"sr_measurements", "pdf_report"}
    assert "signed, version 1" in after["pdf_report"].DocumentTitle and "pdf_addendum_2" in after
    assert after["sr_measurements"].VerificationFlag == "VERIFIED"
    assert str(after["sr_measurements"].VerifyingObserverSequence[0].VerifyingObserverName) == "王医生"
    told = subprocess.run([VALIDATOR, copy.path("dicom") / "sr_measurements.dcm"], capture_output=True, text=True, check=False)
    assert "Error" not in told.stdout + told.stderr


def test_an_addendum_is_a_pdf_and_an_sr_that_follows_the_signed_one(case, tmp_path):
    """New instances of the same series, complete and verified; what was signed before keeps its own."""
    copy = Case.open(shutil.copytree(case.root, tmp_path / "case"))
    report(copy)
    signing.sign(copy, "王医生")
    signed = {path.stem: dcmread(path).SOPInstanceUID for path in write_objects(copy)}
    signing.add_addendum(copy, "李医生", "与外科讨论。")
    signing.add_addendum(copy, "王医生", "Second.")
    paths = {path.stem: path for path in write_objects(copy)}
    made = {name: dcmread(path) for name, path in paths.items()}
    assert set(made) - set(signed) == {"pdf_addendum_2", "sr_addendum_2", "pdf_addendum_3", "sr_addendum_3"}
    assert {name: made[name].SOPInstanceUID for name in signed} == signed
    assert "PredecessorDocumentsSequence" not in made["sr_measurements"]
    before = made["sr_measurements"]
    for number, words in ((2, ["与外科讨论。"]), (3, ["与外科讨论。", "Second."])):
        sr = made[f"sr_addendum_{number}"]
        (study,) = sr.PredecessorDocumentsSequence
        assert study.StudyInstanceUID == STUDY and study.ReferencedSeriesSequence[0].SeriesInstanceUID == before.SeriesInstanceUID == sr.SeriesInstanceUID
        assert study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
        assert (sr.CompletionFlag, sr.VerificationFlag, sr.PreliminaryFlag, sr.InstanceNumber) == ("COMPLETE", "VERIFIED", "FINAL", number)
        assert "IdenticalDocumentsSequence" not in sr
        assert [str(item.TextValue) for item in sr.ContentSequence if item.ValueType == "TEXT" and item.RelationshipType == "CONTAINS"] == words
        assert [str(one.VerifyingObserverName) for one in sr.VerifyingObserverSequence] == ["王医生", "李医生", "王医生"][:number]
        assert hd.sr.srread(paths[f"sr_addendum_{number}"]).content.get_planar_roi_measurement_groups()
        assert measurements_of(paths[f"sr_addendum_{number}"]) == measurements_of(paths["sr_measurements"])
        before = sr
        for stem in (f"sr_addendum_{number}", f"pdf_addendum_{number}"):
            told = subprocess.run([VALIDATOR, paths[stem]], capture_output=True, text=True, check=False)
            assert "Error" not in told.stdout + told.stderr, told.stderr
    again = {path.stem: dcmread(path).SOPInstanceUID for path in write_objects(copy)}
    assert again == {name: one.SOPInstanceUID for name, one in made.items()}
    if shutil.which("dsrdump"):
        text = subprocess.run(["dsrdump", "+U8", paths["sr_addendum_3"]], capture_output=True, text=True, check=True).stdout
        assert "与外科讨论。" in text and "Predecessor Docs" in text


def test_a_signed_sr_of_an_earlier_version_is_not_made_a_second_time(case, tmp_path):
    """Its instance UID did not follow from the places. What is added now follows that one."""
    copy = Case.open(shutil.copytree(case.root, tmp_path / "case"))
    report(copy)
    signing.sign(copy, "王医生")
    path = next(path for path in write_objects(copy) if path.stem == "sr_measurements")
    findings, signed = copy.findings(), signing.signed_as(copy)
    old = dcmread(path)
    old.SOPInstanceUID = Origin(copy.read_source(), signing.report_time(copy)).uid(
        "instance", "measurements", findings.model_dump_json(), repr(sorted(range(len(findings.stenoses)))), signed.at
    )
    old.file_meta.MediaStorageSOPInstanceUID = old.SOPInstanceUID
    old.save_as(path)
    signing.add_addendum(copy, "李医生", "More.")
    made = {path.stem: dcmread(path) for path in write_objects(copy)}
    assert made["sr_measurements"].SOPInstanceUID == old.SOPInstanceUID
    (study,) = made["sr_addendum_2"].PredecessorDocumentsSequence
    assert study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == old.SOPInstanceUID


def test_what_was_rejected_comes_again_as_another_instance(case, files, tmp_path, capsys):
    """A correction was signed, its draft rejected, and the correction taken back: a PACS shows nothing under the rejected UIDs."""
    copy = Case.open(shutil.copytree(case.root, tmp_path / "case"))
    before = {name: dcmread(path).SOPInstanceUID for name, path in files.items()}
    gone = dcmread(files["seg_calcium"])
    note = rejection_note(Origin(copy.read_source(), signing.report_time(copy)), [(gone.SOPClassUID, gone.SeriesInstanceUID, gone.SOPInstanceUID)], "quality")
    (tmp_path / "notes").mkdir()
    note.save_as(tmp_path / "notes" / "note.dcm", enforce_file_format=True)
    for _ in range(2):
        assert run_ccta("export", copy.root, tmp_path / "out", "--dicom", "--rejected", tmp_path / "notes") == 0
        after = {path.stem: dcmread(path) for path in (tmp_path / "out").glob("*.dcm")}
        changed = {name for name in before if after[name].SOPInstanceUID != before[name]}
        assert changed == {"seg_calcium"} and after["seg_calcium"].PixelData == gone.PixelData
    (tmp_path / "notes" / "torn.dcm").write_bytes(b"")
    capsys.readouterr()
    assert run_ccta("export", copy.root, tmp_path / "out", "--dicom", "--rejected", tmp_path / "notes") == 2 and "no rejection note" in capsys.readouterr().err


def test_labels_on_another_grid_keep_their_place(case, files, tmp_path):
    labels = case.read_volume("heart")
    halved = labels.__class__(labels.array[::2, ::2, ::2], labels.affine @ np.diag([2, 2, 2, 1]))
    copy = Case.open(shutil.copytree(case.root, tmp_path / "case"))
    copy.write_volume("heart", halved)
    seg = next(path for path in write_objects(copy) if path.stem == "seg_heart")
    volume = hd.seg.segread(seg).get_volume(combine_segments=True)
    assert volume.spacing == pytest.approx((1, 1, 1)) and case_labels(seg, labels)["heart"].array[12, 26, 16] == labels.array[12, 26, 16]


def test_a_segmentation_becomes_the_labels_of_the_case(case, files, tmp_path):
    copy = Case.open(shutil.copytree(case.root, tmp_path / "case"))
    copy.write_volume("heart", copy.read_volume("heart").with_array(np.zeros_like(copy.read_volume("heart").array)))
    assert run_ccta("segment", copy.root, "--from", files["seg_heart"]) == 0
    assert np.array_equal(copy.read_volume("heart").array, case.read_volume("heart").array)
    assert run_ccta("segment", copy.root, "--from", files["seg_coronary"]) == 0
    assert np.array_equal(copy.read_volume("coronary").array == 1, (case.read_volume("coronary").array == 1) & (case.read_volume("plaque").array == 0))
    assert run_ccta("segment", copy.root, "--from", files["pdf_report"]) == 2 and run_ccta("segment", copy.root, "--from", tmp_path / "no.dcm") == 2


def test_a_case_that_was_not_read_from_dicom_is_refused_in_a_sentence(case, tmp_path):
    copy = Case.open(shutil.copytree(case.root, tmp_path / "case"))
    shutil.rmtree(copy.path("dicom"))
    copy.path("source").unlink()
    copy.path("calcium_source").unlink()
    with pytest.raises(BadInput, match="cannot be written as DICOM objects"):
        write_objects(copy)
    assert run_ccta("export", copy.root, tmp_path / "out", "--dicom") == 2 and not copy.path("dicom").exists()
