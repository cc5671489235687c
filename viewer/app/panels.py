"""The reading page: renders the shared state and sends clicks to the handlers it is given. No logic of its own."""

from __future__ import annotations

from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client, html
from trame.widgets import vtk as vtk_widgets

from viewer.app.planes import AXES
from viewer.app.state import COLOURS, WINDOWS

STYLE = """
html, body { overflow: hidden; background: #101214; }
.room { display: grid; height: 100vh; gap: 4px; padding: 4px; box-sizing: border-box; color: #dfe3e6; font: 13px system-ui, sans-serif;
  grid-template-columns: 1fr 1fr 1.35fr; grid-template-rows: 34px 1fr 1fr; }
.bar { grid-column: 1 / 4; display: flex; gap: 14px; align-items: center; overflow: hidden; white-space: nowrap; }
.bar b { color: #fff; } .bar select { background: #22262a; color: #dfe3e6; border: 1px solid #444; border-radius: 4px; padding: 2px 6px; }
.bar .note { margin-left: auto; color: #d9a441; }
.pane { position: relative; background: #000; overflow: hidden; min-height: 0; min-width: 0; border: 1px solid #2a2e33; }
.pane .name { position: absolute; left: 6px; top: 4px; z-index: 2; color: #9fb3c8; pointer-events: none; text-shadow: 0 0 3px #000; }
.fit { position: absolute; inset: 0; margin: auto; max-width: 100%; max-height: 100%; cursor: crosshair; line-height: 0; }
.fit img { width: 100%; height: 100%; display: block; } .fit svg { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; }
.side { grid-column: 3; grid-row: 2 / 4; display: grid; grid-template-rows: auto 120px 150px 1fr; gap: 4px; min-height: 0; }
.wide img { width: 100%; height: 100%; object-fit: fill; display: block; cursor: crosshair; }
.wide svg { position: absolute; inset: 0; width: 100%; height: 100%; cursor: crosshair; }
.overlay { pointer-events: none; }
.low { display: grid; grid-template-columns: 190px 1fr; gap: 4px; min-height: 0; }
.low > div { min-height: 0; overflow: auto; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: 3px 8px; border-bottom: 1px solid #2a2e33; }
tr.row { cursor: pointer; } tr.row:hover { background: #23303c; } tr.chosen { background: #2d4a63; }
.fact { padding: 1px 0; } .fact i { color: #9fb3c8; font-style: normal; }
.scale { position: absolute; right: 8px; top: 26px; bottom: 26px; width: 12px; background: linear-gradient(#fde725, #5ec962, #21918c, #3b528b, #440154); }
.scale span { position: absolute; right: 16px; font-size: 11px; }
"""


def build(server, room) -> None:
    """Lays the page out on `server`. room: has the handlers slice, scroll, lesion, branch, curve, pick and the render window."""
    with VAppLayout(server, full_height=True) as layout:
        layout.root.style = "background: #101214"
        client.Style(STYLE)
        with html.Div(classes="room"):
            _bar(room)
            for name in AXES:
                _slice_pane(name, room)
            _tree_pane(room)
            with html.Div(classes="side"):
                _facts()
                _cpr_pane(room)
                _chart_pane(room)
                with html.Div(classes="low"):
                    _cross_pane()
                    _lesion_table(room)


def _bar(room) -> None:
    with html.Div(classes="bar"):
        html.B("{{ title }}")
        with html.Select(v_model=("branch",), id="vessel", change=(room.branch, "[$event.target.value]")):
            html.Option("{{ item.name }}", v_for="item in vessels", key="item.index", value=("item.index",))
        with html.Select(v_model=("window",), id="window"):
            for name in WINDOWS:
                html.Option(name, value=name)
        with html.Select(v_model=("colour_by",), id="colour"):
            for name in COLOURS:
                html.Option(f"tree: {name}", value=name)
        html.Span("{{ place_text }}", id="place")
        html.Span("Research use only, not for diagnosis", classes="note")


def _slice_pane(name: str, room) -> None:
    shape = f"`aspect-ratio: ${{{name}_ratio}}; height: ${{{name}_ratio > 1 ? 'auto' : '100%'}}; width: ${{{name}_ratio > 1 ? '100%' : 'auto'}}`"
    steps = "$event.deltaY > 0 ? 1 : -1"
    with html.Div(classes="pane"):
        html.Div(name, classes="name")
        with html.Div(classes="fit", id=name, style=(shape,), click=(room.slice, f"['{name}', {WHERE}]"), wheel=(room.scroll, f"['{name}', {steps}]")):
            html.Img(src=(f"{name}_image",), draggable="false")
            html.Div(CROSSHAIR.replace("NAME", name), classes="overlay")


def _tree_pane(room) -> None:
    with html.Div(classes="pane", id="tree"):
        html.Div("coronary tree, {{ colour_by }}", classes="name")
        room.view = vtk_widgets.VtkLocalView(room.scene.window, ref="tree_view", picking_modes=("['click']",), click=(room.pick, "[$event]"))
        html.Div("<span style='top: -6px'>{{ scale[1] }}</span><span style='bottom: -6px'>{{ scale[0] }}</span>", classes="scale")


def _facts() -> None:
    html.Div("<div class='fact' v-for='fact in facts' :key='fact[0]'><i>{{ fact[0] }}:</i> {{ fact[1] }}</div>", id="facts")


def _cpr_pane(room) -> None:
    with html.Div(classes="pane wide"):
        html.Div("straightened vessel, proximal left; wheel turns it ({{ cpr_angle }}°)", classes="name")
        with html.Div(id="cpr", classes="fill", click=(room.curve, f"[{ACROSS}]"), wheel=(room.turn, "[$event.deltaY > 0 ? 15 : -15]")):
            html.Img(src=("cpr_image",), v_if="cpr_image", draggable="false")
            html.Div("no vessel to show", v_else=True, style="padding: 30px")
            html.Div(MARKER, classes="overlay")


def _chart_pane(room) -> None:
    with html.Div(classes="pane wide"):
        html.Div("{{ chart.ffr ? 'FFR (white, 0.4-1.0), grey zone 0.75-0.80;' : '' }} lumen diameter (blue), reference (dashed)", classes="name")
        html.Div(CHART, id="curve", classes="fill", click=(room.curve, f"[{ACROSS}]"))


def _cross_pane() -> None:
    with html.Div(classes="pane"):
        html.Div("cross-section", classes="name")
        with html.Div(classes="fit", id="cross", style="aspect-ratio: 1; width: 100%"):
            html.Img(src=("cross_image",), v_if="cross_image", draggable="false")
            html.Div(CONTOURS, classes="overlay")


def _lesion_table(room) -> None:
    with html.Div():
        with html.Table(id="lesions"):
            html.Tr("<th>segment</th><th>stenosis</th><th>MLD</th><th>FFR</th><th>plaque</th>")
            with html.Tr(
                v_for="(row, i) in lesions", key="i", classes=("i === lesion ? 'row chosen' : 'row'",), click=(room.lesion, "[i]"), id=("'lesion-' + i",)
            ):
                html.Td("{{ row.segment }}")
                html.Td("{{ row.stenosis }}")
                html.Td("{{ row.mld }}")
                html.Td("{{ row.ffr }}")
                html.Td("{{ row.plaque }}")
        html.Div("{{ no_lesions }}", v_if="!lesions.length", style="padding: 6px; color: #9fb3c8")


ACROSS = "$event.offsetX / $event.currentTarget.clientWidth"
WHERE = f"{ACROSS}, $event.offsetY / $event.currentTarget.clientHeight"
BOX = '<svg viewBox="0 0 100 100" preserveAspectRatio="none">'
THIN = 'stroke="#ffb000" stroke-width="1" opacity="0.85" vector-effect="non-scaling-stroke"'
CROSSHAIR = f"""{BOX}
<line :x1="100 * NAME_x" :x2="100 * NAME_x" y1="0" y2="100" {THIN} />
<line :y1="100 * NAME_y" :y2="100 * NAME_y" x1="0" x2="100" {THIN} />
</svg>"""
MARKER = f'{BOX}<line v-if="chart.length_mm" :x1="place_x" :x2="place_x" y1="0" y2="100" {THIN} /></svg>'
CHART = f"""{BOX}
<rect v-if="chart.ffr" x="0" width="100" :y="chart.grey[0]" :height="chart.grey[1] - chart.grey[0]" fill="#999" opacity="0.45" />
<rect v-for="(l, i) in chart.lesions" :key="i" :x="l[0]" y="0" :width="l[1]" height="100" fill="#d9a441" opacity="0.2" />
<path :d="chart.reference" stroke="#56b4e9" fill="none" stroke-width="1.5" stroke-dasharray="5 4" vector-effect="non-scaling-stroke" />
<path :d="chart.diameter" stroke="#56b4e9" fill="none" stroke-width="1.5" vector-effect="non-scaling-stroke" />
<path :d="chart.ffr" stroke="#fff" fill="none" stroke-width="2.5" vector-effect="non-scaling-stroke" />
<line v-if="chart.length_mm" :x1="place_x" :x2="place_x" y1="0" y2="100" {THIN} />
</svg>"""
CONTOURS = f"""{BOX}
<polygon v-for="(points, i) in contours" :key="i" :points="points" fill="none" :stroke="i ? \'#d9a441\' : \'#56b4e9\'"
 :stroke-dasharray="i ? \'4 3\' : \'\'" stroke-width="1.5" vector-effect="non-scaling-stroke" />
</svg>"""
