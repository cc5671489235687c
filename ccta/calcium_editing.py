"""Correcting the calcium list of a case by hand: one record of who, when, before and after, and the list scored again. Command line and viewer share it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ccta.case import Case
from ccta.editing import now
from ccta.errors import MissingStage
from ccta.findings import Calcium
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
    """Records and applies one correction, as the case's calcium stage: the list is scored again from its lesions, no image is read.

    after: an artery, or `ccta.disease.calcium_list.NOT_CORONARY`. Verdict and report are stale then. BadInput where nothing would change.
    """
    from ccta.disease.calcium_list import edit_of
    from ccta.pipeline import STAGES, correct_calcium

    edit = edit_of(calcium_of(case), lesion, after, by, now())
    stage = next(stage for stage in STAGES if stage.name == "calcium")
    command = f"ccta lesions {case.root} {lesion}: {after}, by {by}"
    settings = load_settings(case.root / "case.toml")
    run_stages(case, [replace(stage, run=partial(correct_calcium, edit))], settings, lambda name: lambda message, share=None: None, command=command)
    return calcium_of(case)
