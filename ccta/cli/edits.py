"""`ccta edits`: what was corrected by hand in a case, undo and redo, and what follows computed again."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from ccta import editing
from ccta.case import Case
from ccta.cli.analyse import CaseDirectory, Json
from ccta.cli.console import print_json, print_table, reporting, say
from ccta.cli.stages import pipeline
from ccta.edits import HISTORY
from ccta.errors import BadInput
from ccta.settings import load_settings


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Examples: ccta edits case/ | ccta edits case/ --undo --apply | ccta edits case/ --from sr.dcm --by 'Dr Li' --apply")(edits)


def edits(
    case: CaseDirectory,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last edit back.")] = False,
    redo: Annotated[bool, typer.Option("--redo", help="Put the edit that was taken back last in force again.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Compute what follows from the edits again; FFR by the reduced model.")] = False,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="A DICOM SR of ours, of the same study: its stenoses and segment names take effect; stenoses that it does not list are deleted."
        ),
    ] = None,
    by: Annotated[str, typer.Option(help="Who takes over the report's lists; the name of the account otherwise.")] = "",
    as_json: Json = False,
) -> None:
    """The corrections made by hand in the viewer: contours, centerline, segment names, stenoses; or those that a report of ours makes."""
    target = Case.open(case)
    if undo + redo + (source is not None) > 1:
        raise BadInput("--undo, --redo and --from do not go together; give one of them")
    more = {}
    if source is not None:
        from ccta.adopting import adopt_report

        adopted = adopt_report(target, source, by or getpass.getuser(), load_settings(target.root / "case.toml"))
        say("\n".join([f"{len(adopted.edits)} corrections made of {source}", *(f"left out: {one}" for one in adopted.left_out)]))
        more = {"left_out": adopted.left_out}
    history = editing.undo(target) if undo else editing.redo(target) if redo else target.edits()
    rows = [[str(i), one.at, one.by, one.place, one.what, one.before, one.after, one.state] for i, one in enumerate(history, 1)]
    print_table(f"{len(rows)} corrections by hand", ["edit", "when", "who", "where", "what", "before", "after", "state"], rows)
    if apply:
        settings = load_settings(target.root / "case.toml")
        with reporting() as start:
            results = editing.recompute(target, pipeline(), settings, start, f"ccta edits {target.root} --apply")
        for result in results:
            say(f"{result.name:<12} {result.status:<8} {result.seconds:6.1f} s  {result.reason}".rstrip())
    elif undo or redo or source is not None:
        say(f"what follows is not computed yet; run `ccta edits --apply {target.root}` next")
    if as_json:
        print_json({"case": str(target.root), "edits": HISTORY.dump_python(history, mode="json"), **more})
