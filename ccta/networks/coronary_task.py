"""What the coronary network learns: lumen and calcified plaque, and that a vessel is not torn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from skimage.morphology import skeletonize
from torch.nn.functional import one_hot

from ccta.networks.architecture import coronary_network
from ccta.networks.coronary_input import coronary_input
from ccta.networks.coronary_synthesis import Painter, coronary_pair
from ccta.networks.pictures import draw_vessels
from ccta.networks.processes import summed
from ccta.networks.training import Task
from ccta.networks.windows import Network
from ccta.tissues import ArteryScene

VIEWS = 2  # of each validation scene
LUMEN, CALCIFIED = 1, 2
SMOOTH = 20.0
EVERY_VOXEL = 10.0  # a view is 0.5 % lumen: as a plain mean the cross-entropy would say nothing
CALCIUM = 0.3  # rare and bright: without a word of its own it would stay with the lumen, whose Dice it hardly lowers


def coronary_task(scene_of: Callable[[int], ArteryScene], paint: Painter) -> Task:
    """scene_of: seed -> ArteryScene; paint: of its views."""

    def pair(scene: ArteryScene, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        hu, blood_hu, label, line = coronary_pair(scene, paint, rng)
        return coronary_input(hu, blood_hu), np.stack([label, line])

    return Task(coronary_network, scene_of, pair, vessel_loss, lambda network, count, picture: validated(network, scene_of, paint, count, picture))


def vessel_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """`EVERY_VOXEL` times the mean cross-entropy, `CALCIUM` times that of the calcified voxels, 1 - Dice of lumen and of calcium, and half of 1 - the share
    of the centerlines that is found as what it is.

    The last is the skeleton recall of Kirchhoff et al. (ECCV 2024): a missed millimetre costs the same in a thin vessel as in a wide one. Dice counts
    `SMOOTH` voxels more on both sides, so that what is not there at all must not be found either.
    logits: (B, 3, ...); target: (B, 2, ...) int64, labels and centerlines. The batch is that of all processes.
    """
    label, line = target[:, 0], target[:, 1].float()
    log = logits.float().log_softmax(dim=1)
    probability, true = log.exp(), one_hot(label, 3).movedim(-1, 1).float()
    axes = (0, *range(2, logits.ndim))
    right, calcified = log.gather(1, label[:, None])[:, 0], label == CALCIFIED
    found, lines = (line * right.exp()).sum(), line.sum()
    single = [right.sum(), right.new_tensor(right.numel()), right[calcified].sum(), calcified.sum(), found, lines]
    both, total, single = summed(torch.cat([(probability * true).sum(axes)[1:], (probability + true).sum(axes)[1:], torch.stack(single)])).split([2, 2, 6])
    likelihood, voxels, of_calcium, calcium, found, lines = single
    loss = -EVERY_VOXEL * likelihood / voxels + 1 - ((2 * both + SMOOTH) / (total + SMOOTH)).mean()
    if calcium > 0:
        loss = loss - CALCIUM * of_calcium / calcium
    return loss + 0.5 * (1 - found / lines) if lines > 0 else loss


def validated(network: Network, scene_of: Callable[[int], ArteryScene], paint: Painter, count: int, picture: Path | None = None) -> dict[str, float]:
    """Dice of lumen and calcium and clDice over views of scenes that no training sees; the first few are drawn into `picture`."""
    sums, rows = np.zeros((2, 2)), []
    inside, thin, found_line, line_sum = 0, 0, 0, 0
    for seed in range(count):
        for number in range(VIEWS):
            hu, blood_hu, label, line = coronary_pair(scene_of(seed), paint, np.random.default_rng([4005, seed, number]))
            found = network(coronary_input(hu, blood_hu)[None])[0].argmax(axis=0)
            for code in (LUMEN, CALCIFIED):
                sums[code - 1] += np.count_nonzero((found == code) & (label == code)), np.count_nonzero(found == code) + np.count_nonzero(label == code)
            skeleton = skeletonize(found > 0) > 0
            inside, thin = inside + np.count_nonzero(label[skeleton]), thin + np.count_nonzero(skeleton)
            found_line, line_sum = found_line + np.count_nonzero(found[line]), line_sum + np.count_nonzero(line)
            rows.append((hu / blood_hu, label, found))
    if picture:
        draw_vessels(rows[: 8 * VIEWS : VIEWS], picture)
    precision, recall = inside / max(thin, 1), found_line / max(line_sum, 1)
    dices = {name: float(2 * both / total) if total else float("nan") for name, (both, total) in zip(("lumen", "calcified"), sums, strict=True)}
    return dices | {"line_precision": precision, "line_recall": recall, "clDice": 2 * precision * recall / max(precision + recall, 1e-9)}
