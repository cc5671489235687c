"""A cohort on a real Slurm cluster (of one node, on loopback), and a 3-D solution by the Slurm script of SCALING.md; skipped where Slurm is not installed."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import pyvista

from ccta.cohort import jobs
from ccta.cohort.cluster import cluster_client
from ccta.cohort.run import run_cohort
from ccta.errors import BadInput
from cfd.ranks import LAUNCHER, launcher
from tests.cfd.lumens import closed_tube
from tests.cohort.slurm import asked, awaited, slurm, why_not
from tests.cohort.test_batch import cohort_of
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def cluster():
    if why_not():
        pytest.skip(why_not())
    with slurm() as environment, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", environment["SLURM_CONF"])
        patch.setenv("PYTHONPATH", str(ROOT))  # sbatch hands the environment on
        patch.setattr(jobs, "LOOK_EVERY_S", 0.5)
        patch.setattr(jobs, "GONE_S", 1.0)
        yield environment


def cluster_file(folder: Path, memory: str = "500MB", **more) -> Path:
    arguments = {"cores": 1, "memory": memory, "queue": "normal", "interface": "lo", "walltime": "01:00:00", "log_directory": str(folder / "logs"), **more}
    (folder / "slurm.yaml").write_text(json.dumps({"class": "dask_jobqueue.SLURMCluster", "workers": 2, "arguments": arguments}))  # JSON is YAML
    return folder / "slurm.yaml"


def jobs_of(environment) -> list[str]:
    return asked(["squeue", "--noheader", "--format=%i"], environment).split()


def test_a_cohort_on_slurm_outlives_the_end_of_all_its_jobs(cluster, tmp_path):
    """All jobs are cancelled in the middle, as a time limit would; others are handed in, and no stage is computed twice."""
    cohort, said, ended = cohort_of(tmp_path, **{f"s{k}": "sleep=0.3" for k in range(5)}), [], []

    def watch(records, flying):
        done = [name for name in records if name not in flying and records[name]["status"] == "done"]
        if done and not ended:
            ended.extend(jobs_of(cluster))
            asked(["scancel", *ended], cluster)

    with cluster_client(cluster_file(tmp_path), said.append) as client:
        records = run_cohort(cohort, client, watch)
    assert {record["status"] for record in records.values()} == {"done"}, [record["reason"] for record in records.values()]
    assert len(ended) == 2 and any("ended and are handed in again" in sentence for sentence in said)
    assert {count for record in records.values() for count in record["runs"].values()} == {1}
    awaited(lambda: not jobs_of(cluster))  # the cohort's end takes its jobs out of the queue


def test_a_job_that_slurm_refuses_is_one_sentence(cluster, tmp_path):
    with pytest.raises(BadInput, match=r"queue refused a job .*Memory specification"), cluster_client(cluster_file(tmp_path, "90TB")):
        pass


def test_jobs_that_end_before_their_worker_came_are_not_tried_for_ever(cluster, tmp_path):
    path = cluster_file(tmp_path, job_script_prologue=["exit 1"])
    with pytest.raises(BadInput, match="ended before their worker came"), cluster_client(path) as client:
        run_cohort(cohort_of(tmp_path, a=""), client, lambda *_: None)


def test_the_script_for_one_large_solution(cluster, tmp_path, monkeypatch):
    """The script as SCALING.md prints it, for two tasks and a surface instead of a case; a launcher that notes its words stands before MPI's."""
    (script,) = re.findall(r"```bash\n(#!/bin/bash\n#SBATCH.*?)```", (ROOT / "ccta/cohort/SCALING.md").read_text(), re.S)
    tube = closed_tube(1.5, 12.0)[0]
    pyvista.PolyData.from_regular_faces(tube.points_mm, tube.triangles).save(tmp_path / "tube.stl")
    command = f"{sys.executable} -m ccta.cli.main flow --surface tube.stl out/"
    for words, instead in {"--ntasks=16": "--ntasks=2", "#SBATCH --constraint=one_kind_of_node\n": "", ".venv/bin/ccta flow case/": command}.items():
        assert words in script
        script = script.replace(words, instead)
    (tmp_path / "job.sh").write_text(script)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/case.toml").write_text("[flow]\nelements_per_diameter = 3.0\ninterval_samples = 0\n")
    noting = tmp_path / "noting"
    noting.write_text(f'#!/bin/sh\necho "job $SLURM_JOB_ID: $@" >> {tmp_path}/launched\nexec {shlex.join(launcher())} "$@"\n')
    noting.chmod(0o755)
    monkeypatch.setenv(LAUNCHER, str(noting))
    answer = subprocess.run(["sbatch", "--wait", "--output=said", "job.sh"], cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr + (tmp_path / "said").read_text()
    assert re.match(r"job \d+: -n 2 ", (tmp_path / "launched").read_text())
    assert {"pullback.json", "flow.vtu"} <= set(os.listdir(tmp_path / "out"))
