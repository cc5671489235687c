"""The other processes of `ccta serve` (listener, intake, workers): started, started again when they die, ended with the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
STEADY_S = 60.0
"""A process that lived so long is started again at once; one that dies sooner waits twice as long each time. Also one that says that its settings are wrong:
the database may be away for a night, and server.toml may be corrected meanwhile."""
END_S = 20.0


@dataclass(frozen=True)
class Part:
    """One process: its name in the log, and the words after `ccta`."""

    name: str
    words: tuple[str, ...]


class Supervisor:
    """`run()` keeps the parts alive until it is cancelled, then ends them."""

    def __init__(self, parts: Sequence[Part], first_wait_s: float = FIRST_WAIT_S):
        self.parts, self._first_wait_s = tuple(parts), first_wait_s
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    async def run(self) -> None:
        await asyncio.gather(*(self._keep(part) for part in self.parts))

    async def _keep(self, part: Part) -> None:
        wait_s = self._first_wait_s
        while True:
            begun = time.monotonic()
            process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ccta.tied", str(os.getpid()), *part.words, start_new_session=True)
            self.processes[part.name] = process
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await self._end(process)
                raise
            wait_s = self._first_wait_s if time.monotonic() - begun > STEADY_S else min(2 * wait_s, LONGEST_WAIT_S)
            log.warning("%s ended with %d and is started again in %.0f s", part.name, code, wait_s)
            await asyncio.sleep(wait_s)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), END_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
