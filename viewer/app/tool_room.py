"""Handlers of the reading tools: measurements, HU and FFR under the pointer, and the FFR drop. Each is one line of the logic and says what it shows."""

from __future__ import annotations

import asyncio
import functools
import logging

from viewer.app import tools
from viewer.app.ffr_band import Band, band_of
from viewer.app.marks import all_marks, drop_shown, marks, measure_rows
from viewer.app.measuring import hu_at, signed
from viewer.app.page import Page
from viewer.app.pictures import cross_half_mm
from viewer.app.surfaces import surface_of
from viewer.app.tool_state import TOOLS, TreePlace
from viewer.app.tree_pointer import nearest_drawn
from viewer.scenes.pins import Pins

log = logging.getLogger(__name__)

TOOL_POINTER = ("stroke", "corner", "corner_to", "close_outline", "drop_at", "probe", "probe_tree", "push", "brush_size")
"""Handlers that `static/tools.js` calls by name."""


class ToolRoom(Page):
    """The page with its reading tools."""

    def __init__(self, study, title, server=None, desk=None, watch=None):
        self._band: tuple[object, Band | None] = (None, None)
        self._pins: Pins | None = None
        super().__init__(study, title, server, desk, watch)
        self.state.update(probe_text="", tab="findings", tools=list(TOOLS))
        for name in self.pointer_names():
            self.server.controller.trigger(name)(getattr(self, name))

    @classmethod
    def pointer_names(cls) -> tuple[str, ...]:
        """Names of the handlers that the tools' script calls."""
        return TOOL_POINTER

    def _do(self, action, *values, show=None) -> None:
        self.act(functools.partial(action, self.reading, self.study), *values, show=show)

    # --- what is shown ---

    def show(self) -> None:
        super().show()
        self.show_tools()

    def show_cpr(self) -> None:
        super().show_cpr()
        self.state.marks_cpr = marks(self.study, self.reading, "cpr")

    def show_cross(self) -> None:
        super().show_cross()
        self.state.marks_cross = marks(self.study, self.reading, "cross")
        self.state.brush = self.reading.tools.brush_mm / cross_half_mm(self.study, self.reading) / 2 if self.reading.mode == "brush" else 0

    def show_tools(self) -> None:
        """Measurements, the FFR drop, and what the chosen tool wants."""
        reading, say = self.reading, self.say
        self.state.update(all_marks(self.study, reading))
        self.state.update(measures=measure_rows(reading, say), mode=reading.mode, hint=say.get(f"hint_{reading.mode}", ""))
        drop = drop_shown(self.study, reading, say)
        if reading.mode == "drop" and len(reading.tools.places) == 1:
            drop["why"] = say["drop_from"]
        self.state.drop = drop
        if self._pins is None:
            self._pins = Pins(self.scene.renderer)
        known = [place for place in reading.tools.places if place.branch < len(self.study.tree)]
        if self._pins.show([self.study.branch(place.branch).point_at(place.distance_mm) for place in known]):
            self._follow_in_tree()

    # --- measuring ---

    def stroke(self, view: str, x0: float, y0: float, x1: float, y1: float, done: bool) -> None:
        """A drag with a length or an ellipse."""
        self._do(tools.on_stroke, view, ((x0, y0), (x1, y1)), bool(done), show=self.show_tools)

    def corner(self, view: str, x: float, y: float) -> None:
        """A click with an angle or an outline."""
        self._do(tools.on_corner, view, x, y, show=self.show_tools)

    def corner_to(self, view: str, x: float, y: float) -> None:
        """The pointer between two clicks."""
        self._do(tools.on_corner_to, view, x, y, show=self.show_tools)

    def close_outline(self) -> None:
        self._do(tools.on_close, show=self.show_tools)

    def forget(self, index: int = -1) -> None:
        """A measurement deleted, the last one by default."""
        self._do(tools.on_forget, index, show=self.show_tools)

    def measure(self, index: int) -> None:
        """A row of the list of measurements."""
        self._do(tools.on_measure, index)

    # --- FFR ---

    def drop_at(self, view: str, x: float, y: float) -> None:
        """A click into a picture while the FFR drop is taken."""
        place = tools.place_under(self.study, self.reading, view, x, y)
        if place is not None:
            self._do(self._go_and_take, place)

    def _go_and_take(self, reading, study, place: TreePlace) -> None:
        tools.logic.on_branch(reading, study, place.branch)
        tools.logic.on_distance(reading, study, place.distance_mm)
        tools.on_place(reading, study)

    def probe(self, view: str, x: float, y: float) -> None:
        """The pointer over a picture or the curve: HU there, and on a vessel its place and FFR. An empty name: it has left."""
        self._probe(lambda: self._probed(view, float(x), float(y)) if view else "")

    def probe_tree(self, x: float, y: float, aspect: float, camera: dict) -> None:
        """The pointer over the 3-D tree, as the browser's camera sees it."""
        self._probe(lambda: self._on_tree(nearest_drawn(self.study, camera, (float(x), float(y)), float(aspect))))

    def _probe(self, text) -> None:
        self.watch.used()
        try:
            self.state.probe_text = text()
        except Exception:  # a pointer on its way is nothing to trouble the reader with
            log.exception("the place under the pointer could not be read")
            self.state.probe_text = ""

    def _probed(self, view: str, x: float, y: float) -> str:
        surface = surface_of(self.study, self.reading, view)
        hu = hu_at(self.study, surface, x, y) if surface is not None else None
        place = tools.place_under(self.study, self.reading, view, x, y)
        return " · ".join(part for part in (f"{signed(hu)} HU" if hu is not None else "", self._on_tree(place)) if part)

    def _on_tree(self, place: TreePlace | None) -> str:
        """Vessel, distance, diameter and FFR with its interval."""
        if place is None:
            return ""
        branch = self.study.branch(place.branch)
        facts = [branch.name or f"#{place.branch}", f"{place.distance_mm:.0f} mm"]
        diameter, ffr = self.study.diameter_at(place.branch, place.distance_mm), self.study.ffr_at(place.branch, place.distance_mm)
        facts += [f"Ø {diameter:.1f} mm"] if diameter is not None else []
        if ffr is not None:
            band = self.band()
            ends = band.around(place.branch, place.distance_mm, ffr) if band is not None else None
            facts.append(f"FFR {ffr:.2f}" + (f" ({ends[0]:.2f}–{ends[1]:.2f})" if ends else " (…)" if band is None else ""))
        return " · ".join(facts)

    def band(self) -> Band | None:
        """The FFR interval along the tree; None while it is being computed in the background."""
        study = self.study
        if self._band[0] is study:
            return self._band[1]
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # before the server runs
            self._band = study, band_of(study)
            return self._band[1]
        self._band = study, None
        self.server.context.band_task = asyncio.create_task(self._compute_band(study))
        return None

    async def _compute_band(self, study) -> None:
        band = await asyncio.to_thread(band_of, study)
        if self._band[0] is study:
            self._band = study, band
