"""What every route of the server works with, and how a route says who may use it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
from fastapi import Depends, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from ccta.errors import CctaError
from viewer.server.accounts import Accounts, Person, Right
from viewer.server.audit import Action, Audit
from viewer.server.sessions import Launcher
from viewer.server.worklist import Entry, Worklist

log = logging.getLogger(__name__)

NO_STUDY = "There is no such study."


@dataclass(frozen=True)
class Work:
    """What the queue and the intake do for the web page. Each takes the study's number; BadInput in one sentence where it cannot be done.

    take_in(folder): DICOM files of one upload, gives how many were new. not_stored(folder): what came of one that the disk could not hold.
    """

    retry: Callable[[int], None]
    cancel: Callable[[int], None]
    set_urgent: Callable[[int, bool], None]
    take_in: Callable[[Path], int]
    not_stored: Callable[[Path], None] = lambda folder: None


@dataclass(frozen=True)
class Services:
    """Made once at the start; `request.app.state.services`."""

    accounts: Accounts
    audit: Audit
    worklist: Worklist
    launcher: Launcher
    client: httpx.AsyncClient
    work: Work


def services_of(request: Request) -> Services:
    return request.app.state.services


def person_of(request: Request) -> Person:
    """Who is signed in; the gate lets nobody else come so far."""
    return request.state.person


def may(right: Right):
    """The dependency of a route that needs a right; what is refused stands in the audit log."""

    async def check(request: Request, person: PersonOf, services: ServicesOf) -> Person:
        if not person.may(right):
            where = request.path_params.get("study", "")
            await run_in_threadpool(note, request, Action.REFUSED, where, "refused", f"{request.method} needs the right to {right}")
            raise HTTPException(403, f"Your account may not do this ({right}).")
        return person

    check.right = right
    return check


ServicesOf = Annotated[Services, Depends(services_of)]
PersonOf = Annotated[Person, Depends(person_of)]
Viewing = Annotated[Person, Depends(may(Right.VIEW))]


def note(request: Request, action: Action, study: str = "", outcome: str = "done", detail: str = "", who: str = "") -> None:
    """Appends to the audit log for the person who asks."""
    person: Person | None = request.state.person
    services_of(request).audit.note(who or (person.login if person else ""), address_of(request), action, study, outcome, detail)


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


def study_of(study: str, services: ServicesOf) -> Entry:
    """The study of an address, or 404."""
    entry = services.worklist.get(study)
    if entry is None:
        raise HTTPException(404, NO_STUDY)
    return entry


StudyOf = Annotated[Entry, Depends(study_of)]


def case_root(entry: Entry) -> Path:
    """The study's case directory, or 409 before there is one."""
    if entry.root is None or not (entry.root / "case.json").is_file():
        raise HTTPException(409, "This study has not been analysed yet.")
    return entry.root


@contextmanager
def in_a_sentence(status: int = 409, root: Path | None = None) -> Iterator[None]:
    """Errors of the case or the queue as an answer. Their sentences are for the server's own people and may name places: the case's is taken out (root), and
    a sentence with any other is kept in the log."""
    try:
        yield
    except CctaError as error:
        text = str(error).replace(str(root), "this study")
        if "/" not in text and "\\" not in text:
            raise HTTPException(status, text[:1].upper() + text[1:] + ("" if text.endswith((".", "!")) else ".")) from error
        reference = secrets.token_hex(4)
        log.warning("error %s", reference, exc_info=True)
        raise HTTPException(status, f"This could not be done with this study; the reason stands in the server's log under the number {reference}.") from error
