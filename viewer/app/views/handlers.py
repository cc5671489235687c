"""What a reader does to the views: each handler is one line of the logic, and says which views it changes."""

from __future__ import annotations

import asyncio
import functools
import time

from viewer.app.pictures import is_thick, jpeg
from viewer.app.state import FIELDS_MM
from viewer.app.views import logic, oblique
from viewer.app.views.volume import preset_box
from viewer.app.words import NotPossible
from viewer.scenes.volume_scene import VolumeScene

VIEW_POINTER = ("rotate_to", "cpr", "over_cpr", "volume_turn", "volume_zoom", "volume_at")
"""Handlers that the page's scripts call by name."""
NEAR_FIELD = "60 mm"
DEGREES_PER_PIXEL = 0.5
STILL_AFTER_S = 0.3


class ViewHandlers:
    """Part of `ReadingRoom`: the views' own handlers."""

    def __init__(self, *room):
        self.volume_scene, self._still_timer, self._kept_box, self._moved_s = None, None, (None, None), 0.0
        super().__init__(*room)

    def show(self) -> None:
        super().show()
        self.follow_in_volume()

    # --- slices ---

    def moved(self, action, *values) -> None:
        """One of many changes in a row: slabs are coarse until nothing has changed for a moment."""
        now = time.monotonic()
        self.moving, self._moved_s = now - self._moved_s < STILL_AFTER_S and is_thick(self.reading), now
        self._do(action, *values)
        if self.moving:
            self._when_still()

    def rotate_to(self, name: str, degrees: float, gesture: float) -> None:
        """A drag of a line's end in a slice: as far from where the lines stood when the drag began."""
        if self._gesture[0] != ("rotate", gesture):
            self._gesture = ("rotate", gesture), self.reading.views
        self.reading.views = self._gesture[1]
        self.moved(oblique.on_rotate, name, degrees)

    def along(self) -> None:
        """Slices across and along the artery, or upright again; near enough to see it."""
        self._do(oblique.on_along)
        if self.reading.views.along and not self.reading.field_mm:
            self.state.field = NEAR_FIELD
            self.reading.field_mm = FIELDS_MM[NEAR_FIELD]
            self.act(self.show)

    def upright(self) -> None:
        self._do(oblique.on_upright)

    def thickness(self, thickness_mm) -> None:
        self._do(logic.on_thickness, float(thickness_mm))

    def thicker(self, millimetres: float) -> None:
        self._do(logic.on_thickness, self.reading.views.thickness_mm + millimetres)

    # --- choices and switches ---

    def choose(self, field: str, value: str) -> None:
        self._do(logic.on_choice, field, value, show=self._shown)

    def next_choice(self, field: str) -> None:
        self._do(logic.on_next, field, show=self._shown)

    def switch(self, field: str) -> None:
        self._do(logic.on_switch, field)

    # --- the reformat ---

    def cpr(self, x: float, y: float) -> None:
        """A click into the straightened or curved vessel."""
        self._do(logic.on_cpr, x, y)

    def over_cpr(self, x: float) -> None:
        """The pointer over it."""
        self._do(logic.on_over_cpr, x, show=self.show_cross)

    # --- the volume ---

    def _shown(self) -> None:
        self.show()
        self.show_volume()

    def show_volume(self, turning: bool = False) -> None:
        """The 3-D picture, where it is chosen. Where it cannot be drawn, the tree alone."""
        views = self.reading.views
        if views.scene == "tree":
            self.state.volume_image = ""
            return
        try:
            self.volume_scene = self.volume_scene or _working(VolumeScene())
            self.volume_scene.show(self._box(views.preset), views.preset, self.scene.mesh, views.scene)
        except NotPossible:
            logic.on_choice(self.reading, self.study, "scene", "tree")
            self.show()
            raise
        self.volume_scene.mark(self.reading.position_mm)
        self.state.volume_image = jpeg(self.volume_scene.picture(turning))

    def _box(self, preset: str):
        """The image as a preset shows it; one is kept."""
        key = (preset, id(self.study.volume))
        if self._kept_box[0] != key:
            self._kept_box = key, preset_box(self.study, preset)
        return self._kept_box[1]

    def volume_turn(self, right: float, down: float, gesture: float) -> None:
        """A drag over the 3-D picture, in pixels since it began: coarse while it turns, fine when it has stood still for a moment."""
        last = self._gesture[1] if self._gesture[0] == ("volume", gesture) else (0.0, 0.0)
        self._gesture = ("volume", gesture), (right, down)
        turn = DEGREES_PER_PIXEL * (right - last[0]), DEGREES_PER_PIXEL * (down - last[1])
        self._moved(lambda: self.volume_scene.turn(*turn))

    def volume_zoom(self, steps: float) -> None:
        self._moved(lambda: self.volume_scene.zoom(1.1**-steps))

    def volume_at(self, x: float, y: float) -> None:
        """A click on the 3-D picture: what is seen there. Beside everything nothing happens."""
        place = self.volume_scene.place(x, y) if self.volume_scene is not None else None
        if place is not None:
            self._do(logic.logic.on_position, place)

    def _moved(self, move) -> None:
        if self.volume_scene is None or self.reading.views.scene == "tree":
            return
        move()
        self.act(lambda: None, show=functools.partial(self.show_volume, True))
        self._when_still()

    def follow_in_volume(self) -> None:
        """The marker in the 3-D picture, when the place has stood still for a moment."""
        if self.reading.views.scene != "tree" and self.volume_scene is not None:
            self._when_still()

    def _when_still(self) -> None:
        if self._still_timer is not None:
            self._still_timer.cancel()
        try:
            self._still_timer = asyncio.get_running_loop().call_later(STILL_AFTER_S, self._fine)
        except RuntimeError:  # before the server runs
            self._fine()

    def _fine(self) -> None:
        with self.state:
            self.moving, said = False, self.state.problem
            self.act(self.show_slices, show=self.show_volume)
            self.state.problem = self.state.problem or said  # what a click was refused for stays readable


def _working(scene: VolumeScene) -> VolumeScene:
    if not scene.works:
        raise NotPossible("no_drawing")
    return scene
