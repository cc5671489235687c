"""What follows from an edit, computed in the background by a process of its own, so that the page stays quick and the work can be cancelled at any moment.

`ccta edits CASE --apply` does the work; each file is written under another name and renamed, so that a cancelled run leaves whole files and a case that
says which stages are stale.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ccta.editing import FOLLOWING

log = logging.getLogger(__name__)

SETTLE_S = 1.5
"""After an edit, so that several in a row are computed once."""


@dataclass(frozen=True)
class Step:
    """stage and what it does, and the share that is done (0 to 1)."""

    stage: str
    message: str
    share: float


def step_of(line: str) -> Step | None:
    """A progress line ("measure: lumen surface") as a step; None for any other line."""
    stage, colon, message = line.strip().partition(": ")
    return Step(stage, message, FOLLOWING.index(stage) / len(FOLLOWING)) if colon and stage in FOLLOWING else None


class Recompute:
    """At most one run at a time. tell(step): while it works. ended("done", "cancelled" or "failed"): once, when it no longer does."""

    def __init__(self, root: Path, tell: Callable[[Step], None], ended: Callable[[str], Awaitable[None]], settle_s: float = SETTLE_S):
        self.root, self.settle_s = root, settle_s
        self._tell, self._ended = tell, ended
        self._task: asyncio.Task | None = None

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Begins anew; a run that is under way is stopped first, without a word."""
        await self._stop()
        self._task = asyncio.create_task(self._run())

    async def cancel(self) -> None:
        """Stops the run, if there is one, and says so."""
        if self.running:
            await self._stop()
            await self._ended("cancelled")

    async def finished(self) -> None:
        """Returns when no run is under way."""
        while self.running:
            await asyncio.wait([self._task])

    async def halt(self) -> bool:
        """Stops the run without a word, so that the case can be written to; True where there was one."""
        was = self.running
        await self._stop()
        return was

    async def _stop(self) -> None:
        if self.running:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await asyncio.sleep(self.settle_s)
        command = (sys.executable, "-m", "ccta.cli.main", "edits", str(self.root), "--apply")
        try:
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
        except OSError:
            log.exception("the computation could not begin")
            self._task = None
            await self._ended("failed")
            return
        lines: list[str] = []
        try:
            async for raw in process.stderr:
                lines.append(raw.decode(errors="replace").rstrip())
                if step := step_of(lines[-1]):
                    self._tell(step)
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if code:
            log.error("%s ended with %d:\n%s", " ".join(command), code, "\n".join(lines[-20:]))
        self._task = None
        await self._ended("failed" if code else "done")
