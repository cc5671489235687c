"""Storage commitment: a result is delivered when the PACS has committed to it, sent again when it has not, and strangers' reports change nothing."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from sqlalchemy import select

from ccta.errors import BadSettings
from tests.viewer.server.conftest import free_port
from viewer.server.commitment import note_report, request_of
from viewer.server.delivery import NOT_COMMITTED, Courier
from viewer.server.dicomweb import WebPeer
from viewer.server.intake import Intake
from viewer.server.peers import PeerFailed
from viewer.server.scp import start_listener
from viewer.server.settings import ListenSettings, OutSettings, Pacs, ServerSettings
from viewer.server.store import Delivery, Study, open_store

PACS = Pacs(host="127.0.0.1", port=1, ae_title="PACS", commitment=True)


class Archive:
    """A PACS in memory that commits when it is told to."""

    commits = takes_requests = True

    def __init__(self):
        self.holds, self.stored, self.asked = set(), [], []

    @contextmanager
    def connect(self, pacs, settings):
        yield self

    def has(self, study_uid, series_uid, sop_uid) -> bool:
        return sop_uid in self.holds

    def store(self, paths) -> dict:
        self.stored += [path.stem for path in paths]
        self.holds |= {path.stem for path in paths}
        return {}

    def commit(self, transaction_uid, objects) -> None:
        if not self.takes_requests:
            raise PeerFailed("no commitment here")
        self.asked.append((transaction_uid, [uid for _, uid in objects]))


@pytest.fixture
def ward(tmp_path):
    """(courier, archive, clock) with two results of one study to be sent."""
    listen, now = ListenSettings(callers=("PACS",)), [1000.0]
    settings = ServerSettings(data=str(tmp_path), listen=listen, pacs={"main": PACS}, out=OutSettings(destination="main", retry_s=30.0))
    store, archive = open_store(settings.database_url), Archive()
    with store.writing() as session:
        session.add(Study(study_uid="1.2.3"))
        session.flush()
        for uid in ("7.1", "7.2"):
            (tmp_path / f"{uid}.dcm").write_bytes(b"")
            values = {"sop_uid": uid, "series_uid": "7", "sop_class_uid": "1.2", "path": f"{uid}.dcm", "destination": "main"}
            session.add(Delivery(study_id=1, generation=1, **values))
    yield Courier(store, settings, archive.connect, lambda: now[0]), archive, now
    store.close()


def states(courier: Courier) -> dict[str, str]:
    with courier.store.session() as session:
        return dict(session.execute(select(Delivery.sop_uid, Delivery.state)).all())


def test_a_result_is_delivered_when_the_pacs_has_committed_to_it(ward):
    courier, archive, now = ward
    courier.round()
    assert archive.stored == ["7.1", "7.2"] and states(courier) == {"7.1": "sent", "7.2": "sent"}
    ((transaction, asked),) = archive.asked
    with courier.store.session() as session:
        assert asked == ["7.1", "7.2"] and set(session.scalars(select(Delivery.error))) == {NOT_COMMITTED}
    assert note_report(courier.store, "1.2.999", {"7.1"}, {}, 30.0) == 0 and note_report(courier.store, "", {"7.1"}, {}, 30.0) == 0
    assert note_report(courier.store, transaction, {"7.1"}, {"7.2": 0x0112}, -1e10) == 2
    assert states(courier) == {"7.1": "there", "7.2": "lost"}
    now[0] += 1
    courier.round()
    assert archive.stored == ["7.1", "7.2", "7.2"] and archive.asked[1][1] == ["7.2"] and archive.asked[1][0] != transaction
    now[0] += 1000
    courier.round()
    assert archive.stored == ["7.1", "7.2", "7.2"]  # once without asking


def test_a_pacs_that_takes_no_request_for_commitment_gets_what_is_new_all_the_same(ward):
    courier, archive, _ = ward
    archive.holds, archive.takes_requests = {"7.1"}, False
    courier.round()
    assert archive.stored == ["7.2"] and states(courier) == {"7.1": "sent", "7.2": "sent"}
    with courier.store.session() as session:
        assert set(session.scalars(select(Delivery.error))) == {"no commitment here"}


def test_a_pacs_that_does_not_answer_is_asked_again_and_sent_nothing_twice(ward):
    courier, archive, now = ward
    for seconds in (0, 1, 31, 92):
        now[0] = 1000.0 + seconds
        courier.round()
    assert archive.stored == ["7.1", "7.2"] and len(archive.asked) == 3


def test_what_is_there_stays_there_when_the_pacs_goes_away_in_the_middle(ward, monkeypatch):
    courier, archive, _ = ward
    archive.holds, archive.commits = {"7.1"}, False

    def store(paths):
        raise PeerFailed("gone away")

    monkeypatch.setattr(archive, "store", store)
    assert courier.round() == 0 and states(courier) == {"7.1": "there", "7.2": "pending"}


def report_of(transaction: str, kept: str, lost: str) -> Dataset:
    """A PACS's answer: one object kept, one not."""
    report = request_of(transaction, [("1.2", kept)]) if transaction else Dataset()
    (failed,) = request_of("", [("1.2", lost)]).ReferencedSOPSequence
    failed.FailureReason = 0x0112
    report.FailedSOPSequence = [failed]
    return report


def test_the_answer_comes_to_the_listener_and_a_damaged_one_is_refused(ward):
    """N-EVENT-REPORT by pynetdicom as the PACS, in an association of its own."""
    courier, archive, _ = ward
    courier.round()
    listen = replace(courier.settings.listen, port=free_port())
    listener, entity = start_listener(listen, Intake(courier.store, courier.settings)), AE("PACS")
    entity.add_requested_context(StorageCommitmentPushModel)
    association = entity.associate("127.0.0.1", listen.port, ae_title="CCTA", ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)])
    tell = lambda report: association.send_n_event_report(report, 2, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)[0].Status  # noqa: E731
    assert tell(report_of("", "7.1", "7.2")) == 0x0114 and states(courier) == {"7.1": "sent", "7.2": "sent"}
    assert tell(report_of(archive.asked[0][0], "7.1", "7.2")) == 0x0000 and states(courier) == {"7.1": "there", "7.2": "lost"}
    association.release()
    listener.shutdown()


def test_the_request_names_what_it_is_about():
    request = request_of("1.2.9", [("1.2.3", "4.5")])
    (item,) = request.ReferencedSOPSequence
    assert isinstance(request, Dataset) and (request.TransactionUID, item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) == ("1.2.9", "1.2.3", "4.5")


def test_commitment_needs_dicom_and_a_listener_that_takes_the_answer():
    with pytest.raises(BadSettings, match="service of DICOM"):
        Pacs(url="http://pacs.example", commitment=True)
    with pytest.raises(BadSettings, match=r"PACS in listen\.callers"):
        ServerSettings(pacs={"main": PACS})
    with pytest.raises(PeerFailed, match="cannot be asked for storage commitment"):
        WebPeer(None, "http://pacs.example").commit("1.2", [])
