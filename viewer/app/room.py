"""One reader at the page: each handler is one line of the logic, and says which views it changes."""

from __future__ import annotations

from trame.decorators import change

from viewer.app import brush, calcium_table, editor, logic, panels, tools
from viewer.app.editing_desk import EditingDesk
from viewer.app.guard import IdleWatch
from viewer.app.keys import meaning
from viewer.app.pictures import cross_half_mm
from viewer.app.report_room import ReportRoom
from viewer.app.state import COLOURS, FIELDS_MM, WINDOWS
from viewer.app.study import Study
from viewer.app.views.handlers import VIEW_POINTER, ViewHandlers
from viewer.app.views.phase_room import PhaseHandlers
from viewer.app.words import LANGUAGES

POINTER = ("slice", "scroll", "hover", "step", "turn", "turn_to", "curve", "window_to", "point", "handle", "key", *VIEW_POINTER)
"""Handlers that `static/page.js` calls by name."""
HU_PER_PIXEL = 4.0
DEGREES_PER_PIXEL = 0.75


class ReadingRoom(PhaseHandlers, ViewHandlers, ReportRoom):
    """The page with its handlers. desk: where corrections go, None where nothing may be corrected."""

    def __init__(self, study: Study, title: str, server=None, secret: str = "", desk: EditingDesk | None = None, watch: IdleWatch | None = None):
        super().__init__(study, title, server, desk, watch)
        self._gesture = (None, None)
        for name in POINTER:
            self.server.controller.trigger(name)(getattr(self, name))
        panels.build(self.server, self, secret)

    # --- what the reader does ---

    def slice(self, name: str, x: float, y: float) -> None:
        """A press into a slice, or the pointer moving with the button down."""
        self.moved(logic.on_slice, name, x, y)

    def scroll(self, name: str, steps: int) -> None:
        self.moved(logic.on_scroll, name, steps)

    def hover(self, fraction: float) -> None:
        """The pointer over curve or straightened vessel."""
        self._do(logic.on_hover, fraction, show=self.show_cross)

    def step(self, steps: float) -> None:
        self._do(logic.on_step, steps)

    def turn(self, degrees: float) -> None:
        self._do(logic.on_turn, degrees, show=self.show_cpr)

    def turn_to(self, pixels: float, gesture: float) -> None:
        """A drag over the straightened vessel: as far from where it stood when the drag began."""
        if self._gesture[0] != ("turn", gesture):
            self._gesture = ("turn", gesture), self.reading.cpr_angle_deg
        self._do(
            lambda reading, study: logic.on_turn(reading, study, self._gesture[1] + DEGREES_PER_PIXEL * pixels - reading.cpr_angle_deg), show=self.show_cpr
        )

    def window_to(self, right: float, down: float, gesture: float) -> None:
        """A drag with the right button."""
        if self._gesture[0] != ("window", gesture):
            self._gesture = ("window", gesture), (self.reading.width_hu, self.reading.level_hu)
        width, level = self._gesture[1]
        change = HU_PER_PIXEL * right + width - self.reading.width_hu, HU_PER_PIXEL * down + level - self.reading.level_hu
        self._do(logic.on_window_drag, *change)

    def lesion(self, index: int) -> None:
        """A row of the findings table."""
        self._do(logic.on_lesion, index)

    def next_lesion(self, steps: int) -> None:
        self._do(logic.on_next_lesion, steps)

    def tightest(self) -> None:
        self._do(logic.on_tightest)

    def vessel(self, index) -> None:
        """The vessel list."""
        self._do(logic.on_branch, index)

    def stent(self, index: int) -> None:
        """The stent button of a lesion."""
        self._do(logic.on_stent, index)

    def plan_stent(self, text: str) -> None:
        """The planner's line: one more stent, or none."""
        self._do(logic.on_plan, text)

    def curve(self, fraction: float) -> None:
        """A click on the chart, the straightened vessel or a tile of the stack, as a fraction of the vessel's length."""
        self._do(logic.on_fraction, fraction)
        self._do(tools.on_place)

    def pick(self, event) -> None:
        """A click on the tree; the browser sends the place in patient millimetres, or nothing beside the tree."""
        if isinstance(event, dict) and "worldPosition" in event:
            self._do(logic.on_position, event["worldPosition"])
            self._do(tools.on_place)

    def mode(self, mode: str) -> None:
        self._do(logic.on_mode, mode)

    def escape(self) -> None:
        self.state.help = False
        self._do(logic.on_escape)

    def choose_window(self, name: str) -> None:
        self.state.window = name
        self._do(logic.on_window, name)

    def toggle_help(self) -> None:
        self.state.help = not self.state.help

    def switch_language(self) -> None:
        self.state.language = LANGUAGES[(LANGUAGES.index(self.state.language) + 1) % len(LANGUAGES)]

    def key(self, name: str):
        """A hot key; what it does may take time (undo), so that its outcome is handed on."""
        found = meaning(name)
        return getattr(self, found[0])(*found[1]) if found else None

    # --- corrections by hand ---

    def draw(self, contour: str) -> None:
        """Opens a contour of the cross-section for drawing."""
        self._do(editor.begin, contour, show=self.show_cross)

    def handle(self, handle: int, x: float, y: float) -> None:
        """A control point pulled to a place in the cross-section (fractions)."""
        half = cross_half_mm(self.study, self.reading)
        self._do(editor.drag, handle, 2 * half * (x - 0.5), 2 * half * (y - 0.5), show=self.show_cross)

    def brush(self) -> None:
        """The circle that pushes a contour, taken up or put away."""
        if self.desk is not None:
            self._do(brush.on_brush)

    def brush_size(self, steps: int) -> None:
        self._do(brush.on_brush_size, steps, show=self.show_tools)

    def push(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """The circle moved over the cross-section (fractions)."""
        size = 2 * cross_half_mm(self.study, self.reading)
        self._do(brush.on_push, (size * (x0 - 0.5), size * (y0 - 0.5)), (size * (x1 - 0.5), size * (y1 - 0.5)), show=self.show_cross)

    def calcium(self, lesion: int) -> None:
        """A row of the calcium list."""
        self._do(calcium_table.on_calcium, lesion)

    async def correct_calcium(self, lesion: int, counts_as: str) -> None:
        """A calcium lesion accepted, rejected or given to another artery."""
        if self.desk is not None:
            try:
                after = calcium_table.wanted(self.study, lesion, counts_as, self.state.reader)
                await self.desk.correct_calcium(int(lesion), after, self.state.reader)
            except Exception as trouble:
                self.refused(trouble)
            await self.desk.follow()

    async def _edit(self, make, *values) -> None:
        if self.desk is not None:
            self.act(lambda: self.desk.add(make(self.reading, self.study, *values, self.desk.author or self.state.reader)))
            await self.desk.follow()

    async def keep(self) -> None:
        """What was drawn: an outline is closed, a contour is kept."""
        if self.reading.mode == "polygon":
            self.close_outline()
        else:
            await self._edit(editor.contour_edit)

    async def rename(self, segment) -> None:
        await self._edit(editor.name_edit, segment)

    async def point(self, name: str, x: float, y: float) -> None:
        """Where the centerline shall run: a click into a slice."""
        place = logic.place_in_slice(self.reading, self.study, name, x, y)
        await self._edit(editor.point_edit, place)

    async def change_lesion(self, action: str, percent: str = "") -> None:
        await self._edit(lambda reading, study, by: editor.lesion_edit(reading, study, action, by, percent))

    async def history(self, way: str) -> None:
        """Undo or redo."""
        if self.desk is not None:
            self.act(lambda: self.desk.history(way))
            await self.desk.follow()

    async def job(self, what: str) -> None:
        """The background computation started by hand, or cancelled."""
        if self.desk is not None:
            await (self.desk.job.cancel() if what == "cancel" else self.desk.follow(True))

    @change("window")
    def _window(self, window, **_) -> None:
        if window in WINDOWS and not self.came_from_view("window", window):
            self._do(logic.on_window, window)

    @change("field")
    def _field(self, field, **_) -> None:
        if field in FIELDS_MM and not self.came_from_view("field", field):
            self._do(logic.on_field, field)

    @change("language")
    def _language(self, language, **_) -> None:
        if language in LANGUAGES:
            self.act(lambda: self.translate(language))

    @change("colour_by")
    def _colour(self, colour_by, **_) -> None:
        if colour_by in COLOURS:
            self.act(self.colour_tree)
