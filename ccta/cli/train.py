"""`ccta train`: a network from its seed, and from other weights if wanted."""

from __future__ import annotations

import time
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import typer

from ccta.cli.analyse import Json
from ccta.cli.console import print_json, reporting, say


class NetworkName(StrEnum):
    """What can be trained."""

    heart = "heart"
    coronary = "coronary"


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Example: ccta train run/ --network coronary --steps 8000")(train)


def train(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the run; a run that was stopped goes on from its last checkpoint.")],
    network: Annotated[NetworkName, typer.Option(help="Places of the whole heart, or coronary lumen and calcium.")] = NetworkName.heart,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps; one core takes about half a second for one.")] = None,
    maps: Annotated[int | None, typer.Option(min=1, help="Different patients; each is varied anew every time.")] = None,
    seed: Annotated[int, typer.Option(help="Decides every image.")] = 0,
    origin: Annotated[Path | None, typer.Option("--from", metavar="BUNDLE", help="Weights to go on from, a MONAI Bundle as OUT/heart is.")] = None,
    as_json: Json = False,
) -> None:
    """Trains a network on synthesised CT; leaves a MONAI Bundle, OUT/heart or OUT/coronary, log.csv and a picture per epoch."""
    from dataclasses import replace

    from ccta.networks.bundle import metadata_of
    from ccta.networks.published import publish, trainable
    from ccta.networks.training import Run

    with reporting() as start:
        started = time.monotonic()
        first = trainable(origin, network.value) if origin else None
        task, settings = _plan(network, out)
        given = {name: value for name, value in (("steps", steps), ("maps", maps)) if value is not None}
        settings = replace(settings, **given, seed=seed, start=metadata_of(origin)["sha256"] if origin else "")
        figures = Run(out, task, settings, first).to_the_end(start("train"))
        path = publish(out / "weights.pt", out, settings, (time.monotonic() - started) / 3600, figures, network.value)
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
