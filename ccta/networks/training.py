"""Training of a network on synthesised images: resumable, logged, looked at. What is trained, on what and by which loss is a `Task`.

The same on a CPU, a GPU or several: what is learned follows from `TrainingSettings`, not from how many processes share a step's batch (to rounding).
"""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from torch.utils.tensorboard import SummaryWriter

from ccta.errors import BadSettings
from ccta.networks.processes import Team, device_here, team
from ccta.networks.windows import Network

VALIDATION = 20  # scenes kept from training; the training seeds come after them
AVERAGED = 0.995  # of the running mean of the weights, which is what is kept


@dataclass(frozen=True)
class TrainingSettings:
    """One run. Everything that decides the weights is here."""

    steps: int = 3300
    maps: int = 240
    batch: int = 1  # of all processes together; group norm does not need more
    learning_rate: float = 2e-3
    warm_up: int = 60
    seed: int = 0
    epoch: int = 300  # steps between validations, checkpoints and pictures
    start: str = ""  # SHA-256 of the weights that the run begins with; none unless it goes on from another run


@dataclass(frozen=True)
class Task:
    """What a run learns. scene_of: seed -> what images are made from.

    pair: (scene, rng) -> (image (C, ...) float32, target (K, ...) uint8). loss: of (logits (B, C, ...), target (B, K, ...) int64), by sums over all
    processes (`summed`).
    validated: (network, number of scenes kept from training, picture or None) -> figures by name.
    """

    network: Callable[[], torch.nn.Module]
    scene_of: Callable[[int], Any]
    pair: Callable[[Any, np.random.Generator], tuple[np.ndarray, np.ndarray]]
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    validated: Callable[[Network, int, Path | None], dict[str, float]]


class Pairs(IterableDataset):
    """Endless training batches; pair n is a function of the seed and of n alone, so that a resumed run sees what the first would have seen.

    Each process gets its share of every batch, and each worker of a loader its share of those in turn, so that their numbers change nothing.
    """

    def __init__(self, task: Task, settings: TrainingSettings, first_step: int, members: Team):
        self.task, self.settings, self.first_step, self.members = task, settings, first_step, members

    def __iter__(self):
        own, worker = self.settings.batch // self.members.count, get_worker_info()
        for step in count(self.first_step + (worker.id if worker else 0), worker.num_workers if worker else 1):
            start = step * self.settings.batch + self.members.rank * own
            images, targets = zip(*(self._pair(number) for number in range(start, start + own)), strict=True)
            yield torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(targets).astype(np.int64))

    def _pair(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.settings.seed, number])
        scene = self.task.scene_of(VALIDATION + int(rng.integers(self.settings.maps)))
        return self.task.pair(scene, rng)


def workers(members: Team) -> int:
    """Processes that make images beside a GPU, a core each; on a CPU the training itself has the cores."""
    return max(1, (os.process_cpu_count() or 1) // members.count - 1) if torch.cuda.is_available() else 0


class Run:
    """One training run in a folder: network, averaged weights, optimiser and schedule, kept at every epoch. Of several processes the first one writes."""

    def __init__(self, folder: Path, task: Task, settings: TrainingSettings, start: torch.nn.Module | None = None):
        """start: the network to go on from, unless `folder` holds a checkpoint. Raises BadSettings where the folder holds a run with other settings,
        or a batch cannot be shared by the processes.
        """
        self.folder, self.task, self.settings = folder, task, settings
        self.device, self.members = device_here(), team()
        if settings.batch % self.members.count:
            raise BadSettings(f"{self.members.count} processes cannot share a batch of {settings.batch}; choose a multiple with --batch")
        torch.manual_seed(settings.seed)
        network = (start or task.network()).to(self.device)
        mean = AveragedModel(network, multi_avg_fn=averaged)
        optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-4, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self._rate)
        self.parts = {"network": network, "mean": mean, "optimiser": optimiser, "schedule": schedule}
        self.step = self._resumed()
        alone = self.members.count == 1
        self.shared = network if alone else DistributedDataParallel(network, [self.device.index] if self.device.type == "cuda" else None)

    def _rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to 0."""
        return min((step + 1) / self.settings.warm_up, 0.5 * (1 + math.cos(math.pi * min(step / self.settings.steps, 1))))

    def to_the_end(self, progress) -> dict[str, float]:
        """Trains; returns the validation's figures, none in another process than the first. progress(message, share) is told of every epoch.

        Meanwhile numbers below 1e-38 are zero in this thread: with them a step takes nine times as long. Meshing relies on them, so that they come back.
        """
        torch.set_flush_denormal(True)
        try:
            return self._trained(progress)
        finally:
            torch.set_flush_denormal(False)

    def _trained(self, progress) -> dict[str, float]:
        settings, losses, started, dice = self.settings, [], time.monotonic(), {}
        pairs = Pairs(self.task, settings, self.step, self.members)
        batches = iter(DataLoader(pairs, batch_size=None, num_workers=workers(self.members), pin_memory=self.device.type == "cuda"))
        while self.step < settings.steps:
            losses.append(self._one(*next(batches)))
            if self.members.rank == 0 and (self.step % settings.epoch == 0 or self.step == settings.steps):
                dice = self.task.validated(self._predicted, VALIDATION, self.folder / f"epoch_{self.step:06d}.png")
                self._log(float(np.mean(losses)), dice, time.monotonic() - started)
                self._kept()
                said = f"step {self.step}: loss {np.mean(losses):.3f}, validation Dice {np.nanmean(list(dice.values())):.3f}"
                progress(said, self.step / settings.steps)
                losses = []
        return dice or (self.task.validated(self._predicted, VALIDATION, None) if self.members.rank == 0 else {})

    @torch.no_grad()
    def _predicted(self, image: np.ndarray) -> np.ndarray:
        """Logits by the averaged weights."""
        return self.parts["mean"].module.eval()(torch.from_numpy(image).to(self.device)).cpu().numpy()

    def _one(self, image: torch.Tensor, target: torch.Tensor) -> float:
        """One step; the loss."""
        network, mean, optimiser, schedule = self.parts.values()
        with torch.autocast(self.device.type, torch.bfloat16):  # a third of the time where the processor multiplies it by itself (AMX)
            logits = self.shared(image.to(self.device, memory_format=torch.channels_last_3d, non_blocking=True))
        loss = self.task.loss(logits, target.to(self.device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        mean.update_parameters(network)
        self.step += 1
        return float(loss.detach())

    def _resumed(self) -> int:
        """Steps already done in the folder, whose state is loaded."""
        path = self.folder / "checkpoint.pt"
        self.folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return 0
        kept = torch.load(path, map_location=self.device, weights_only=True)
        if kept["settings"] != asdict(self.settings):
            raise BadSettings(f"{self.folder} holds a run with other settings ({kept['settings']}); choose another folder")
        for name, part in self.parts.items():
            part.load_state_dict(kept[name])
        return kept["step"]

    def _kept(self) -> None:
        """Checkpoint and averaged weights, each under a temporary name first."""
        everything = {name: part.state_dict() for name, part in self.parts.items()} | {"step": self.step, "settings": asdict(self.settings)}
        for name, content in (("checkpoint.pt", everything), ("weights.pt", self.parts["mean"].module.state_dict())):
            torch.save(content, self.folder / f"{name}.tmp")
            (self.folder / f"{name}.tmp").replace(self.folder / name)

    def _log(self, loss: float, dice: dict[str, float], seconds: float) -> None:
        path = self.folder / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "loss", "seconds", *dice])
            writer.writerow([self.step, f"{loss:.4f}", f"{seconds:.0f}", *(f"{value:.4f}" for value in dice.values())])
        with SummaryWriter(self.folder / "tensorboard") as board:  # closed at once: a killed run loses nothing
            for name, value in {"loss": loss, **{f"dice/{place}": value for place, value in dice.items()}}.items():
                board.add_scalar(name, value, self.step)


@torch.no_grad()
def averaged(mean: list[torch.Tensor], now: list[torch.Tensor], count: torch.Tensor) -> None:
    """The running mean after `count` updates, in place: over a tenth of them at first, so that it does not hold on to the first weights."""
    share = min(AVERAGED, (1 + float(count)) / (10 + float(count)))
    torch._foreach_lerp_(mean, now, 1 - share)
