"""The reading page: renders the shared state and sends clicks to the handlers it is given. No logic of its own; no word that is not in `viewer.app.words`."""

from __future__ import annotations

import json
from pathlib import Path

from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client, html
from trame.widgets import vtk as vtk_widgets

from viewer.app import report_panel, tool_panels
from viewer.app.drawings import CHART, CONTOURS, CORRECTIONS, CPR_MARKS, CROSSHAIR, FACTS, LEGEND, LUMEN, NOTES, SHEET, TILES, WALL
from viewer.app.planes import AXES
from viewer.app.state import COLOURS, FIELDS_MM, WINDOWS
from viewer.app.style import STYLE
from viewer.app.tool_style import TOOL_STYLE
from viewer.app.views.oblique import LINES
from viewer.app.views.panels import cpr_switches, phase_switches, twin_pane, view_bar, volume_switches
from viewer.app.views.phases import TWINS
from viewer.app.views.style import VIEW_STYLE

PRESS = '@pointerdown.capture="press = [$event.clientX, $event.clientY]"'
NOT_AFTER_A_DRAG = '@click.capture="Math.abs($event.clientX - press[0]) + Math.abs($event.clientY - press[1]) > 4 ? $event.stopPropagation() : null"'
"""Turning the tree ends with a click too; only a click on one spot chooses a place."""
SCRIPTS = [Path(__file__).parent / "static" / name for name in ("page.js", "views.js", "tools.js")]
"""In the order in which they see what the pointer does: grips before tools."""


def build(server, room, secret: str) -> None:
    """Lays the page out on `server`. room: a ReadingRoom."""
    with VAppLayout(server, full_height=True) as layout:
        layout.root.style = "background: #0b0d0f"
        client.Style(STYLE + TOOL_STYLE + VIEW_STYLE)
        client.Script(f"history.replaceState(null, '', location.pathname + '?secret=' + {json.dumps(secret)})")  # so that the page can be reloaded
        for script in SCRIPTS:
            client.Script(script.read_text())
        with html.Div(classes="room", lang=("language",)):
            _bar(room)
            view_bar(room)
            for name in AXES:
                _slice_pane(name, room)
                if name in TWINS:
                    twin_pane(name)
            _tree_pane(room)
            with html.Div(classes=("views.curved ? 'side curved' : 'side'",)):
                html.Div(FACTS, classes="facts", id="facts")
                _cpr_pane(room)
                _chart_pane()
                _stack_pane()
                with html.Div(classes="low"):
                    _cross_pane(room)
                    _lesion_table(room)
            _sheet(room)
            tool_panels.probe()


def _bar(room) -> None:
    with html.Div(classes="bar"):
        html.B("{{ title }}")
        html.Span("{{ subtitle }}", classes="sub")
        with html.Select(v_if="vessels.length", id="vessel", change=(room.vessel, "[$event.target.value]"), title=("tr.vessel",)):
            html.Option("{{ item.name }}", v_for="item in vessels", key="item.index", value=("item.index",), selected=("item.index === branch",))
        _choice("window", WINDOWS, "tr.window")
        _choice("field", FIELDS_MM, "tr.image")
        _choice("colour_by", COLOURS, "tr.tree")
        html.Span("{{ problem }}", v_if="problem", classes="problem")
        html.Span("{{ place_text }}", id="place", classes="place")
        html.Input(
            id="reader",
            v_model=("reader",),
            v_if="can_edit",
            disabled=("author_known",),
            placeholder=("tr.reader",),
            title=("tr.reader_hint",),
            change=(room.recall, "[$event.target.value]"),
        )
        html.Button("⟲", id="reset", click=room.reset_view, title=("tr.reset_title",))
        html.A("{{ tr.report }}", id="report", href="report.html", target="_blank")
        html.Button("中文 / EN", id="language", click=room.switch_language)
        html.Button("{{ tr.help }} ?", id="help", click=room.toggle_help)
        html.Span("{{ tr.research }}", classes="note")


def _choice(name: str, values, label: str) -> None:
    with html.Select(v_model=(name,), id=name, title=(label,)):
        for value in values:
            text = f"tr['{value}'] || '{value}'"
            html.Option(f"{{{{ {label} }}}}: {{{{ {text} }}}}" if name != "field" else f"{{{{ {text} }}}}", value=value)


def _slice_pane(name: str, room) -> None:
    ratio = f"`--ratio: ${{field === 'whole' ? {name}_whole : 1}}`"
    with html.Div(classes="pane slice", style=(ratio,), v_show="true" if name in TWINS else "compared < 0"):
        html.Div(f"{{{{ {name}_drawn.turned ? tr.{name}_turned : tr.{name} }}}} {{{{ {name}_drawn.place }}}}", classes="name", style=f"color: {LINES[name]}")
        with html.Div(classes="fit", id=name):
            html.Img(src=(f"{name}_image",), draggable="false")
            html.Div(CROSSHAIR.replace("NAME", name), classes="overlay")
        for index, side in enumerate("lrud"):
            html.Div(f"{{{{ {name}_drawn.edges[{index}] }}}}", classes=f"edge {side}")
        if name == TWINS[0]:
            phase_switches(room)


def _tree_pane(room) -> None:
    with html.Div(classes="pane", id="tree", v_show="compared < 0", raw_attrs=[PRESS, NOT_AFTER_A_DRAG]):
        html.Div("{{ tr[colour_by] }}: {{ tr.tree_by }}", v_if="!no_tree", classes="name")
        html.Div("{{ no_tree }}", v_if="no_tree", classes="empty")
        if room.scene.has_surface:
            room.view = vtk_widgets.VtkLocalView(room.scene.window, ref="tree_view", picking_modes=("['click']",), click=(room.pick, "[$event]"))
        volume_switches(room)
        html.Div(LEGEND, v_if="!no_tree && views.scene !== 'volume'", classes="legend", style=("`background: ${scale.css}`",))


def _cpr_pane(room) -> None:
    with html.Div(classes="pane cprpane"):
        html.Div("{{ views.plaque ? '' : views.curved ? tr.stretched : tr.straightened }} ({{ cpr_angle }}°)", v_if="cpr_image", classes="name")
        cpr_switches(room)
        with html.Div(id="cpr", classes=("views.curved ? 'cprbox curved' : 'cprbox'",), v_if="cpr_image", style=("`--ratio: ${cpr.ratio || 1}`",)):
            html.Img(src=("cpr_image",), draggable="false")
            html.Div(CPR_MARKS, classes="overlay")
        html.Div("{{ tr.no_vessel }}", v_else=True, classes="empty")


def _chart_pane() -> None:
    legend = (
        "<span v-if='chart.ffr' style='color: #fff'>━ {{ tr.ffr_line }}&ensp;</span>"
        "<span v-if='chart.recovers' style='color: #b8c4cf'>({{ tr.ffr_recovers }})&ensp;</span>"
        "<span v-if='chart.planned' style='color: #d58bff'>┅ {{ tr.stented_line }}&ensp;</span>"
        f"<span style='color: {LUMEN}'>━ {{{{ tr.lumen_line }}}} ┅ {{{{ tr.reference_line }}}}</span>"
        f"<span style='color: {WALL}'> ▪ {{{{ tr.stenosis_mark }}}}</span>"
    )
    with html.Div(classes="pane"):
        html.Div(legend, v_if="chart.length_mm", classes="name")
        html.Div(CHART, v_if="chart.length_mm", id="curve", classes="plot")
        html.Div("{{ tr.no_curve }}", v_else=True, classes="empty")


def _stack_pane() -> None:
    with html.Div(classes="pane stack", id="stack", title=("tr.stack",)):
        html.Img(src=("stack_image",), draggable="false", v_if="stack_image")
        html.Div(TILES, classes="tiles", v_if="stack_image")


def _cross_pane(room) -> None:
    with html.Div(classes="pane square"):
        html.Div("{{ tr.cross }}, {{ cross_width }} mm", v_if="cross_image", classes="name low-name")
        with html.Div(classes="tools", v_if="cross_image && can_edit"):
            for contour in ("lumen", "wall"):
                on = f"drawing === '{contour}' ? 'on {contour}' : '{contour}'"
                html.Button(
                    f"✎ {{{{ tr.{contour} }}}}", id=f"draw-{contour}", classes=(on,), title=(f"tr.correct_{contour}",), click=(room.draw, f"['{contour}']")
                )
            on = "mode === 'brush' ? 'on' : ''"
            html.Button("● {{ tr.tool_brush }}", id="brush", classes=(on,), v_if="drawing", title=("tr.brush_title",), click=room.brush)
            html.Button("✓ {{ tr.keep }}", id="keep", v_if="drawing", click=room.keep)
            html.Button("✕", id="discard", v_if="drawing", title=("tr.discard",), click=room.escape)
            html.Button("{{ tr.mld }}", id="tightest", v_if="!drawing", click=room.tightest, title=("tr.key_tightest",))
        with html.Div(classes="fit", id="cross", v_if="cross_image"):
            html.Img(src=("cross_image",), draggable="false")
            html.Div(CONTOURS, classes="overlay")
        html.Div("{{ tr.no_cross }}", v_else=True, classes="empty")


def _lesion_table(room) -> None:
    with html.Div(classes="rows"):
        with html.Div(classes="rows-head"):
            tool_panels.tool_bar(room)
            _job(room)
            tool_panels.tabs()
        tool_panels.measure_list(room)
        tool_panels.calcium_list(room)
        report_panel.conclusion_part(room)
        with html.Div(v_show="tab === 'findings'"):
            _findings(room)


def _findings(room) -> None:
    """Stenoses, what can be done with them, and what is to be known."""
    _edit_bar(room)
    with html.Table(id="lesions", v_if="lesions.length"):
        heads = "".join(f"<th>{{{{ tr.{key} }}}}</th>" for key in ("segment", "degree", "mld_ref", "FFR"))
        html.Tr(f"{heads}<th v-if='plan.length'>{{{{ tr.stent }}}}</th><th>{{{{ tr.plaque }}}}</th>")
        choose = {"classes": ("i === lesion ? 'row chosen' : 'row'",), "id": ("'lesion-' + i",), "click": (room.lesion, "[i]")}
        with html.Tr(v_for="(row, i) in lesions", key="i", **choose):
            html.Td("{{ row.segment }}")
            html.Td("{{ row.stenosis }} <small>{{ row.length }}</small>")
            html.Td("{{ row.mld }}")
            html.Td("{{ row.ffr }} <small>{{ row.interval }}</small>", classes=("row.grade",))
            _stent_cell(room)
            html.Td("{{ row.plaque }}")
    html.Div("{{ no_lesions }}", v_if="!lesions.length", classes="empty", style="position: static; padding: 16px")
    with html.Div(v_if="plan.length", classes="planner"):
        hint = {"placeholder": ("tr.plan_hint",), "title": ("tr.plan_title",)}
        html.Input(id="plan", v_model=("plan_text",), **hint, keyup_enter=(room.plan_stent, "[plan_text]"), __events=[("keyup_enter", "keyup.enter")])
    html.Div("<b>{{ tr.corrections }}</b>" + CORRECTIONS, id="corrections", classes="notes", v_if="corrections.length")
    html.Div(NOTES, id="notes", classes="notes")


def _stent_cell(room) -> None:
    with html.Td(v_if="plan.length && plan[i]", classes=("plan[i].grade",)):
        button = {"classes": ("plan[i].stent ? 'stent on' : 'stent'",), "id": ("'stent-' + i",), "title": ("tr.plan_over",)}
        text = "{{ plan[i].stent ? '✓' : '+' }}"
        html.Button(text, **button, click_stop=(room.stent, "[i]"), __events=[("click_stop", "click.stop")])
        html.Span("{{ plan[i].after }}", v_if="plan[i].after", id=("'after-' + i",))


def _edit_bar(room) -> None:
    """Undo, redo, lesions, names."""
    with html.Div(classes="tools edit"), html.Template(v_if="can_edit"):
        html.Button("↶ {{ tr.undo }}", id="undo", disabled=("!can_undo",), click=(room.history, "['undo']"))
        html.Button("↷ {{ tr.redo }}", id="redo", disabled=("!can_redo",), click=(room.history, "['redo']"))
        html.Button("{{ tr.add_lesion }}", id="add-lesion", v_if="branch >= 0", click=(room.change_lesion, "['add']"))
        with html.Template(v_if="lesion >= 0"):
            html.Button("✕ {{ tr.delete_lesion }}", id="delete-lesion", click=(room.change_lesion, "['delete']"))
            html.Input(id="regrade-text", v_model=("regrade_text",), placeholder=("tr.percent",))
            html.Button("{{ tr.regrade }}", id="regrade", click=(room.change_lesion, "['regrade', regrade_text]"))
        with html.Select(v_if="branch >= 0", id="rename", title=("tr.segment_here",), change=(room.rename, "[$event.target.value]")):
            html.Option("{{ item[1] }}", v_for="item in segments", key="item[0]", value=("item[0]",), selected=("item[0] === segment",))
        html.Button("{{ tr.move_point }}", id="point", classes=("mode === 'point' ? 'on' : ''",), v_if="branch >= 0", click=(room.mode, "['point']"))


def _job(room) -> None:
    """The computation in the background."""
    with html.Div(id="job", classes="hint", v_if="job_word"):
        html.Span("{{ tr[job_word] }}")
        with html.Template(v_if="job"):
            html.Progress(value=("job.percent",), max=100)
            html.Span("{{ tr.computing }} {{ job.stage }} {{ job.percent }} %")
            html.Button("{{ tr.cancel }}", id="cancel", click=(room.job, "['cancel']"))
        html.Button("{{ tr.recompute }}", id="recompute", v_if="!job && job_word !== 'done'", click=(room.job, "['start']"))


def _sheet(room) -> None:
    with html.Div(v_if="help", id="sheet", classes="sheet", click=room.toggle_help):
        html.Div("<b>{{ tr.keys }}</b>" + SHEET)
    html.Div("<div>{{ ended }}</div>", v_if="ended", classes="sheet")
