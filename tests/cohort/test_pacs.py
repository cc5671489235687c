"""Rows of a cohort that are PACS queries, with a real PACS."""

import json

import pytest

from ccta.cohort import pacs
from ccta.cohort.pacs import query_of
from ccta.cohort.record import to_do
from ccta.cohort.storage import Place
from ccta.cohort.table import read_table
from ccta.cohort.tasks import Job, run_step
from tests.cohort.test_batch import PROGRAM, TWO
from tests.viewer.server.conftest import free_port
from tests.viewer.server.orthanc import ORTHANC, Orthanc
from tests.viewer.server.small_dicom import bytes_of, ct_slice


def test_a_query_names_the_pacs_and_the_study():
    assert query_of("pacs:main?accession=A1&PatientID=7") == ("main", {"accession": "A1", "patient_id": "7"})
    assert query_of("pacs:https://host/dicom-web?study=1.2.3")[0] == "https://host/dicom-web"


@pytest.mark.skipif(ORTHANC is None, reason="no Orthanc here; install the packages `orthanc` and `orthanc-dicomweb`")
def test_a_study_is_fetched_by_its_accession_number(tmp_path):
    orthanc = Orthanc(tmp_path / "pacs", free_port())
    try:
        for number in (1, 2, 3):
            orthanc.put(bytes_of(ct_slice("1.2.3", number=number, AccessionNumber="A77")))
        (tmp_path / "cohort.csv").write_text(f"path\npacs:127.0.0.1:{orthanc.dicom_port}:ORTHANC?accession=A77\n")
        (study,) = read_table(tmp_path / "cohort.csv")
        root = Place(str(tmp_path / "out"))
        record = run_step(Job(study, root, last="flow", program=PROGRAM), TWO[0])
    finally:
        orthanc.stop()
    stages = json.loads((root / "cases/A77/case.json").read_bytes())["stages"]
    assert record["runs"] == {"read": 1, "segment": 1} and stages["read"]["inputs"] == {"files": 3}


def test_what_the_pacs_does_not_give_is_said_and_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(pacs, "PROGRAM", ("-c", "import sys; print('ccta: the PACS knows no study that matches', file=sys.stderr); sys.exit(2)"))
    (tmp_path / "cohort.csv").write_text("path\npacs:main?accession=B1\n")
    (study,) = read_table(tmp_path / "cohort.csv")
    record = run_step(Job(study, Place(str(tmp_path / "out")), last="flow", program=PROGRAM), TWO[0])
    assert record["kind"] == "pacs" and record["reason"] == "pacs:main?accession=B1 was not fetched: the PACS knows no study that matches"
    assert to_do(record, TWO, {"time_s": 0.0, "memory_gib": 0.0}, False)  # it may have come by the next --resume
