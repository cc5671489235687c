"""`ccta pull` and `ccta push`: studies from a PACS into a folder, cases and folders to a PACS."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccta.cli.console import print_json, print_table, say
from ccta.cli.listen import SettingsFile, settings_of
from ccta.errors import BadInput, StorageFailed

if TYPE_CHECKING:
    from viewer.server.peers import Peer, StudyFound

PacsName = Annotated[str, typer.Argument(metavar="PACS", help="A PACS that server.toml names, host:port:AETITLE, or a DICOMweb URL.")]
Json = Annotated[bool, typer.Option("--json", help="Print a machine-readable last line.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(epilog="Examples: ccta pull main studies/ --accession A123 | ccta pull pacs:104:ARCHIVE --patient-id 42")(pull)
    app.command(epilog="Example: ccta push case/ main")(push)


def pull(
    pacs: PacsName,
    out: Annotated[Path | None, typer.Argument(metavar="[OUT]", help="Folder; each study becomes a folder in it. Without: only lists.")] = None,
    patient_id: Annotated[str, typer.Option(help="Patient's number.")] = "",
    accession: Annotated[str, typer.Option(help="Accession number.")] = "",
    study: Annotated[str, typer.Option(help="Study instance UID.")] = "",
    date: Annotated[str, typer.Option(help="Study date YYYYMMDD, or a range 20260101-20260131.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Fetch every study that matches, not just a single one.")] = False,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Lists a PACS's studies, or fetches them, by C-FIND and C-GET (or C-MOVE), or by QIDO-RS and WADO-RS."""
    from viewer.server.peers import connected, pacs_named

    keys = {"PatientID": patient_id, "AccessionNumber": accession, "StudyInstanceUID": study, "StudyDate": date}
    query = {keyword: value.strip() for keyword, value in keys.items() if value.strip()}
    if not query:
        raise BadInput("say which study: --patient-id, --accession, --study or --date")
    values = settings_of(settings)
    with connected(pacs_named(pacs, values), values) as peer:
        found = peer.find(query)
        if not found:
            raise BadInput("the PACS knows no study that matches")
        if out is None or (len(found) > 1 and not every):
            columns = ["study UID", "patient", "name", "accession", "date", "description", "modalities"]
            print_table(f"{len(found)} studies match", columns, [list(asdict(one).values()) for one in found])
        if out is not None and len(found) > 1 and not every:
            raise BadInput(f"{len(found)} studies match; narrow the query, or fetch them all with --all")
        for one in found if out is not None else ():
            count = _fetch(peer, one, out)
            say(f"{count} instances -> {out / one.study_uid}")
    if as_json:
        print_json({"studies": [asdict(one) for one in found], "folder": str(out) if out else None})


def _fetch(peer: Peer, study: StudyFound, out: Path) -> int:
    """One study into its folder, whole or not at all."""
    from viewer.server.headers import UID, header_of

    if not UID.fullmatch(study.study_uid):
        raise BadInput("the PACS names a study by something that is no UID; it was not fetched")
    target = out / study.study_uid
    if target.exists():
        raise BadInput(f"{target} is there already; remove it to fetch the study again")
    try:
        out.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=out))
    except OSError as error:
        raise StorageFailed(f"nothing can be written to {out} ({error.strerror}); choose another folder") from error
    try:
        count = peer.fetch(study.study_uid, lambda data: (partial / f"{header_of(data).sop_uid}.dcm").write_bytes(data))
        if not count:
            raise BadInput("the PACS sent nothing; it may hold none of the study's images in a form that is understood here")
        partial.chmod(0o755)
        partial.rename(target)
    except OSError as error:
        raise StorageFailed(f"the study could not be written to {out} ({error.strerror}); nothing was kept") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return count


def push(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A case (its DICOM results are sent), a folder of DICOM files, or one file.")],
    pacs: PacsName,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Sends DICOM files to a PACS by C-STORE or STOW-RS, those that it does not have yet, and asks it whether they arrived."""
    from viewer.server.peers import PeerFailed, connected, pacs_named
    from viewer.server.results import objects_of

    files = _files(source)
    values = settings_of(settings)
    objects = objects_of(files)
    with connected(pacs_named(pacs, values), values) as peer:
        missing = [item for item in objects if not peer.has(item.study_uid, item.series_uid, item.sop_uid)]
        refused = peer.store([item.path for item in missing]) if missing else {}
        if refused:
            path, reason = next(iter(refused.items()))
            raise PeerFailed(f"{len(refused)} of {len(objects)} files were refused, the first {path.name}: {reason}")
        unseen = [item for item in missing if not peer.has(item.study_uid, item.series_uid, item.sop_uid)]
    if unseen:
        raise PeerFailed(f"the PACS accepted {len(unseen)} files but does not show them; ask it again later")
    say(f"{len(missing)} files sent, {len(objects) - len(missing)} were there already; the PACS has all {len(objects)}")
    if as_json:
        print_json({"sent": len(missing), "there_before": len(objects) - len(missing)})


def _files(source: Path) -> list[Path]:
    """The DICOM files that a person means."""
    if not source.exists():
        raise BadInput(f"{source} does not exist; give a case, a folder of DICOM files, or one file")
    root = source
    if (source / "case.json").is_file():
        root = source / "dicom"
        if not root.is_dir():
            raise BadInput(f"the case {source} has no DICOM results yet; make them with `ccta report {source}`")
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file() and path.suffix in (".dcm", ""))
    if not files:
        raise BadInput(f"{root} holds no DICOM files (names that end in .dcm, or without an ending)")
    return files
