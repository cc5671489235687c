"""With a real PACS: a study comes from Orthanc by C-STORE, its results go back, are there once, and are what the case holds; `ccta pull` and `ccta push`."""

import io
import sys
import time
from dataclasses import replace

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove
from sqlalchemy import select

from ccta.errors import CctaError
from tests.conftest import run_ccta
from tests.viewer.server.conftest import free_port
from tests.viewer.server.orthanc import ORTHANC, PASSWORD, USER, Orthanc
from tests.viewer.server.small_dicom import bytes_of, ct_slice
from viewer.server.node import Node
from viewer.server.peers import connected
from viewer.server.settings import AnalysisSettings, IntakeSettings, ListenSettings, OutSettings, Pacs, ServerSettings
from viewer.server.store import Delivery, Study

pytestmark = pytest.mark.skipif(ORTHANC is None, reason="no Orthanc here; install the packages `orthanc` and `orthanc-dicomweb`")
MAKES_RESULT = """
import pathlib, sys
from tests.viewer.server.small_dicom import bytes_of, pdf_object
study, case = map(pathlib.Path, sys.argv[1:3])
(case / "dicom").mkdir(parents=True)
(case / "dicom" / "report.dcm").write_bytes(bytes_of(pdf_object(study.name)))
"""
"""Stands in for the analysis, which is tested elsewhere: a case that holds one result."""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def pull_port() -> int:
    """Where `ccta pull` takes what the PACS moves, beside the node."""
    return free_port()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, port, pull_port):
    known = {"ccta": ["CCTA", "127.0.0.1", port], "pull": ["PULL", "127.0.0.1", pull_port]}
    server = Orthanc(tmp_path_factory.mktemp("pacs") / "orthanc", port, DicomModalities=known)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def pacs(tmp_path_factory, orthanc) -> dict[str, Pacs]:
    """Orthanc by DICOM and by DICOMweb."""
    secret = tmp_path_factory.mktemp("secret") / "password"
    secret.write_text(PASSWORD + "\n")
    web = Pacs(url=f"http://127.0.0.1:{orthanc.port}/dicom-web", user=USER, password_file=str(secret))
    return {"dimse": Pacs(host="127.0.0.1", port=orthanc.dicom_port, ae_title="ORTHANC", commitment=True), "web": web}


@pytest.fixture(scope="module")
def node(tmp_path_factory, port, pacs):
    """A running node. What Orthanc sends goes back to it by DICOM with storage commitment, what comes from the watched folder by STOW."""
    root = tmp_path_factory.mktemp("node")
    (root / "inbox").mkdir()
    running = Node(
        ServerSettings(
            data=str(root / "data"),
            listen=ListenSettings(port=port, callers=("ORTHANC",)),
            intake=IntakeSettings(keep_free_mb=0, quiet_s=0.5, poll_s=0.1, settle_s=0.1, watched_folder=str(root / "inbox")),
            analysis=AnalysisSettings(command=(sys.executable, "-c", MAKES_RESULT)),
            out=OutSettings(destination="web", retry_s=0.2),
            pacs=pacs,
        )
    )
    running.start()
    yield running
    running.stop()


def awaited(node: Node, study_uid: str) -> tuple[Study, Delivery]:
    """The study, once it is done, and its only result, once it is delivered."""
    for _ in range(600):
        with node.store.session() as session:
            study = session.scalar(select(Study).where(Study.study_uid == study_uid))
            sent = list(session.scalars(select(Delivery).where(Delivery.study_id == study.id))) if study else []
        if study is not None and study.state == "done" and sent and all(one.state == "there" for one in sent):
            (only,) = sent
            return study, only
        time.sleep(0.1)
    raise AssertionError(f"the study is {study and study.state} ({study and study.error}), deliveries {[(one.state, one.error) for one in sent]}")


def test_a_study_goes_from_the_pacs_through_the_node_and_its_result_back_with_commitment(orthanc, node):
    for number in (1, 2, 3):
        orthanc.put(bytes_of(ct_slice("1.2.3", number=number)))
    orthanc.send_everything()
    study, result = awaited(node, "1.2.3")
    assert (study.instances, study.patient_name, study.source) == (3, "Wang^XiaoMing=王^小明", "ORTHANC")
    assert result.destination == "dimse" and result.transaction_uid
    assert_same(orthanc, node, result)
    assert len(orthanc.kinds_of("1.2.3")) == 4


def test_a_study_goes_by_stow_to_the_pacs_by_wado_to_the_node_and_its_result_by_stow_back(tmp_path, orthanc, node, pacs):
    for number in (1, 2):
        (tmp_path / f"{number}.dcm").write_bytes(bytes_of(ct_slice("1.2.4", number=number)))
    with connected(pacs["web"], node.settings) as peer:
        peer.store(sorted(tmp_path.glob("*.dcm")))
    settings = tmp_path / "server.toml"
    settings.write_text("".join(f'[pacs.web]\nurl = "{one.url}"\nuser = "{one.user}"\npassword_file = "{one.password_file}"\n' for one in [pacs["web"]]))
    assert run_ccta("pull", "web", node.settings.intake.watched_folder, "--study", "1.2.4", "--config", settings) == 0
    study, result = awaited(node, "1.2.4")
    assert (study.instances, study.source, result.destination, result.transaction_uid) == (2, "folder", "web", "")
    assert_same(orthanc, node, result)
    assert len(orthanc.kinds_of("1.2.4")) == 3


def test_a_study_is_moved_by_the_pacs_to_the_node_and_to_a_retrieval_beside_it(tmp_path, orthanc, node, pacs, pull_port):
    """C-MOVE: Orthanc sends to our listener, and, at the same time on this machine, to a port of the retrieval's own."""
    for number in (1, 2):
        orthanc.put(bytes_of(ct_slice("1.2.5", number=number)))
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", "1.2.5"
    entity = AE("CCTA")
    entity.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    association = entity.associate("127.0.0.1", orthanc.dicom_port, ae_title="ORTHANC")
    codes = [status.Status for status, _ in association.send_c_move(asked, "CCTA", StudyRootQueryRetrieveInformationModelMove)]
    association.release()
    assert codes[-1] == 0
    study, result = awaited(node, "1.2.5")
    assert (study.instances, study.source, result.destination) == (2, "ORTHANC", "dimse")
    assert_same(orthanc, node, result)
    beside, fetched = replace(pacs["dimse"], retrieve="move", own_ae_title="PULL", own_port=pull_port), []
    with connected(beside, node.settings) as peer:
        assert peer.fetch("1.2.5", fetched.append) == 3 == len(fetched)
    with pytest.raises(CctaError, match="own_port"), connected(replace(beside, own_port=0), node.settings) as peer:
        peer.fetch("1.2.5", fetched.append)


def assert_same(orthanc, node: Node, result: Delivery) -> None:
    """What the PACS gives is what the case holds."""
    there = pydicom.dcmread(io.BytesIO(orthanc.file_of(result.sop_uid)))
    assert there == pydicom.dcmread(node.settings.data_folder / result.path)


@pytest.mark.parametrize("way", ["dimse", "web"])
def test_files_are_stored_found_and_fetched(tmp_path, orthanc, pacs, way):
    uid = f"1.2.99.{len(way)}"
    slices = [ct_slice(uid, number=number) for number in (1, 2)]
    for number, one in enumerate(slices):
        (tmp_path / f"{number}.dcm").write_bytes(bytes_of(one))
    fetched = []
    with connected(pacs[way], ServerSettings(data=str(tmp_path))) as peer:
        assert not peer.has(uid, f"{uid}.1", f"{uid}.1.1")
        peer.store(sorted(tmp_path.glob("*.dcm")))
        assert peer.has(uid, f"{uid}.1", f"{uid}.1.1")
        (found,) = peer.find({"StudyInstanceUID": uid})
        peer.fetch(uid, fetched.append)
    assert found.patient_name == "Wang^XiaoMing=王^小明"
    back = {str(one.SOPInstanceUID): one for one in (pydicom.dcmread(io.BytesIO(file)) for file in fetched)}
    assert set(back) == {str(one.SOPInstanceUID) for one in slices}
    for one in slices:
        assert back[str(one.SOPInstanceUID)].PixelData == one.PixelData


def test_a_wrong_password_is_a_sentence(tmp_path, pacs):
    wrong = replace(pacs["web"], user="nobody")
    with pytest.raises(CctaError, match=r"401|password|refuse"), connected(wrong, ServerSettings(data=str(tmp_path))) as peer:
        peer.find({"PatientID": "P1"})


def test_push_then_pull(tmp_path, orthanc):
    uid, address = "1.2.77", f"127.0.0.1:{orthanc.dicom_port}:ORTHANC"
    (tmp_path / "made").mkdir()
    for number in (1, 2):
        (tmp_path / "made" / f"{number}.dcm").write_bytes(bytes_of(ct_slice(uid, number=number)))
    before = orthanc.count()
    assert run_ccta("push", tmp_path / "made", address) == 0
    assert run_ccta("push", tmp_path / "made", address) == 0
    assert orthanc.count() == before + 2
    assert run_ccta("pull", address, tmp_path / "fetched", "--study", uid) == 0
    back = [pydicom.dcmread(path) for path in (tmp_path / "fetched").rglob("*") if path.is_file()]
    assert sorted(int(one.InstanceNumber) for one in back) == [1, 2]
    assert run_ccta("pull", address) == 2  # neither lists a whole archive
