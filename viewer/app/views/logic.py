"""What the controls of the views mean: pure changes of `ReadingState.views`, and where a click into a curved vessel goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from viewer.app import logic
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.views.curved import curved_at, place_in_curve
from viewer.app.views.network_maps import network_map
from viewer.app.views.state import MAX_SLAB_MM, NETWORK, PRESETS, SCENES, SLABS, ViewState
from viewer.app.words import NotPossible

CHOICES = {"slab": SLABS, "network": NETWORK, "scene": SCENES, "preset": PRESETS}
SWITCHES = ("curved", "plaque", "outlines")


def on_choice(state: ReadingState, study: Study, field: str, value: str) -> None:
    """One of the values of a control. ValueError for another; NotPossible for a map that the case does not hold."""
    if value not in CHOICES[field]:
        raise ValueError(f"{field} is one of {CHOICES[field]}, got {value!r}")
    if field == "network" and value != "off":
        network_map(study, value)
    state.views = replace(state.views, **{field: value})


def checked(study: Study, views: ViewState) -> ViewState:
    """Views that were kept in the case, or those of a fresh page where they are none: numbers, orthogonal slices, known choices, maps that are there."""
    normals = np.array([np.cross(*axes) for axes in views.axes])
    flat = np.allclose([np.array(axes) @ np.array(axes).T for axes in views.axes], np.eye(2), atol=1e-3)
    square = flat and np.allclose(np.abs(normals @ normals.T), np.eye(3), atol=1e-3)
    known = all(getattr(views, field) in values for field, values in CHOICES.items()) and 0 <= views.thickness_mm <= MAX_SLAB_MM
    if not (square and known):
        return ViewState()
    try:
        on_choice(ReadingState(views=views), study, "network", views.network)
    except NotPossible:
        views = replace(views, network="off")
    return replace(views, phase=-1) if views.phase >= (len(study.phases) if study.phases else 0) else views


def on_next(state: ReadingState, study: Study, field: str) -> None:
    """The next value of a control: its hot key."""
    values = CHOICES[field]
    on_choice(state, study, field, values[(values.index(getattr(state.views, field)) + 1) % len(values)])


def on_switch(state: ReadingState, study: Study, field: str) -> None:
    """A switch turned over."""
    if field not in SWITCHES:
        raise ValueError(f"a switch is one of {SWITCHES}, got {field!r}")
    state.views = replace(state.views, **{field: not getattr(state.views, field)})


def on_thickness(state: ReadingState, study: Study, thickness_mm: float) -> None:
    """The thickness of the slab, 0 to 30 mm; a thin slice becomes a maximum intensity slab. ValueError for no number."""
    if not np.isfinite(thickness_mm):
        raise ValueError(f"a thickness must be a finite number, got {thickness_mm}")
    slab = "mip" if state.views.slab == "thin" and thickness_mm > 0 else state.views.slab
    state.views = replace(state.views, thickness_mm=float(np.clip(thickness_mm, 0.0, MAX_SLAB_MM)), slab=slab)


def on_cpr(state: ReadingState, study: Study, x: float, y: float) -> None:
    """A click into the reformat (fractions): along the straightened vessel, or to the very place in the curved one."""
    if not state.views.curved:
        logic.on_fraction(state, study, x)
    elif state.branch >= 0:
        logic.on_position(state, study, place_in_curve(state, study, x, y))


def on_over_cpr(state: ReadingState, study: Study, x: float) -> None:
    """The pointer over the reformat (fraction of its width; below 0 where it has left): the cross-section follows."""
    fraction = curved_at(state, study, x) if state.views.curved and x >= 0 and state.branch >= 0 else x
    logic.on_hover(state, study, fraction)
