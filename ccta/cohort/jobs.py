"""The jobs that a batch queue runs for a cohort (dask-jobqueue): handed in, and again when the queue has ended them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Set
from dataclasses import dataclass, field

from ccta.errors import BadInput

LOOK_EVERY_S = 5.0
GONE_S = 20.0  # without a worker: its job has ended, and is not only cut off for a moment
QUIET_S = 120.0  # without any worker: a person may want to look at the queue
EARLY = 3  # jobs per place that end before their worker came, and none that came in between: the next will not do better
ASK = {"SLURMCluster": ("squeue", "--noheader", "--format=%i")}  # the numbers of all jobs in the queue
ANSWER_S = 20.0


@dataclass
class Jobs:
    """Keeps `count` jobs on a cluster of distributed's SpecCluster kind. tell(sentence) for what a person should know.

    A job ends by its time limit, by a person, or with its node; without this its place would stay empty, and with the last job the cohort would wait for ever.
    """

    cluster: object
    count: int
    tell: Callable[[str], None]
    came: set = field(default_factory=set)
    early: int = 0
    gone_since: dict = field(default_factory=dict)
    due_s: float = 0.0
    quiet_since: float = field(default_factory=time.monotonic)

    def hand_in(self) -> None:
        """Hands in the jobs that are missing. BadInput with what the queue answered where it refuses one."""
        missing = self.count - len(self.cluster.worker_spec)
        for _ in range(missing):
            self.cluster.worker_spec.update(self.cluster.new_worker_spec())
        try:
            self.cluster.sync(self._settled)
        except (RuntimeError, OSError) as error:
            self._give_up()
            said = " ".join(str(error).partition("stderr:")[2].split()) or " ".join(str(error).split())
            raise BadInput(f"the cluster's queue refused a job ({said[:300]}); change the arguments of the cluster file") from error

    async def _settled(self) -> None:
        await self.cluster

    def _give_up(self) -> None:
        """Jobs that never began are marked as failed: the cluster cannot be closed with them otherwise."""
        from distributed.core import Status

        for job in self.cluster.workers.values():
            if job.status == Status.created:
                job.status = Status.failed

    def keep(self, workers: Set[str], now_s: float) -> None:
        """To be called often. workers: names of those that the scheduler has; now_s: of a clock that only goes forward. BadInput where it is of no use."""
        if now_s < self.due_s:
            return
        self.due_s = now_s + LOOK_EVERY_S
        left = self._left_the_queue()
        for job in list(self.cluster.worker_spec):
            if workers & self._workers_of(job):
                self.early = self.early if job in self.came else 0
                self.came.add(job)
                self.gone_since.pop(job, None)
            elif (job in self.came or job in left) and now_s - self.gone_since.setdefault(job, now_s) > GONE_S:
                self._forget(job)
        self._replace(workers, now_s)

    def _forget(self, job) -> None:
        self.early += job not in self.came
        self.came.discard(job)  # the name is given again
        del self.cluster.worker_spec[job], self.gone_since[job]
        self.cluster.sync(self._settled)

    def _replace(self, workers: Set[str], now_s: float) -> None:
        missing = self.count - len(self.cluster.worker_spec)
        if missing and self.early >= EARLY * self.count:
            what = f"{self.early} jobs of the cluster ended before their worker came; read the jobs' output (log_directory)"
            if not workers:
                raise BadInput(f"{what}, then run with --resume")
            self.count, self.early, missing = self.count - missing, 0, 0
            self.tell(f"{what}; the other {self.count} go on")
        if missing:
            self.tell(f"{missing} job(s) of the cluster ended and are handed in again")
            self.hand_in()
        if workers:
            self.quiet_since = now_s
        elif now_s - self.quiet_since > QUIET_S:
            self.quiet_since = now_s
            self.tell(f"no worker has come from the cluster's queue for {QUIET_S:.0f} s; look at the queue, and at the jobs' output (log_directory)")

    def _workers_of(self, job) -> set[str]:
        return {f"{job}{suffix}" for suffix in self.cluster.worker_spec[job].get("group", [""])}

    def _left_the_queue(self) -> set:
        """Jobs without a worker so far that the queue, where we know how to ask it, no longer has."""
        command = ASK.get(type(self.cluster).__name__)
        waiting = {job: str(number) for job, one in self.cluster.workers.items() if job not in self.came and (number := getattr(one, "job_id", None))}
        if not command or not waiting:
            return set()
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S)
        except (OSError, subprocess.TimeoutExpired):
            return set()
        return set() if answer.returncode else {job for job, number in waiting.items() if number not in answer.stdout.split()}
