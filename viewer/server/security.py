"""The gate before every route: who asks, may the request have this size, does it come from our own page, and what a browser may do with the answer.

Everything needs a login but the addresses of `OPEN`. What goes wrong inside becomes one sentence with a reference number; the traceback stands under that
number in the server's log. Headers after the OWASP secure headers project.
"""

from __future__ import annotations

import logging
import re
import secrets
from dataclasses import dataclass
from http import HTTPStatus

from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from viewer.server.accounts import Accounts, Person
from viewer.server.error_words import in_chinese
from viewer.server.proxy import cookie_of, own_origin
from viewer.server.words import language_of

log = logging.getLogger(__name__)

COOKIE = "ccta_session"
OPEN = {("GET", "/health"), ("HEAD", "/health"), ("GET", "/login"), ("HEAD", "/login"), ("POST", "/login"), ("POST", "/api/login")}
"""(method, path) that answer without a login."""
UNTIL_CHANGED = ("/password", "/api/me", "/api/me/password", "/api/logout", "/static/")
"""What an account whose password has to be changed may reach."""
SAFE = ("GET", "HEAD")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS = "max-age=31536000"
SMALL_BODY = 64 * 1024
NO_LAUNCHER = re.compile(r"/view/[\w-]+/paraview/?")
"""Where trame's page asks for a launcher of its own before it connects to its own server; it expects 405 in plain words."""
QUIET = "x-ccta-quiet"
"""Header of the requests by which a page updates itself; they are no use of the session."""


@dataclass(frozen=True)
class Limits:
    """Largest body of a request in bytes; uploads: (method, path) that may be large."""

    upload_bytes: int
    uploads: frozenset[tuple[str, str]] = frozenset({("POST", "/api/studies")})

    def of(self, method: str, path: str) -> int:
        return self.upload_bytes if (method, path) in self.uploads else SMALL_BODY


class TooLarge(Exception):
    """The body went over its limit while it was read."""


class Sentence(JSONResponse):
    """An answer that is no success, in the language of who asks: {"error": sentence}."""

    def __init__(self, status: int, text: str, **more):
        super().__init__({"error": text, **more}, status)
        self._content = {"error": text, **more}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if language_of(Request(scope)) == "zh":
            self.body = self.render({**self._content, "error": in_chinese(self._content["error"])})
            self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def sentence(status: int, text: str, **more) -> Sentence:
    """An answer that is no success."""
    return Sentence(status, text, **more)


class Gate:
    """ASGI middleware. Puts the Person who asks into the request's state, None on open addresses without a login."""

    def __init__(self, app: ASGIApp, accounts: Accounts, limits: Limits):
        self._app, self._accounts, self._limits = app, accounts, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await (self._app(scope, receive, send) if scope["type"] == "lifespan" else send({"type": "websocket.close", "code": 1008}))
            return
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        secure = scope["scheme"] == "https"
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                add_headers(MutableHeaders(scope=message), secure)
            await send(message)

        try:
            person = await self._person(headers, method, path)
            scope.setdefault("state", {})["person"] = person
            refusal = refused(method, path, headers, person) or too_large(headers, self._limits.of(method, path))
            await (refusal or self._app)(scope, limited(receive, self._limits.of(method, path)), sending)
        except TooLarge:
            if not started:
                await sentence(413, "This request is larger than the server takes.")(scope, receive, sending)
        except OperationalError as error:
            log.warning("the database does not answer (%s)", type(error.orig).__name__)
            if not started:
                await sentence(503, "The database of the server does not answer. Try again in a minute.")(scope, receive, sending)
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("error %s at %s", reference, method)
            if not started:
                text = f"The server could not do this. Tell the administrator the number {reference}; the reason stands under it in the server's log."
                await sentence(500, text, reference=reference)(scope, receive, sending)

    async def _person(self, headers: Headers, method: str, path: str) -> Person | None:
        token = cookie_of(headers.get("cookie", ""), COOKIE)
        if not token:
            return None
        return await run_in_threadpool(self._accounts.person, token, QUIET not in headers)


def add_headers(headers: MutableHeaders, secure: bool) -> None:
    """The security headers that an answer does not set itself."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if secure:
        headers.setdefault("Strict-Transport-Security", HSTS)


def refused(method: str, path: str, headers: Headers, person: Person | None) -> ASGIApp | None:
    """The answer to a request that goes no further, None where it may."""
    if (method, path) in OPEN:
        return None if method in SAFE or from_our_page(headers) else sentence(403, "This request does not come from this server's own page.")
    if person is None:
        page = method in SAFE and not path.startswith("/api/")
        return RedirectResponse("/login", HTTPStatus.SEE_OTHER) if page else sentence(401, "Log in first.")
    if method == "POST" and NO_LAUNCHER.fullmatch(path):
        return PlainTextResponse("no launcher", 405)
    if method not in SAFE:
        given = headers.get("x-csrf-token", "")
        if not from_our_page(headers) or not secrets.compare_digest(given.encode(), person.csrf.encode()):
            return sentence(403, "This request does not come from this server's own page, or the page is older than your login; load it again.")
    if person.must_change and not any(path == allowed or (allowed.endswith("/") and path.startswith(allowed)) for allowed in UNTIL_CHANGED):
        page = method in SAFE and not path.startswith("/api/")
        return RedirectResponse("/password", HTTPStatus.SEE_OTHER) if page else sentence(403, "Choose a password first.")
    return None


def from_our_page(headers: Headers) -> bool:
    """False where the browser says that another site made the request. Programs that are no browsers send neither header."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    return site in (None, "same-origin", "none") and (origin is None or own_origin(origin, headers.get("host", "")))


def too_large(headers: Headers, limit: int) -> ASGIApp | None:
    """The answer to a request that announces more than `limit` bytes."""
    length = headers.get("content-length", "0")
    return None if length.isdecimal() and int(length) <= limit else sentence(413, "This request is larger than the server takes.")


def limited(receive: Receive, limit: int) -> Receive:
    """`receive` that raises TooLarge once more than `limit` bytes of body came, whatever was announced."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        if seen > limit:
            raise TooLarge
        return message

    return counted
