"""Instances in: by C-STORE, from a watched folder, exactly once, byte for byte; what is wrong is refused with its status."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import OperationalError

from ccta.errors import BadInput, BadSettings
from tests.viewer.server.conftest import free_port
from tests.viewer.server.small_dicom import bytes_of, ct_slice, pdf_object, send
from viewer.server.folder import WatchedFolder
from viewer.server.intake import Intake, OtherContent, OutOfRoom
from viewer.server.orders import complete_studies
from viewer.server.scp import start_listener
from viewer.server.settings import IntakeSettings, ListenSettings, ServerSettings
from viewer.server.store import Delivery, Instance, Job, RefusedInstance, Store, Study, open_store
from viewer.server.web_work import take_in


@pytest.fixture
def intake(tmp_path) -> Iterator[Intake]:
    opened = open_store(f"sqlite:///{tmp_path / 'server.sqlite'}")
    yield Intake(opened, ServerSettings(data=str(tmp_path / "data"), intake=IntakeSettings(keep_free_mb=0, largest_mb=1)))
    opened.close()


@contextmanager
def listening(intake: Intake, **changes) -> Iterator[int]:
    settings = ListenSettings(port=free_port(), callers=("CT1", "PACS"), **changes)
    server = start_listener(settings, intake)
    try:
        yield settings.port
    finally:
        server.shutdown()


def studies(intake: Intake) -> list[Study]:
    with intake.store.session() as session:
        return list(session.scalars(select(Study).order_by(Study.id)))


def stored(intake: Intake) -> list[str]:
    with intake.store.session() as session:
        return sorted(session.scalars(select(Instance.sop_uid)))


def noted(store: Store) -> int:
    """How many instances are written down as refused."""
    with store.session() as session:
        return session.scalar(select(func.count()).select_from(RefusedInstance))


def test_a_sent_study_is_kept_byte_for_byte_with_its_names(intake):
    slices = [ct_slice("1.2.3", number=n) for n in (1, 2)]
    with listening(intake) as port:
        assert send(port, slices) == [0, 0]
    (study,) = studies(intake)
    assert (study.study_uid, study.patient_name, study.accession, study.instances, study.source) == ("1.2.3", "Wang^XiaoMing=王^小明", "A1", 2, "CT1")
    for dataset in slices:
        kept = (intake.settings.data_folder / "studies" / "1.2.3" / "1.2.3.1" / f"{dataset.SOPInstanceUID}.dcm").read_bytes()
        assert kept.endswith(bytes_of(dataset)[-600:]) and kept[128:132] == b"DICM"
    assert not list((intake.settings.data_folder / "incoming").iterdir())


def test_bytes_are_those_that_were_sent(intake):
    data = bytes_of(ct_slice("1.2.3"))
    intake.take(data, "upload")
    assert next(intake.settings.data_folder.rglob("*.dcm")).read_bytes() == data


def test_an_instance_that_comes_twice_counts_once(intake):
    with listening(intake) as port:
        assert send(port, [ct_slice("1.2.3")] * 2) == [0, 0]
    assert studies(intake)[0].instances == 1


def test_the_same_instance_by_many_senders_at_once_counts_once(store, tmp_path):
    intake = Intake(store, ServerSettings(data=str(tmp_path / "data"), intake=IntakeSettings(keep_free_mb=0)))
    files = [bytes_of(ct_slice("1.2.3", number=n)) for n in range(1, 9)]
    threads = [threading.Thread(target=lambda: [intake.take(data, "CT1") for data in files]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored(intake)) == 8 and studies(intake)[0].instances == 8


@pytest.mark.parametrize(
    ("dataset", "status"),
    [
        (ct_slice("1.2.3", PixelData=b"\0" * 100), 0xC000),
        (ct_slice("1.2.x", "1.2.3"), 0xC000),
        (ct_slice("1.2.3", StudyInstanceUID=""), 0xC000),
        (ct_slice("1.2.3", size=800), 0xA700),
    ],
    ids=["cut off", "no UID", "no study", "too large"],
)
def test_what_is_wrong_is_refused_with_its_status(intake, dataset, status):
    with listening(intake) as port:
        assert send(port, [dataset]) == [status]
    assert not stored(intake) and not list(intake.settings.data_folder.rglob("*.dcm"))


def test_another_content_under_a_known_uid_is_refused_and_the_first_stays(intake):
    with listening(intake) as port:
        assert send(port, [ct_slice("1.2.3"), ct_slice("1.2.3", PatientID="P2")]) == [0, 0x0111]
    assert studies(intake)[0].patient_id == "P1"
    with pytest.raises(OtherContent):
        intake.take(bytes_of(ct_slice("1.2.4", SOPInstanceUID="1.2.3.1.1")), "upload")
    assert stored(intake) == ["1.2.3.1.1"] and len(list(intake.settings.data_folder.rglob("*.dcm"))) == 1


def test_bytes_that_are_no_dicom_are_refused(intake):
    for data in (b"", b"hello" * 100, bytes_of(ct_slice("1.2.3"))[:300]):
        with pytest.raises(BadInput):
            intake.take(data, "upload")


def test_only_known_senders_to_the_right_title(intake):
    with listening(intake) as port:
        assert send(port, [ct_slice("1.2.3")], calling="OTHER") == []
        assert send(port, [ct_slice("1.2.3")], called="OTHER") == []
        entity = AE("PACS")
        entity.add_requested_context(Verification)
        association = entity.associate("127.0.0.1", port, ae_title="CCTA")
        assert association.send_c_echo().Status == 0
        association.release()


def test_without_known_senders_nobody_listens(intake):
    with pytest.raises(BadSettings, match=r"listen\.callers"):
        start_listener(ListenSettings(), intake)


def test_a_full_disk_is_out_of_resources_and_leaves_nothing(intake, tmp_path):
    full = replace(intake, settings=replace(intake.settings, intake=IntakeSettings(keep_free_mb=1e12)))
    with listening(full) as port:
        assert send(port, [ct_slice("1.2.3")]) == [0xA700]
    with pytest.raises(OutOfRoom):
        full.take(bytes_of(ct_slice("1.2.3")), "upload")
    (tmp_path / "slice.dcm").write_bytes(bytes_of(ct_slice("1.2.3", size=400)))
    program = """if True:
        import pathlib, resource, sys
        from viewer.server.intake import Intake, OutOfRoom
        from viewer.server.settings import IntakeSettings, ServerSettings
        from viewer.server.store import open_store
        store = open_store("sqlite://")
        data = pathlib.Path(sys.argv[1], "slice.dcm").read_bytes()
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            Intake(store, ServerSettings(data=sys.argv[1] + "/full", intake=IntakeSettings(keep_free_mb=0))).take(data, "CT1")
        except OutOfRoom:
            sys.exit(7)
    """
    assert subprocess.run([sys.executable, "-c", program, tmp_path], env={**os.environ, "PYTHONPATH": os.getcwd()}).returncode == 7
    assert not [path for path in (tmp_path / "full").rglob("*") if path.is_file()]


def test_a_study_of_which_a_slice_was_refused_waits_for_it(intake):
    now = [1000.0]
    roomy = replace(intake, clock=lambda: now[0])
    full = replace(roomy, settings=replace(intake.settings, intake=IntakeSettings(keep_free_mb=1e12)))
    roomy.take(bytes_of(ct_slice("1.2.3")), "CT1")
    with pytest.raises(OutOfRoom):
        full.take(bytes_of(ct_slice("1.2.3", number=2)), "CT1")
    assert full.incomplete() == {"1.2.3"} and complete_studies(intake.store, 60.0, 1100.0, full.incomplete()) == 0
    now[0] += 901
    with pytest.raises(OutOfRoom):
        full.take(bytes_of(ct_slice("1.2.4")), "CT1")
    assert noted(intake.store) == 1  # what was given up is forgotten, also where nobody asks what is incomplete
    assert full.incomplete() == {"1.2.4"}
    now[0] += 901
    assert full.incomplete() == set()
    now[0] = 1000.0
    with pytest.raises(OutOfRoom):
        full.take(bytes_of(ct_slice("1.2.3", number=2)), "CT1")
    roomy.take(bytes_of(ct_slice("1.2.3", number=2)), "CT1")  # the sender tries again, and there is room
    assert "1.2.3" not in roomy.incomplete() and complete_studies(intake.store, 60.0, 1100.0, roomy.incomplete()) == 1


def test_what_another_process_refused_holds_the_study_back_here_too(store, tmp_path):
    """Web server and node: two intakes on one database, SQLite or PostgreSQL; after a restart of the first, too."""
    settings = ServerSettings(data=str(tmp_path / "data"), intake=IntakeSettings(keep_free_mb=0))
    web, node = Intake(store, replace(settings, intake=IntakeSettings(keep_free_mb=1e12)), lambda: 1000.0), Intake(store, settings, lambda: 1000.0)
    node.take(bytes_of(ct_slice("1.2.3")), "CT1")
    with pytest.raises(OutOfRoom):
        web.take(bytes_of(ct_slice("1.2.3", number=2)), "upload")
    web.miss([bytes_of(ct_slice("1.2.3")), bytes_of(ct_slice("1.2.3", number=3)), bytes_of(ct_slice("1.2.5")), b"no DICOM"])
    assert node.incomplete() == {"1.2.3", "1.2.5"} and noted(store) == 3
    assert complete_studies(store, 60.0, 1100.0, node.incomplete()) == 0
    for number in (2, 3):
        assert node.incomplete() >= {"1.2.3"}
        node.take(bytes_of(ct_slice("1.2.3", number=number)), "CT1")
    assert node.incomplete() == {"1.2.5"} == web.incomplete() and complete_studies(store, 60.0, 1100.0, node.incomplete()) == 1


def test_an_upload_refused_in_the_middle_holds_back_all_that_it_brought(intake, tmp_path, monkeypatch):
    upload = tmp_path / "upload"
    upload.mkdir()
    for number, uid in enumerate(("1.2.3", "1.2.3", "1.2.4"), 1):
        (upload / f"{number:06d}").write_bytes(bytes_of(ct_slice(uid, number=number)))

    def for_one_file(self, size):
        if stored(self):
            raise OutOfRoom("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Intake, "_check_room", for_one_file)
        with pytest.raises(OutOfRoom):
            take_in(intake, upload)
    assert stored(intake) == ["1.2.3.1.1"] and intake.incomplete() == {"1.2.3", "1.2.4"}
    assert take_in(intake, upload) == 3 and intake.incomplete() == set()


def test_what_cannot_be_written_down_is_remembered_until_it_can(intake, monkeypatch):
    """The disk of the database is full as well."""
    full = replace(intake, settings=replace(intake.settings, intake=IntakeSettings(keep_free_mb=1e12)), clock=lambda: 1000.0)
    with monkeypatch.context() as patch:
        patch.setattr("viewer.server.refused._put", lambda session, **values: session.execute(text("INSERT INTO nowhere VALUES (1)")))
        with pytest.raises(OutOfRoom):
            full.take(bytes_of(ct_slice("1.2.3")), "CT1")
        assert full.incomplete() == {"1.2.3"} and replace(full).incomplete() == set()
    assert full.incomplete() == {"1.2.3"} == replace(full).incomplete()


def test_an_upload_that_no_database_took_is_known_to_the_node_when_the_database_is_back(store, tmp_path, monkeypatch):
    """The web server is not asked meanwhile; the files behind the first one are noted without the database, too."""
    monkeypatch.setattr("viewer.server.refused.AGAIN_S", 0.05)
    settings, upload, away = ServerSettings(data=str(tmp_path / "data"), intake=IntakeSettings(keep_free_mb=0)), tmp_path / "upload", [True]
    web_store = open_store(store.engine.url.render_as_string(hide_password=False))
    web, node = Intake(web_store, settings, lambda: 1000.0), Intake(store, settings, lambda: 1000.0)

    @event.listens_for(web_store.engine, "begin")
    def refuse(connection):
        if away[0]:
            raise OperationalError("", {}, Exception("the server closed the connection"))

    node.take(bytes_of(ct_slice("1.2.3")), "CT1")
    upload.mkdir()
    for number, uid in enumerate(("1.2.3", "1.2.4"), 2):
        (upload / f"{number}").write_bytes(bytes_of(ct_slice(uid, number=number)))
    with pytest.raises(OperationalError):
        take_in(web, upload)
    assert node.incomplete() == set()
    time.sleep(0.2)  # some tries that fail
    away[0] = False
    for _ in range(1000):
        if noted(store) == 2:
            break
        time.sleep(0.02)
    assert node.incomplete() == {"1.2.3", "1.2.4"} and complete_studies(store, 60.0, 1100.0, node.incomplete()) == 0
    web_store.close()


def test_files_behind_a_refused_one_in_the_watched_folder_hold_their_studies_back(intake, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    intake = replace(intake, clock=lambda: 1000.0)
    full = replace(intake, settings=replace(intake.settings, intake=IntakeSettings(keep_free_mb=1e12)))
    intake.take(bytes_of(ct_slice("1.2.4")), "folder")
    (inbox / "a").write_bytes(bytes_of(ct_slice("1.2.3")))
    (inbox / "b").write_bytes(bytes_of(ct_slice("1.2.4", number=2)))
    (inbox / "note.txt").write_text("hello")
    assert WatchedFolder(inbox, full, settle_s=0).look() == 0 and sorted(path.name for path in inbox.iterdir()) == ["a", "b", "note.txt"]
    assert full.incomplete() == {"1.2.3", "1.2.4"} and complete_studies(intake.store, 60.0, 1100.0, full.incomplete()) == 0
    assert WatchedFolder(inbox, intake, settle_s=0).look() == 2 and intake.incomplete() == set()


def test_late_images_reopen_a_study_and_supersede_what_was_ordered(intake):
    intake.take(bytes_of(ct_slice("1.2.3")), "CT1")
    with intake.store.writing() as session:
        session.scalar(select(Study)).state = "running"
        session.add(Job(study_id=1, generation=1, state="running", queued_s=0.0))
        session.add(Delivery(study_id=1, generation=1, sop_uid="9", series_uid="9", sop_class_uid="9", path="", destination="main"))
    intake.take(bytes_of(ct_slice("1.2.3", number=2)), "CT1")
    (study,) = studies(intake)
    assert (study.state, study.generation) == ("received", 2)
    with intake.store.session() as session:
        assert session.scalar(select(Job.state)) == "cancelled" and session.scalar(select(Delivery)) is None


def test_reports_and_our_own_results_do_not_reopen_a_study(intake):
    intake.take(bytes_of(ct_slice("1.2.3")), "CT1")
    ours = pdf_object("1.2.3")
    with intake.store.writing() as session:
        session.scalar(select(Study)).state = "done"
        session.add(Delivery(study_id=1, generation=1, sop_uid=ours.SOPInstanceUID, series_uid="9", sop_class_uid="9", path="", destination="main"))
    intake.take(bytes_of(ours), "PACS")
    intake.take(bytes_of(pdf_object("1.2.3")), "PACS")
    (study,) = studies(intake)
    assert (study.state, study.generation, study.instances) == ("done", 1, 2)


def test_files_that_a_dying_server_did_not_count_are_found(intake):
    intake.take(bytes_of(ct_slice("1.2.3")), "CT1")
    lost = intake.settings.data_folder / "studies" / "1.2.3" / "1.2.3.1" / "1.2.3.1.2.dcm"
    lost.write_bytes(bytes_of(ct_slice("1.2.3", number=2)))
    assert intake.reindex() == 1 and intake.reindex() == 0
    assert stored(intake) == ["1.2.3.1.1", "1.2.3.1.2"] and studies(intake)[0].instances == 2


def test_a_watched_folder_takes_what_has_settled_and_sets_the_rest_aside(intake, tmp_path):
    inbox = tmp_path / "inbox"
    (inbox / "deep").mkdir(parents=True)
    (inbox / "deep" / "a.dcm").write_bytes(bytes_of(ct_slice("1.2.3")))
    (inbox / "note.txt").write_text("hello")
    (inbox / ".part").write_text("hidden")
    watched = WatchedFolder(inbox, intake, settle_s=3600)
    assert watched.look() == 0 and watched.look() == 0
    assert WatchedFolder(inbox, intake, settle_s=0).look() == 1
    assert stored(intake) == ["1.2.3.1.1"] and not (inbox / "deep" / "a.dcm").exists() and (inbox / ".part").exists()
    assert "no DICOM file" in (inbox / "refused" / "note.txt.reason.txt").read_text() and (inbox / "refused" / "note.txt").exists()


def test_a_growing_file_is_left_alone(intake, tmp_path):
    data, path = bytes_of(ct_slice("1.2.3")), tmp_path / "slow.dcm"
    watched = WatchedFolder(tmp_path, intake, settle_s=0.05)
    (tmp_path / "data").mkdir()
    (tmp_path / "data").rename(tmp_path / ".data")
    for end in (100, 200, 300):
        path.write_bytes(data[:end])
        assert watched.look() == 0
    assert path.exists() and not (tmp_path / "refused").exists()
