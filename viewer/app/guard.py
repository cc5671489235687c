"""Who may reach the page, and what leaves it: a secret of its own for every start, no traceback to the browser, and an end when nobody uses it.

The address that is printed holds the secret; the first answer turns it into a cookie. Without either, every path answers 403: pages, scripts and the
websocket alike. A websocket must come from the page itself, and the Host header must name this machine, so that no other page of the same browser, and no
foreign name that points here, can connect.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from ccta.case import Case

log = logging.getLogger(__name__)

REFUSED = "Open the viewer by the address that `ccta view` prints; it holds the secret of this session."
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}
LOCAL = ("127.0.0.1", "localhost")
FAILED = "The server could not do this; the reason stands in its terminal."
CHECK_S = 5.0


def new_secret() -> str:
    """192 random bits, safe in an address."""
    return secrets.token_urlsafe(24)


def guard(secret: str):
    """The aiohttp middleware that lets only this session in."""

    @web.middleware
    async def check(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        name = cookie_name(request.host)
        given = request.query.get("secret", "")
        known = _same(given, secret) or _same(request.cookies.get(name, ""), secret)
        if not known or not from_here(request.host, request.headers.get("Origin")):
            return web.Response(status=403, text=REFUSED, headers=HEADERS)
        try:
            response = await handler(request)
        except web.HTTPException as expected:
            expected.headers.update(HEADERS)
            raise
        except Exception:
            log.exception("a request failed")
            return web.Response(status=500, text=FAILED, headers=HEADERS)
        if not response.prepared:
            response.headers.update(HEADERS)
            if _same(given, secret):
                response.set_cookie(name, secret, httponly=True, samesite="Strict", path="/")
        return response

    return check


def cookie_name(host: str) -> str:
    """Cookies do not know ports, and several viewers may run on one machine."""
    return f"ccta-{urlsplit(f'//{host}').port or 80}"


def from_here(host: str, origin: str | None) -> bool:
    """True where the Host header names this machine and the Origin, if the browser sends one, is the page itself."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name in LOCAL and (origin is None or origin == f"http://{host}")


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())


def protect(webserver, secret: str) -> None:
    """Puts the guard before a wslink server, and keeps what went wrong from its answers: code and a sentence, nothing of the exception."""
    webserver.app.middlewares.append(guard(secret))
    for handler in webserver._ws_handlers:
        handler.sendWrappedError = _plain(handler.sendWrappedError)


def _plain(send):
    async def answer(rpcid, code, message, data=None, client_id=None):
        await send(rpcid, code, FAILED if message == "Exception raised" else message, None, client_id)

    return answer


def offer_report(webserver, root: Path) -> None:
    """The case's report under /report.html, as it is on disk at that moment."""
    path = Case.open(root).path("report_html")

    async def report(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(path) if path.is_file() else web.Response(status=404, text="This case has no report yet; run `ccta report` on it.")

    webserver.app.router.add_get("/report.html", report)


class IdleWatch:
    """Ends the session when nothing was done for a while. `used()` is called by whatever the reader does; `busy()` says that work is still going on."""

    def __init__(self, minutes: float, busy: Callable[[], bool] = lambda: False, clock: Callable[[], float] = time.monotonic):
        self.limit_s, self._busy, self._clock = 60 * minutes, busy, clock
        self._last = clock()

    def used(self) -> None:
        self._last = self._clock()

    @property
    def over(self) -> bool:
        """True when the time is up; never while work is going on, and never with a limit of 0."""
        if self._busy():
            self.used()
        return self.limit_s > 0 and self._clock() - self._last > self.limit_s

    async def wait(self, check_s: float = CHECK_S) -> None:
        """Returns when the time is up."""
        while not self.over:
            await asyncio.sleep(check_s)
