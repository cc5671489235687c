"""`ccta sweep`: FFR of one case over ranges of boundary conditions and geometry."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ccta.case import Case
from ccta.cli.analyse import CaseDirectory, Json
from ccta.cli.console import print_json, print_table, reporting, say
from ccta.cli.flow import Processes, shared_by
from ccta.errors import BadInput
from ccta.settings import load_settings


class Method(StrEnum):
    """How the ranges are sampled."""

    grid = "grid"
    lhs = "lhs"
    sobol = "sobol"


class SweepModel(StrEnum):
    """Which flow model is solved at each point."""

    rom = "rom"
    three_d = "3d"


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Example: ccta sweep case/ study/ --vary hyperaemia=0.2:0.3:11 --vary murray=2.0:3.0:11")(sweep)


def sweep(
    case: CaseDirectory,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new directory for the study.")],
    vary: Annotated[list[str], typer.Option(metavar="NAME=LOW:HIGH[:COUNT]", help="A quantity and its range; repeat for several.")],
    method: Annotated[Method, typer.Option(help="All combinations, Latin hypercube, or samples for Sobol indices.")] = Method.grid,
    samples: Annotated[int, typer.Option(min=2, help="Of lhs: so many solutions; of sobol: blocks of (quantities + 2) solutions.")] = 1024,
    model: Annotated[SweepModel, typer.Option(help="3d: a handful of boundary conditions, minutes each.")] = SweepModel.rom,
    seed: Annotated[int, typer.Option(help="Decides the samples.")] = 0,
    processes: Processes = 1,
    as_json: Json = False,
) -> None:
    """A flow study: FFR over ranges of boundary conditions and geometry, with Sobol indices; Parquet, CSV, JSON and pictures."""
    from cfd.case_stage import anatomy_of
    from cfd.sweep import MOST_THREE_D, parse_range, samples_of, sweep_reduced, sweep_three_d
    from cfd.sweep_files import new_folder, write_sweep

    ranges = [parse_range(one) for one in vary]
    values = samples_of(ranges, method.value, samples, seed)
    if model is SweepModel.three_d and len(values) > MOST_THREE_D:
        raise BadInput(f"{len(values)} solutions in 3-D are too many (each takes minutes): at most {MOST_THREE_D}")
    anatomy, settings = anatomy_of(Case.open(case)), load_settings(case / "case.toml").flow
    solve = sweep_reduced if model is SweepModel.rom else sweep_three_d
    with reporting() as start, shared_by(processes, model.value):
        found = solve(anatomy, settings, [one.name for one in ranges], values, start("sweep"))
    content = write_sweep(new_folder(out), ranges, found, method.value, model.value)
    rows = [[name, *(f"{value:.3f}" if np.isfinite(value) else "–" for value in values)] for name, values in content["quantiles_5_50_95"].items()]
    print_table(f"{len(values)} solutions ({model.value})", ["result", "5 %", "median", "95 %"], rows)
    for output, indices in content["sobol"].items():
        shares = ", ".join(f"{name} {one['total']:.2f}" for name, one in sorted(indices.items(), key=lambda item: -item[1]["total"]))
        say(f"{output}: total Sobol index of {shares}")
    if content["unsettled"]:
        say(f"{content['unsettled']} solutions did not settle; their cells are empty")
    say(f"result   {out}")
    if as_json:
        print_json({"out": str(out), **content})
