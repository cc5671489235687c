"""The server's pages: login, worklist, password, users, audit log. Rendered here; what they change goes through the REST API."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool

from viewer.server.accounts import ROLES, Person, Refused, Right
from viewer.server.api_people import Admin, Auditor, give_cookie, sign_in
from viewer.server.api_studies import QueryOf
from viewer.server.audit import Action
from viewer.server.error_words import in_chinese
from viewer.server.proxy import page_of
from viewer.server.security import POLICY
from viewer.server.services import PersonOf, ServicesOf, Viewing, may, note
from viewer.server.words import LANGUAGE_COOKIE, LANGUAGES, language_of, said
from viewer.server.worklist import SORTS, STATUSES

TEMPLATES = Path(__file__).parent / "templates"
ENVIRONMENT = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
ENDED = "This viewer is not open for you; log in and open the case from the worklist."

router = APIRouter(include_in_schema=False)


def rendered(request: Request, template: str, status: int = 200, policy: str = POLICY, **values) -> HTMLResponse:
    """A page in the reader's language. A language chosen in the address is remembered."""
    language, person = language_of(request), request.state.person
    rights = {right.value for right in Right if person and person.may(right)}
    told = in_chinese if language == "zh" else str
    text = ENVIRONMENT.get_template(template).render(say=said(language), told=told, language=language, person=person, rights=rights, **values)
    response = HTMLResponse(text, status, {"Content-Security-Policy": policy})
    if request.query_params.get("language") in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=31536000, samesite="strict", secure=request.url.scheme == "https", httponly=True)
    return response


def _login_page(request: Request, problem: str = "", status: int = 200) -> HTMLResponse:
    """Brings its own style, because nothing else is given to somebody who is not signed in."""
    nonce = secrets.token_urlsafe(16)
    policy = POLICY.replace("style-src 'self'", f"style-src 'nonce-{nonce}'").replace("script-src 'self'", "script-src 'none'")
    style = (Path(__file__).parent / "static" / "server.css").read_text()
    return rendered(request, "login.html", status, policy, problem=problem, nonce=nonce, style=style)


@router.get("/login")
def show_login(request: Request) -> Response:
    return RedirectResponse("/", 303) if request.state.person and "language" not in request.query_params else _login_page(request)


@router.post("/login")
def log_in(request: Request, services: ServicesOf, login: Annotated[str, Form(max_length=256)] = "", password: Annotated[str, Form(max_length=256)] = ""):
    try:
        token, _ = sign_in(request, services, login, password)
    except Refused as refused:
        return _login_page(request, "locked_out" if "wait" in str(refused) else "login_failed", 401)
    response = RedirectResponse("/", 303)
    give_cookie(request, response, token)
    return response


@router.get("/password")
def show_password(request: Request, person: PersonOf) -> Response:
    return rendered(request, "password.html")


@router.get("/")
def show_worklist(request: Request, person: PersonOf, query: QueryOf, services: ServicesOf) -> Response:
    """The worklist; an administrator alone, who sees no patient, goes to the users."""
    if not person.may(Right.VIEW):
        return RedirectResponse("/users", 303)
    entries, total = services.worklist.page(query)
    note(request, Action.LIST, detail=f"{len(entries)} of {total}")
    return rendered(request, "worklist.html", entries=entries, total=total, query=query, statuses=STATUSES, sorts=SORTS)


@router.get("/rows")
def show_rows(request: Request, person: Viewing, query: QueryOf, services: ServicesOf) -> Response:
    """The lines alone, for the page that updates itself."""
    entries, total = services.worklist.page(query)
    return rendered(request, "rows.html", entries=entries, total=total, query=query)


@router.get("/users")
def show_users(request: Request, admin: Admin, services: ServicesOf) -> Response:
    return rendered(request, "users.html", users=services.accounts.everyone(), roles=ROLES)


@router.get("/audit")
def show_audit(request: Request, auditor: Auditor, services: ServicesOf, before: int = 0) -> Response:
    entries = services.audit.entries(100, before if 0 < before < 2**31 else None)
    return rendered(request, "audit.html", entries=entries, chain=services.audit.verified())


@router.get("/view/{session}/{path:path}")
async def show_viewer(request: Request, session: str, path: str, services: ServicesOf, person: Annotated[Person, Depends(may(Right.OPEN))]) -> Response:
    """A file of a viewer's page."""
    found = services.launcher.of(session, person)
    if found is None:
        await run_in_threadpool(note, request, Action.REFUSED, "", "refused", "a viewer that is not open for this login")
        return Response(in_chinese(ENDED) if language_of(request) == "zh" else ENDED, 404, media_type="text/plain")
    return await page_of(services.client, found, path)
