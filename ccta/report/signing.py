"""The reader's part of a case and its signature: words, key pictures, signed versions, addenda.

What is signed is the draft that the report stage wrote, word for word; only its status changes. A signed version is a folder of read-only files whose hashes
stand in reader.json; nothing ever writes into it again. What comes later is a new draft, or an addendum as a version of its own.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ccta.case import Case
from ccta.errors import BadInput, StorageFailed
from ccta.reader_report import KeyPicture, ReaderReport, SignedVersion
from ccta.report.blocks import ReportContent
from ccta.report.document import write_html, write_pdf
from ccta.report.language import speaking, t
from ccta.report.reader_sections import addendum_sections, signed_status
from ccta.runner import changed_since
from ccta.storage import atomic_path

PNG = b"\x89PNG\r\n\x1a\n"
HTML, PDF, DATA, CONTENT = "report.html", "report.pdf", "findings.json", "report_content.json"
SIGNED_AS = {"report_html": HTML, "report_pdf": PDF, "findings": DATA}
"""Item of the case -> the file of a signed version that it has to be."""


@dataclass(frozen=True)
class WhyNot:
    """Why a report may not be signed. kind: no_draft, stale or signed; stages: the names of those that are stale."""

    kind: str
    stages: tuple[str, ...] = ()


def _one_at_a_time[**P, T](action: Callable[P, T]) -> Callable[P, T]:
    """Who changes a case's reader.json holds its lock until it is written; others wait, in other processes too."""

    @functools.wraps(action)
    def alone(case: Case, *given: P.args, **named: P.kwargs) -> T:
        try:
            lock = open(case.root / ".reader.lock", "w")  # noqa: SIM115  closed below
        except OSError as error:
            raise StorageFailed(f"{case.root} cannot be written ({error.strerror}); nothing was signed or changed") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return action(case, *given, **named)

    return alone


def read(case: Case) -> ReaderReport:
    """The reader's part of the case, empty where nothing was written."""
    return case.reader()


@_one_at_a_time
def write_text(case: Case, by: str, indication: str | None = None, clinical_data: str | None = None, impression: str | None = None) -> ReaderReport:
    """Replaces the words that are given, keeps the others. The report is a stale draft then; what was signed stays."""
    given = {"indication": indication, "clinical_data": clinical_data, "impression": impression}
    words = {name: text.strip() for name, text in given.items() if text is not None}
    return _written(case, case.reader().model_copy(update={**words, "by": _named(by), "at": _now()}))


@_one_at_a_time
def add_picture(case: Case, by: str, png: bytes, caption: str) -> KeyPicture:
    """A key picture (PNG) for the next report. BadInput for anything else; the same picture again replaces its caption."""
    if not png.startswith(PNG):
        raise BadInput("a key picture must be a PNG file")
    picture = KeyPicture(file=f"{hashlib.sha256(png).hexdigest()[:16]}.png", caption=caption.strip(), by=_named(by), at=_now())
    folder = case.path("pictures")
    folder.mkdir(exist_ok=True)
    with atomic_path(folder / picture.file) as path:
        path.write_bytes(png)
    reader = case.reader()
    others = [one for one in reader.pictures if one.file != picture.file]
    _written(case, reader.model_copy(update={"pictures": [*others, picture]}))
    return picture


@_one_at_a_time
def remove_picture(case: Case, file: str) -> ReaderReport:
    """Takes a picture out of the next report; signed copies keep theirs. BadInput where there is none of that name."""
    reader = case.reader()
    left = [one for one in reader.pictures if one.file != file]
    if len(left) == len(reader.pictures):
        raise BadInput(f"the report has no picture {file}; it has {[one.file for one in reader.pictures]}")
    written = _written(case, reader.model_copy(update={"pictures": left}))
    (case.path("pictures") / Path(file).name).unlink(missing_ok=True)
    return written


def why_not(case: Case) -> WhyNot | None:
    """Why the report may not be signed as it stands, None where it may."""
    if not case.path("report_content").exists():
        return WhyNot("no_draft")
    stale = changed_since(case)
    if stale:
        return WhyNot("stale", tuple(stale))
    return WhyNot("signed") if signed_as(case) else None


@_one_at_a_time
def sign(case: Case, by: str) -> SignedVersion:
    """Signs the draft as it stands and makes it the case's report. BadInput where `why_not` has a reason, naming what is stale."""
    name, content = _named(by), _draft(case)
    version = SignedVersion(number=_next_number(case), by=name, at=_now())
    with speaking(content.words["lang"]):
        signed = replace(content, status=signed_status(version))
    version = _stored(case, version, signed, case.require("findings"))
    for item, file in (("report_html", HTML), ("report_pdf", PDF)):
        with case.writing(item) as path:
            shutil.copyfile(version_folder(case, version.number) / file, path)
    return version


@_one_at_a_time
def add_addendum(case: Case, by: str, text: str) -> SignedVersion:
    """A signed addendum to the last signed report, which it names by number, signer and hashes. BadInput without text or without such a report."""
    amended = case.reader().last_report
    if amended is None:
        raise BadInput(f"{case.root} has no signed report; sign it first with `ccta sign {case.root} --by NAME`")
    if not text.strip():
        raise BadInput("an addendum needs its text")
    for _, fault in faults(case):
        raise BadInput(f"the signed files of {case.root} are not as they were signed: {fault}; restore them from a copy first")
    version = SignedVersion(number=_next_number(case), kind="addendum", text=text.strip(), by=_named(by), at=_now(), amends=amended.number)
    report = ReportContent.from_json((version_folder(case, amended.number) / CONTENT).read_text())
    with speaking(report.words["lang"]):
        title, sections, status = t("Addendum to the coronary CT angiography report"), addendum_sections(amended), signed_status(version)
    content = replace(report, title=title, headline=None, impression=(version.text,), cover=(), pictures={}, sections=sections, status=status)
    return _stored(case, version, content, None)


def verify(case: Case) -> list[str]:
    """One sentence for each signed file that is missing or no longer as it was signed; [] when all are."""
    return [fault for _, fault in faults(case)]


def faults(case: Case) -> Iterator[tuple[SignedVersion, str]]:
    """Each signed file that is missing or no longer as it was signed: its version, and one sentence."""
    for version in case.reader().versions:
        for file, digest in version.sha256.items():
            path = version_folder(case, version.number) / file
            if not path.is_file():
                yield version, f"{path} is missing"
            elif _sha256(path) != digest:
                yield version, f"{path} has changed since {version.by} signed it on {version.at}"


def signed_as(case: Case) -> SignedVersion | None:
    """The signed version that the case is: its report and its findings are what was signed. None for a draft."""
    version = case.reader().last_report
    if version is None:
        return None
    same = all(case.path(item).is_file() and case.digest(item) == version.sha256.get(file) for item, file in SIGNED_AS.items())
    return version if same else None


def report_time(case: Case) -> datetime:
    """When the case's report was signed, else when it was made."""
    signed = signed_as(case)
    made = case.record()["stages"].get("report", {}).get("finished", "2000-01-01T00:00:00+00:00")
    return datetime.fromisoformat(signed.at if signed else made).astimezone()


def version_folder(case: Case, number: int) -> Path:
    """Where the files of a signed version are."""
    return case.path("signed") / str(number)


def _draft(case: Case) -> ReportContent:
    """The draft that the report stage wrote last. BadInput where it may not be signed."""
    path, reason = case.require("report_content"), why_not(case)
    if reason and reason.kind == "signed":
        raise BadInput(f"the report of {case.root} is signed already; what comes later is an addendum, or a new draft")
    if reason:
        stale = reason.stages
        raise BadInput(f"{case.root} cannot be signed: {', '.join(stale)} no longer follow{'s' if len(stale) == 1 else ''} from the case; run {_again(stale)}")
    try:
        return ReportContent.from_json(path.read_text())
    except (ValueError, KeyError) as error:
        raise BadInput(f"{path} is damaged ({str(error).splitlines()[0]}); make it again with `ccta report {case.root}`") from error


def _again(stale: tuple[str, ...]) -> str:
    return "`ccta report` again" if set(stale) <= {"verdict", "report"} else "the stages again (`ccta analyse INPUT CASE --resume`)"


def _next_number(case: Case) -> int:
    """One more than any version that is recorded or has a folder: a folder that a killed signing left is never used again."""
    folder = case.path("signed")
    there = [int(one.name) for one in folder.iterdir() if one.name.isdecimal()] if folder.is_dir() else []
    return max([0, *there, *(version.number for version in case.reader().versions)]) + 1


def _stored(case: Case, version: SignedVersion, content: ReportContent, findings: Path | None) -> SignedVersion:
    """Writes the version's files, all or none, read-only, then records it with their hashes."""
    parent = case.path("signed")
    parent.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=parent))
    try:
        write_html(content, folder / HTML)
        write_pdf(content, folder / PDF)
        (folder / CONTENT).write_text(content.to_json())
        if findings is not None:
            shutil.copyfile(findings, folder / DATA)
        version = version.model_copy(update={"sha256": {path.name: _sha256(path) for path in sorted(folder.iterdir())}})
        for path in folder.iterdir():
            path.chmod(0o444)
        folder.chmod(0o755)
        os.rename(folder, version_folder(case, version.number))
    except OSError as error:
        raise StorageFailed(f"version {version.number} could not be stored in {parent} ({error.strerror}); nothing was signed") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    reader = case.reader()
    _written(case, reader.model_copy(update={"versions": [*reader.versions, version]}))
    return version


def _written(case: Case, reader: ReaderReport) -> ReaderReport:
    case.write_reader(reader)
    return reader


def _named(by: str) -> str:
    if not by.strip():
        raise BadInput("a report needs the name of who writes or signs it")
    return by.strip()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
