"""`ccta train`: the heart network from nothing but its seed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ccta.cli.analyse import Json
from ccta.cli.console import print_json, reporting, say


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Example: ccta train run/ --steps 3300")(train)


def train(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the run; a run that was stopped goes on from its last checkpoint.")],
    steps: Annotated[int, typer.Option(min=1, help="Training images; two cores take about a second for one.")] = 3300,
    maps: Annotated[int, typer.Option(min=1, help="Different chests; each is warped anew every time.")] = 240,
    seed: Annotated[int, typer.Option(help="Decides every image.")] = 0,
    as_json: Json = False,
) -> None:
    """Trains the network of heart, great vessels and arteries on synthesised CT; leaves OUT/heart.onnx with its card, log.csv and a picture per epoch."""
    from ccta.networks.map_store import MapStore
    from ccta.networks.published import publish
    from ccta.networks.training import Run, TrainingSettings
    from ccta.phantom.chest_map import chest_map

    settings = TrainingSettings(steps=steps, maps=maps, seed=seed)
    with reporting() as start:
        started = time.monotonic()
        run = Run(out, MapStore(out / "maps", chest_map), settings)
        dice = run.to_the_end(start("train"))
        path = publish(out / "weights.pt", out, settings, (time.monotonic() - started) / 3300, dice)
    say(f"weights  {path}")
    if as_json:
        print_json({"weights": str(path), "dice": dice})
