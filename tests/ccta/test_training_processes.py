"""Training by several processes: they learn what one process learns from the same batches, and only the first of them writes."""

import csv
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.multiprocessing import ProcessExitedException

from ccta.errors import BadSettings
from ccta.networks.processes import Team, spread
from ccta.networks.training import Pairs, Run
from tests.ccta.tiny_training import SETTINGS, task, train

NEVER = 2.0


def test_two_processes_learn_what_one_learns_and_a_killed_run_goes_on_with_any_number(tmp_path):
    """Two processes, killed half-way; the rest by one. Losses and weights are those of one process that was never stopped."""
    one, two = tmp_path / "one", tmp_path / "two"
    train(one, NEVER)
    with pytest.raises(ProcessExitedException) as ended:
        spread(train, 2, two, 0.5)
    assert ended.value.exit_code == 3
    assert [path.name for path in sorted(two.iterdir())] == ["checkpoint.pt", "log.csv", "tensorboard", "validated.txt", "weights.pt"]
    assert (two / "validated.txt").read_text() == "epoch_000002.png\n"
    train(two, NEVER)
    for name, value in torch.load(one / "weights.pt", weights_only=True).items():
        torch.testing.assert_close(torch.load(two / "weights.pt", weights_only=True)[name], value, rtol=1e-3, atol=1e-4)
    losses = [[float(row["loss"]) for row in csv.DictReader((folder / "log.csv").open())] for folder in (one, two)]
    assert len(losses[0]) == 2 and losses[1] == pytest.approx(losses[0], abs=2e-3)


def test_every_pair_is_seen_once_whoever_makes_it(tmp_path, monkeypatch):
    """Two processes with two workers each make the batches of one process, in its order; a resumed one begins at its step."""

    def first(members: Team, workers: int, step: int = 0) -> np.ndarray:
        """The first three batches, as a loader takes them in turn from its workers."""
        streams = []
        for number in range(max(workers, 1)):
            monkeypatch.setattr("ccta.networks.training.get_worker_info", lambda n=number: SimpleNamespace(id=n, num_workers=workers) if workers else None)
            streams.append(list(islice(Pairs(task(tmp_path), SETTINGS, step, members), 3)))
        return np.stack([streams[n % len(streams)][n // len(streams)][0].numpy() for n in range(3)])

    alone = first(Team(), 0)
    shares = [first(Team(rank, 2), 2) for rank in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(shares, axis=1), alone)
    np.testing.assert_array_equal(first(Team(), 2, step=1)[:2], alone[1:])


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ccta.networks.training.team", lambda: Team(0, 3))
    with pytest.raises(BadSettings, match="3 processes cannot share a batch of 4"):
        Run(tmp_path, task(tmp_path), SETTINGS)
