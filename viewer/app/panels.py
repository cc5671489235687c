"""The reading page: renders the shared state and sends clicks to the handlers it is given. No logic of its own."""

from __future__ import annotations

import json

from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client, html
from trame.widgets import vtk as vtk_widgets

from viewer.app.drawings import CHART, CONTOURS, CPR_MARKS, CROSSHAIR, FACTS, LEGEND, NOTES
from viewer.app.planes import AXES, EDGES
from viewer.app.state import COLOURS, FIELDS_MM, WINDOWS
from viewer.app.style import STYLE

ACROSS = "$event.offsetX / $event.currentTarget.clientWidth"
WHERE = f"{ACROSS}, $event.offsetY / $event.currentTarget.clientHeight"
PRESS = '@pointerdown.capture="press = [$event.clientX, $event.clientY]"'
NOT_AFTER_A_DRAG = '@click.capture="Math.abs($event.clientX - press[0]) + Math.abs($event.clientY - press[1]) > 4 ? $event.stopPropagation() : null"'
"""Turning the tree ends with a click too; only a click on one spot chooses a place."""


def build(server, room, secret: str) -> None:
    """Lays the page out on `server`. room: has the handlers slice, scroll, turn, lesion, vessel, curve, pick and the scene."""
    with VAppLayout(server, full_height=True) as layout:
        layout.root.style = "background: #0b0d0f"
        client.Style(STYLE)
        client.Script(f"history.replaceState(null, '', location.pathname + '?secret=' + {json.dumps(secret)})")  # so that the page can be reloaded
        with html.Div(classes="room"):
            _bar(room)
            for name in AXES:
                _slice_pane(name, room)
            _tree_pane(room)
            with html.Div(classes="side"):
                html.Div(FACTS, classes="facts", id="facts")
                _cpr_pane(room)
                _chart_pane(room)
                with html.Div(classes="low"):
                    _cross_pane()
                    _lesion_table(room)


def _bar(room) -> None:
    with html.Div(classes="bar"):
        html.B("{{ title }}")
        html.Span("{{ subtitle }}", classes="sub")
        with html.Select(v_if="vessels.length", id="vessel", change=(room.vessel, "[$event.target.value]"), title="vessel"):
            html.Option("{{ item.name }}", v_for="item in vessels", key="item.index", value=("item.index",), selected=("item.index === branch",))
        _choice("window", WINDOWS, "window: ")
        _choice("field", FIELDS_MM, "")
        _choice("colour_by", COLOURS, "tree: ")
        html.Span("{{ problem }}", v_if="problem", classes="problem")
        html.Span("{{ place_text }}", id="place", classes="place")
        html.Span("Research use only,<br>not for diagnosis", classes="note")


def _choice(name: str, values, label: str) -> None:
    with html.Select(v_model=(name,), id=name):
        for value in values:
            html.Option(label + value, value=value)


def _slice_pane(name: str, room) -> None:
    steps = "$event.deltaY > 0 ? 1 : -1"
    ratio = f"`--ratio: ${{field === '{next(iter(FIELDS_MM))}' ? {name}_whole : 1}}`"
    with html.Div(classes="pane slice", style=(ratio,)):
        html.Div(f"{name} {{{{ {name}_mm }}}} mm", classes="name")
        with html.Div(classes="fit", id=name, click=(room.slice, f"['{name}', {WHERE}]"), wheel=(room.scroll, f"['{name}', {steps}]"), __events=["wheel"]):
            html.Img(src=(f"{name}_image",), draggable="false")
            html.Div(CROSSHAIR.replace("NAME", name), classes="overlay")
        for side, letter in zip("lrud", EDGES[name], strict=True):
            html.Div(letter, classes=f"edge {side}")


def _tree_pane(room) -> None:
    with html.Div(classes="pane", id="tree", raw_attrs=[PRESS, NOT_AFTER_A_DRAG]):
        html.Div("coronary tree, {{ colour_by }}; drag turns, click chooses", v_if="!no_tree", classes="name")
        html.Div("{{ no_tree }}", v_if="no_tree", classes="empty")
        if room.scene.has_surface:
            room.view = vtk_widgets.VtkLocalView(room.scene.window, ref="tree_view", picking_modes=("['click']",), click=(room.pick, "[$event]"))
        html.Div(LEGEND, v_if="!no_tree", classes="legend", style=("`background: ${scale.css}`",))


def _cpr_pane(room) -> None:
    with html.Div(classes="pane"):
        html.Div("straightened vessel, origin left; wheel turns it ({{ cpr_angle }}°)", v_if="cpr_image", classes="name")
        turn = {"wheel": (room.turn, "[$event.deltaY > 0 ? 15 : -15]"), "__events": ["wheel"]}
        with html.Div(id="cpr", classes="cprbox", v_if="cpr_image", click=(room.curve, f"[{ACROSS}]"), **turn):
            html.Img(src=("cpr_image",), draggable="false")
            html.Div(CPR_MARKS, classes="overlay")
        html.Div("no vessel to show", v_else=True, classes="empty")


def _chart_pane(room) -> None:
    legend = (
        "<span v-if='chart.ffr' style='color: #fff'>━ FFR, grey zone 0.75–0.80 </span>"
        "<span v-if='chart.planned' style='color: #d58bff'>┅ with stents </span>"
        "<span style='color: #6fc0f0'>━ lumen Ø mm ┅ reference</span><span style='color: #f0b849'> ▪ stenosis</span>"
    )
    with html.Div(classes="pane"):
        html.Div(legend, v_if="chart.length_mm", classes="name")
        html.Div(CHART, v_if="chart.length_mm", id="curve", classes="plot", click=(room.curve, f"[{ACROSS}]"))
        html.Div("no pullback curve without a vessel", v_else=True, classes="empty")


def _cross_pane() -> None:
    with html.Div(classes="pane square"):
        html.Div("cross-section, 12 mm", v_if="cross_image", classes="name")
        with html.Div(classes="fit", id="cross", v_if="cross_image"):
            html.Img(src=("cross_image",), draggable="false")
            html.Div(CONTOURS, classes="overlay")
        html.Div("no cross-section", v_else=True, classes="empty")


def _lesion_table(room) -> None:
    with html.Div(classes="rows"):
        with html.Table(id="lesions", v_if="lesions.length"):
            html.Tr("<th>segment</th><th>stenosis</th><th>MLD</th><th>FFR</th><th v-if='plan.length'>with stents</th><th>plaque</th>")
            choose = {"classes": ("i === lesion ? 'row chosen' : 'row'",), "id": ("'lesion-' + i",), "click": (room.lesion, "[i]")}
            with html.Tr(v_for="(row, i) in lesions", key="i", **choose):
                for key in ("segment", "stenosis", "mld"):
                    html.Td(f"{{{{ row.{key} }}}}")
                html.Td("{{ row.ffr }}", classes=("row.grade",))
                with html.Td(v_if="plan.length", classes=("plan[i].grade",)):
                    button = {"classes": ("plan[i].stent ? 'stent on' : 'stent'",), "id": ("'stent-' + i",), "title": "plan a stent over this lesion"}
                    html.Button(
                        "{{ plan[i].stent ? '✓ stent' : '+ stent' }}", **button, click_stop=(room.stent, "[i]"), __events=[("click_stop", "click.stop")]
                    )
                    html.Span("{{ plan[i].after }}", v_if="plan[i].after", id=("'after-' + i",))
                html.Td("{{ row.plaque }}")
        html.Div("{{ no_lesions }}", v_if="!lesions.length", classes="empty", style="position: static; padding: 16px")
        with html.Div(v_if="plan.length", classes="planner"):
            hint = {"placeholder": "stent: mLAD:38-52:3.0, empty clears", "title": "segment, from-to in mm along the vessel, diameter in mm"}
            html.Input(id="plan", v_model=("plan_text",), **hint, keyup_enter=(room.plan_stent, "[plan_text]"), __events=[("keyup_enter", "keyup.enter")])
        html.Div(NOTES, id="notes", classes="notes")
