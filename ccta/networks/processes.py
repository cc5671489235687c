"""Training in several processes, one a GPU, or one a share of the cores: who is there, sums over all of them, and how they are started."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

PATIENCE = timedelta(hours=2)  # the others wait while the first makes its validation scenes


@dataclass(frozen=True)
class Team:
    """This process among those that train one network."""

    rank: int = 0
    count: int = 1


def team() -> Team:
    """Alone unless inside `joined`."""
    return Team(distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else Team()


def device_here() -> torch.device:
    """The GPU of this process, or the CPU."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def summed(values: torch.Tensor) -> torch.Tensor:
    """Sums over all processes, which every one of them must ask for; gradients go back to each.

    A loss made of such sums is that of the whole batch: mean cross-entropies and Dice of parts are not.
    """
    return _Summed.apply(values) if distributed.is_initialized() else values


class _Summed(torch.autograd.Function):
    """Every process's loss depends on every process's values: what flows back to them is a sum too, of which DistributedDataParallel takes the mean."""

    @staticmethod
    def forward(context, values: torch.Tensor) -> torch.Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context, slope: torch.Tensor) -> torch.Tensor:
        total = slope.clone()
        distributed.all_reduce(total)
        return total


@contextmanager
def joined(rank: int, count: int, meeting: str = "env://", local_rank: int | None = None) -> Iterator[Team]:
    """Inside, this process is number `rank` of `count`. meeting: where they find each other; the default is what torchrun sets."""
    if torch.cuda.is_available():
        torch.cuda.set_device(rank if local_rank is None else local_rank)
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // count))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", meeting, PATIENCE, count, rank)
    yield team()
    distributed.destroy_process_group()  # not after an error: it would wait for the others, who wait for this one


@contextmanager
def joined_as_launched() -> Iterator[Team]:
    """A member of the team where torchrun started this process, else alone."""
    if not distributed.is_torchelastic_launched():
        yield team()
        return
    rank, count, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    with joined(rank, count, local_rank=local) as members:
        yield members


def usual_processes() -> int:
    """One a GPU, and one without a GPU; one where torchrun has started this process."""
    return 1 if distributed.is_torchelastic_launched() else max(1, torch.cuda.device_count())


def spread(work: Callable, count: int, *given) -> None:
    """Calls work(*given), which can be pickled, in `count` new processes of this machine; the first that fails ends all.

    Raises torch.multiprocessing.ProcessExitedException with its `exit_code` where one left by SystemExit, ProcessRaisedException where by another error.
    """
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_member, (count, (Path(folder) / "meeting").as_uri(), work, given), count)


def _member(rank: int, count: int, meeting: str, work: Callable, given: tuple) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all are on this machine
    with joined(rank, count, meeting):
        work(*given)
