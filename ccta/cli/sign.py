"""`ccta sign`: signs a case's report, adds an addendum to it, or checks what was signed."""

from __future__ import annotations

from typing import Annotated

import typer

from ccta.case import Case
from ccta.cli.analyse import CaseDirectory, Json
from ccta.cli.console import print_json, say
from ccta.errors import BadInput


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(
        epilog='Examples: ccta sign case/ --by "A. Reader" | ccta sign case/ --by "A. Reader" --addendum "Reviewed with the surgeon." | ccta sign case/'
    )(sign)


def sign(
    case: CaseDirectory,
    by: Annotated[str, typer.Option(help="Who signs. Without it the signed files are checked against their hashes.")] = "",
    addendum: Annotated[str, typer.Option(help="Text to add to the signed report, as a version of its own.")] = "",
    as_json: Json = False,
) -> None:
    """Signs the report as it stands: it never changes again. Later text is an addendum; later edits make a new draft beside it."""
    from ccta.report import signing

    target = Case.open(case)
    if addendum and not by:
        raise BadInput("an addendum is signed; give --by NAME")
    if by:
        version = signing.add_addendum(target, by, addendum) if addendum else signing.sign(target, by)
        say(f"version {version.number} ({version.kind}) signed by {version.by}, {version.at}: {signing.version_folder(target, version.number)}")
    versions, faults = signing.read(target).versions, signing.verify(target)
    if not by:
        for version in versions:
            say(f"version {version.number} ({version.kind}) signed by {version.by}, {version.at}")
        say("; ".join(faults) if faults else f"all {len(versions)} versions are as they were signed" if versions else "nothing is signed yet")
    if as_json:
        print_json({"case": str(target.root), "versions": [version.model_dump() for version in versions], "faults": faults})
    if faults:
        raise typer.Exit(2)
