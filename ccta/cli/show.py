"""`ccta view`: one case in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from ccta.case import Case
from ccta.cli.analyse import CaseDirectory


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Example: ccta view case/ --port 8080")(view)


def view(
    case: CaseDirectory,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the default browser.")] = True,
    idle_minutes: Annotated[float, typer.Option(min=0.0, help="Ends when nobody has used it for so long; 0: never.")] = 60.0,
    reader: Annotated[str, typer.Option(help="Your name beside every correction; it cannot be changed on the page.")] = "",
    attached: Annotated[bool, typer.Option("--attached", help="End when the standard input closes.", hidden=True)] = False,
) -> None:
    """One case in the browser: slices, tree, straightened vessel, cross-sections, pullback, findings, and corrections by hand."""
    Case.open(case)
    from viewer.app.main import serve  # trame and vtk load only when the viewer is wanted

    serve(case, port, browser, idle_minutes, reader, attached)
