"""`ccta phases`: the other phases of the heart beat into a case, so that the viewer shows and plays them beside the one that was analysed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ccta.case import Case
from ccta.cli.analyse import CaseDirectory, Json
from ccta.cli.console import print_json, reporting, say
from ccta.errors import BadInput
from ccta.phases import keep_phases


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Example: ccta phases study/ case/")(phases)


def phases(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="The study that the case was made from.", show_default=False)],
    case: CaseDirectory,
    as_json: Json = False,
) -> None:
    """The other phases of the heart beat into a case, for the viewer to compare and play. Each takes as much disk as the case's image."""
    from ccta.reading.source import slices_of
    from ccta.reading.study import open_input

    target = Case.open(case)
    target.require("image")
    made_from = target.read_source().slices
    sets = [(images, [slices_of(one.images)[0] in made_from for one in images.series]) for images in open_input(source).phase_sets]
    found = [(images, own.index(True)) for images, own in sets if any(own)]
    if not found:
        raise BadInput(f"{source} holds no other phase of the image that {target.root} was made from; `ccta list {source}` shows its phases")
    images, analysed = found[0]
    with reporting() as start:
        kept = keep_phases(target, images, analysed, start("phases"))
    say(f"{images.label} are in {target.path('phases')}; `ccta view {target.root}` shows them")
    if as_json:
        print_json({"case": str(target.root), "unit": kept.unit, "phases": kept.phases, "analysed": kept.phases[analysed]})
