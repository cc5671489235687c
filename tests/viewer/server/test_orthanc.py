"""With a real PACS: a study comes from Orthanc by C-STORE, its results go back, are there once, and are what the case holds; `ccta pull` and `ccta push`."""

import io
import sys
import time
from dataclasses import replace

import pydicom
import pytest
from sqlalchemy import select

from ccta.errors import CctaError
from tests.conftest import run_ccta
from tests.viewer.server.conftest import free_port
from tests.viewer.server.orthanc import ORTHANC, PASSWORD, USER, Orthanc
from tests.viewer.server.small_dicom import bytes_of, ct_slice, pdf_object
from viewer.server.node import Node
from viewer.server.peers import connected
from viewer.server.settings import AnalysisSettings, IntakeSettings, ListenSettings, OutSettings, Pacs, ServerSettings
from viewer.server.store import Delivery, Study

pytestmark = pytest.mark.skipif(ORTHANC is None, reason="no Orthanc here; install the packages `orthanc` and `orthanc-dicomweb`")
COPIES_RESULT = "import pathlib, shutil, sys; d = pathlib.Path(sys.argv[3]) / 'dicom'; d.mkdir(parents=True); shutil.copy(sys.argv[1], d / 'report.dcm')"
"""Stands in for the analysis, which is tested elsewhere: a case that holds one result."""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, port):
    server = Orthanc(tmp_path_factory.mktemp("pacs") / "orthanc", port)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def pacs(tmp_path_factory, orthanc) -> dict[str, Pacs]:
    """Orthanc by DICOM and by DICOMweb."""
    secret = tmp_path_factory.mktemp("secret") / "password"
    secret.write_text(PASSWORD + "\n")
    web = Pacs(url=f"http://127.0.0.1:{orthanc.port}/dicom-web", user=USER, password_file=str(secret))
    return {"dimse": Pacs(host="127.0.0.1", port=orthanc.dicom_port, ae_title="ORTHANC"), "web": web}


def awaited(node: Node, state: str) -> Study:
    """The study, once it and all its deliveries are done."""
    for _ in range(600):
        with node.store.session() as session:
            study, sent = session.scalar(select(Study)), list(session.scalars(select(Delivery)))
        if study is not None and study.state == state and sent and all(one.state == "there" for one in sent):
            return study
        time.sleep(0.1)
    raise AssertionError(f"the study is {study and study.state} ({study and study.error}), deliveries {[(one.state, one.error) for one in sent]}")


def test_a_study_goes_from_the_pacs_through_the_node_and_its_result_back(tmp_path, orthanc, port, pacs):
    result = bytes_of(pdf_object("1.2.3"))
    (tmp_path / "result.dcm").write_bytes(result)
    settings = ServerSettings(
        data=str(tmp_path / "data"),
        listen=ListenSettings(port=port, callers=("ORTHANC",)),
        intake=IntakeSettings(keep_free_mb=0, quiet_s=0.5, poll_s=0.1),
        analysis=AnalysisSettings(command=(sys.executable, "-c", COPIES_RESULT, str(tmp_path / "result.dcm"))),
        out=OutSettings(destination="dimse", retry_s=0.2),
        pacs=pacs,
    )
    for number in (1, 2, 3):
        orthanc.put(bytes_of(ct_slice("1.2.3", number=number)))
    node = Node(settings)
    node.start()
    try:
        orthanc.send_everything()
        study = awaited(node, "done")
        assert (study.instances, study.patient_name) == (3, "Wang^XiaoMing=王^小明")
    finally:
        node.stop()
    sent = pydicom.dcmread(io.BytesIO(result))
    assert pydicom.dcmread(io.BytesIO(orthanc.file_of(str(sent.SOPInstanceUID)))) == sent
    assert orthanc.count() == 4


@pytest.mark.parametrize("way", ["dimse", "web"])
def test_files_are_stored_found_and_fetched(tmp_path, orthanc, pacs, way):
    uid = f"1.2.99.{len(way)}"
    slices = [ct_slice(uid, number=number) for number in (1, 2)]
    for number, one in enumerate(slices):
        (tmp_path / f"{number}.dcm").write_bytes(bytes_of(one))
    fetched = []
    with connected(pacs[way], ServerSettings(data=str(tmp_path), pacs=pacs)) as peer:
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
