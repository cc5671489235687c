"""The reading tools on the page: buttons, tabs, lists. No logic of its own; no word that is not in `viewer.app.words`."""

from __future__ import annotations

from trame.widgets import html

SHOWN = {"length": "↔", "angle": "∠", "polygon": "⬠", "ellipse": "◯", "drop": ""}
"""Tool -> its sign on the button; its word follows."""
TABS = ("findings", "calcium", "measures", "conclusion")


def tool_bar(room) -> None:
    """One button per tool, what the chosen one wants, and the FFR drop."""
    with html.Div(classes="tools edit"):
        for tool, sign in SHOWN.items():
            shown = {"v_if": "chart.ffr"} if tool == "drop" else {}
            on = f"mode === '{tool}' ? 'on' : ''"
            html.Button(f"{sign} {{{{ tr.tool_{tool} }}}}".strip(), id=f"tool-{tool}", classes=(on,), click=(room.mode, f"['{tool}']"), **shown)
    html.Div("{{ hint }}", v_if="hint && !drop.text && !drop.why", classes="hint")
    html.Div("{{ drop.text }} {{ drop.why }}", v_if="drop.text || drop.why", id="drop", classes="hint")


def tabs() -> None:
    """Which list stands below."""
    with html.Div(classes="tabs"):
        for tab in TABS:
            shown = {"v_if": "conclusion"} if tab == "conclusion" else {}
            html.Button(f"{{{{ tr.tab_{tab} }}}}", id=f"tab-{tab}", classes=(f"tab === '{tab}' ? 'on' : ''",), click=f"tab = '{tab}'", **shown)


def measure_list(room) -> None:
    """Every measurement; a click goes there."""
    with html.Div(v_if="tab === 'measures'", classes="list", id="measures"):
        with html.P(v_for="(m, i) in measures", key="i", click=(room.measure, "[i]"), id=("'measure-' + i",)):
            html.Button("✕", click_stop=(room.forget, "[i]"), id=("'forget-' + i",), title=("tr.delete_measure",), __events=[("click_stop", "click.stop")])
            html.I("{{ m[0] }}")
            html.B("{{ m[1] }}")
        html.Div("{{ tr.no_measurements }}", v_if="!measures.length")


def calcium_list(room) -> None:
    """Every calcium lesion: which artery it counts for, or why it does not."""
    with html.Div(v_if="tab === 'calcium'", classes="list", id="calcium"):
        html.Div("<b>{{ calcium_line }}</b>")
        with html.Table(v_if="calcium.length"):
            html.Tr("<th></th><th>{{ tr.counts_as }}</th><th>{{ tr.agatston }}</th><th>{{ tr.volume }}</th><th>{{ tr.peak }}</th><th></th>")
            row = {"classes": ("row.counts_as ? 'row' : 'row muted'",), "id": ("'calcium-' + row.id",), "click": (room.calcium, "[row.id]")}
            with html.Tr(v_for="row in calcium", key="row.id", **row):
                html.Td("{{ row.id }}{{ row.mark }}")
                with html.Td(v_if="can_edit"):
                    change = {"change": (room.correct_calcium, "[row.id, $event.target.value]"), "id": ("'calcium-as-' + row.id",)}
                    with html.Select(click_stop="", __events=[("click_stop", "click.stop")], **change):
                        html.Option("{{ c[1] }}", v_for="c in calcium_choices", key="c[0]", value=("c[0]",), selected=("c[0] === row.counts_as",))
                html.Td("{{ row.counts_as || tr.not_coronary }}", v_else=True)
                html.Td("{{ row.agatston }}")
                html.Td("{{ row.volume }}")
                html.Td("{{ row.peak }}")
                with html.Td():
                    _verdict_button(room, "✕", "reject", "row.counts_as", "''")
                    _verdict_button(room, "✓", "accept", "row.accept_as", "row.accept_as")
                    html.Span("{{ row.why }}")


def _verdict_button(room, sign: str, what: str, shown: str, counts_as: str) -> None:
    button = {"id": (f"'{what}-' + row.id",), "title": (f"tr.{what}",), "click_stop": (room.correct_calcium, f"[row.id, {counts_as}]")}
    html.Button(sign, v_if=f"can_edit && {shown}", **button, __events=[("click_stop", "click.stop")])


def probe() -> None:
    """HU and FFR beside the pointer."""
    html.Div("{{ probe_text }}", v_show="probe_text", id="probe", classes="probe")
