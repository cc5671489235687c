"""Editing a case: an edit into its record, undo and redo, and the stages that follow from them run again. The viewer and the command line share it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ccta.case import SHAPE_OF, Case
from ccta.edits import Edit, added, redone, undone
from ccta.runner import Progress, Stage, StageResult, run_stages, select
from ccta.settings import Settings

FOLLOWING = ("tree", "contours", "measure", "flow", "verdict", "report")
"""What an edit can change, in pipeline order."""
STARTS = {"centerlines": ("tree_found", "tree"), "contours": ("contours_found", "contours")}
"""Stage -> (what it makes, what a case holds of it that was made before the two were kept apart)."""


def now() -> str:
    """The time as edits record it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def record(case: Case, edit: Edit) -> list[Edit]:
    """Adds an edit; returns the history. BadInput where nobody makes it."""
    return _written(case, added(case.edits(), edit))


def undo(case: Case) -> list[Edit]:
    """Takes the last edit back. BadInput where there is none."""
    return _written(case, undone(case.edits()))


def redo(case: Case) -> list[Edit]:
    """Puts the edit that was taken back last in force again. BadInput where there is none."""
    return _written(case, redone(case.edits()))


def _written(case: Case, history: list[Edit]) -> list[Edit]:
    case.write_edits(history)
    return history


def recompute(case: Case, stages: Sequence[Stage], settings: Settings, progress: Callable[[str], Progress], command: str) -> list[StageResult]:
    """Runs what follows from the edits and is not current. FFR by the reduced model, which takes seconds."""
    settings = replace(settings, flow=replace(settings.flow, model="rom"))
    adopt(case, stages, settings, progress)
    return run_stages(case, select(stages, FOLLOWING), settings, progress, resume=True, command=command)


def adopt(case: Case, stages: Sequence[Stage], settings: Settings, progress: Callable[[str], Progress]) -> None:
    """A case from before edits: the tree and the contours that it holds become what the image gave, and are recorded so."""
    for name, (found, held) in STARTS.items():
        if case.path(found).exists() or not case.path(held).exists():
            continue
        with case.writing(found) as path:
            shutil.copyfile(case.path(held), path)
        stage = next(one for one in stages if one.name == name)
        if all(case.path(item.removeprefix(SHAPE_OF)).exists() for item in stage.needs):
            run_stages(case, [replace(stage, run=lambda *_: None)], settings, progress, command="adopted from the case as it was")
