"""`ccta export`: a case's results for other systems: DICOM objects, FHIR, HL7 v2, a row of a table."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Annotated

import typer

from ccta.case import Case
from ccta.cli.analyse import CaseDirectory, Json
from ccta.cli.console import print_json, say
from ccta.errors import BadInput, StorageFailed
from ccta.storage import atomic_path


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Examples: ccta export case/ out/ | ccta export case/ out/ --dicom --csv")(export)


def export(
    case: CaseDirectory,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that the files go to.")],
    dicom: Annotated[bool, typer.Option("--dicom", help="SEG, SR, encapsulated PDF, key pictures and their selection, tied to the study.")] = False,
    fhir: Annotated[bool, typer.Option("--fhir", help="report.fhir.json: FHIR R4 DiagnosticReport, ImagingStudy, Observations.")] = False,
    hl7: Annotated[bool, typer.Option("--hl7", help="report.hl7: HL7 v2.5.1 ORU^R01 with the PDF.")] = False,
    table: Annotated[bool, typer.Option("--csv", help="patient.csv, vessel.csv, segment.csv, lesion.csv, as the tables of a cohort.")] = False,
    rejected: Annotated[
        Path | None, typer.Option(help="Folder of rejection notes (KO) that a PACS was sent: DICOM objects that they name get other instance UIDs.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The results of a case for other systems; all of them where none is named."""
    target = Case.open(case)
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out} is a file; give a folder for what is exported")
    kinds = {"dicom": dicom, "fhir": fhir, "hl7": hl7, "csv": table}
    chosen = [kind for kind, wanted in kinds.items() if wanted or not any(kinds.values())]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"{out} cannot be made ({error.strerror}); choose another folder") from error
    written = [path for kind in chosen for path in (_dicom(target, out, rejected) if kind == "dicom" else WRITERS[kind](target, out))]
    for path in written:
        say(str(path))
    if as_json:
        print_json({"case": str(target.root), "files": [str(path) for path in written]})


def _dicom(case: Case, out: Path, notes: Path | None) -> list[Path]:
    from ccta.report.dicom_documents import rejected_by
    from ccta.report.dicom_objects import write_objects

    made = []
    for path in write_objects(case, rejected_by(notes) if notes else frozenset()):
        with atomic_path(out / path.name) as temporary:
            shutil.copyfile(path, temporary)
        made.append(out / path.name)
    return made


def _fhir(case: Case, out: Path) -> list[Path]:
    from ccta.report.exchange import fhir_bundle

    return [_written(out / "report.fhir.json", fhir_bundle(case))]


def _hl7(case: Case, out: Path) -> list[Path]:
    from ccta.report.exchange import hl7_oru

    return [_written(out / "report.hl7", hl7_oru(case))]


def _csv(case: Case, out: Path) -> list[Path]:
    """One file a level with the columns of a cohort's tables, and with what identifies the study in front."""
    from ccta.cohort.tables import COLUMNS, NOT_OF_A_CASE, rows_of

    found, written = case.findings(), []
    own = {"patient_id": found.patient.id, "accession_number": found.patient.accession_number, "study_uid": found.patient.study_uid}
    for level, rows in rows_of(found).items():
        columns = [*own, *(name for name in COLUMNS[level] if name not in NOT_OF_A_CASE)]
        written.append(out / f"{level}.csv")
        with atomic_path(written[-1]) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows({**own, **row} for row in rows)
    return written


def _written(path: Path, text: str) -> Path:
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode())
    return path


WRITERS = {"fhir": _fhir, "hl7": _hl7, "csv": _csv}
