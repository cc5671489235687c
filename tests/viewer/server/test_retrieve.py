"""C-MOVE: the listener that lives as long as a retrieval takes the study that was asked for, from the PACS that was asked, and nothing else."""

from contextlib import contextmanager

from pydicom.dataset import Dataset

from tests.viewer.server.certificates import Certificates
from tests.viewer.server.conftest import free_port
from tests.viewer.server.small_dicom import ct_slice, send
from viewer.server.dimse import DimsePeer
from viewer.server.settings import ListenSettings, Pacs, ServerSettings


def retrieved(monkeypatch, sends, **listen) -> tuple[list, list]:
    """(what `sends(port)` gave, what was kept), while the PACS "sends" the study 1.2.3."""
    port, answers, kept = free_port(), [], []

    class Asked:
        def send_c_move(self, identifier, title, model):
            answers.extend(sends(port))
            status = Dataset()
            status.Status = 0
            return iter([(status, None)])

    @contextmanager
    def association(peer, contexts):
        yield Asked()

    monkeypatch.setattr(DimsePeer, "_association", association)
    settings = ServerSettings(listen=ListenSettings(port=port, host="127.0.0.1", **listen))
    pacs = Pacs(host="127.0.0.1", port=1, ae_title="PACS", retrieve="move")
    assert DimsePeer(pacs, settings).fetch("1.2.3", kept.append) == len(kept)
    return answers, kept


def test_only_the_pacs_may_send_and_only_what_was_asked_for(monkeypatch):
    def sends(port):
        yield send(port, [ct_slice("1.2.3")], calling="OTHER")
        yield send(port, [ct_slice("1.2.3")], calling="PACS", called="OTHER")
        yield send(port, [ct_slice("1.2.4"), ct_slice("1.2.3")], calling="PACS")

    answers, kept = retrieved(monkeypatch, sends)
    assert answers == [[], [], [0x0124, 0]] and len(kept) == 1


def test_it_speaks_tls_as_the_listener_does(monkeypatch, tmp_path):
    made = Certificates(tmp_path / "tls")

    def sends(port):
        yield send(port, [ct_slice("1.2.3")], calling="PACS")
        yield send(port, [ct_slice("1.2.3")], calling="PACS", tls=made.client())

    answers, kept = retrieved(monkeypatch, sends, certificate=str(made.server), key=str(made.server_key))
    assert answers == [[], [0]] and len(kept) == 1
