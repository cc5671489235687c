"""Cohorts on a real Dask cluster, with a stand-in for the analysis: nothing is lost, nothing is computed twice, a failure is a row."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import dask_jobqueue
import pandas
import psutil
import pytest

from ccta.cohort import cluster
from ccta.cohort.cluster import address_in, check_workers, cluster_client, local_client, read_cluster_file, remote_client
from ccta.cohort.jobs import Jobs
from ccta.cohort.limits import NO_LIMITS, Limits, run_limited
from ccta.cohort.record import read_record, start_cohort, to_do
from ccta.cohort.run import Cohort, SchedulerLost, run_cohort
from ccta.cohort.steps import STEPS, Step, steps_for
from ccta.cohort.storage import Place
from ccta.cohort.table import Study, read_table
from ccta.cohort.tables import write_tables
from ccta.cohort.tasks import Job, run_step
from ccta.cohort.watching import Watcher
from ccta.errors import BadInput
from cfd.ranks import launcher
from tests.conftest import ROOT, run_ccta

PROGRAM = (str(ROOT / "tests" / "cohort" / "stand_in.py"),)
PATIENT = 3000  # looks of 0.2 s at what must come some time: an end to a test that would hang
TWO = (Step("image", ("read", "segment"), 0.1), Step("flow", ("flow",), 0.1))


def studies_of(folder: Path, **words) -> tuple[Study, ...]:
    for name, text in words.items():
        (folder / name).write_text(text)
    (folder / "cohort.csv").write_text("path\n" + "".join(f"{name}\n" for name in words))
    return read_table(folder / "cohort.csv")


def cohort_of(folder: Path, limits=NO_LIMITS, retry=False, **words) -> Cohort:
    studies = studies_of(folder, **words)
    root = Place(str(folder / "out"))
    start_cohort(root, studies, {}, True)
    return Cohort(root, studies, TWO, limits, retry, PROGRAM)


def watcher_of(cohort: Cohort, said: list) -> Watcher:
    return Watcher(cohort.root, "", said.append, lambda counts, names: None)


@pytest.fixture(scope="module")
def client():
    with local_client(2, TWO) as made:
        yield made


def test_every_stage_belongs_to_one_step():
    from ccta.cli.stages import NAMES

    assert [stage for step in STEPS for stage in step.stages] == list(NAMES)
    assert [step.name for step in steps_for(("read", "flow"), "rom")] == ["image", "flow"]
    assert steps_for(("flow",), "3d")[0].memory_gib > steps_for(("flow",), "rom")[0].memory_gib
    with pytest.raises(BadInput, match="no stage fly"):
        steps_for(("fly",), "rom")


def test_a_cohort_runs_and_failures_are_rows(client, tmp_path):
    cohort = cohort_of(tmp_path, Limits(time_s=5, memory_gib=0.3), a="", b="", poison="refuse", crash="crash", slow="sleep=60", big="memory=800 sleep=3")
    said: list[str] = []
    records = run_cohort(cohort, client, watcher_of(cohort, said))
    ends = {name: (record["status"], record["kind"]) for name, record in records.items()}
    assert ends == {
        "a": ("done", ""),
        "b": ("done", ""),
        "poison": ("failed", "input"),
        "crash": ("failed", "lost"),
        "slow": ("failed", "limit"),
        "big": ("failed", "limit"),
    }
    assert "is no CT image" in records["poison"]["reason"] and "signal 11" in records["crash"]["reason"]
    assert "limit is 5 s" in records["slow"]["reason"] and "limit is 0.3 GiB" in records["big"]["reason"]
    assert records["a"]["runs"] == {"read": 1, "segment": 1, "flow": 1} and records["a"]["steps"]["flow"]["peak_bytes"] > 0
    assert any("poison: failed" in sentence for sentence in said)
    assert write_tables(cohort.root) == {"patient": 6, "vessel": 0, "segment": 0, "lesion": 0}
    table = pandas.read_parquet(tmp_path / "out" / "tables" / "patient.parquet").set_index("id")
    assert table.loc["poison", "status"] == "failed" and "no CT image" in table.loc["poison", "reason"] and table.loc["a", "provenance"]

    (tmp_path / "poison").write_text("")  # mended: the same name, another content
    again = run_cohort(cohort_of(tmp_path, Limits(time_s=5, memory_gib=0.3), a="", b="", poison=""), client, lambda *_: None)
    assert again["poison"]["status"] == "done" and again["a"]["runs"]["read"] == 1


def test_the_page_puts_what_needs_a_person_first(tmp_path):
    cohort = cohort_of(tmp_path, a="", z="")
    records = {study.id: read_record(cohort.root, study) for study in cohort.studies}
    records["a"]["status"] = "done"
    records["z"] |= {"status": "failed", "reason": "no <image>"}
    watcher_of(cohort, []).write(records, [], True)
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.index("no &lt;image&gt;") < page.index("cases/a/report.html") and 'http-equiv="refresh"' in page and "<b>1</b>need a person" in page
    watcher_of(cohort, []).write(records, [], False)
    assert "refresh" not in (tmp_path / "out" / "index.html").read_text()


def test_killed_workers_lose_nothing(client, tmp_path):
    """Workers are killed while they compute; the cohort ends as if they had not been, and no stage is computed twice."""
    cohort = cohort_of(tmp_path, **{f"s{k}": "sleep=0.4" for k in range(6)})
    over = threading.Event()

    def chaos():
        for _ in range(3):  # no more, so that a slow machine on which a step outlasts the pause still comes to an end
            if over.wait(2.0):
                return
            pids = [worker["pid"] for worker in client().run(lambda: {"pid": os.getpid()}).values()]
            if pids:
                os.kill(pids[0], signal.SIGKILL)

    killer = threading.Thread(target=chaos)
    killer.start()
    try:
        records = run_cohort(cohort, client, lambda *_: None)
    finally:
        over.set()
        killer.join()
    assert {record["status"] for record in records.values()} == {"done"}, [record["reason"] for record in records.values()]
    assert {count for record in records.values() for count in record["runs"].values()} == {1}  # a stage whose worker died before it could note it has none


def test_a_killed_client_and_all_its_processes_lose_nothing(client, tmp_path):
    """kill -9 of the program that drives the cohort with all below it; what goes on afterwards ends as a quiet run does."""
    words = {f"s{k}": "sleep=0.3" for k in range(4)}
    cohort, code = cohort_of(tmp_path, **words), "from tests.cohort.test_batch import drive; import sys; drive(sys.argv[1])"
    driver = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
    while driver.poll() is None and not any(record["steps"] for record in records_of(cohort)):
        time.sleep(0.2)
    below = psutil.Process(driver.pid).children(recursive=True)
    for process in (driver, *below):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    driver.wait()
    psutil.wait_procs(below, timeout=60)
    assert any(record["status"] != "done" for record in records_of(cohort))
    records = run_cohort(cohort_of(tmp_path, **words), client, lambda *_: None)
    assert all(record["status"] == "done" and set(record["runs"].values()) == {1} for record in records.values()), records
    (tmp_path / "quiet").mkdir()
    quiet = cohort_of(tmp_path / "quiet", **words)
    run_cohort(quiet, client, lambda *_: None)
    for name in words:
        for file in ("case.json", "findings.json"):
            assert (cohort.root / f"cases/{name}/{file}").read_bytes() == (quiet.root / f"cases/{name}/{file}").read_bytes()


def records_of(cohort: Cohort) -> list[dict]:
    return [read_record(cohort.root, study) for study in cohort.studies]


def drive(folder: str) -> None:
    """As `ccta batch --resume` does, with the stand-in for the analysis."""
    studies, root = read_table(Path(folder) / "cohort.csv"), Place(f"{folder}/out")
    with local_client(2, TWO) as made:
        run_cohort(Cohort(root, studies, TWO, program=PROGRAM), made, lambda *_: None)


def test_a_child_dies_with_its_worker(tmp_path):
    """`python -m ccta.tied` asks the kernel to kill it when its parent dies: no orphan computes on beside its successor."""
    code = (
        "import subprocess, sys, os, time; "
        "p = subprocess.Popen([sys.executable, '-c', 'import time, os; from ccta.tied import die_with; die_with(os.getppid()); "
        "print(os.getpid(), flush=True); time.sleep(60)'], start_new_session=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    child.wait(timeout=60)
    assert not child.is_running()


def test_a_lost_scheduler_is_waited_for_and_then_said(tmp_path):
    """The scheduler is killed in the middle; a new one at the same address goes on, and what was done is not done again."""
    cohort = cohort_of(tmp_path, **{f"s{k}": "sleep=0.3" for k in range(4)})
    port = free_port()
    servers = [start_scheduler(port), start_worker(port)]
    try:
        with remote_client(f"tcp://127.0.0.1:{port}", wait_s=120.0) as client:
            killed = []

            def watch(records, flying):
                done = len(list((tmp_path / "out" / "records").glob("*.json")))
                if done and not killed:
                    for server in servers:
                        server.kill()
                        server.wait()
                    servers[:] = [start_scheduler(port), start_worker(port)]
                    killed.append(True)

            records = run_cohort(cohort, client, watch)
            assert killed and all(record["status"] == "done" and set(record["runs"].values()) == {1} for record in records.values())
            for server in servers:
                server.kill()
            (tmp_path / "more").mkdir()
            with pytest.raises(SchedulerLost, match="run with --resume"):
                run_cohort(cohort_of(tmp_path / "more", x="sleep=30"), gone, lambda *_: None, patience_s=0.0)
    finally:
        for server in servers:
            server.kill()
            server.wait()


def gone():
    raise OSError("connection refused")


def free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_scheduler(port: int):
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_worker(port: int):
    words = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}", "--nthreads", "2", "--no-nanny", "--no-dashboard"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*words, "--resources", "memory=4e9 threads=2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def test_what_resume_tries_again(tmp_path):
    (study,) = studies_of(tmp_path, a="")
    record = read_record(Place(str(tmp_path / "out")), study)
    limits = {"time_s": 5.0, "memory_gib": 0.0}
    assert to_do(record, TWO[:1], limits, False)
    for kind, again in (("input", False), ("storage", True), ("lost", True), ("limit", False)):
        assert to_do({**record, "status": "failed", "kind": kind, "limits": limits}, TWO[:1], limits, False) is again
    assert to_do({**record, "status": "failed", "kind": "limit", "limits": limits}, TWO[:1], {"time_s": 9.0, "memory_gib": 0.0}, False)
    assert to_do({**record, "status": "failed", "kind": "input"}, TWO[:1], limits, True)
    assert not to_do({**record, "status": "done", "steps": {"image": {"status": "done", "asked": ["read", "segment"]}}}, TWO[:1], limits, True)
    assert to_do({**record, "status": "done", "steps": {"image": {"status": "done", "asked": ["read"]}}}, TWO[:1], limits, False)  # more is asked for now


def test_a_full_disk_is_a_failure_that_resume_mends(tmp_path):
    (study,) = studies_of(tmp_path, a="full")
    job = Job(study, Place(str(tmp_path / "out")), last="flow", program=PROGRAM)
    record = run_step(job, TWO[0])
    assert (record["status"], record["kind"]) == ("failed", "storage") and run_step(job, TWO[1], record) == record
    (tmp_path / "a").write_text("")
    (study,) = studies_of(tmp_path, a="")
    job = Job(study, job.root, last="flow", program=PROGRAM)
    assert run_step(job, TWO[1], run_step(job, TWO[0]))["status"] == "done"


def test_a_case_is_locked_while_a_step_runs(tmp_path):
    """An orphan of a killed worker holds the lock; the next attempt waits and then finds the step done."""
    (study,) = studies_of(tmp_path, a="sleep=0.5")
    job = Job(study, Place(str(tmp_path / "out")), last="flow", program=PROGRAM)
    both = [threading.Thread(target=run_step, args=(job, TWO[0])) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert read_record(job.root, study)["runs"] == {"read": 1, "segment": 1}


def test_studies_and_results_at_addresses(tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/studies/a/one.txt", b"")
    (tmp_path / "cohort.csv").write_text("path\nmemory://studies/a\nmemory://studies/none\n")
    here, none = read_table(tmp_path / "cohort.csv")
    root = Place("memory://out")
    start_cohort(root, (here, none), {}, False)
    with pytest.raises(BadInput, match="--resume"):
        start_cohort(root, (here, none), {}, False)
    job = Job(here, root, last="flow", program=PROGRAM)
    record = run_step(job, TWO[1], run_step(job, TWO[0]))
    assert record["status"] == "done" and "case.json" in (root / "cases/a").names() and record["runs"]["flow"] == 1
    assert set(json.loads((root / "cases/a/case.json").read_bytes())["stages"]) == {"read", "segment", "flow"}
    failed = run_step(Job(none, root, last="flow", program=PROGRAM), TWO[0])
    assert failed["kind"] == "input" and "does not exist" in failed["reason"]
    assert write_tables(root)["patient"] == 2 and "dictionary.csv" in (root / "tables").names()
    if not cluster.importlib.util.find_spec("s3fs"):
        with pytest.raises(BadInput, match="need the package s3fs"):
            Place("s3://bucket/x").read_bytes()


def test_a_step_that_fits_no_worker_is_said_at_once():
    with pytest.raises(BadInput, match="needs 4 GiB"):
        check_workers([{"memory": 2**30, "threads": 4.0}, {}], STEPS)
    check_workers([{"memory": 8 * 2**30, "threads": 4.0}], STEPS)


def test_cluster_files(tmp_path):
    def read(text):
        (tmp_path / "c.yaml").write_text(text)
        return read_cluster_file(tmp_path / "c.yaml")

    kind, workers, arguments = read("class: dask_jobqueue.SLURMCluster\nworkers: 3\narguments: {cores: 4, processes: 2, memory: 16GB}\n")
    assert kind is dask_jobqueue.SLURMCluster and workers == 3
    with kind(**arguments, scheduler_options={"dashboard": False, "host": "127.0.0.1"}) as slurm:
        assert "memory=8000000000,threads=2" in slurm.job_script()
    with pytest.raises(BadInput, match="needs the package dask-kubernetes"):
        read("class: dask_kubernetes.operator.KubeCluster\n")
    with pytest.raises(BadInput, match="has no Slurm"):
        read("class: dask_jobqueue.Slurm\n")
    with pytest.raises(BadInput, match="describes no cluster"):
        read("workers: 3\n")


def test_a_cohort_on_workers_that_mpi_started(tmp_path):
    """dask-mpi: rank 0 is the scheduler, the others are workers that announce what they have; found by the scheduler's file."""
    file, options = tmp_path / "scheduler.json", json.dumps({"resources": {"memory": 4e9, "threads": 2}})
    code = "import sys; from dask_mpi.cli import main; sys.exit(main())"
    words = [*launcher(), "-n", "3", sys.executable, "-c", code, "--scheduler-file", str(file), "--worker-options", options]
    words += ["--worker-class", "distributed.Worker", "--nthreads", "1", "--no-dashboard"]
    with pytest.raises(BadInput, match="holds no address"):
        address_in(file)
    started = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        for _ in range(PATIENT):
            if file.exists() and file.read_text().endswith("}"):
                break
            assert started.poll() is None
            time.sleep(0.2)
        with remote_client(address_in(file), wait_s=120.0) as client:
            records = run_cohort(cohort_of(tmp_path, a="", b="", poison="refuse"), client, lambda *_: None)
            assert {name: record["status"] for name, record in records.items()} == {"a": "done", "b": "done", "poison": "failed"}
            assert {one["name"] for one in client().scheduler_info()["workers"].values()} == {"dask_mpi-1", "dask_mpi-2"}
    finally:
        started.terminate()
        started.wait()


class Queue:
    """A cluster by whose queue the jobs of the first `bad` places end at once."""

    def __init__(self, bad: int):
        self.bad, self.worker_spec, self.workers, self.handed_in, self.sync = bad, {}, {}, 0, lambda settle: None

    def new_worker_spec(self):
        self.handed_in += 1
        return {next(name for name in range(9) if name not in self.worker_spec): {}}

    def comes(self) -> set[str]:
        return {str(job) for job in self.worker_spec if job >= self.bad}


@pytest.mark.parametrize("bad", [1, 2])
def test_places_of_a_cluster_that_never_work_are_given_up(monkeypatch, bad):
    cluster, said = Queue(bad), []
    jobs = Jobs(cluster, 2, said.append)
    monkeypatch.setattr(Jobs, "_left_the_queue", lambda self: set(cluster.worker_spec) - self.came)
    jobs.hand_in()
    with pytest.raises(BadInput, match="before their worker came") if bad == 2 else contextlib.nullcontext():
        for k in range(200):
            jobs.keep(cluster.comes(), 10.0 * k)
    assert cluster.handed_in < 10
    assert bad == 2 or (jobs.count == 1 and "the other 1 go on" in said[-1])


def test_a_queue_that_cannot_be_asked_says_nothing_of_its_jobs(monkeypatch):
    cluster = type("SLURMCluster", (Queue,), {})(0)
    cluster.workers = {0: SimpleNamespace(job_id="7"), 1: SimpleNamespace(job_id="8")}
    jobs = Jobs(cluster, 2, print)
    monkeypatch.setattr("ccta.cohort.jobs.ASK", {"SLURMCluster": ("no-such-program",)})
    assert jobs._left_the_queue() == set()
    monkeypatch.setattr("ccta.cohort.jobs.ASK", {"SLURMCluster": ("echo", "8", "9")})
    assert jobs._left_the_queue() == {0}


def test_a_group_is_killed_as_a_whole(tmp_path):
    code = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(p.pid, flush=True); time.sleep(60)"
    ended = run_limited([sys.executable, "-c", code], tmp_path, Limits(time_s=3.0), {})
    assert ended.code == -signal.SIGKILL and "limit is 3 s" in ended.exceeded
    child = int(ended.out)
    time.sleep(0.2)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_the_command_itself(phantom_study, tmp_path, capsys):
    """One real study and a poisonous one, by the calcium stages; again with --resume nothing runs."""
    (tmp_path / "poison").write_text("no image")
    (tmp_path / "cohort.csv").write_text(f"path,id,haematocrit\n{phantom_study[0]},real,0.42\npoison,poison,\n")
    words = ("batch", tmp_path / "cohort.csv", tmp_path / "out", "--set", "flow.model=rom", "--set", "stages=read_calcium,calcium")
    assert run_ccta(*words, "--json") == 0
    captured = capsys.readouterr()
    answer = json.loads(captured.out.splitlines()[-1])
    assert [case["status"] for case in answer["cases"]] == ["done", "failed"] and answer["rows"]["patient"] == 2
    table = pandas.read_csv(tmp_path / "out" / "tables" / "patient.csv").set_index("id")
    assert table.loc["real", "agatston"] > 10 and table.loc["real", "haematocrit"] == 0.42 and "poison" in captured.err
    before = (tmp_path / "out" / "records" / "real.json").read_text()
    assert run_ccta(*words) == 2 and "--resume" in capsys.readouterr().err
    assert run_ccta(*words, "--resume") == 0 and (tmp_path / "out" / "records" / "real.json").read_text() == before
    assert run_ccta("batch", tmp_path / "none.csv", tmp_path / "x") == 2 and not (tmp_path / "x").exists()


def test_a_cluster_named_in_a_file_runs_a_cohort(tmp_path):
    arguments = "{n_workers: 1, processes: false, dashboard_address: ':0', resources: {memory: 8e+9, threads: 2}}"
    (tmp_path / "c.yaml").write_text(f"class: distributed.LocalCluster\narguments: {arguments}\n")
    with cluster_client(tmp_path / "c.yaml") as client:
        records = run_cohort(cohort_of(tmp_path, a=""), client, lambda *_: None)
    assert records["a"]["status"] == "done"
