"""`ccta list` and `ccta schema`: what an input holds, and what findings.json may hold."""

from __future__ import annotations

import json

import typer

from ccta.cli.analyse import Input, Json
from ccta.cli.console import print_json, print_table, say
from ccta.findings import Findings

COLUMNS = ("#", "use", "description", "images", "kVp", "kernel", "contrast", "gated", "phase", "slice mm", "height mm", "good for")


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("list", epilog="Example: ccta list study/")(list_series)
    app.command(epilog="Example: ccta schema > findings.schema.json")(schema)


def list_series(source: Input, as_json: Json = False) -> None:
    """The series of a study, what each is good for, and which would be chosen."""
    from ccta.reading.study import listed, open_input

    inventory = open_input(source)
    rows = listed(inventory)
    several = len({row["study_uid"] for row in rows}) > 1
    print_table(str(source), [*COLUMNS, *["study"] * several], [[*_cells(row), *[str(row["study"])] * several] for row in rows])
    for row in rows:
        if row["because"]:
            say(f"{row['chosen_as']:<8} {row['description'] or row['uid']}: {row['because']}")
        if row["problem"]:
            say(f"problem  {row['description'] or row['uid']}: {row['problem']}")
    for found in inventory.phase_sets:
        say(f"4-D set  {found.label}: {', '.join(s.label for s in found.series[:3])}{' ...' if len(found) > 3 else ''}")
    for name, reason in list(inventory.skipped.items())[:10]:
        say(f"skipped  {name}: {reason}")
    if len(inventory.skipped) > 10:
        say(f"skipped  {len(inventory.skipped) - 10} more files (--json names them all)")
    if as_json:
        print_json({"series": rows, "skipped": inventory.skipped})


def _cells(row: dict) -> list[str]:
    """One series in the columns of `COLUMNS`."""
    word = {True: "yes", False: "no", None: "?"}
    phase = f"{row['phase_percent']:g} %" if row["phase_percent"] is not None else f"{row['phase_ms']:g} ms" if row["phase_ms"] is not None else ""
    spacing, height = (f"{row[key]:.3g}" if row[key] is not None else "" for key in ("slice_spacing_mm", "coverage_mm"))
    use = f"* {row['chosen_as']}" if row["chosen_as"] else row["kind"]
    kvp = f"{row['kvp']:g}" if row["kvp"] else ""
    heart = [word[row["contrast"]], word[row["gated"]]]
    return [str(row["number"]), use, row["description"], str(row["files"]), kvp, row["kernel"], *heart, phase, spacing, height, row["good_for"]]


def schema() -> None:
    """The JSON Schema of findings.json."""
    print(json.dumps(Findings.model_json_schema(by_alias=True), indent=1))
