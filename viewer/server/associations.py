"""The socket side of the listener: what one peer does to its connection, out of malice or by a fault, stays with that connection.

pynetdicom by itself does the TLS handshake where it accepts connections, waits for ever for the rest of a PDU, and holds in memory what a PDU's header
announces, up to 4 GB, before it knows who sends.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable

from pynetdicom import AE, Association, evt
from pynetdicom.transport import ThreadedAssociationServer

log = logging.getLogger(__name__)
OVER = "Sta1"
"""No connection (DICOM PS3.8, table 9-10)."""
LOOK_S = 0.1
"""How often the server looks whether it has to end."""
LARGEST_PDU = 262_144
"""Bytes of one PDU, as we tell the peer: fewer, larger pieces; the default of 16 kB halves the throughput."""


class GuardedServer(ThreadedAssociationServer):
    """Takes connections without waiting for anything that they say."""

    def get_request(self) -> tuple[socket.socket, tuple]:
        """The handshake of TLS comes with the first reading, in the thread of the association."""
        client, address = self.socket.accept()
        client.settimeout(self.ae.network_timeout)
        if self.ssl_context:
            client = self.ssl_context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        return client, address

    def handle_error(self, request, client_address) -> None:
        log.warning("a connection could not be served", exc_info=True)


def serve_associations(entity: AE, address: tuple[str, int], ssl_context, handlers: list) -> GuardedServer:
    """A running server in a thread, until its `shutdown()`. OSError where the port is taken."""
    server = entity.make_server(address, ssl_context=ssl_context, evt_handlers=[(evt.EVT_CONN_OPEN, _guard), *handlers], server_class=GuardedServer)
    entity._servers.append(server)  # as `AE.start_server` does, which takes no other class; `shutdown` takes it out again
    threading.Thread(target=server.serve_forever, args=(LOOK_S,), name="listener", daemon=True).start()
    return server


def _guard(event: evt.Event) -> None:
    """Whatever ends one of an association's two threads ends the other and the connection too; else it would keep its place among the associations for ever."""
    association = event.assoc
    association.dul.socket.recv = _limited(association.dul.socket.recv)
    association.dul.state_machine.do_action = _ending(association, _telling(association.dul, association.dul.state_machine.do_action))
    association.run = _ending(association, association.run)


def _limited(receive: Callable[[int], bytearray]) -> Callable[[int], bytearray]:
    """Reading that refuses a PDU which announces more than we said that we take."""

    def limited(count: int) -> bytearray:
        if count > LARGEST_PDU:
            raise OSError(f"a PDU of {count} bytes was announced, {LARGEST_PDU} are the most")
        return receive(count)

    return limited


def _telling(provider, action: Callable[[str], None]) -> Callable[[str], None]:
    """A step of the connection's state machine that tells when the connection is over: who waits for the peer's request waits for half a minute otherwise."""

    def telling(name: str) -> None:
        action(name)
        if provider.state_machine.current_state == OVER:
            provider.to_user_queue.put(None)

    return telling


def _ending(association: Association, action: Callable) -> Callable:
    def ending(*given) -> None:
        try:
            action(*given)
        except Exception as error:  # pynetdicom's states and decoders raise what they like at what a peer may send
            log.warning("association of %s ended: %s: %s", association.remote.get("address", "?"), type(error).__name__, error)
            association._kill = True
            association.dul.kill_dul()
            association.dul.socket.close()

    return ending
