"""The reader's part of the report on the page: words, key pictures, signature, addendum. No logic of its own; no word that is not in `viewer.app.words`."""

from __future__ import annotations

from trame.widgets import html


def conclusion_part(room) -> None:
    """What the reader writes, and its state."""
    with html.Div(v_if="tab === 'conclusion' && conclusion", classes="list conclusion", id="conclusion"):
        html.Div("{{ conclusion.line }}", id="report-state", classes=("conclusion.signed ? 'state signed' : 'state'",))
        for name in ("indication", "clinical_data"):
            with html.Label():
                html.Span(f"{{{{ tr.{name} }}}}")
                html.Input(id=name.replace("_", "-"), v_model=(name,), change=room.write_words)
        with html.Label():
            html.Span("{{ tr.impression }}")
            html.Textarea(id="impression", v_model=("impression",), rows=3, change=room.write_words)
        _pictures(room)
        _signature(room)


def _pictures(room) -> None:
    html.Span("{{ tr.key_pictures }}", classes="head")
    with html.P(v_for="(p, i) in conclusion.pictures", key="p[0]"):
        html.Button("✕", id=("'drop-picture-' + i",), title=("tr.drop_picture",), click=(room.drop_picture, "[p[0]]"))
        html.I("{{ p[1] }}")
    with html.Div(classes="line"):
        with html.Select(id="picture-pane", v_model=("picture_pane",)):
            words = "{ cpr: tr.straightened_short, curve: tr.curve_short, tree: tr.coronary_tree }[pane] || tr[pane]"
            html.Option(f"{{{{ {words} }}}}", v_for="pane in picture_panes", key="pane", value=("pane",))
        html.Input(id="picture-caption", v_model=("picture_caption",), placeholder=("tr.caption",))
        html.Button("+ {{ tr.take_picture }}", id="take-picture", click=(room.take_picture, "[picture_pane, picture_caption]"))


def _signature(room) -> None:
    with html.Div(classes="line"):
        html.Button("{{ tr.sign }}", id="sign", v_if="!signing && !report_busy && !conclusion.signed", click="signing = 'asked'")
        with html.Template(v_if="signing"):
            html.Span("{{ tr.sign_sure }} {{ reader }}?", classes="ask")
            html.Button("{{ tr.sign_yes }}", id="sign-yes", click=room.sign)
            html.Button("{{ tr.sign_no }}", id="sign-no", click="signing = ''")
        html.Span("{{ tr[report_busy] }}", v_if="report_busy", classes="ask")
    with html.Template(v_if="conclusion.can_add"):
        html.Span("{{ tr.addendum }}", classes="head")
        html.P("{{ a[1] }}, {{ a[2] }}: {{ a[3] }}", v_for="a in conclusion.addenda", key="a[0]", classes="addendum")
        with html.Div(classes="line"):
            html.Textarea(id="addendum", v_model=("addendum",), rows=2, placeholder=("tr.addendum_hint",))
            html.Button("{{ tr.add_addendum }}", id="amend", click=room.amend)
