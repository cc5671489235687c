"""What a peer does to its own connection does not touch the listener: damaged PDUs, announced giants, silence."""

import contextlib
import socket
import struct
from dataclasses import replace

import pytest

from tests.benchmarks.fuzz_pdus import answer_to, fuzz, recorded
from tests.viewer.server.certificates import Certificates
from tests.viewer.server.conftest import free_port
from tests.viewer.server.small_dicom import ct_slice, send
from viewer.server.intake import Intake
from viewer.server.scp import start_listener
from viewer.server.settings import IntakeSettings, ListenSettings, ServerSettings
from viewer.server.store import open_store


@contextlib.contextmanager
def listening(tmp_path, **changes):
    """A listener with two places, the second because the one before may still be ending; gives its port."""
    listen = replace(ListenSettings(port=free_port(), callers=("CT1",), associations=2), **changes)
    store = open_store(f"sqlite:///{tmp_path / 'server.sqlite'}")
    server = start_listener(listen, Intake(store, ServerSettings(data=str(tmp_path / "data"), intake=IntakeSettings(keep_free_mb=0))))
    yield listen.port
    server.shutdown()
    store.close()


@pytest.mark.filterwarnings("ignore")  # pydicom warns of what it is to warn of
def test_damaged_pdus_end_their_association_and_nothing_else(tmp_path):
    """A few; `make bench-server` sends 10,000."""
    rows, faults = fuzz(tmp_path, 120, seed=3)
    figures = {figure: measured for figure, measured, _ in rows}
    assert faults == [] and figures["threads left; s"].startswith("0;")
    assert all(kind in figures["last answers"] for kind in ("aborted", "accepted"))


def test_an_announced_giant_is_not_waited_for(tmp_path):
    """Before the association, and within it."""
    with listening(tmp_path) as port:
        pdus = recorded(port)
        giant = struct.pack(">BBL", 4, 0, 2**32 - 1) + bytes(1000)
        assert answer_to(port, [struct.pack(">BBL", 1, 0, 2**31) + bytes(1000)]) == b""
        assert answer_to(port, [pdus[0], giant])[:1] == b"\x02"
        assert send(port, [ct_slice("1.2.4")]) == [0]


def test_who_connects_and_says_nothing_keeps_nobody_waiting(tmp_path):
    made = Certificates(tmp_path / "tls")
    with listening(tmp_path, certificate=str(made.server), key=str(made.server_key), idle_s=0.5, associations=3) as port:
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        assert send(port, [ct_slice("1.2.3")], tls=made.client()) == [0]
        for peer in silent:
            peer.close()


def test_half_a_pdu_is_not_waited_for_longer_than_the_idle_time(tmp_path):
    with listening(tmp_path, idle_s=0.3) as port:
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(struct.pack(">BBL", 1, 0, 5000) + bytes(10))
            assert peer.recv(100) == b""  # closed by the listener
        assert send(port, [ct_slice("1.2.3")]) == [0]
