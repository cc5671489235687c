"""With a real PACS: a draft, the signed report, a note that rejects the draft, and an addendum, each there exactly once; or nothing before the signature."""

import io
import sys
import time

import pydicom
import pytest
from sqlalchemy import select

from ccta.case import Case
from ccta.report import signing
from tests.ccta.dicom_case import STUDY
from tests.viewer.server.conftest import free_port
from tests.viewer.server.orthanc import ORTHANC, Orthanc
from tests.viewer.server.small_dicom import ct_slice, send
from viewer.server.node import Node
from viewer.server.settings import AnalysisSettings, IntakeSettings, ListenSettings, OutSettings, Pacs, ServerSettings
from viewer.server.store import Delivery, Study

pytestmark = pytest.mark.skipif(ORTHANC is None, reason="no Orthanc here; install the packages `orthanc` and `orthanc-dicomweb`")
MAKES_CASE = """
import pathlib, sys
from ccta.report.dicom_objects import write_objects
from tests.ccta.dicom_case import write_dicom_case
write_objects(write_dicom_case(pathlib.Path(sys.argv[2])))
"""
"""Stands in for the analysis: the small case of this study, with its report and DICOM objects."""


@pytest.fixture
def ward(tmp_path, monkeypatch):
    """out settings -> (node, Orthanc), both running, a slice of the study sent."""
    monkeypatch.setattr("viewer.server.node.LOOK_S", 0.3)
    running = []

    def started(**out) -> tuple[Node, Orthanc]:
        port = free_port()
        orthanc = Orthanc(tmp_path / "orthanc", port)
        running.append(orthanc)
        node = Node(
            ServerSettings(
                data=str(tmp_path / "data"), listen=ListenSettings(port=port, callers=("CT1",)), out=OutSettings(destination="main", retry_s=0.2, **out),
                intake=IntakeSettings(keep_free_mb=0, quiet_s=0.5, poll_s=0.1), analysis=AnalysisSettings(command=(sys.executable, "-c", MAKES_CASE)),
                pacs={"main": Pacs(host="127.0.0.1", port=orthanc.dicom_port, ae_title="ORTHANC")},
            )
        )  # fmt: skip
        running.append(node)
        node.start()
        assert send(port, [ct_slice(STUDY)]) == [0]
        return node, orthanc

    yield started
    for one in reversed(running):
        one.stop()


def until(true, what: str) -> None:
    for _ in range(3000):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come")


def case_of(node: Node) -> Case:
    """Of the study, once it is done."""

    def done() -> str:
        with node.store.session() as session:
            study = session.scalar(select(Study).where(Study.study_uid == STUDY))
            assert study is None or study.state != "failed", study.error
            return study.case_path if study is not None and study.state == "done" else ""

    until(done, "the case")
    return Case.open(node.settings.data_folder / done())


def delivered(node: Node) -> dict[str, str]:
    """Instance UID -> path of all that the PACS has confirmed, {} while something is on its way."""
    with node.store.session() as session:
        rows = list(session.scalars(select(Delivery)))
    return {row.sop_uid: row.path for row in rows} if all(row.state == "there" for row in rows) else {}


def own(case: Case) -> dict[str, str]:
    """Instance UID -> name of the case's objects, which may just be made anew."""
    while True:
        try:
            paths = [path for path in case.path("dicom").glob("*.dcm") if not path.name.startswith(".")]
            return {str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID): path.stem for path in paths}
        except FileNotFoundError:
            time.sleep(0.1)


def test_a_draft_is_rejected_when_signed_and_each_version_is_there_once(ward):
    node, orthanc = ward(reject_drafts_as="quality")
    case = case_of(node)
    draft = own(case)
    until(lambda: set(delivered(node)) == set(draft), "the draft")
    signing.sign(case, "王医生")
    until(lambda: set(delivered(node)) > set(own(case)) != set(draft), "the signed report")
    signed = own(case)
    gone = {uid for uid in draft if uid not in signed}
    assert {draft[uid] for uid in gone} == {"sr_measurements", "pdf_report"}
    (note,) = set(delivered(node)) - set(draft) - set(signed)
    there = pydicom.dcmread(io.BytesIO(orthanc.file_of(note)))
    assert there == pydicom.dcmread(node.settings.data_folder / delivered(node)[note]) and there.Modality == "KO"
    assert there.ConceptNameCodeSequence[0].CodeMeaning == "Rejected for Quality Reasons" and (there.PatientID, there.StudyInstanceUID) == ("P-1", STUDY)
    named = {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in there.ContentSequence if "ReferencedSOPSequence" in item}
    assert named == gone
    before = delivered(node)
    signing.add_addendum(case, "李医生", "与外科讨论。")
    until(lambda: set(delivered(node)) > set(before), "the addendum")
    time.sleep(2.0)  # some more rounds of everything
    new = set(delivered(node)) - set(before)
    assert {own(case)[uid] for uid in new} == {"pdf_addendum_2", "sr_addendum_2"}
    assert set(orthanc.kinds_of(STUDY)) == set(draft) | set(signed) | new | {note}
    for uid, path in delivered(node).items():
        if uid not in gone:
            assert pydicom.dcmread(io.BytesIO(orthanc.file_of(uid))) == pydicom.dcmread(node.settings.data_folder / path)


def test_with_drafts_held_nothing_goes_out_before_the_signature(ward):
    node, orthanc = ward(hold_drafts=True)
    case = case_of(node)
    draft = own(case)
    time.sleep(2.0)
    assert delivered(node) == {} and orthanc.count() == 0
    signing.sign(case, "王医生")
    until(lambda: delivered(node), "the signed report")
    assert set(orthanc.kinds_of(STUDY)) == set(own(case)) == set(delivered(node)) != set(draft)


def test_without_a_reason_the_drafts_stay(ward):
    node, orthanc = ward()
    case = case_of(node)
    draft = own(case)
    until(lambda: set(delivered(node)) == set(draft), "the draft")
    signing.sign(case, "王医生")
    until(lambda: set(delivered(node)) > set(own(case)) != set(draft), "the signed report")
    kinds = orthanc.kinds_of(STUDY)
    assert set(kinds) == set(draft) | set(own(case)) == set(delivered(node)) and not (node.settings.data_folder / "rejections").exists()
