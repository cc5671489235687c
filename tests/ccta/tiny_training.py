"""A network of one layer, to be trained in a moment by any number of processes on the coronary network's own loss."""

from pathlib import Path

import numpy as np
import torch

from ccta.networks.coronary_task import vessel_loss
from ccta.networks.training import Run, Task, TrainingSettings

SETTINGS = TrainingSettings(steps=4, maps=3, batch=4, warm_up=1, epoch=2)


def network() -> torch.nn.Module:
    return torch.nn.Conv3d(1, 3, 3, padding=1)


def pair(scene: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Calcium and centerlines in some images only, so that parts of a batch have other sums than the whole."""
    label = np.zeros((8, 8, 8), np.uint8)
    label[2:6, 2 : 3 + scene % 4] = 1
    if rng.random() < 0.5:
        label[7, :, int(rng.integers(8))] = 2
    line = (label == 1) & (rng.random(label.shape) < 0.2 * (scene % 2))
    return (label + rng.normal(0, 0.2, label.shape)).astype(np.float32)[None], np.stack([label, line])


def task(folder: Path) -> Task:
    def validated(predict, count, picture):
        with (folder / "validated.txt").open("a") as file:
            file.write(f"{picture.name}\n")
        return {"lumen": float(predict(np.ones((1, 1, 8, 8, 8), np.float32)).mean())}

    return Task(network, lambda seed: seed, pair, vessel_loss, validated)


def train(folder: Path, stop_at: float) -> None:
    """A run in `folder` from wherever it stands; it ends by SystemExit(3) when the share `stop_at` is reached."""

    def progress(message: str, share: float) -> None:
        if share >= stop_at:
            raise SystemExit(3)

    Run(folder, task(folder), SETTINGS).to_the_end(progress)
