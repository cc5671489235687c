"""`ccta train`: the heart network from its seed, and from other weights if wanted."""

from __future__ import annotations

import hashlib
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
    origin: Annotated[Path | None, typer.Option("--from", metavar="HEART.ONNX", help="Weights to go on from, with their card beside them.")] = None,
    as_json: Json = False,
) -> None:
    """Trains the network of heart, great vessels and arteries on synthesised CT; leaves OUT/heart.onnx with its card, log.csv and a picture per epoch."""
    from ccta.networks.map_store import MapStore
    from ccta.networks.published import publish, trainable
    from ccta.networks.training import Run, TrainingSettings
    from ccta.phantom.chest_map import chest_map

    with reporting() as start:
        started = time.monotonic()
        network = trainable(origin) if origin else None
        settings = TrainingSettings(steps=steps, maps=maps, seed=seed, start=hashlib.sha256(origin.read_bytes()).hexdigest() if origin else "")
        run = Run(out, MapStore(out / "maps", chest_map), settings, network)
        dice = run.to_the_end(start("train"))
        path = publish(out / "weights.pt", out, settings, (time.monotonic() - started) / 3600, dice)
    say(f"weights  {path}")
    if as_json:
        print_json({"weights": str(path), "dice": dice})
