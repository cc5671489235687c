"""The way from the browser to a viewer process: pages by HTTP, and the websocket as a tunnel of bytes after its handshake was checked.

A viewer listens on the loopback address and knows only its own secret; the tunnel adds it and takes the browser's cookies and origin away, so that a viewer
never sees the login's cookie. Bytes are not looked into, as in any reverse proxy: a picture costs no second decoding.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

import httpx
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from viewer.server.sessions import ReadingSession

log = logging.getLogger(__name__)

SOCKET_PATH = re.compile(r"/view/([\w-]{20,64})/ws(?:\?.*)?")
KEPT = ("content-type", "content-length", "last-modified", "etag")
HANDSHAKE = (b"upgrade", b"connection", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions", b"sec-websocket-protocol")
PONG = 0x8A
CHUNK_LIMIT = 16 * 1024
VIEWER_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
"""trame compiles its templates in the browser, which needs 'unsafe-eval' and inline scripts; nothing comes from elsewhere."""


def viewer_cookie(session: ReadingSession) -> str:
    """The cookie by which a viewer knows its own page (`viewer.app.guard.cookie_name`)."""
    return f"ccta-{session.port}={session.secret}"


async def page_of(client: httpx.AsyncClient, session: ReadingSession, path: str) -> Response:
    """One file of the viewer's page."""
    url = httpx.URL(scheme="http", host="127.0.0.1", port=session.port, path=f"/{path}")
    asked = client.build_request("GET", url, headers={"Cookie": viewer_cookie(session)})
    try:
        answer = await client.send(asked, stream=True)
    except httpx.HTTPError:
        return PlainTextResponse("This viewer has ended; open the case again from the worklist.", 410)
    headers = {name: value for name, value in answer.headers.items() if name in KEPT} | {"Content-Security-Policy": VIEWER_POLICY}
    return StreamingResponse(answer.aiter_raw(), answer.status_code, headers, background=BackgroundTask(answer.aclose))


Gate = Callable[[str, str], Awaitable[ReadingSession | None]]
"""(key of a reading session, token of the login) -> the session, None where the login is not its owner's."""


def tunnel_class(gate: Gate, cookie: str, used: Callable[[str], None]) -> type[asyncio.Protocol]:
    """What uvicorn takes as its websocket protocol. cookie: name of the login's cookie. used(token): the person did something."""

    class BoundTunnel(Tunnel):
        def __init__(self, config, server_state, app_state, _loop=None):
            super().__init__(gate, cookie, used)
            self._connections = server_state.connections

    return BoundTunnel


class Tunnel(asyncio.Protocol):
    """From the browser's side. Begins with the request as uvicorn read it, then hands bytes over in both directions."""

    def __init__(self, gate: Gate, cookie: str, used: Callable[[str], None]):
        self._gate, self._cookie, self._used = gate, cookie, used
        self._connections: set = set()
        self._browser = self._viewer = self._session = None
        self._token, self._head, self._waiting = "", b"", b""

    def connection_made(self, transport) -> None:
        self._browser = transport
        self._connections.add(self)

    def connection_lost(self, exc) -> None:
        self._connections.discard(self)
        if self._session is not None:
            self._session.tunnels.discard(self)
        if self._viewer is not None:
            self._viewer.close()

    def data_received(self, data: bytes) -> None:
        if not self._head:
            self._head = data
            self._task = asyncio.get_running_loop().create_task(self._connect())
        elif self._viewer is None:
            self._waiting += data  # nothing is expected before the handshake's answer
            if len(self._waiting) > CHUNK_LIMIT:
                self.close()
        else:
            if data[0] != PONG:  # an answer to the viewer's own heartbeat is no use
                self._used(self._token)
            self._viewer.write(data)

    def pause_writing(self) -> None:
        if self._viewer is not None:
            self._viewer.pause_reading()

    def resume_writing(self) -> None:
        if self._viewer is not None:
            self._viewer.resume_reading()

    def shutdown(self) -> None:
        """What uvicorn calls when it stops."""
        self.close()

    def close(self) -> None:
        self._browser.close()

    async def _connect(self) -> None:
        try:
            session, head = await self._checked()
            if session is None:
                return self._refuse()
            loop = asyncio.get_running_loop()
            self._viewer, _ = await loop.create_connection(lambda: _FromViewer(self._browser), "127.0.0.1", session.port)
        except OSError:
            return self._refuse()
        except Exception:
            log.exception("a websocket could not be connected")
            return self._refuse()
        self._session = session
        session.tunnels.add(self)
        self._viewer.write(head + self._waiting)
        if self._browser.is_closing():
            self._viewer.close()

    async def _checked(self) -> tuple[ReadingSession | None, bytes]:
        """The session that this request may reach, and the request as the viewer gets it."""
        first, *lines = self._head.split(b"\r\n\r\n")[0].split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        method, target, _ = first.decode("latin-1").split(" ", 2)
        found = SOCKET_PATH.fullmatch(target)
        self._token = cookie_of(headers.get(b"cookie", b"").decode("latin-1"), self._cookie)
        if method != "GET" or found is None or not own_origin(headers.get(b"origin", b"").decode("latin-1"), headers.get(b"host", b"").decode("latin-1")):
            return None, b""
        session = await self._gate(found[1], self._token)
        if session is None:
            return None, b""
        kept = [name + b": " + headers[name] for name in HANDSHAKE if name in headers]
        own = [b"Host: 127.0.0.1:%d" % session.port, b"Cookie: " + viewer_cookie(session).encode()]
        return session, b"\r\n".join([b"GET /ws HTTP/1.1", *own, *kept, b"", b""])

    def _refuse(self) -> None:
        text = b"This viewer is not open for you; log in and open the case from the worklist."
        self._browser.write(b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        self._browser.close()


class _FromViewer(asyncio.Protocol):
    """From the viewer's side to the browser."""

    def __init__(self, browser: asyncio.Transport):
        self._browser, self._viewer = browser, None

    def connection_made(self, transport) -> None:
        self._viewer = transport

    def data_received(self, data: bytes) -> None:
        self._browser.write(data)

    def pause_writing(self) -> None:
        self._browser.pause_reading()

    def resume_writing(self) -> None:
        self._browser.resume_reading()

    def connection_lost(self, exc) -> None:
        self._browser.close()


def cookie_of(header: str, name: str) -> str:
    """One cookie's value, "" where it is not there or the header is no cookies."""
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def own_origin(origin: str, host: str) -> bool:
    """True where the Origin header names the host that was asked. A browser always sends it with a websocket; nothing else has a reason to open one."""
    try:
        return bool(origin) and urlsplit(origin).scheme in ("http", "https") and urlsplit(origin).netloc == host
    except ValueError:
        return False
