"""Objects of signed reports: what the draft left undelivered is withdrawn, and one case that cannot be exported keeps no other waiting."""

import pytest
from sqlalchemy import select

from tests.viewer.server.small_dicom import bytes_of, pdf_object
from viewer.server.intake import next_generation
from viewer.server.node import Node
from viewer.server.results import objects_of, order_deliveries, result_objects
from viewer.server.settings import ListenSettings, OutSettings, Pacs, ServerSettings
from viewer.server.signatures import SignedReports
from viewer.server.store import NOTES_FOLDER, Delivery, Study, open_store
from viewer.server.work import Ended, export_objects

UIDS = ("1.2.3", "1.2.4")


@pytest.fixture
def ward(tmp_path, monkeypatch):
    """(signed reports, exports, clock): two signed cases. exports: the study's UID -> what its export does; by default one new object in the old one's file."""
    now, exports = [1000.0], {}
    settings = ServerSettings(
        data=str(tmp_path), listen=ListenSettings(callers=("PACS",)), out=OutSettings(destination="main", retry_s=30.0),
        pacs={"main": Pacs(host="127.0.0.1", port=1, ae_title="PACS")},
    )  # fmt: skip
    store = open_store(settings.database_url)
    with store.writing() as session:
        for uid in UIDS:
            (tmp_path / "cases" / uid / "1" / "dicom").mkdir(parents=True)
            (tmp_path / "cases" / uid / "1" / "reader.json").write_text("{}")
            session.add(Study(study_uid=uid, state="done", case_path=f"cases/{uid}/1", objects_s=1.0))

    def export(settings, root, go_on):
        return exports.get(root.parent.name, made)(root)

    monkeypatch.setattr("viewer.server.signatures.signature_of", lambda root: True)
    monkeypatch.setattr("viewer.server.signatures.export_objects", export)
    yield SignedReports(store, settings, lambda: now[0]), exports, now
    store.close()


def made(root) -> Ended:
    (root / "dicom" / "sr.dcm").write_bytes(bytes_of(pdf_object(root.parent.name)))
    return Ended(0, "")


def away(root) -> Ended:
    raise OSError(5, "Input/output error")


def no_dicom(root) -> Ended:
    (root / "dicom" / "sr.dcm").write_text("nothing")
    return Ended(0, "")


def the_study(reports: SignedReports) -> Study:
    with reports.store.session() as session:
        return session.scalar(select(Study))


def deliveries(reports: SignedReports) -> dict[str, str]:
    with reports.store.session() as session:
        return dict(session.execute(select(Delivery.sop_uid, Delivery.state).where(Delivery.study_id == 1)).all())


def test_what_the_draft_left_undelivered_is_withdrawn_when_the_report_is_signed(ward):
    """Its path holds the signed object now: it could be sent for ever, and the PACS would never show the draft's UID."""
    reports, _, _ = ward
    root = reports.settings.data_folder / "cases" / "1.2.3" / "1"
    (root / "dicom" / "there.dcm").write_bytes(bytes_of(pdf_object("1.2.3")))
    made(root)
    there, draft = (one.sop_uid for one in sorted(result_objects(root), key=lambda one: one.path.stem != "there"))
    with reports.store.writing() as session:
        order_deliveries(session, reports.settings, session.get(Study, 1), result_objects(root))
        session.flush()
        session.scalar(select(Delivery).where(Delivery.sop_uid == there)).state = "there"
    (root / "dicom" / "there.dcm").unlink()  # as the export does with what the signed case has no more
    assert set(deliveries(reports)) == {there, draft} and reports.round() == 2
    (signed,) = (one.sop_uid for one in result_objects(root))
    assert deliveries(reports) == {there: "there", signed: "pending"}


def test_late_images_do_not_take_back_a_note_that_has_not_gone_out_yet(ward):
    """The drafts are no drafts any more once a note on them is ordered: without it the PACS would show them for ever."""
    reports, _, _ = ward
    note = reports.settings.data_folder / NOTES_FOLDER / "1.2.3" / "note.dcm"
    note.parent.mkdir(parents=True)
    note.write_bytes(bytes_of(pdf_object("1.2.3")))
    made(root := reports.settings.data_folder / "cases" / "1.2.3" / "1")
    with reports.store.writing() as session:
        order_deliveries(session, reports.settings, session.get(Study, 1), [*result_objects(root), *objects_of([note])])
        session.flush()
        next_generation(session, session.get(Study, 1))
    assert deliveries(reports) == {objects_of([note])[0].sop_uid: "pending"}


def test_objects_are_made_without_the_uids_that_were_rejected_in_the_study(ward, monkeypatch):
    commands = []
    monkeypatch.setattr("viewer.server.work.run_bound", lambda command, *more: commands.append(command) or Ended(0, ""))
    folder = ward[0].settings.data_folder
    export_objects(ward[0].settings, folder / "cases" / "1.2.3" / "1", lambda line: True)
    assert commands[0][-2:] == ["--rejected", str(folder / "rejections" / "1.2.3")]


@pytest.mark.parametrize(
    ("fails", "says"),
    [
        (lambda root: Ended(1, "ccta: MemoryError"), "memory_mb"),
        (lambda root: Ended(0, "", late=True), "minutes"),
        (away, "Input/output"),
        (no_dicom, "no DICOM"),
    ],
    ids=["memory", "time", "disk", "damaged"],
)
def test_an_export_that_fails_is_shown_and_tried_again_later_and_the_others_go_on(ward, fails, says):
    reports, exports, now = ward
    exports["1.2.3"] = fails
    assert reports.round() == 1 and says in the_study(reports).error and deliveries(reports) == {}
    assert str(reports.settings.data_folder) not in the_study(reports).error
    exports.clear()
    assert reports.round() == 0  # not yet
    now[0] += 31
    assert reports.round() == 1 and the_study(reports).error == "" and list(deliveries(reports).values()) == ["pending"]
    assert reports.round() == 0 and reports.failed == {}


def test_only_the_nodes_own_duties_make_the_quiet_time_begin_anew(tmp_path):
    node = Node(ServerSettings(data=str(tmp_path)))
    node._tick()

    def full_disk():
        node._stop.set()
        raise OSError(28, "No space left on device")

    node._again_and_again("signed reports", full_disk, 0.0)
    assert not node._behind
    node._stop.clear()
    node._tick = full_disk
    node._again_and_again("clock", node._tick, 0.0)
    assert node._behind
    node.stop()
