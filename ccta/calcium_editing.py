"""Correcting the calcium list of a case by hand: one record of who, when, before and after, and the list scored again. Command line and viewer share it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from ccta.case import Case
from ccta.editing import now
from ccta.errors import MissingStage
from ccta.findings import Calcium, CalciumEdit
from ccta.model import Unavailable
from ccta.runner import run_stages
from ccta.settings import load_settings


def calcium_of(case: Case) -> Calcium:
    """The case's calcium finding; MissingStage with the reason where there is none."""
    found = case.findings().calcium
    if isinstance(found, Unavailable):
        raise MissingStage(f"{case.root} has no calcium score ({found.reason}): run `ccta calcium INPUT {case.root}` first")
    return found


def correct(case: Case, lesion: int, after: str, by: str) -> Calcium:
    """Records and applies one correction; verdict and report are stale then. BadInput where nothing would change.

    after: an artery, or `ccta.disease.calcium_list.NOT_CORONARY`.
    """
    from ccta.disease.calcium_list import edit_of

    edit = edit_of(calcium_of(case), lesion, after, by, now())
    return _applied(case, [edit], f"ccta lesions {case.root} {lesion}: {after}, by {by}")


def correct_by_report(case: Case, path: Path, by: str) -> tuple[list[CalciumEdit], list[str]]:
    """Makes the list that of a structured report (`ccta.adopting`): the corrections, and what of the report found no place here."""
    from ccta.adopting import adopt_calcium

    edits, left_out = adopt_calcium(case, calcium_of(case), path, by)
    if edits:
        _applied(case, edits, f"ccta lesions {case.root} --from {path}, by {by}")
    return edits, left_out


def _applied(case: Case, edits: list[CalciumEdit], command: str) -> Calcium:
    """As the case's calcium stage: the list is scored again from its lesions, no image is read."""
    from ccta.pipeline import STAGES, correct_calcium

    stage = next(stage for stage in STAGES if stage.name == "calcium")
    settings = load_settings(case.root / "case.toml")
    run_stages(case, [replace(stage, run=partial(correct_calcium, edits))], settings, lambda name: lambda message, share=None: None, command=command)
    return calcium_of(case)
