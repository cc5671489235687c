"""The queue and what a job does: progress, result, bad input, crash, time, memory, cancel, late slices, and the death of a worker."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from ccta.errors import BadInput
from tests.viewer.server.conftest import free_port
from tests.viewer.server.small_dicom import bytes_of, ct_slice, pdf_object, send
from viewer.server import orders
from viewer.server.child import run_bound
from viewer.server.intake import Intake
from viewer.server.node import Node
from viewer.server.settings import AnalysisSettings, IntakeSettings, ListenSettings, OutSettings, Pacs, ServerSettings
from viewer.server.store import Delivery, Job, Store, Study, StudyState
from viewer.server.work import run_job
from viewer.server.worker import JobQueue

SLEEPS = "print('segment: aorta', flush=True); time.sleep(60)"


def program(body: str) -> tuple[str, ...]:
    """An analysis command that runs this Python text with `study` and `case` (paths)."""
    lead = "import os, pathlib, sys, time; study, case = map(pathlib.Path, sys.argv[1:3])\n"
    return (sys.executable, "-c", lead + body)


@pytest.fixture
def settings(tmp_path) -> ServerSettings:
    pacs = {"main": Pacs(host="127.0.0.1", port=1, ae_title="PACS")}
    analysis = AnalysisSettings(command=program("pass"), retry_s=0.1, tries=2)
    intake = IntakeSettings(keep_free_mb=0, quiet_s=0.3, poll_s=0.1)
    return ServerSettings(data=str(tmp_path / "data"), analysis=analysis, intake=intake, pacs=pacs, out=OutSettings(destination="main"))


def ordered(store: Store, settings: ServerSettings) -> int:
    """A study of one slice, complete, and the number of its job."""
    Intake(store, settings).take(bytes_of(ct_slice("1.2.3")), "CT1")
    assert orders.complete_studies(store, 0.0, time.time() + 1) == 1
    return newest(store).id


def newest(store: Store) -> Job:
    with store.session() as session:
        return session.scalar(select(Job).order_by(Job.id.desc()).limit(1))


def the_study(store: Store) -> Study:
    with store.session() as session:
        return session.scalar(select(Study))


def with_command(settings: ServerSettings, body: str, **changes) -> ServerSettings:
    return replace(settings, analysis=replace(settings.analysis, command=program(body), **changes))


def wait_for(condition, what: str):
    """Looks until the condition holds; the suite as a whole has its time limit, a test has none."""
    while not condition():
        time.sleep(0.05)
    return what


def test_a_study_is_complete_after_the_quiet_time_and_not_before(store, settings):
    Intake(store, settings, clock=lambda: 1000.0).take(bytes_of(ct_slice("1.2.3")), "CT1")
    assert orders.complete_studies(store, 60.0, 1059.0) == 0
    assert orders.complete_studies(store, 60.0, 1061.0) == 1
    assert orders.complete_studies(store, 60.0, 1061.0) == 0
    assert the_study(store).state == StudyState.WAITING


def test_the_time_in_which_nothing_could_come_is_not_quiet(store, settings, database_url):
    """A study of which half had come before the server was down for an hour."""
    Intake(store, settings, clock=lambda: time.time() - 3600).take(bytes_of(ct_slice("1.2.3")), "CT1")
    node = Node(replace(settings, database=database_url, intake=replace(settings.intake, quiet_s=60.0)))
    node._tick()
    assert the_study(store).state == StudyState.RECEIVED
    node._listens_since_s -= 61
    node._tick()
    assert the_study(store).state == StudyState.WAITING
    node.stop()


def test_a_study_without_images_fails_in_words(store, settings):
    Intake(store, settings).take(bytes_of(pdf_object("1.2.3")), "CT1")
    assert orders.complete_studies(store, 0.0, time.time() + 1) == 0
    assert (the_study(store).state, the_study(store).error) == (StudyState.FAILED, "no CT images came with this study")


def test_a_result_is_noted_and_its_objects_are_to_be_sent_once(store, settings, tmp_path):
    (tmp_path / "result.dcm").write_bytes(bytes_of(pdf_object("1.2.3")))
    body = f"(case / 'dicom').mkdir(parents=True); (case / 'dicom' / 'a.dcm').write_bytes(pathlib.Path({str(tmp_path / 'result.dcm')!r}).read_bytes())"
    job = ordered(store, settings)
    for _ in range(2):
        run_job(store, with_command(settings, body), job)
    study = the_study(store)
    assert (study.state, study.case_path, study.error) == (StudyState.DONE, "cases/1.2.3/1", "")
    with store.session() as session:
        (delivery,) = session.scalars(select(Delivery))
    assert (delivery.destination, delivery.path, delivery.state) == ("main", "cases/1.2.3/1/dicom/a.dcm", "pending")


def test_bad_input_is_the_studys_error_and_not_tried_again(store, settings):
    run_job(store, with_command(settings, "print('ccta: no CCTA in ' + str(study)); sys.exit(2)"), ordered(store, settings))
    study = the_study(store)
    assert (study.state, study.error) == (StudyState.FAILED, "no CCTA in DATA/studies/1.2.3")
    assert newest(store).number == 1


def test_a_crash_is_tried_again_later_and_then_fails(store, settings):
    crashing = with_command(settings, "print('ccta: an error of the program'); sys.exit(1)")
    run_job(store, crashing, ordered(store, settings))
    study, job = the_study(store), newest(store)
    assert study.state == StudyState.WAITING and study.progress.startswith("try 2 of 2 follows") and job.not_before_s > time.time() - 1
    run_job(store, crashing, job.id)
    assert (the_study(store).state, the_study(store).error) == (StudyState.FAILED, "an error of the program")


def test_a_crash_on_a_full_disk_costs_no_try(store, settings):
    full = with_command(settings, "sys.exit(1)", tries=1)
    full = replace(full, intake=replace(full.intake, keep_free_mb=1e12))
    job = ordered(store, settings)
    run_job(store, full, job)
    assert (the_study(store).state, newest(store).tries) == (StudyState.WAITING, 1) and "disk is full" in the_study(store).progress
    run_job(store, replace(full, intake=settings.intake), newest(store).id)
    assert the_study(store).state == StudyState.FAILED


def test_a_killed_analysis_names_its_signal(store, settings):
    run_job(store, with_command(settings, "os.kill(os.getpid(), 9)", tries=1), ordered(store, settings))
    assert "signal 9" in the_study(store).error


def test_time_and_memory_are_limited(store, settings):
    run_job(store, with_command(settings, SLEEPS, limit_minutes=0.01), ordered(store, settings))
    assert the_study(store).error.startswith("the analysis was stopped after 0.01 minutes")
    orders.run_again(store, "1.2.3")
    greedy = with_command(settings, "data = bytearray(2_000_000_000)", memory_mb=500, tries=1)
    run_job(store, greedy, newest(store).id)
    assert "analysis.memory_mb" in the_study(store).error


def test_an_analysis_dies_with_all_its_processes_when_it_is_stopped(tmp_path):
    body = "import subprocess; child = subprocess.Popen(['sleep', '600']); print(child.pid, flush=True); time.sleep(600)"
    ended = run_bound([*program(body), "a", "b"], tmp_path / "case", 600, 0, lambda line: not line)
    assert ended.stopped
    wait_for(lambda: not alive(int(ended.last)), "it is gone")


def test_an_analysis_whose_log_cannot_be_written_goes_on(tmp_path):
    (tmp_path / "case.log").symlink_to("/dev/full")
    ended = run_bound([*program("print('said')"), "a", "b"], tmp_path / "case", 600, 0, lambda line: True)
    assert (ended.code, ended.last) == (0, "said")


def test_an_analysis_dies_with_its_owner(tmp_path):
    body = f"print(os.getpid(), flush=True); pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); time.sleep(600)"
    owner = "import sys; from pathlib import Path; from viewer.server.child import run_bound\n"
    owner += f"run_bound([*{program(body)!r}, 'a', 'b'], Path({str(tmp_path / 'case')!r}), 600, 0, lambda line: True)"
    process = subprocess.Popen([sys.executable, "-c", owner], env={**os.environ, "PYTHONPATH": os.getcwd()})
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the analysis runs")
    process.kill()
    process.wait()
    wait_for(lambda: not alive(int((tmp_path / "pid").read_text())), "it is gone")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_cancel_and_again(store, settings):
    job = ordered(store, settings)
    orders.cancel(store, "1.2.3")
    run_job(store, settings, job)
    assert the_study(store).state == StudyState.CANCELLED
    with pytest.raises(BadInput, match="cancelled"):
        orders.cancel(store, "1.2.3")
    orders.run_again(store, "1.2.3")
    with pytest.raises(BadInput, match="waiting"):
        orders.run_again(store, "1.2.3")
    run_job(store, settings, newest(store).id)
    assert (the_study(store).state, the_study(store).case_path) == (StudyState.DONE, "cases/1.2.3/2")
    with pytest.raises(BadInput, match="no such study"):
        orders.cancel(store, "9.9")


def test_an_urgent_study_is_queued_anew(store, settings):
    first = ordered(store, settings)
    orders.set_urgent(store, "1.2.3", True)
    assert newest(store).urgent and newest(store).id != first
    run_job(store, settings, first)
    assert the_study(store).state == StudyState.WAITING


def test_a_job_given_to_the_queue_twice_is_one(store, settings, database_url):
    ordered(store, settings)
    queue = JobQueue(store, database_url)
    assert queue.hand_over(time.time()) == 1 and queue.hand_over(time.time()) == 0
    with store.writing() as session:
        session.scalar(select(Job)).queued_s = None  # as if the server had died before it noted it
    assert queue.hand_over(time.time()) == 1
    assert len(queue._open().list_workflows()) == 1
    queue.close()


BODY = """
if study.name == '1.2.4' and case.name == '1':
    print('segment: aorta', flush=True); time.sleep(600)
case.mkdir(parents=True, exist_ok=True)
n = len(list(case.iterdir())); (case / str(n)).touch(); print(f'step: {n}', flush=True)
if study.name == '1.2.3' and n == 0: time.sleep(600)
"""
"""Study 1.2.3 hangs the first time in its case, study 1.2.4 in its first case."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def node(request, tmp_path_factory):
    """A running node, one for both stories, since its workers take seconds to start."""
    root = tmp_path_factory.mktemp("node")
    url = request.getfixturevalue("postgres").database("node") if request.param == "postgresql" else ""
    analysis, intake = AnalysisSettings(command=program(BODY)), IntakeSettings(keep_free_mb=0, quiet_s=0.3, poll_s=0.1)
    listen = ListenSettings(port=free_port(), callers=("CT1",))
    running = Node(ServerSettings(data=str(root), database=url, analysis=analysis, intake=intake, listen=listen))
    running.start()
    yield running
    running.stop()


def study_named(node: Node, uid: str) -> Study | None:
    with node.store.session() as session:
        return session.scalar(select(Study).where(Study.study_uid == uid))


def test_a_job_goes_on_in_its_case_after_the_death_of_its_worker(node):
    assert send(node.settings.listen.port, [ct_slice("1.2.3")]) == [0]
    wait_for(lambda: (study := study_named(node, "1.2.3")) and study.progress == "step: 0", "it runs")
    for pid in node.worker_pids():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: study_named(node, "1.2.3").state == StudyState.DONE, "it is done")
    assert sorted(p.name for p in (node.settings.data_folder / "cases" / "1.2.3" / "1").iterdir()) == ["0", "1"]


def test_late_slices_stop_the_running_analysis_and_begin_another(node):
    port = node.settings.listen.port
    assert send(port, [ct_slice("1.2.4")]) == [0]
    wait_for(lambda: (study := study_named(node, "1.2.4")) and study.progress == "segment: aorta", "it runs")
    assert send(port, [ct_slice("1.2.4", number=2)]) == [0]
    wait_for(lambda: study_named(node, "1.2.4").state == StudyState.DONE, "it is done")
    study = study_named(node, "1.2.4")
    assert (study.generation, study.case_path, study.instances) == (2, "cases/1.2.4/2", 2)


def test_one_node_per_data_folder(settings):
    first = Node(settings)
    with pytest.raises(BadInput, match="another server"):
        Node(settings)
    first.stop()
    Node(settings).stop()
