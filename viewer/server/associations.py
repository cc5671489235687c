"""The socket side of the listener: what one peer does to its connection, out of malice or by a fault, stays with that connection.

pynetdicom by itself does the TLS handshake where it accepts connections, waits for ever for the rest of a PDU, and holds in memory what a PDU's header
announces, up to 4 GB, before it knows who sends.
"""

from __future__ import annotations

import logging
import socket
import threading

from pynetdicom import AE, evt
from pynetdicom.transport import ThreadedAssociationServer

log = logging.getLogger(__name__)
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
    guarded = [(evt.EVT_CONN_OPEN, _limit_pdus), *handlers]
    server = entity.make_server(address, ssl_context=ssl_context, evt_handlers=guarded, server_class=GuardedServer)
    entity._servers.append(server)  # as `AE.start_server` does, which takes no other class; `shutdown` takes it out again
    threading.Thread(target=server.serve_forever, args=(LOOK_S,), name="listener", daemon=True).start()
    return server


def _limit_pdus(event: evt.Event) -> None:
    """Ends a connection whose next PDU announces more than we said that we take."""
    connection = event.assoc.dul.socket
    receive = connection.recv

    def limited(count: int) -> bytearray:
        if count > LARGEST_PDU:
            raise OSError(f"a PDU of {count} bytes was announced, {LARGEST_PDU} are the most")
        return receive(count)

    connection.recv = limited
