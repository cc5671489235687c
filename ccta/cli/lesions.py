"""`ccta lesions`: the calcium lesion list of a case, and corrections of it by hand."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from ccta.calcium_editing import calcium_of, correct, correct_by_report
from ccta.case import Case
from ccta.cli.analyse import CaseDirectory, Json, run_and_tell
from ccta.cli.console import print_json, print_table, say
from ccta.cli.stage_commands import tell_stale
from ccta.cli.stages import pipeline
from ccta.errors import BadInput
from ccta.findings import Calcium
from ccta.model import VESSELS
from ccta.runner import select
from ccta.settings import load_settings


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    examples = "ccta lesions case/ | ccta lesions case/ 3 --reject --by 'Dr Li' | ccta lesions case/ 3 --vessel LAD | ccta lesions case/ --from sr.dcm"
    app.command(epilog=f"Examples: {examples}")(lesions)


def lesions(
    case: CaseDirectory,
    lesion: Annotated[int | None, typer.Argument(metavar="LESION", help="Its number in the list; without it the list is shown.")] = None,
    vessel: Annotated[str | None, typer.Option(help="It is calcium of this artery: LM, LAD, LCx or RCA (accepts a rejected one).")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="A rejected one is coronary after all, of the artery in the list.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="It is not coronary.")] = False,
    by: Annotated[str, typer.Option(help="Who corrects; the name of the account otherwise.")] = "",
    source: Annotated[
        Path | None, typer.Option("--from", help="A DICOM SR of ours, of the same study: the list becomes its list; what it does not list is not coronary.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The calcium lesion list; or lesions accepted, rejected or given to another artery, and everything scored again."""
    target = Case.open(case)
    found = calcium_of(target)
    said = sum([vessel is not None, accept, reject])
    if lesion is None and source is None:
        show(found, as_json)
        return
    if source is not None:
        if lesion is not None or said:
            raise BadInput("--from takes the whole list of a report; leave lesion, --vessel, --accept and --reject out")
        edits, left_out = correct_by_report(target, source, by or getpass.getuser())
        say("\n".join([f"{len(edits)} lesions corrected as in {source}", *(f"left out: {one}" for one in left_out)]))
        if left_out:
            say(f"`ccta calcium INPUT {target.root} --regions {source}` scores the report's lesions as they are outlined in it")
        if not edits:
            if as_json:
                print_json({"case": str(target.root), "stages": [], "left_out": left_out})
            return
        more = {"left_out": left_out}
    else:
        if said != 1:
            raise BadInput(f"say what lesion {lesion} is: --vessel LM|LAD|LCx|RCA, --accept or --reject, one of them")
        correct(target, lesion, after_of(found, lesion, vessel, reject), by or getpass.getuser())
        more = {}
    settings = load_settings(target.root / "case.toml")
    run_and_tell(target, select(pipeline(), ["verdict", "report"]), settings, False, as_json, more)
    tell_stale(target, settings)


def after_of(found: Calcium, lesion: int, vessel: str | None, reject: bool) -> str:
    """What the lesion shall count as; BadInput for an artery that is none, or where the list knows none."""
    from ccta.disease.calcium_list import NOT_CORONARY, candidate

    entry = candidate(found, lesion)
    if reject:
        return NOT_CORONARY
    named = entry.vessel if vessel is None else next((v for v in VESSELS if v.lower() == vessel.lower()), vessel)
    if named not in VESSELS:
        raise BadInput(f"{named!r} is no artery; lesion {lesion} can be of {', '.join(VESSELS)} (--vessel)")
    return named


def show(found: Calcium, as_json: bool) -> None:
    """The table: lesions that count, then rejected ones with their reasons."""
    rows = [[x.id, x.vessel, f"{x.agatston:.1f}", f"{x.volume_mm3:.0f}", f"{x.peak_hu:.0f}", f"{x.probability:.2f}", x.source] for x in found.lesions]
    rows += [[x.id, "-", f"{x.agatston:.1f}", f"{x.volume_mm3:.0f}", f"{x.peak_hu:.0f}", "-", x.reason] for x in found.rejected]
    columns = ["lesion", "artery", "Agatston", "mm³", "peak HU", "probability", "found by, or why rejected"]
    print_table(f"Agatston {found.agatston:.0f}, {found.cac_drs}", columns, rows)
    if as_json:
        print_json(found.model_dump(mode="json"))
