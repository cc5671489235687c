"""The workers of a cohort: of this machine, of a scheduler by its address, or of a cluster class named in a YAML file (dask-jobqueue and others)."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ccta.cohort.jobs import Jobs
from ccta.cohort.steps import GIB, Step
from ccta.errors import BadInput

HOW_TO_ANNOUNCE = 'start workers as `dask worker ADDRESS --resources "memory=16e9 threads=2"`'
PACKAGES = {"dask_jobqueue": "dask-jobqueue", "dask_kubernetes": "dask-kubernetes", "dask_mpi": "dask-mpi", "dask_cloudprovider": "dask-cloudprovider"}
QUIET = {
    "distributed.scheduler.allowed-failures": 10,  # a worker that dies is the machine's fault more often than the study's, whose work is in a child
    "distributed.worker.daemon": False,  # workers start processes of their own
    "distributed.worker.memory.terminate": False,
}


def memory_here_gib() -> float:
    """What this machine, or the container that we are in, allows."""
    from distributed.system import MEMORY_LIMIT

    return MEMORY_LIMIT / GIB


def check_workers(announced: Sequence[dict[str, float]], steps: Sequence[Step]) -> None:
    """BadInput where no worker is large enough for one of the steps, which would then wait for ever. announced: resources of each worker there is."""
    for step in steps:
        if announced and not any(all(one.get(key, 0.0) >= value for key, value in step.resources.items()) for one in announced):
            largest = max(one.get("memory", 0.0) for one in announced) / GIB
            raise BadInput(
                f"the step {step.name} needs {step.memory_gib:g} GiB and {step.threads} thread(s), the largest worker announces {largest:.1f} GiB: "
                f"use fewer --workers on this machine, or {HOW_TO_ANNOUNCE}"
            )


@contextmanager
def local_client(workers: int, steps: Sequence[Step]) -> Iterator[Callable]:
    """Gives a function that returns a client of so many worker processes on this machine; the machine's memory and cores are shared out evenly."""
    import dask
    from distributed import Client, LocalCluster

    share = {"memory": memory_here_gib() * GIB / workers, "threads": float(max(1, (os.cpu_count() or 1) // workers))}
    check_workers([share], steps)
    with (
        dask.config.set(QUIET),
        LocalCluster(n_workers=workers, threads_per_worker=1, memory_limit=None, resources=share, dashboard_address="127.0.0.1:0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        yield lambda: client


def address_in(path: Path) -> str:
    """The address in a scheduler's own file, as `dask scheduler --scheduler-file` and dask-mpi write it. BadInput for another file."""
    try:
        return str(json.loads(path.read_text())["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} holds no address of a Dask scheduler; start it with `--scheduler-file {path}`, or give its address") from error


@contextmanager
def remote_client(address: str, wait_s: float = 20.0) -> Iterator[Callable]:
    """Gives a function that returns a client of the scheduler at an address, a new one when the last has lost its connection. BadInput where none answers."""
    import dask
    from distributed import Client

    held = []
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a lost scheduler is said once, in a sentence, not in pages

    def client():
        if held and held[-1].status == "running":
            return held[-1]
        while held:
            held.pop().close(timeout=1)
        held.append(Client(address, timeout=wait_s, set_as_default=False))
        return held[-1]

    with dask.config.set(QUIET | {"distributed.comm.timeouts.connect": f"{wait_s:g}s"}):
        try:
            client()
        except (OSError, ValueError) as error:
            raise BadInput(f"no Dask scheduler answers at {address}; start one with `dask scheduler`, or leave --scheduler out") from error
        try:
            yield client
        finally:
            for one in held:
                one.close(timeout=1)


@contextmanager
def cluster_client(path: Path, tell: Callable[[str], None] = lambda sentence: None) -> Iterator[Callable]:
    """Gives a function that returns a client of the cluster that a YAML file names: class, workers (how many to ask for), arguments.

    Jobs that a batch queue ends while it is called are handed in again. BadInput where the queue refuses them. tell(sentence): see `Jobs`.
    """
    import dask
    from distributed import Client, SpecCluster

    kind, workers, arguments = read_cluster_file(path)
    with dask.config.set(QUIET), kind(**arguments) as cluster, Client(cluster) as client:
        if not workers or not isinstance(cluster, SpecCluster):
            if workers:
                cluster.scale(workers)
            yield lambda: client
            return
        jobs = Jobs(cluster, math.ceil(workers / arguments.get("processes", 1)), tell)
        jobs.hand_in()

        def kept() -> Client:
            jobs.keep({str(one["name"]) for one in client.scheduler_info(n_workers=-1)["workers"].values()}, time.monotonic())
            return client

        yield kept


def read_cluster_file(path: Path) -> tuple[type, int, dict]:
    """(class, workers, arguments). Workers of dask-jobqueue announce their memory and cores without being told to. BadInput for a file without sense."""
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text())
        name, workers, arguments = content["class"], int(content.get("workers", 0)), dict(content.get("arguments") or {})
        module, _, cls = name.rpartition(".")
        if "resources" in arguments:
            arguments["resources"] = {key: float(value) for key, value in arguments["resources"].items()}  # YAML takes 8e+9 for a text
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{path} describes no cluster ({error}); it needs class, for example dask_jobqueue.SLURMCluster, workers and arguments") from error
    top = module.partition(".")[0]
    if not top or importlib.util.find_spec(top) is None:
        raise BadInput(f"{path}: {name} needs the package {PACKAGES.get(top, top or name)}, which is not installed; install it with pip")
    kind = getattr(importlib.import_module(module), cls, None)
    if kind is None:
        raise BadInput(f"{path}: the package {module} has no {cls}; see its documentation for the names of its clusters")
    return kind, workers, with_announcement(arguments) if top == "dask_jobqueue" else arguments


def with_announcement(arguments: dict) -> dict:
    """Arguments of a dask-jobqueue cluster whose workers announce a job's memory and cores, per process, unless they say something themselves."""
    from dask.utils import parse_bytes

    extra = list(arguments.get("worker_extra_args", []))
    if any(str(one).startswith("--resources") for one in extra) or not {"memory", "cores"} <= set(arguments):
        return arguments
    processes = int(arguments.get("processes", 1))
    said = f"memory={parse_bytes(arguments['memory']) / processes:.0f},threads={int(arguments['cores']) / processes:g}"
    return {**arguments, "processes": processes, "worker_extra_args": [*extra, "--resources", said]}


def dashboard_of(client) -> str:
    """Address of Dask's dashboard, or why there is none."""
    if importlib.util.find_spec("bokeh") is None:
        return "Dask's dashboard needs the package bokeh"
    return client.dashboard_link
