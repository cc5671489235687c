"""Between the page and the case: an edit is recorded on disk, shown at once, and followed by the stages in the background."""

from __future__ import annotations

import asyncio
import getpass
from dataclasses import replace
from pathlib import Path

from ccta import calcium_editing, editing
from ccta.case import Case
from ccta.edits import OF_STAGE, Edit
from ccta.pipeline import STAGES
from ccta.runner import is_current
from ccta.settings import Settings
from viewer.app.jobs import Recompute, Step
from viewer.app.preview import previewed
from viewer.app.study import Study, load_study
from viewer.app.words import NotPossible


class EditingDesk:
    """Holds the case that is edited. room: the ReadingRoom that shows what changes. author: who makes every edit; "" lets the page say it."""

    def __init__(self, root: Path, author: str = ""):
        self.root, self.room = Path(root), None
        self._changed = self._behind = False
        self.job = Recompute(self.root, self._tell, self._ended)
        self.author, self.reader = author, author or _account()

    def opened(self, study: Study) -> Study:
        """The study as it is read: where its stages are older than its edits (a computation was cancelled), with what the edits change at once."""
        self._behind = bool(study.history) and not follows_edits(Case.open(self.root), study.settings)
        return previewed(study, study.history) if self._behind else study

    def sit(self, room) -> None:
        """The page is there; it says where the case is behind its edits."""
        self.room = room
        if self._behind:
            self._say("stale")

    def add(self, edit: Edit) -> None:
        """Records an edit and shows what it changes. BadInput where nobody makes it."""
        self._shown(editing.record(Case.open(self.root), edit))

    def history(self, way: str) -> None:
        """Undo or redo. NotPossible where there is nothing to."""
        case, state = Case.open(self.root), "applied" if way == "undo" else "undone"
        if not any(edit.state == state for edit in case.edits()):
            raise NotPossible("nothing_to_undo" if way == "undo" else "nothing_to_redo")
        self._shown(editing.undo(case) if way == "undo" else editing.redo(case))

    async def correct_calcium(self, lesion: int, after: str, by: str) -> None:
        """One correction of the calcium list; the score follows at once, verdict and report in the background."""
        await self.job.halt()  # it writes the findings too
        calcium = await asyncio.to_thread(calcium_editing.correct, Case.open(self.root), lesion, after, by)
        self._changed = True
        study = self.room.study
        self.room.take(replace(study, findings=study.findings.model_copy(update={"calcium": calcium})))
        self._say("stale")

    def _shown(self, history: list[Edit]) -> None:
        self._changed = True
        self.room.take(previewed(self.room.study, history))
        self._say("stale")

    async def follow(self, now: bool = False) -> None:
        """Starts the stages that follow, where something changed or the reader asks."""
        if self._changed or now:
            self._changed = False
            self._say("preview", {"stage": "", "message": "", "percent": 0})
            await self.job.start()

    def _say(self, word: str, job: dict | None = None) -> None:
        with self.room.state as state:
            state.update({"job": job, "job_word": word})

    def _tell(self, step: Step) -> None:
        self._say("preview", {"stage": step.stage, "message": step.message, "percent": round(100 * step.share)})

    async def _ended(self, how: str) -> None:
        """Reads what the stages wrote, where they ended well."""
        self.room.watch.used()
        if how == "done":
            study = await asyncio.to_thread(load_study, self.root, self.room.study.volume)
            with self.room.state:
                self.room.act(lambda: self.room.take(study))
        self._say({"done": "done", "cancelled": "stale"}.get(how, "job_failed"))


def follows_edits(case: Case, settings: Settings) -> bool:
    """True where tree, contours and stenoses are those that the edits give."""
    return all(is_current(case, stage, settings) for stage in STAGES if stage.name in OF_STAGE)


def _account() -> str:
    """The name of the account, until the reader writes another; "" where the system tells none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
