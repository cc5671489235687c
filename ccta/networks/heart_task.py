"""What the heart network learns: the place of every voxel of a warped, scanned chest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ccta.networks.architecture import heart_network
from ccta.networks.pictures import draw
from ccta.networks.processes import summed
from ccta.networks.synthesis import training_pair
from ccta.networks.training import Task
from ccta.networks.windows import Network, network_input
from ccta.tissues import PLACES, ChestMap


def heart_task(map_of: Callable[[int], ChestMap]) -> Task:
    """map_of: seed -> ChestMap."""

    def pair(chest: ChestMap, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        hu, place = training_pair(chest, rng)
        return network_input(hu), place[None]

    return Task(heart_network, map_of, pair, loss_of, lambda network, count, picture: validated(network, map_of, count, picture))


def loss_of(logits: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus 1 - the mean Dice of the places that the batch holds. logits (B, C, ...), place (B, 1, ...) int64.

    A place that is absent has no Dice: with it, small batches would teach the network to forget rare places. The batch is that of all processes.
    """
    log = logits.float().log_softmax(dim=1)
    right = log.gather(1, place).ravel()
    both = log.new_zeros(log.shape[1]).index_add(0, place.ravel(), right.exp())
    true, named = torch.bincount(place.ravel(), minlength=log.shape[1]), log.exp().sum((0, *range(2, log.ndim)))
    *places, (likelihood, voxels) = summed(torch.cat([both, true, named, torch.stack([right.sum(), true.sum()])])).split([log.shape[1]] * 3 + [2])
    both, true, named = (values[1:] for values in places)
    present = true > 0
    dice = 2 * both[present] / (true + named)[present] if present.any() else log.new_ones(1)
    return -likelihood / voxels + 1 - dice.mean()


def validated(network: Network, map_of: Callable[[int], ChestMap], count: int, picture: Path | None = None) -> dict[str, float]:
    """Dice by place over one pair of each of the first `count` maps, which no training sees; the first few are drawn into `picture`."""
    both, sums, rows = np.zeros(max(PLACES.values()) + 1), np.zeros(max(PLACES.values()) + 1), []
    for seed in range(count):
        hu, place = training_pair(map_of(seed), np.random.default_rng([4002, seed]))
        found = network(network_input(hu)[None])[0].argmax(axis=0)
        both += np.bincount(place[found == place], minlength=len(both))
        sums += np.bincount(place.ravel(), minlength=len(both)) + np.bincount(found.ravel(), minlength=len(both))
        rows.append((hu, place, found))
    if picture:
        draw(rows[:4], picture)
    return {name: float(2 * both[code] / sums[code]) if sums[code] else float("nan") for name, code in PLACES.items()}
