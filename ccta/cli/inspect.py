"""`ccta list` and `ccta schema`: what an input holds, and what findings.json may hold."""

from __future__ import annotations

import json

import typer

from ccta.cli.analyse import Input, Json
from ccta.cli.console import print_json, print_table, say
from ccta.findings import Findings

COLUMNS = ("chosen_as", "kind", "description", "files", "kvp", "kernel", "contrast", "phase_percent", "slice_spacing_mm", "coverage_mm", "good_for")


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command("list", epilog="Example: ccta list study/")(list_series)
    app.command(epilog="Example: ccta schema > findings.schema.json")(schema)


def list_series(source: Input, as_json: Json = False) -> None:
    """The series of a study, what each is good for, and which would be chosen."""
    from ccta.reading.study import listed, open_input

    inventory = open_input(source)
    rows = listed(inventory)
    print_table(str(source), list(COLUMNS), [["" if row[column] is None else str(row[column]) for column in COLUMNS] for row in rows])
    for row in rows:
        if row["problem"]:
            say(f"problem  {row['description'] or row['uid']}: {row['problem']}")
    for name, reason in list(inventory.skipped.items())[:10]:
        say(f"skipped  {name}: {reason}")
    if as_json:
        print_json({"series": rows, "skipped": inventory.skipped})


def schema() -> None:
    """The JSON Schema of findings.json."""
    print(json.dumps(Findings.model_json_schema(by_alias=True), indent=1))
