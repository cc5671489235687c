"""`ccta analyse` and `ccta calcium`: a study in, findings and a report out."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ccta.case import Case
from ccta.cli.console import print_json, reporting, say
from ccta.cli.stages import NAMES, names_of, pipeline
from ccta.errors import BadInput
from ccta.runner import Stage, StageResult, run_stages, select
from ccta.settings import Settings, load_settings
from ccta.storage import atomic_path

Input = Annotated[Path, typer.Argument(metavar="INPUT", help="Folder of DICOM files, one DICOM file, or a NIfTI, NRRD or MHA image.")]
CaseDirectory = Annotated[Path, typer.Argument(metavar="CASE", help="Directory of the case.")]
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="TOML file with settings; kept in the case as case.toml.")]
Series = Annotated[str, typer.Option("--series", help="The series to use: its UID, or its number in `ccta list`. Without it, chosen and explained.")]
Resume = Annotated[bool, typer.Option("--resume", help="Skip stages that are finished and current.")]
Json = Annotated[bool, typer.Option("--json", help="Print a machine-readable last line.")]


class FlowModel(StrEnum):
    """Which flow model to run."""

    rom = "rom"
    three_d = "3d"
    none = "none"


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(epilog="Example: ccta analyse study/ case/ --flow rom")(analyse)
    app.command(epilog="Examples: ccta calcium study/ case/ | ccta calcium study/ case/ --regions reader.xml")(calcium)


def analyse(
    source: Input,
    case: CaseDirectory,
    stages: Annotated[str, typer.Option(help=f"Only these, separated by commas: {', '.join(NAMES)}.")] = ",".join(NAMES),
    flow: Annotated[FlowModel | None, typer.Option(help="Flow model; 3d unless case.toml says otherwise.")] = None,
    series: Series = "",
    settings: SettingsFile = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Everything: from a CT study to findings, FFR and report."""
    target, values = open_case(source, case, settings)
    if series:
        values = replace(values, read=replace(values.read, series_uid=series))
    if flow in (FlowModel.rom, FlowModel.three_d):
        values = replace(values, flow=replace(values.flow, model=flow.value))
    chosen = [stage for stage in select(pipeline(source), names_of(stages)) if not (flow is FlowModel.none and stage.name == "flow")]
    run_and_tell(target, chosen, values, resume, as_json)


def calcium(
    source: Input,
    case: CaseDirectory,
    regions: Annotated[
        Path | None, typer.Option(help="A reader's regions, scored as drawn: OsiriX XML, DICOM SEG, our DICOM SR, labels 1-4 (LM, LAD, LCx, RCA).")
    ] = None,
    series: Series = "",
    settings: SettingsFile = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """The calcium score alone, from a series without contrast. What the case has of a CCTA stays, and its coronary tree is used."""
    if regions is not None and not regions.is_file():
        raise BadInput(f"{regions} does not exist; give the file of a reader's regions (OsiriX XML, DICOM SEG or SR, NIfTI, NRRD or MHA)")
    target, values = open_case(source, case, settings)
    if series:
        values = replace(values, read=replace(values.read, calcium_series_uid=series))
    if regions is not None:
        values = replace(values, read=replace(values.read, calcium_regions=str(regions)))
    run_and_tell(target, select(pipeline(source, ("calcium",)), ["read_calcium", "calcium", "verdict", "report"]), values, resume, as_json)


def open_case(source: Path, root: Path, settings_file: Path | None) -> tuple[Case, Settings]:
    """The case directory, made only after the input is known to exist, and its settings."""
    if not source.exists():
        raise BadInput(f"{source} does not exist; give the folder or file of a CT study")
    if settings_file is not None and not settings_file.is_file():
        raise BadInput(f"{settings_file} does not exist; give a TOML file with settings")
    values = load_settings(settings_file or root / "case.toml")
    case = Case.create(root)
    if settings_file is not None and settings_file.resolve() != (root / "case.toml").resolve():
        with atomic_path(root / "case.toml") as temporary:
            shutil.copyfile(settings_file, temporary)
    return case, values


def run_and_tell(case: Case, stages: list[Stage], settings: Settings, resume: bool, as_json: bool, more: dict | None = None) -> list[StageResult]:
    """Runs the stages with progress, then says how each ended and where the report is. more: further keys of the JSON line."""
    started = time.monotonic()
    with reporting() as start:
        results = run_stages(case, stages, settings, start, resume, shlex.join(["ccta", *sys.argv[1:]]))
    for result in results:
        say(f"{result.name:<12} {result.status:<8} {result.seconds:6.1f} s  {result.reason}".rstrip())
    report = case.path("report_html")
    say(f"case         {case.root}  ({time.monotonic() - started:.0f} s)" + (f"\nreport       {report}" if report.exists() else ""))
    if as_json:
        print_json({"case": str(case.root), "stages": [vars(result) for result in results], **(more or {})})
    return results
