"""What a cohort knows of itself on disk: cohort.json, and records/<id>.json per case. The scheduler knows nothing that is not here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from ccta.cohort.steps import Step
from ccta.cohort.storage import Place
from ccta.cohort.table import Study
from ccta.errors import BadInput

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
PASSING = ("lost", "storage", "pacs", "program")
"""Kinds of failure that `--resume` tries again: the worker died, the disk was full, a PACS did not give the study, a fault of the program."""


def empty_record(study: Study) -> dict:
    """Of a case that nothing has been done for. steps: {name: how it ended}. runs: {stage: how often it was computed}."""
    return {"id": study.id, "source": study.source, "fingerprint": study.fingerprint, "status": WAITING, "reason": "", "kind": "", "steps": {}, "runs": {}}


def read_record(root: Place, study: Study) -> dict:
    """The case's record; an empty one where there is none, or where the row or its input have changed since (what was computed counts on)."""
    content = (root / f"records/{study.id}.json").read_bytes()
    fresh = empty_record(study)
    if content is None:
        return fresh
    record = json.loads(content)
    return record if record["fingerprint"] == study.fingerprint else {**fresh, "runs": record["runs"]}


def write_record(root: Place, record: dict) -> None:
    (root / f"records/{record['id']}.json").write_bytes(json.dumps(record, indent=1).encode())


def check_free(root: Place, resume: bool) -> None:
    """BadInput where OUT holds a cohort and nobody said --resume, or something else."""
    names = root.names()
    if "cohort.json" not in names and [name for name in names if not name.startswith(".")]:
        raise BadInput(f"{root.address} is not empty and holds no cohort; choose a new directory for the cohort")
    if "cohort.json" in names and not resume:
        raise BadInput(f"{root.address} holds a cohort already; go on with it by --resume, or choose a new directory")


def start_cohort(root: Place, studies: Sequence[Study], options: dict, resume: bool) -> None:
    """Writes cohort.json. BadInput as in `check_free`."""
    check_free(root, resume)
    content = {"schema": "1.0", "options": options, "studies": [asdict(study) for study in studies]}
    (root / "cohort.json").write_bytes(json.dumps(content, indent=1).encode())


def read_cohort(root: Place) -> tuple[tuple[Study, ...], dict]:
    """(studies, options) of a cohort on disk. BadInput where there is none."""
    content = (root / "cohort.json").read_bytes()
    if content is None:
        raise BadInput(f"{root.address} is no cohort (it has no cohort.json): make one with `ccta batch COHORT.csv OUT`")
    try:
        data = json.loads(content)
        return tuple(Study(**one) for one in data["studies"]), data["options"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{root.address}/cohort.json is damaged ({error}); run `ccta batch` with --resume to write it again") from error


def is_done(record: dict, step: Step) -> bool:
    """Whether all stages of a step have been run for this record's row and input."""
    entry = record["steps"].get(step.name, {})
    return entry.get("status") == DONE and set(step.stages) <= set(entry["asked"])


def to_do(record: dict, steps: Sequence[Step], limits: dict, retry: bool) -> bool:
    """Whether a case has work left. A failure by its input stands until the input changes or `retry` is said, one by a limit until the limit changes."""
    if record["status"] == FAILED and not retry:
        return record["kind"] in PASSING or (record["kind"] == "limit" and record.get("limits") != limits)
    return not all(is_done(record, step) for step in steps)
