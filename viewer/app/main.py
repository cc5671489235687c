"""The viewer of one case: connects the shared state of the page with the logic, and starts the server on the loopback address."""

from __future__ import annotations

import math
import socket
import webbrowser
from pathlib import Path

from trame.app import TrameApp
from trame.decorators import change

from viewer.app import logic, panels
from viewer.app.charts import chart
from viewer.app.pictures import branch_values, cpr_picture, cross_picture, slice_picture
from viewer.app.planes import AXES, bounds_mm
from viewer.app.state import COLOURS, WINDOWS
from viewer.app.study import Study, load_study
from viewer.app.tables import headline, lesion_rows
from viewer.scenes.tree_scene import RANGES, TreeScene, tree_values


class ReadingRoom(TrameApp):
    """One reader's page on one study. Handlers change `self.reading` through `viewer.app.logic`; `_show` mirrors it to the page."""

    def __init__(self, study: Study, title: str, server=None):
        super().__init__(server)
        self.study, self.reading = study, logic.opened(study)
        self.scene = TreeScene(study.surface, *tree_values(study.tree, branch_values(study)))
        self.view = None
        self._publish_once(title)
        self._show()
        panels.build(self.server, self)

    def _publish_once(self, title: str) -> None:
        low, high = bounds_mm(self.study.volume)
        sizes = {name: (high[right] - low[right]) / (high[down] - low[down]) for name, (right, down, _, _) in AXES.items()}
        stenoses = self.study.findings.stenoses
        self.state.update({f"{name}_ratio": float(ratio) for name, ratio in sizes.items()})
        self.state.update(
            title=title,
            trame__title=title,
            facts=headline(self.study.findings),
            lesions=lesion_rows(self.study),
            no_lesions="no stenosis was found" if isinstance(stenoses, list) else stenoses.reason,
            vessels=[{"index": i, "name": b.name or f"branch {i}"} for i, b in enumerate(self.study.tree)],
            window="CTA",
            colour_by=COLOURS[0],
            scale=list(RANGES[COLOURS[0]]),
        )

    def _show(self) -> None:
        """Everything that depends on the place, from the reading state to the page."""
        reading, study = self.reading, self.study
        for name in AXES:
            image, (x, y) = slice_picture(study, reading, name)
            self.state.update({f"{name}_image": image, f"{name}_x": x, f"{name}_y": y})
        cross, contours = cross_picture(study, reading)
        curves = chart(study, reading.branch)
        place = 100 * reading.distance_mm / curves["length_mm"] if curves["length_mm"] else 0
        self.state.update(
            cpr_image=cpr_picture(study, reading), cross_image=cross, contours=contours, chart=curves, place_x=place, place_text=reading.place_text
        )
        self.state.update(branch=reading.branch, lesion=reading.lesion, cpr_angle=round(reading.cpr_angle_deg) % 360)
        self.scene.mark(reading.position_mm)
        if self.view is not None:
            self.view.update()

    def slice(self, name: str, x: float, y: float) -> None:
        """A click into a slice."""
        logic.on_slice(self.reading, self.study, name, x, y)
        self._show()

    def scroll(self, name: str, steps: int) -> None:
        """The wheel over a slice."""
        logic.on_scroll(self.reading, self.study, name, steps)
        self._show()

    def turn(self, degrees: float) -> None:
        """The wheel over the straightened vessel."""
        self.reading.cpr_angle_deg += degrees
        self._show()

    def lesion(self, index: int) -> None:
        """A row of the findings table."""
        logic.on_lesion(self.reading, self.study, index)
        self._show()

    def branch(self, index) -> None:
        """The vessel list."""
        logic.on_branch(self.reading, self.study, int(index))
        self._show()

    def curve(self, fraction: float) -> None:
        """A click on the chart or the straightened vessel, as a fraction of the vessel's length."""
        if self.reading.branch >= 0:
            logic.on_distance(self.reading, self.study, fraction * self.study.branch(self.reading.branch).length_mm)
            self._show()

    def pick(self, event: dict) -> None:
        """A click on the tree; the browser sends the place in patient millimetres."""
        place = (event or {}).get("worldPosition") or (event or {}).get("position")
        if isinstance(place, list) and len(place) == 3 and all(math.isfinite(value) for value in place):
            logic.on_position(self.reading, self.study, place)
            self._show()

    @change("window")
    def _window(self, window, **_) -> None:
        if window in WINDOWS:
            logic.on_window(self.reading, window)
            self._show()

    @change("colour_by")
    def _colour(self, colour_by, **_) -> None:
        if colour_by in COLOURS:
            self.scene.colour(colour_by)
            self.state.scale = list(RANGES[colour_by])
            if self.view is not None:
                self.view.update()


def free_port() -> int:
    """A port of the loopback address that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(root: Path, port: int = 0, open_browser: bool = True) -> None:
    """The viewer on one case until it is interrupted. Listens on this machine only, under a secret of its own."""
    room = ReadingRoom(load_study(root), f"{root.name} · coronary CT")
    port = port or free_port()
    address = f"http://127.0.0.1:{port}/index.html"
    print(f"viewer   {address}", flush=True)
    if open_browser:
        room.server.controller.add("on_server_ready")(lambda **_: webbrowser.open(address))
    room.server.start(host="127.0.0.1", port=port, open_browser=False, show_connection_info=False, disable_logging=True, timeout=0)
