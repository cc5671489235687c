"""The view is kept in the case while it is read, restored when the same reader opens the case again, and reset by hand."""

from __future__ import annotations

import asyncio
import logging

from ccta.case import Case
from ccta.errors import CctaError
from ccta.views import keep_view, view_of
from viewer.app.tool_room import ToolRoom
from viewer.app.view_state import CHOICES, kept, reset, restored

log = logging.getLogger(__name__)

KEPT_AFTER_S = 1.5
"""When nothing changed for so long, the view is written."""
AT_FIRST = {"window": "cta", "field": "whole"}


class ViewRoom(ToolRoom):
    """The page that remembers how it was left."""

    def __init__(self, study, title, server=None, desk=None, watch=None):
        self._timer, self._written = None, None
        self._restored: dict[str, str] = {}
        super().__init__(study, title, server, desk, watch)
        self.recall()

    def recall(self, reader: str = "") -> None:
        """The view that the reader left, where there is one."""
        if self.desk is None:
            return
        view = view_of(Case.open(self.desk.root), reader or self.state.reader or "")
        found = restored(self.study, view)
        if found is None:
            return
        self._written = view
        self._take_view(*found)

    def _take_view(self, reading, choices: dict[str, str]) -> None:
        self.reading = reading
        self._restored = {name: value for name, value in choices.items() if self.state[name] != value}
        self.state.update(choices)
        self.act(self.show)

    def came_from_view(self, name: str, value: str) -> bool:
        """True once for a choice that a restored view made: what it means stands in the reading state already."""
        return self._restored.pop(name, None) == value

    def reset_view(self) -> None:
        """As the case opens; measurements stay."""
        self._take_view(reset(self.study, self.reading), AT_FIRST)

    def show(self) -> None:
        super().show()
        self._keep_soon()

    def show_cpr(self) -> None:
        super().show_cpr()
        self._keep_soon()

    def show_tools(self) -> None:
        super().show_tools()
        self._keep_soon()

    def _keep_soon(self) -> None:
        if self.desk is None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # before the server runs
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(KEPT_AFTER_S, self.keep_view)

    def keep_view(self) -> None:
        """Writes the view where it changed. A full disk is no reason to stop reading."""
        view = kept(self.reading, {name: self.state[name] for name in CHOICES})
        if view == self._written or self.desk is None:
            return
        try:
            keep_view(Case.open(self.desk.root), self.state.reader or "", view)
            self._written = view
        except CctaError:
            log.exception("the view could not be kept")
