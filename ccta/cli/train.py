"""`ccta train`: a network from its seed, and from other weights if wanted."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import typer

from ccta.cli.analyse import Json
from ccta.cli.console import print_json, reporting, say
from ccta.errors import CctaError


class NetworkName(StrEnum):
    """What can be trained."""

    heart = "heart"
    coronary = "coronary"


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Example: ccta train run/ --network coronary --steps 8000")(train)


@dataclass(frozen=True)
class Order:
    """A run as it was asked for; None is the network's own number. count: processes that share each batch."""

    out: Path
    network: NetworkName
    steps: int | None
    maps: int | None
    batch: int | None
    seed: int
    origin: Path | None
    count: int


def train(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the run; a run that was stopped goes on from its last checkpoint.")],
    network: Annotated[NetworkName, typer.Option(help="Places of the whole heart, or coronary lumen and calcium.")] = NetworkName.heart,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps; one core takes about half a second for one.")] = None,
    maps: Annotated[int | None, typer.Option(min=1, help="Different patients; each is varied anew every time.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Images a step, of all processes together; at least one for each.")] = None,
    seed: Annotated[int, typer.Option(help="Decides every image.")] = 0,
    origin: Annotated[Path | None, typer.Option("--from", metavar="BUNDLE", help="Weights to go on from, a MONAI Bundle as OUT/heart is.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="That share each step's batch; without it one for each GPU, or one on the CPU.")] = None,
    as_json: Json = False,
) -> None:
    """Trains a network on synthesised CT; leaves a MONAI Bundle, OUT/heart or OUT/coronary, log.csv and a picture per epoch; `tensorboard --logdir OUT`.

    With several GPUs each step's batch is shared by them; on more than one machine start it by `torchrun --no-python ... ccta train OUT`.
    """
    from torch.multiprocessing import ProcessExitedException

    from ccta.networks.processes import joined_as_launched, spread, usual_processes

    order = Order(out, network, steps, maps, batch, seed, origin, processes or usual_processes())
    if order.count == 1:
        with joined_as_launched() as members:
            _trained(replace(order, count=members.count), as_json)
        return
    try:
        spread(_member, order.count, order, as_json)
    except ProcessExitedException as ended:
        raise typer.Exit(ended.exit_code if ended.exit_code > 0 else 1) from None


def _member(order: Order, as_json: bool) -> None:
    """One of several processes; what is the user's fault is said once."""
    from ccta.networks.processes import team

    try:
        _trained(order, as_json)
    except CctaError as error:
        if team().rank == 0:
            say(f"ccta: {error}")
        raise SystemExit(2) from None


def _trained(order: Order, as_json: bool) -> None:
    """Trains, and publishes what came out where this is the first process."""
    from ccta.networks.bundle import metadata_of
    from ccta.networks.processes import team
    from ccta.networks.published import publish, trainable
    from ccta.networks.training import Run

    with reporting() as start:
        started, name = time.monotonic(), order.network.value
        first = trainable(order.origin, name) if order.origin else None
        task, settings = _plan(order.network, order.out)
        usual = max(settings.batch, order.count)
        given = {"steps": order.steps, "maps": order.maps, "batch": order.batch or usual + -usual % order.count, "seed": order.seed}
        origin = metadata_of(order.origin)["sha256"] if order.origin else ""
        settings = replace(settings, **{key: value for key, value in given.items() if value is not None}, start=origin)
        figures = Run(order.out, task, settings, first).to_the_end(start("train"))
        if team().rank:
            return
        path = publish(order.out / "weights.pt", order.out, settings, (time.monotonic() - started) / 3600, figures, name)
    say(f"weights  {path}")
    if as_json:
        print_json({"weights": str(path), "figures": figures})


def _plan(network: NetworkName, out: Path):
    """(task, settings) of a network; its patients are made when they are first needed and kept in OUT."""
    from ccta.networks.coronary_task import coronary_task
    from ccta.networks.heart_task import heart_task
    from ccta.networks.map_store import MapStore
    from ccta.networks.training import TrainingSettings
    from ccta.phantom.artery_scene import artery_scene, painted_view
    from ccta.phantom.chest_map import chest_map
    from ccta.tissues import ArteryScene

    if network is NetworkName.heart:
        return heart_task(MapStore(out / "maps", chest_map)), TrainingSettings()
    scenes = lru_cache(maxsize=80)(MapStore(out / "scenes", artery_scene, ArteryScene))
    return coronary_task(scenes, painted_view), TrainingSettings(steps=8000, maps=50, batch=2, warm_up=100, epoch=200)
