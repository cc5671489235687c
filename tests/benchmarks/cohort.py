"""`python -m tests.benchmarks.cohort [--cases 24] [--workers 2] [--kill-every S] [--stages read,...] [--keep FOLDER]`: cohorts, quiet and in chaos.

Phantom patients are made (or taken from FOLDER), then run four times: quietly with one worker, quietly with several, with two poisonous studies beside them
while a worker, and every second time the scheduler too, is killed every so many seconds, and by `ccta batch` which is killed with all its processes three
times and gone on with by --resume. Throughput, scheduling overhead (time that a worker spends outside the children, beside the time in them), largest memory
of a step, and whether the findings and images of the killed runs are those of the quiet ones. Without --stages: 24 cases by the calcium stages, then 2 by all
stages, killed every 20 s and every 60 s. With fewer free cores than workers, throughput says nothing: the load is printed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from ccta.cli.console import print_table
from ccta.cohort.cluster import local_client, remote_client
from ccta.cohort.record import read_record, start_cohort
from ccta.cohort.run import Cohort, run_cohort
from ccta.cohort.steps import steps_for
from ccta.cohort.storage import Place
from ccta.cohort.table import read_table

FIRST_SEED = 501
SMALL = {"ccta": {"shape": [320, 320, 200], "pixel_mm": 0.5, "increment_mm": 0.6}, "calcium": {"shape": [320, 320, 46], "pixel_mm": 0.6}}
TINY = {"ccta": {"shape": [96, 96, 60], "pixel_mm": 1.6, "increment_mm": 2.0}, "calcium": SMALL["calcium"]}  # where no stage reads the CCTA
CALCIUM = "read_calcium,calcium,verdict,report"
ALL = "read,read_calcium,segment,centerlines,tree,contours,measure,calcium,flow,verdict,report"
SPEEDUP_GOAL, OVERHEAD_GOAL = 1.8, 0.03
COUNTED = ("findings.json", "calcium_labels.nii.gz", "heart.nii.gz", "coronary.nii.gz", "tree.json", "pullback.json")


def make_studies(folder: Path, count: int, spec: dict = SMALL) -> list[Path]:
    """Phantom studies without their truth; those that are there are kept."""
    from ccta.phantom.study import load_spec, write_study

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_text(json.dumps(spec))
    studies = [folder / f"study-{FIRST_SEED + k}" for k in range(count)]
    for k, study in enumerate(studies):
        if not (folder / f"truth-{study.name}.json").exists():
            write_study(study, FIRST_SEED + k, load_spec(folder / "spec.json"), lambda *_: None)
            (study / "truth.json").rename(folder / f"truth-{study.name}.json")
            print(f"made {study.name}", flush=True)
    return studies


def cohort_of(out: Path, studies: list[Path], stages: list[str]) -> Cohort:
    table = out.parent / f"{out.name}.csv"
    table.write_text("path\n" + "".join(f"{one}\n" for one in studies))
    rows = read_table(table, {"flow": {"model": "rom"}})
    start_cohort(Place(str(out)), rows, {}, True)
    return Cohort(Place(str(out)), rows, steps_for(stages, "rom"))


def quiet(cohort: Cohort, workers: int) -> tuple[dict, float]:
    """(records, s from the first task to the last)."""
    with local_client(workers, cohort.steps) as client:
        started = time.monotonic()
        return run_cohort(cohort, client, lambda *_: None), time.monotonic() - started


class Servers:
    """A scheduler and workers of its own, to be killed."""

    def __init__(self, workers: int):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.scheduler, self.workers = self._scheduler(), [self._worker() for _ in range(workers)]
        self.killed = {"worker": 0, "scheduler": 0}

    def _start(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _scheduler(self) -> subprocess.Popen:
        return self._start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard", "--no-show")

    def _worker(self) -> subprocess.Popen:
        words = (f"tcp://127.0.0.1:{self.port}", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--resources", "memory=6e9 threads=1")
        return self._start("distributed.cli.dask_worker", *words)

    def kill_one(self, also_scheduler: bool, chance: random.Random) -> None:
        """A worker, and the scheduler if so wished; both come back, and so do workers that left with their scheduler."""
        number = chance.randrange(len(self.workers))
        self._kill(self.workers[number])
        self.killed["worker"] += 1
        if also_scheduler:
            self._kill(self.scheduler)
            self.killed["scheduler"] += 1
            self.scheduler = self._scheduler()
        self.tend()

    def tend(self) -> None:
        self.workers = [one if one.poll() is None else self._worker() for one in self.workers]

    def _kill(self, process: subprocess.Popen) -> None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            self._kill(process)


def chaos(cohort: Cohort, workers: int, every_s: float) -> tuple[dict, dict]:
    """(records, how often what was killed)."""
    servers, over, chance = Servers(workers), threading.Event(), random.Random(1)

    def strike():
        turn, due = 0, time.monotonic() + every_s
        while not over.wait(1.0):
            servers.tend()
            if time.monotonic() >= due:
                servers.kill_one(turn % 2 == 1, chance)
                turn, due = turn + 1, time.monotonic() + every_s

    killer = threading.Thread(target=strike)
    try:
        with remote_client(f"tcp://127.0.0.1:{servers.port}", wait_s=120.0) as client:
            killer.start()
            records = run_cohort(cohort, client, lambda *_: None, patience_s=600.0)
    finally:
        over.set()
        if killer.ident:
            killer.join()
        servers.stop()
    return records, servers.killed


def killed_client(cohort: Cohort, stages: list[str], workers: int, every_s: float) -> tuple[dict, int]:
    """(records, how often `ccta batch` was killed with all its processes; it goes on by --resume, and is left alone after the third time)."""
    out = Path(cohort.root.address)
    words = ["batch", str(out.parent / f"{out.name}.csv"), str(out), "--workers", str(workers), "--resume"]
    words += ["--set", "flow.model=rom", "--set", f"stages={','.join(stages)}"]
    for kills in range(4):
        process = subprocess.Popen([sys.executable, "-m", "ccta.cli.main", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(every_s if kills < 3 else None)
        if process.poll() is not None:
            break
        below = psutil.Process(process.pid).children(recursive=True)
        for one in (process, *below):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()
        psutil.wait_procs(below)
    return {study.id: read_record(cohort.root, study) for study in cohort.studies}, kills


def content(out: Path, name: str) -> dict[str, str]:
    """Hashes of what was computed for a case; images by their voxels, because gzip writes the time."""
    import nibabel

    found = {}
    for file in COUNTED:
        path = out / "cases" / name / file
        if path.exists():
            data = nibabel.load(path).get_fdata().tobytes() if file.endswith(".nii.gz") else path.read_bytes()
            found[file] = hashlib.sha256(data).hexdigest()
    return found


def figures(records: dict) -> tuple[float, float, float]:
    """(s in children, processor s in children, largest memory of a step in GiB)."""
    steps = [step for record in records.values() for step in record["steps"].values()]
    return sum(s["seconds"] for s in steps), sum(s["processor_s"] for s in steps), max(s["peak_bytes"] for s in steps) / 2**30


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill-every", type=float, default=0.0)
    parser.add_argument("--stages", default="")
    parser.add_argument("--keep", type=Path)
    wanted = parser.parse_args()
    folder = wanted.keep or Path(tempfile.mkdtemp(prefix="ccta-bench-cohort-"))
    plans = [(24, CALCIUM, 20.0), (2, ALL, 60.0)]  # kills must be rarer than the longest stage lasts
    if wanted.stages:
        plans = [(24, wanted.stages, 60.0)]
    measure = lambda count, stages, every_s: measured(folder, (wanted.cases or count, wanted.kill_every or every_s), stages.split(","), wanted.workers)  # noqa: E731
    return max([measure(*plan) for plan in plans])


def measured(folder: Path, plan: tuple[int, float], stages: list[str], workers: int) -> int:
    """Runs one cohort four times and prints its table; 1 where a goal is missed. plan: cases, seconds between two kills."""
    count, every_s = plan
    studies = make_studies(folder / "whole", count) if "read" in stages else make_studies(folder / "calcium", count, TINY)
    run = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
    poison = [run / "poison-1", run / "poison-2"]
    poison[0].write_text("this is no image")
    poison[1].mkdir()
    (poison[1] / "half.dcm").write_bytes(next(studies[0].rglob("*.dcm")).read_bytes()[:5000])
    one, one_s = quiet(cohort_of(run / "one", studies, stages), 1)
    several, several_s = quiet(cohort_of(run / "several", studies, stages), workers)
    stormy, killed = chaos(cohort_of(run / "chaos", [*studies, *poison], stages), workers, every_s)
    resumed, kills = killed_client(cohort_of(run / "client", studies, stages), stages, workers, every_s)
    in_children, processor_s, peak_gib = figures(one)
    overhead, speedup = one_s / in_children - 1, one_s / several_s
    explained = [record["reason"] for record in stormy.values() if record["status"] == "failed"]
    rows = [
        [f"throughput of {workers} workers over one", f"{speedup:.2f} ({one_s:.0f} s, {several_s:.0f} s)", f"{SPEEDUP_GOAL:g}", speedup >= SPEEDUP_GOAL],
        ["scheduling overhead, one worker", f"{100 * overhead:.1f} %", f"{100 * OVERHEAD_GOAL:.0f} %", overhead <= OVERHEAD_GOAL],
        ["processor time of a case", f"{processor_s / len(one):.0f} s", "–", True],
        ["largest memory of a step", f"{peak_gib:.2f} GiB", "as asked for", peak_gib <= max(step.memory_gib for step in steps_for(stages, "rom"))],
        ["poisonous studies explained", f"{len(explained)}", "2", len(explained) == 2 and all(explained)],
        *as_quiet(run, "chaos", f"{killed['worker']} workers, {killed['scheduler']} schedulers killed", (stormy, len(studies))),
        *as_quiet(run, "client", f"`ccta batch` killed {kills} times", (resumed, len(studies))),
    ]
    assert len(several) == len(studies)
    load = f"{os.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f}"
    title = f"{len(studies)} cases by {', '.join(stages)}; {load}"
    print_table(title, ["figure", "measured", "goal", ""], [[a, b, c, "met" if d else "MISSED"] for a, b, c, d in rows])
    for reason in explained:
        print(f"explained: {reason}", flush=True)
    return int(not all(row[-1] for row in rows))


def as_quiet(run: Path, name: str, what: str, ended: tuple[dict, int]) -> list[list]:
    """Rows on a run that was disturbed: all finished, nothing computed twice, results those of the quiet runs."""
    records, count = ended
    done = [case for case, record in records.items() if record["status"] == "done"]
    twice = [f"{case} {stage}" for case in done for stage, runs in records[case]["runs"].items() if runs > 1]
    same = [case for case in done if content(run / name, case) == content(run / "several", case) == content(run / "one", case)]
    return [
        [f"finished ({what})", f"{len(done)}", f"{count}", len(done) == count],
        ["  stages computed twice", f"{len(twice)} {' '.join(twice[:3])}", "0", not twice],
        ["  equal to the quiet runs, bit for bit", f"{len(same)}", f"{count}", len(same) == count],
    ]


if __name__ == "__main__":
    sys.exit(main())
