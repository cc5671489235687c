"""`ccta flow`: on a case's tree, on any lumen surface, or on a 0-D network."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ccta.case import Case
from ccta.cli.analyse import Json, run_and_tell
from ccta.cli.console import print_json, print_table, reporting, say
from ccta.cli.stage_commands import tell_stale
from ccta.cli.stages import pipeline
from ccta.cli.stent_plan import tell_plan
from ccta.errors import BadInput
from ccta.runner import select
from ccta.settings import load_settings

Processes = Annotated[int, typer.Option(min=1, metavar="N", help="Solve the steady 3-D flow by so many MPI processes.")]


class Model(StrEnum):
    """Flow models: reduced order, steady 3-D, pulsatile 0-D, or pulsatile 3-D."""

    rom = "rom"
    three_d = "3d"
    pulsatile = "pulsatile"
    three_d_pulsatile = "3d-pulsatile"


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    examples = ("case/ --model rom", "case/ --processes 2", "case/ --stent mLAD", "--surface tree.stl --inlet 2 out/")
    examples += ("--network net.json out.json", "case/ --write-network net.json")
    app.command(epilog="Examples: " + " | ".join(f"ccta flow {example}" for example in examples))(flow)


def flow(
    target: Annotated[Path, typer.Argument(metavar="CASE|OUT", help="A case; or, with --surface or --network, where the result goes.")],
    model: Annotated[Model | None, typer.Option(help="3d unless case.toml says otherwise.")] = None,
    surface: Annotated[Path | None, typer.Option(help="A lumen surface: STL, VTP, PLY or OBJ, open or closed.")] = None,
    centerlines: Annotated[list[Path] | None, typer.Option(help="VMTK centerlines (VTP) of that surface; repeat for several trees.")] = None,
    inlet: Annotated[str, typer.Option(metavar="auto|X,Y,Z|N", help="Where blood enters that surface: a point, or an end by its number.")] = "auto",
    network: Annotated[Path | None, typer.Option(help="A 0-D network in svZeroDSolver's JSON format, steady or pulsatile; OUT as JSON or CSV.")] = None,
    write_network: Annotated[Path | None, typer.Option(help="Only write the case's tree as such a network, with pulsatile aorta and outlets.")] = None,
    stent: Annotated[list[str] | None, typer.Option(metavar="SEGMENT[:FROM-TO][:MM]", help="FFR with this stent, say mLAD:38-52:3.0; repeatable.")] = None,
    processes: Processes = 1,
    as_json: Json = False,
) -> None:
    """Blood flow and FFR on a case, a surface, or a network; with --stent before and after it, by the reduced model unless --model 3d is given."""
    if sum(one is not None for one in (surface, network, write_network, stent)) > 1:
        raise BadInput("give only one of --surface, --network, --write-network and --stent")
    if processes > 1 and (network or write_network):
        raise BadInput("--processes shares a 3-D solution; a 0-D network is solved by one")
    if surface is None and (inlet != "auto" or centerlines):
        raise BadInput("--inlet and --centerlines belong to --surface; in a case the arteries begin at their ostia")
    if write_network is not None:
        _write_network(target, write_network, as_json)
    elif network is not None:
        _flow_network(network, target, as_json)
    else:
        with shared_by(processes, _settings(target, model).flow.model if processes > 1 and not stent else model):
            if surface is not None:
                _flow_surface((surface, centerlines or [], inlet), target, model, as_json)
            elif stent:
                tell_plan(target, stent, _settings(target, model).flow, model is Model.three_d, as_json)
            else:
                _flow_case(target, model, as_json)


def shared_by(processes: int, model: str | None) -> AbstractContextManager:
    """Within it 3-D flow is solved by so many MPI processes. BadInput for a model that is not solved so."""
    if processes == 1:
        return nullcontext()
    if model != "3d":
        raise BadInput("--processes shares the steady 3-D solution among MPI processes; give it with --model 3d")
    from cfd.ranks import by_processes

    return by_processes(processes)


def _settings(folder: Path, model: Model | None):
    settings = load_settings(folder / "case.toml")
    return replace(settings, flow=replace(settings.flow, model=model.value)) if model else settings


def _flow_case(root: Path, model: Model | None, as_json: bool) -> None:
    case = Case.open(root)
    settings = _settings(root, model)
    run_and_tell(case, select(pipeline(), ["flow", "verdict", "report"]), settings, False, as_json)
    tell_stale(case, settings)


def _flow_surface(given: tuple[Path, list[Path], str], out: Path, model: Model | None, as_json: bool) -> None:
    from cfd.pipeline import solve_surface

    with reporting() as start:
        surface, centerlines, inlet = given
        result = solve_surface(surface, centerlines, out, _settings(out, model).flow, start("flow"), inlet)
    rows = [[b.name, f"{b.distance_mm[-1]:.0f}", f"{b.diameter_mm[0]:.1f}", f"{b.ffr[-1]:.3f}", f"{b.flow_ml_min[0]:.0f}"] for b in result.branches]
    print_table(f"{result.model} flow, aortic pressure {result.pa_mmhg:.0f} mmHg", ["branch", "mm", "diameter mm", "FFR at its end", "mL/min"], rows)
    for note in result.notes:
        say(note)
    say(f"result   {out}")
    if as_json:
        print_json({"out": str(out), "mass_error": result.mass_error, "ffr": {b.name: b.ffr[-1] for b in result.branches}})


def _flow_network(network: Path, out: Path, as_json: bool) -> None:
    from cfd.network_json import solve_network_file

    answer = solve_network_file(network, out)
    say(answer.summary)
    say(f"result   {out}")
    if as_json:
        print_json({"out": os.fspath(out), "cycles": answer.cycles, "cycle_change": answer.cycle_change, "periodic": answer.periodic})


def _write_network(root: Path, out: Path, as_json: bool) -> None:
    from cfd.case_stage import write_case_network

    write_case_network(Case.open(root), load_settings(root / "case.toml").flow, out)
    say(f"network  {out}")
    if as_json:
        print_json({"network": os.fspath(out)})
