"""What a reader does with the phases of the heart beat: one compared beside the analysed one, or all played in turn."""

from __future__ import annotations

import asyncio
import time

from viewer.app.views.phases import TWINS, next_phase, on_phase, phase_image, twin_picture

MOST_HZ = 8.0
"""Of phases played; ten of them are then a heart beat of 1.25 s, slow enough to see what moves."""


class PhaseHandlers:
    """Part of `ReadingRoom`."""

    def __init__(self, *room):
        self._playing: asyncio.Task | None = None
        super().__init__(*room)

    def show(self) -> None:
        super().show()
        self.show_twins()

    def show_twins(self) -> None:
        """The compared phase through the same place, at half the resolution while phases are played."""
        playing, views = self._playing is not None, self.reading.views
        pictures = {f"twin_{name}": twin_picture(self.study, self.reading, name, playing) for name in TWINS}
        self.state.update(**pictures, compared=views.phase, playing=playing)

    async def compare(self, index) -> None:
        """The phase that is compared; below 0: none."""
        await self._phase(index)

    async def play(self) -> None:
        """Plays the phases, or stops at the one that is shown."""
        if self._playing is not None:
            await self._phase(self.reading.views.phase)
            return
        try:
            first = next_phase(self.reading, self.study)
        except Exception as trouble:
            self.refused(trouble)
            return
        self.watch.used()
        self._playing = asyncio.create_task(self._played(first))

    async def _phase(self, index) -> None:
        """Stands still at a phase, whose whole image is read beside the page."""
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None
        try:
            if self.study.phases is not None and 0 <= int(index) < len(self.study.phases):
                await asyncio.to_thread(phase_image, self.study, int(index), False)
        except Exception as trouble:
            with self.state:
                self.refused(trouble)
            return
        with self.state:
            self._do(on_phase, index)

    async def _played(self, index: int) -> None:
        """For ever; the first round reads each phase."""
        try:
            while self.study.phases is not None:
                began = time.monotonic()
                await asyncio.to_thread(phase_image, self.study, index, True)
                with self.state:
                    on_phase(self.reading, self.study, index)
                    self.show_twins()
                index = next_phase(self.reading, self.study)
                await asyncio.sleep(max(0.02, 1 / MOST_HZ - (time.monotonic() - began)))
        except Exception as trouble:
            self._playing = None
            with self.state:
                self.refused(trouble)
