"""`ccta phantom`: a patient with known truth, as a DICOM study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ccta.cli.analyse import Json
from ccta.cli.console import print_json, reporting, say


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Example: ccta phantom study/ --seed 7")(phantom)


def phantom(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new directory for the study.")],
    seed: Annotated[int, typer.Option(help="Which patient; the same seed makes the same study.")] = 1,
    spec: Annotated[Path | None, typer.Option(help="JSON file with what to change: plaques, noise, matrix ...")] = None,
    as_json: Json = False,
) -> None:
    """A phantom patient as a DICOM study, with truth.json."""
    make_phantom(out, seed, spec)
    if as_json:
        print_json({"study": str(out), "seed": seed})


def make_phantom(out: Path, seed: int, spec: Path | None = None) -> None:
    """Writes the study with progress shown."""
    from ccta.phantom.study import load_spec, write_study

    with reporting() as start:
        write_study(out, seed, load_spec(spec) if spec else None, start("phantom"))
    say(f"study    {out}")
