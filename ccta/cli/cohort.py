"""`ccta cohort`: the tables of a cohort again, and its summary beside a reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ccta.cli.analyse import Json
from ccta.cli.console import print_json, print_table, say

Out = Annotated[str, typer.Argument(metavar="OUT", help="The folder or address of a cohort that `ccta batch` made.")]

app = typer.Typer(no_args_is_help=True, help="Tables and summary of a cohort.")


def register(parent: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(epilog="Example: ccta cohort tables out/")(tables)
    app.command(epilog="Example: ccta cohort summary out/ --reference lab.csv --columns ffr=invasive_ffr:0.80 --columns cad_rads_category=reader")(summary)
    parent.add_typer(app, name="cohort")


def tables(out: Out, as_json: Json = False) -> None:
    """Writes the tables and their data dictionary again, after corrections by hand in some cases."""
    from ccta.cohort.storage import Place
    from ccta.cohort.tables import write_tables

    counted = write_tables(Place(out))
    say(f"tables   {out.rstrip('/')}/tables  ({', '.join(f'{count} rows of {level}' for level, count in counted.items())})")
    if as_json:
        print_json({"out": out, "rows": counted})


def summary(
    out: Out,
    reference: Annotated[Path | None, typer.Option(help="CSV with id (and vessel, segment or lesion) and the columns to compare with.")] = None,
    columns: Annotated[list[str] | None, typer.Option(metavar="OURS=THEIRS[:CUT]", help="Repeatable; the cut makes a ROC curve.")] = None,
    as_json: Json = False,
) -> None:
    """Distributions of a cohort; Bland-Altman, ROC and weighted kappa beside the researcher's columns. HTML, PNG, SVG and JSON in OUT/summary."""
    from ccta.cohort.storage import Place
    from ccta.cohort.summary import parse_pair, sentences, summarise

    content = summarise(Place(out), reference, [parse_pair(one) for one in columns or []])
    rows = [[name, str(d["count"]), f"{d['q50']:.3g}", f"{d['q5']:.3g} - {d['q95']:.3g}"] for name, d in content["distributions"].items()]
    print_table(f"cohort of {content['studies']} studies", ["column", "n", "median", "5-95 %"], rows)
    for found in content["comparisons"]:
        for sentence in sentences(found):
            say(f"{found['measured']} beside {found['reference']}: {sentence}")
    say(f"summary  {out.rstrip('/')}/summary/index.html")
    if as_json:
        print_json({"out": out, **content})
