"""The controls of the views: a bar over the slices, and switches in the panes they belong to."""

from __future__ import annotations

from trame.widgets import html

from viewer.app.drawings import CROSSHAIR
from viewer.app.views.state import MAX_SLAB_MM, NETWORK, PRESETS, SCENES, SLABS


def view_bar(room) -> None:
    """Slab, orientation and overlays of the slices."""
    with html.Div(classes="viewbar"):
        _choice(room, "slab", SLABS, "tr.slab")
        thickness = {"min": 0, "max": MAX_SLAB_MM, "step": 1, "value": ("views.thickness_mm",), "title": ("tr.thickness",)}
        html.Input(type="range", id="thickness", **thickness, change=(room.thickness, "[$event.target.value]"))
        html.Span("{{ views.thickness_mm }} mm", classes="number")
        _button(room.along, "along", "⟂ {{ tr.along }}", "tr.along_does", on="views.along")
        _button(room.upright, "upright", "⟲ {{ tr.upright }}", "tr.upright_does", v_if="views.oblique")
        _button((room.switch, "['outlines']"), "outlines", "◎ {{ tr.outlines }}", "tr.outlines_does", on="views.outlines")
        _choice(room, "network", NETWORK, "tr.network")
        html.Span("0 <i></i> 100 %", v_if="views.network_css", id="network-legend", classes="scale", style=("`--scale: ${views.network_css}`",))
        html.Span("{{ views.window }}", classes="number", id="window-now")


def cpr_switches(room) -> None:
    """Straight or curved, and plaque with its legend, over the reformat."""
    with html.Div(classes="switches", v_if="cpr_image"):
        with html.Span(v_if="views.legend.length", id="plaque-legend", classes="classes"), html.Span(v_for="(one, i) in views.legend", key="i"):
            html.I(style=("`background: ${one.css}`",))
            html.Span("{{ tr[one.word] }} {{ one.hu }}")
        html.Span("HU", v_if="views.legend.length", classes="classes")
        _button((room.switch, "['plaque']"), "plaque", "{{ tr.plaque }}", "tr.plaque_does", on="views.plaque")
        _button((room.switch, "['curved']"), "curved", "{{ views.curved ? tr.curved : tr.straight }}", "tr.curved_does", on="views.curved")


def volume_switches(room) -> None:
    """Tree, volume or both, and the volume's preset; the volume's picture."""
    with html.Div(id="volume", v_if="volume_image", classes="volume"):
        html.Img(src=("volume_image",), draggable="false")
    with html.Div(classes="switches low-switches"):
        _choice(room, "scene", SCENES, "tr.scene")
        _choice(room, "preset", PRESETS, "tr.preset", v_if="views.scene !== 'tree'")


def phase_switches(room) -> None:
    """Which phase is compared, and all of them played; only where the case holds phases."""
    with html.Div(classes="switches low-switches", v_if="phases.length"):
        with html.Select(id="phase", title=("tr.phase",), change=(room.compare, "[$event.target.value]")):
            html.Option("{{ tr.phase_none }}", value="-1", selected=("compared < 0",))
            html.Option(
                "{{ name }}{{ k === analysed ? ', ' + tr.phase_analysed : '' }}",
                v_for="(name, k) in phases",
                key="k",
                value=("k",),
                selected=("k === compared",),
            )
        html.Button("{{ playing ? '❚❚' : '▶' }}", id="play", click=room.play, title=("tr.play",), classes=("playing ? 'on' : ''",))


def twin_pane(name: str) -> None:
    """The compared phase beside a slice: the same plane, cross-hair and contours."""
    ratio = f"`--ratio: ${{field === 'whole' ? {name}_whole : 1}}`"
    with html.Div(classes="pane slice twin", v_if="compared >= 0", style=(ratio,)):
        html.Div("{{ phases[compared] }}{{ views.outlines && compared !== analysed ? `, ${tr.contours_of} ${phases[analysed]}` : '' }}", classes="name")
        with html.Div(classes="fit", id=f"twin-{name}", raw_attrs=[f'data-twin="{name}"']):
            html.Img(src=(f"twin_{name}",), draggable="false")
            html.Div(CROSSHAIR.replace("NAME", name), classes="overlay")


def _choice(room, field: str, values, title: str, **more) -> None:
    with html.Select(id=field, title=(title,), change=(room.choose, f"['{field}', $event.target.value]"), **more):
        for value in values:
            html.Option(f"{{{{ tr.{field}_{value} }}}}", value=value, selected=(f"views.{field} === '{value}'",))


def _button(click, name: str, text: str, title: str, on: str = "false", **more) -> None:
    html.Button(text, id=name, click=click, title=(title,), classes=(f"{on} ? 'on' : ''",), **more)
