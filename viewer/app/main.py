"""The viewer of one case: connects the shared state of the page with the logic, and starts the server on the loopback address."""

from __future__ import annotations

import logging
import secrets
import socket
import webbrowser
from pathlib import Path

from trame.app import TrameApp, get_server
from trame.decorators import change

from ccta.errors import BadInput
from ccta.model import Unavailable
from viewer.app import logic, panels
from viewer.app.charts import chart
from viewer.app.pictures import branch_values, cpr_picture, cross_picture, slice_picture
from viewer.app.planes import AXES, bounds_mm
from viewer.app.state import COLOURS, FIELDS_MM
from viewer.app.study import Study, load_study
from viewer.app.tables import headline, lesion_rows, notes, planned_rows, study_line
from viewer.scenes.tree_scene import TreeScene, scale_marks, tree_values

log = logging.getLogger(__name__)


class ReadingRoom(TrameApp):
    """One reader's page on one study. Handlers change `self.reading` through `viewer.app.logic`; `_show` mirrors it to the page."""

    def __init__(self, study: Study, title: str, server=None, secret: str = ""):
        super().__init__(server)
        self.study, self.reading = study, logic.opened(study)
        self.scene = TreeScene(study.surface, *tree_values(study.tree, branch_values(study)))
        self.view, self._drawn = None, {}
        self._publish_once(title)
        self._show()
        panels.build(self.server, self, secret)

    def _publish_once(self, title: str) -> None:
        low, high = bounds_mm(self.study.volume)
        sizes = {name: (high[right] - low[right]) / (high[down] - low[down]) for name, (right, down, _, _) in AXES.items()}
        stenoses = self.study.findings.stenoses
        colour = "FFR" if self.study.pullback is not None else "diameter"
        self.scene.colour(colour)
        self.state.update({f"{name}_whole": float(ratio) for name, ratio in sizes.items()})
        self.state.update(
            title=title,
            trame__title=title,
            facts=headline(self.study.findings),
            lesions=lesion_rows(self.study),
            no_lesions="No stenosis was found." if isinstance(stenoses, list) else f"Stenoses: {stenoses.reason}",
            no_tree="" if self.study.surface is not None else no_tree(self.study),
            subtitle=study_line(self.study.findings),
            problem="",
            plan_text="",
            press=[0, 0],
            field=next(iter(FIELDS_MM)),
            vessels=[{"index": i, "name": b.name or f"branch {i}"} for i, b in enumerate(self.study.tree)],
            window="CTA",
            colour_by=colour,
            scale=scale_marks(colour),
            notes=notes(self.study.findings),
        )

    def _show(self) -> None:
        """Everything that depends on the place, from the reading state to the page."""
        reading, study = self.reading, self.study
        for name in AXES:
            image, (x, y) = slice_picture(study, reading, name)
            self.state.update({f"{name}_image": image, f"{name}_x": 100 * x, f"{name}_y": 100 * y, f"{name}_mm": round(reading.position_mm[AXES[name][2]], 1)})
        cross, contours = cross_picture(study, reading)
        curves = self._kept(("chart", reading.branch, reading.stents), lambda: chart(study, reading.branch, reading.stents))
        vessel = self._kept(("cpr", reading.branch, reading.cpr_angle_deg, reading.level_hu, reading.width_hu), lambda: cpr_picture(study, reading))
        place = 100 * reading.distance_mm / curves["length_mm"] if curves["length_mm"] else 0
        self.state.update(cpr_image=vessel, cross_image=cross, contours=contours, chart=curves, place_x=place, place_text=reading.place_text)
        self.state.plan = self._kept(("plan", reading.stents), lambda: planned_rows(study, reading.stents))
        self.state.update(branch=reading.branch, lesion=reading.lesion, cpr_angle=round(reading.cpr_angle_deg) % 360)
        self.scene.mark(reading.position_mm)
        if self.view is not None:
            self.view.update()

    def _kept(self, key: tuple, draw):
        """What was drawn for the same vessel before: most clicks move along one vessel, and its curve and straightened picture stay as they are."""
        if key not in self._drawn:
            self._drawn = {known: drawn for known, drawn in self._drawn.items() if known[0] != key[0]}
            self._drawn[key] = draw()
        return self._drawn[key]

    def _act(self, action, *values) -> None:
        """Runs what a click means and shows the outcome. A failure goes to the log and as one sentence to the page, never as a traceback."""
        try:
            action(self.reading, self.study, *values)
            self._show()
            self.state.problem = ""
        except BadInput as error:
            self.state.problem = str(error)
        except Exception:
            log.exception("a click could not be shown")
            self.state.problem = "This place could not be shown; see the terminal for the reason."

    def slice(self, name: str, x: float, y: float) -> None:
        """A click into a slice."""
        self._act(logic.on_slice, name, x, y)

    def scroll(self, name: str, steps: int) -> None:
        """The wheel over a slice."""
        self._act(logic.on_scroll, name, steps)

    def turn(self, degrees: float) -> None:
        """The wheel over the straightened vessel."""
        self._act(logic.on_turn, degrees)

    def lesion(self, index: int) -> None:
        """A row of the findings table."""
        self._act(logic.on_lesion, index)

    def vessel(self, index) -> None:
        """The vessel list."""
        self._act(logic.on_branch, index)

    def stent(self, index: int) -> None:
        """The stent button of a lesion."""
        self._act(logic.on_stent, index)

    def plan_stent(self, text: str) -> None:
        """The planner's line: one more stent, or none."""
        self._act(logic.on_plan, text)

    def curve(self, fraction: float) -> None:
        """A click on the chart or the straightened vessel, as a fraction of the vessel's length."""
        self._act(logic.on_fraction, fraction)

    def pick(self, event) -> None:
        """A click on the tree; the browser sends the place in patient millimetres, or nothing beside the tree."""
        if isinstance(event, dict) and "worldPosition" in event:
            self._act(logic.on_position, event["worldPosition"])

    @change("window")
    def _window(self, window, **_) -> None:
        self._act(logic.on_window, window)

    @change("field")
    def _field(self, field, **_) -> None:
        self._act(logic.on_field, field)

    @change("colour_by")
    def _colour(self, colour_by, **_) -> None:
        if colour_by in COLOURS:
            self.scene.colour(colour_by)
            self.state.scale = scale_marks(colour_by)
            self._act(lambda *_: None)


def no_tree(study: Study) -> str:
    """Why there is nothing to show in 3-D."""
    tree = study.findings.tree
    return f"Coronary tree: {tree.reason}" if isinstance(tree, Unavailable) else "The lumen surface was not made; run `ccta measure` on this case."


def free_port() -> int:
    """A port of the loopback address that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(root: Path, port: int = 0, open_browser: bool = True) -> None:
    """The viewer on one case until it is interrupted.

    Listens on this machine only. The page is empty without the secret in the address, made anew at each start: other users of the
    machine, and other pages in the same browser, cannot connect.
    """
    port, secret = port or free_port(), secrets.token_urlsafe(24)
    server = get_server()
    server.cli.set_defaults(authKey=secret)
    room = ReadingRoom(load_study(root), f"{root.resolve().name} · coronary CT", server, secret)
    address = f"http://127.0.0.1:{port}/index.html?secret={secret}"

    def ready(**_) -> None:
        print(f"viewer   {address}", flush=True)
        if open_browser:
            webbrowser.open(address)

    room.server.controller.on_server_ready.add(ready)
    room.server.start(host="127.0.0.1", port=port, open_browser=False, show_connection_info=False, disable_logging=True, timeout=0)
