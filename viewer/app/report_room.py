"""Handlers of the reader's part of the report. What takes longer than a click runs beside the page."""

from __future__ import annotations

import asyncio

from viewer.app import report_desk
from viewer.app.report_desk import FIELDS, conclusion
from viewer.app.snapshot import PANES, from_browser, snapshot
from viewer.app.view_room import ViewRoom

REPORT_POINTER = ("tree_picture",)
"""Handlers that `static/tools.js` calls by name."""


class ReportRoom(ViewRoom):
    """The page with the report's words, pictures and signature."""

    def __init__(self, study, title, server=None, desk=None, watch=None):
        self._caption, self._pointed = "", "cross"
        super().__init__(study, title, server, desk, watch)
        self.state.update(picture_pane="cross", picture_panes=list(PANES), picture_caption="", wanted_picture=0, addendum="", signing="", report_busy="")
        self.show_conclusion()

    @classmethod
    def pointer_names(cls) -> tuple[str, ...]:
        return (*super().pointer_names(), *REPORT_POINTER)

    def translate(self, language: str) -> None:
        super().translate(language)
        self.show_conclusion()

    def show_conclusion(self) -> None:
        """The reader's part as it stands in the case. A field in which something else was written meanwhile stays."""
        if self.desk is None:
            self.state.update(conclusion=None, **dict.fromkeys(FIELDS, ""))
            return
        before = (self.state.conclusion if self.state.has("conclusion") else None) or {}
        untouched = [name for name in FIELDS if not self.state.has(name) or (self.state[name] or "") == before.get(name)]
        found = conclusion(self.desk.root).shown(self.say)
        self.state.update(conclusion=found, **{name: found[name] for name in untouched})

    def probe(self, view: str, x: float, y: float) -> None:
        self._pointed = view or self._pointed
        super().probe(view, x, y)

    def probe_tree(self, x: float, y: float, aspect: float, camera: dict) -> None:
        self._pointed = "tree"
        super().probe_tree(x, y, aspect, camera)

    async def _report(self, change, *values, follow: bool = True) -> bool:
        """Does something to the reader's part, shows it, and lets the draft follow. True where it was done."""
        if self.desk is None:
            return False
        self.watch.used()
        try:
            await asyncio.to_thread(change, self.desk.root, *values)
        except Exception as trouble:
            with self.state:
                self.refused(trouble)
            return False
        with self.state as state:
            state.problem = ""
            self.show_conclusion()
        if follow:
            await self.desk.follow(True)
        return True

    async def write_words(self) -> None:
        """The fields were left: what was written goes into the case."""
        words = {name: self.state[name] or "" for name in FIELDS}
        if self.desk is not None and any(words[name].strip() != (self.state.conclusion or {}).get(name) for name in FIELDS):
            await self._report(report_desk.write_words, self.state.reader or "", words)

    async def take_picture(self, pane: str = "", caption: str = "") -> None:
        """A key picture of a pane, by default of the one under the pointer; the browser draws the tree itself and sends it."""
        pane = pane if pane in PANES else self._pointed if self._pointed in PANES else "cross"
        self._caption = caption.strip() or f"{self._name_of(pane)}, {self.state.place_text}".strip(", ")
        if pane == "tree":
            self.state.wanted_picture += 1
            return
        try:
            png = snapshot(self.state, pane)
        except Exception as trouble:
            self.refused(trouble)
            return
        await self._picture(png)

    async def tree_picture(self, address: str) -> None:
        """The tree as the browser drew it."""
        try:
            png = from_browser(str(address), self.state)
        except Exception as trouble:
            self.refused(trouble)
            return
        await self._picture(png)

    async def _picture(self, png: bytes) -> None:
        if await self._report(report_desk.add_picture, self.state.reader or "", png, self._caption):
            with self.state as state:
                state.update(picture_caption="", tab="conclusion")

    def _name_of(self, pane: str) -> str:
        return self.say[{"cpr": "straightened_short", "curve": "curve_short", "tree": "coronary_tree"}.get(pane, pane)]

    async def drop_picture(self, file: str) -> None:
        await self._report(report_desk.remove_picture, self.state.reader or "", file)

    async def sign(self) -> None:
        """Signs the draft; one that is behind the case is made first."""
        if self.desk is None:
            return
        await self.write_words()
        with self.state as state:
            state.update(signing="", report_busy="signing_now")
        try:
            if self.desk.job.running or await asyncio.to_thread(report_desk.is_stale, self.desk.root):
                await self.desk.follow(True)
                await self.desk.job.finished()
            await self._report(report_desk.sign, self.state.reader or "", follow=False)
        finally:
            with self.state as state:
                state.report_busy = ""

    async def amend(self) -> None:
        """An addendum to what was signed."""
        if await self._report(report_desk.add_addendum, self.state.reader or "", self.state.addendum or "", follow=False):
            with self.state as state:
                state.addendum = ""
