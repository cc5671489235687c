"""The reading tools on the page: buttons, tabs, lists. No logic of its own; no word that is not in `viewer.app.words`."""

from __future__ import annotations

from trame.widgets import html

SHOWN = {"length": "↔", "angle": "∠", "polygon": "⬠", "ellipse": "◯", "drop": ""}
"""Tool -> its sign on the button; its word follows."""
TABS = ("findings", "measures")


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
            html.Button(f"{{{{ tr.tab_{tab} }}}}", id=f"tab-{tab}", classes=(f"tab === '{tab}' ? 'on' : ''",), click=f"tab = '{tab}'")


def measure_list(room) -> None:
    """Every measurement; a click goes there."""
    with html.Div(v_if="tab === 'measures'", classes="list", id="measures"):
        with html.P(v_for="(m, i) in measures", key="i", click=(room.measure, "[i]"), id=("'measure-' + i",)):
            html.Button("✕", click_stop=(room.forget, "[i]"), id=("'forget-' + i",), title=("tr.delete_measure",), __events=[("click_stop", "click.stop")])
            html.I("{{ m[0] }}")
            html.B("{{ m[1] }}")
        html.Div("{{ tr.no_measurements }}", v_if="!measures.length")


def probe() -> None:
    """HU and FFR beside the pointer."""
    html.Div("{{ probe_text }}", v_show="probe_text", id="probe", classes="probe")
