"""From the reading state to what the views draw: one small dictionary per view, for the page's state."""

from __future__ import annotations

from dataclasses import asdict

from viewer.app.pictures import cpr_picture, is_thick, slice_picture
from viewer.app.planes import AXES, edge_letters
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.views.colouring import plaque_legend
from viewer.app.views.curved import frame_of, x_of
from viewer.app.views.network_maps import network_legend
from viewer.app.views.oblique import cross_hair, plane_of, tilt_deg
from viewer.app.views.outlines import outline_paths

TURNED_DEG = 0.5


def look_of(state: ReadingState) -> tuple:
    """What a picture depends on beside its place."""
    views = state.views
    return state.level_hu, state.width_hu, views.slab, views.thickness_mm, views.network, views.plaque


def slice_of(page, name: str) -> tuple[str, dict]:
    """The slice's picture, and its cross-hair, letters, outlines and label."""
    state, study = page.reading, page.study
    plane = plane_of(state, study, name)
    moving = page.moving and is_thick(state)
    key = (name, *plane.origin_mm, *plane.right, *plane.down, state.field_mm, *look_of(state), moving)
    image = page.kept(key, lambda: slice_picture(study, state, plane, moving))
    outlines = page.kept((f"{name}-outlines", *key[1:10], state.field_mm), lambda: outline_paths(study, plane)) if state.views.outlines else {}
    return image, {**cross_hair(state, study, name), **outlines, "edges": edge_letters(plane.right, plane.down), **_label(state, name)}


def _label(state: ReadingState, name: str) -> dict:
    tilt = tilt_deg(state, name)
    turned = state.views.along or tilt > TURNED_DEG
    return {"turned": turned, "place": f"{tilt:.0f}°" if turned else f"{state.position_mm[AXES[name][2]]:.1f} mm"}


def cpr_of(page, place_x: float, lesions: list) -> tuple[str, list[str], dict]:
    """The reformat's picture, edges, and marks. place_x, lesions: percent of the vessel's length, as on the curve."""
    state, study = page.reading, page.study
    key = ("cpr", state.branch, state.cpr_angle_deg, state.views.curved, *look_of(state))
    image, edges = page.kept(key, lambda: cpr_picture(study, state))
    marks = {"x": place_x, "lesions": [one[:2] for one in lesions], "ratio": 0.0}
    if state.views.curved and state.branch >= 0:
        frame, length_mm = frame_of(study, state.branch), study.branch(state.branch).length_mm
        at = lambda percent: x_of(state, study, percent / 100 * length_mm)  # noqa: E731
        spans = [[at(start), at(start + width) - at(start)] for start, width, *_ in lesions]
        marks = {"x": at(place_x), "lesions": spans, "ratio": frame.width_mm / frame.height_mm}
    return image, edges, marks


def over_x(state: ReadingState, study: Study) -> float:
    """Percent of the reformat's width where the pointer is along the vessel, -1 where it is nowhere."""
    if state.branch < 0 or state.hover_mm < 0:
        return -1.0
    return x_of(state, study, state.hover_mm) if state.views.curved else 100 * state.hover_mm / study.branch(state.branch).length_mm


def views_of(state: ReadingState, study: Study) -> dict:
    """The controls of the views, and the legends of what lies over the pictures."""
    views = state.views
    return {
        **asdict(views),
        "axes": [],
        "oblique": views.oblique,
        "legend": plaque_legend(study) if views.plaque else [],
        "network_css": network_legend(views.network),
        "window": f"L {state.level_hu:.0f} W {state.width_hu:.0f}",
    }
