"""REST: the worklist, a study, its findings, report and DICOM objects, its job, its signature, and the viewer on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ccta.case import Case
from viewer.server.accounts import Person, Right
from viewer.server.audit import Action
from viewer.server.services import ServicesOf, StudyOf, Viewing, case_root, in_a_sentence, may, note
from viewer.server.signatures import why_not_signed
from viewer.server.uploads import received
from viewer.server.words import language_of, said
from viewer.server.worklist import SORTS, STATUSES, Query

router = APIRouter(prefix="/api/studies", tags=["studies"])

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"
"""Of a report: its own style and pictures, no script, nothing from elsewhere."""
Operating = Annotated[Person, Depends(may(Right.JOBS))]
Uploading = Annotated[Person, Depends(may(Right.UPLOAD))]


class Study(BaseModel):
    """A line of the worklist. received, signed_at: ISO 8601, UTC; study_date: YYYYMMDD; lowest_ffr: null where none was measured; signed_by: "" for a draft."""

    id: str
    status: Literal[STATUSES]
    patient_name: str
    patient_id: str
    study_date: str
    description: str
    accession_number: str
    received: str
    progress: str
    quality: str
    cad_rads: str
    lowest_ffr: float | None
    urgent: bool
    asked_urgent: bool
    problem: str
    images: int
    signed_by: str
    signed_at: str


class StudyPage(BaseModel):
    """One page of the worklist. total: lines on all pages."""

    total: int
    page: int
    size: int
    studies: list[Study]


class Urgency(BaseModel):
    urgent: bool


class Done(BaseModel):
    """What was asked for has been done."""

    done: str


class Opened(BaseModel):
    """The address of a viewer on this server."""

    address: str


class Signed(BaseModel):
    """The signed version of the report."""

    number: int
    by: str
    at: str


class Objects(BaseModel):
    """Names of a study's DICOM objects."""

    objects: list[str]


def query_of(
    text: Annotated[str, "in name, number, accession number or description"] = "",
    status: Literal[("", *STATUSES)] = "",
    urgent: bool = False,
    sort: Literal[SORTS] = "urgent",
    page: int = 1,
    size: int = 50,
) -> Query:
    """A query of the worklist from an address."""
    if not (1 <= page <= 1_000_000 and 1 <= size <= 200 and len(text) <= 100):
        raise HTTPException(422, "page begins with 1, size is 1 to 200, text has at most 100 characters.")
    return Query(text, status, urgent, sort, page, size)


QueryOf = Annotated[Query, Depends(query_of)]


@router.get("", response_model=StudyPage)
def list_studies(request: Request, query: QueryOf, person: Viewing, services: ServicesOf):
    """The worklist: filter, search, order, pages."""
    entries, total = services.worklist.page(query)
    note(request, Action.LIST, detail=f"{len(entries)} of {total}")
    return {"total": total, "page": query.page, "size": query.size, "studies": [entry.public() for entry in entries]}


@router.post("", status_code=201, response_model=Done, openapi_extra={"requestBody": {"content": {"multipart/form-data": {"schema": {
    "type": "object", "required": ["files"], "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
}}}}})  # fmt: skip
async def upload_study(request: Request, person: Uploading, services: ServicesOf):
    """Takes in a study: one zip archive, or DICOM files."""
    async with received(request) as folder:
        with in_a_sentence(400):
            count = await run_in_threadpool(services.work.take_in, folder)
    await run_in_threadpool(note, request, Action.IMPORT, "", "done", f"{count} images uploaded")
    return {"done": f"{count} images were taken in."}


@router.get("/{study}", response_model=Study)
def show_study(request: Request, entry: StudyOf, person: Viewing):
    """One line of the worklist."""
    note(request, Action.VIEW, entry.id, detail="study")
    return entry.public()


@router.delete("/{study}", status_code=403)
def delete_study(request: Request, entry: StudyOf, person: Viewing):
    """Nothing is deleted by this server; the attempt stands in the audit log."""
    note(request, Action.DELETE_ATTEMPT, entry.id, "refused")
    raise HTTPException(403, "Studies are not deleted here.")


@router.get("/{study}/findings")
def show_findings(request: Request, entry: StudyOf, person: Viewing):
    """findings.json (its schema: `ccta schema`)."""
    return _file(request, entry, "findings", "application/json", Action.VIEW)


@router.get("/{study}/report.html")
def show_report(request: Request, entry: StudyOf, person: Viewing):
    """The report as a page."""
    return _file(request, entry, "report_html", "text/html; charset=utf-8", Action.VIEW, {"Content-Security-Policy": REPORT_POLICY})


@router.get("/{study}/report.pdf")
def export_report(request: Request, entry: StudyOf, person: Viewing):
    """The report as a PDF."""
    return _file(request, entry, "report_pdf", "application/pdf", Action.EXPORT, {"Content-Disposition": f'inline; filename="report-{entry.id}.pdf"'})


@router.get("/{study}/dicom", response_model=Objects)
def list_objects(request: Request, entry: StudyOf, person: Viewing):
    """The DICOM objects that were made of a study."""
    note(request, Action.VIEW, entry.id, detail="dicom")
    return {"objects": sorted(_objects(entry))}


@router.get("/{study}/dicom/{name}")
def export_object(request: Request, entry: StudyOf, name: str, person: Viewing):
    """One of them."""
    path = _objects(entry).get(name)  # only names that are there, so that no name can lead elsewhere
    if path is None:
        raise HTTPException(404, "This study has no such object.")
    note(request, Action.EXPORT, entry.id, detail=name)
    return FileResponse(path, media_type="application/dicom", filename=name)


@router.post("/{study}/retry", response_model=Done)
def retry_study(request: Request, entry: StudyOf, person: Operating, services: ServicesOf):
    """Analyses a study again."""
    return _job(request, entry, "retry", lambda: services.work.retry(int(entry.id)))


@router.post("/{study}/cancel", response_model=Done)
def cancel_study(request: Request, entry: StudyOf, person: Operating, services: ServicesOf):
    """Stops the analysis of a study, or takes it out of the queue."""
    return _job(request, entry, "cancel", lambda: services.work.cancel(int(entry.id)))


@router.post("/{study}/priority", response_model=Done)
def set_priority(request: Request, entry: StudyOf, urgency: Urgency, person: Operating, services: ServicesOf):
    """Puts a study before those that are not urgent, or back among them."""
    return _job(request, entry, f"urgent {urgency.urgent}", lambda: services.work.set_urgent(int(entry.id), urgency.urgent))


@router.post("/{study}/open", response_model=Opened)
async def open_study(request: Request, entry: StudyOf, person: Annotated[Person, Depends(may(Right.OPEN))], services: ServicesOf):
    """Starts the viewer on a study, for this login alone."""
    root = case_root(entry)
    await run_in_threadpool(note, request, Action.OPEN, entry.id)
    with in_a_sentence(409, root):
        session = await services.launcher.open(person, entry.id, root)
    return {"address": session.address}


@router.post("/{study}/sign", response_model=Signed)
def sign_report(request: Request, entry: StudyOf, person: Annotated[Person, Depends(may(Right.SIGN))]):
    """Signs the report as it stands, by the name of the account."""
    from ccta.report import signing  # loads the typesetter

    root = entry.root if entry.root and (entry.root / "case.json").is_file() else None
    reason = why_not_signed(root, entry.status)
    if reason:
        note(request, Action.SIGN, entry.id, "refused", reason)
        raise HTTPException(409, said(language_of(request))[reason])
    with in_a_sentence(409, root):
        version = signing.sign(Case.open(root), person.full_name)
    note(request, Action.SIGN, entry.id, detail=f"version {version.number}")
    return {"number": version.number, "by": version.by, "at": version.at}


class Words(BaseModel):
    text: str = Field(max_length=10_000)


@router.post("/{study}/addendum", response_model=Signed)
def add_addendum(request: Request, entry: StudyOf, words: Words, person: Annotated[Person, Depends(may(Right.SIGN))]):
    """A signed addendum to the signed report."""
    from ccta.report import signing

    root = case_root(entry)
    with in_a_sentence(409, root):
        version = signing.add_addendum(Case.open(root), person.full_name, words.text)
    note(request, Action.SIGN, entry.id, detail=f"addendum {version.number}")
    return {"number": version.number, "by": version.by, "at": version.at}


def _job(request: Request, entry, what: str, do) -> dict:
    with in_a_sentence(409):
        do()
    note(request, Action.CHANGE, entry.id, detail=what)
    return {"done": what}


def _file(request: Request, entry, item: str, media_type: str, action: Action, headers: dict | None = None) -> Response:
    path = Case(case_root(entry)).path(item)
    if not path.is_file():
        raise HTTPException(404, "This study has no such file yet.")
    note(request, action, entry.id, detail=item)
    return FileResponse(path, media_type=media_type, headers=headers)


def _objects(entry) -> dict[str, Path]:
    folder = Case(case_root(entry)).path("dicom")
    return {path.name: path for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}
