"""Hand edits of a case: the record that every correction leaves (edits.json), and undo and redo in it. Values and lists only, no image.

An edit says who, when, what, what stood there before and what stands there now. It names its place in patient mm, not by an index, so that it holds
when a stage runs again: each stage first finds what the image gives, then applies the edits that concern it in their order (`ccta.pipeline`).
Nothing is ever deleted from the record: an edit that was undone stays, marked so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, FiniteFloat, TypeAdapter, model_validator

from ccta.errors import BadInput
from ccta.findings import Point, Value
from ccta.model import SEGMENTS

Contour = Literal["lumen", "wall"]
SAME_PLACE_MM = 3.0
"""An edit holds where what it corrected is found again this near: half of the shortest lesion that is graded, and beyond any centerline's error."""


class _Edit(Value):
    by: str
    at: str
    """ISO 8601, UTC."""
    state: Literal["applied", "undone", "replaced"] = "applied"
    """replaced: it was undone, and then something else was done, so that it cannot be redone."""
    center_mm: Point
    """Where it was made."""
    place: str = ""
    """The same in words: vessel and distance along it."""
    vessel: Literal["LM", "LAD", "LCx", "RCA", ""] = ""


class ContourEdit(_Edit):
    """One contour of one cross-section, in patient mm: as it was and as it was drawn."""

    kind: Literal["contour"] = "contour"
    contour: Contour
    before_mm: list[Point]
    after_mm: list[Point]

    @model_validator(mode="after")
    def _closed(self):
        if len(self.before_mm) < 3 or len(self.after_mm) < 3:
            raise ValueError("a contour needs at least three points")
        return self

    @property
    def what(self) -> str:
        return f"{self.contour} contour"

    @property
    def before(self) -> str:
        return f"{contour_area_mm2(self.before_mm):.1f} mm²"

    @property
    def after(self) -> str:
        return f"{contour_area_mm2(self.after_mm):.1f} mm²"


class NameEdit(_Edit):
    """A coronary segment renamed. Ids of the SCCT model; 0 is unnamed."""

    kind: Literal["name"] = "name"
    before_id: int
    after_id: int

    @model_validator(mode="after")
    def _known(self):
        if self.after_id not in SEGMENTS or self.before_id not in (0, *SEGMENTS):
            raise ValueError(f"segments are numbered 1-{max(SEGMENTS)}, got {self.before_id} -> {self.after_id}")
        return self

    what = property(lambda self: "segment name")
    before = property(lambda self: segment_name(self.before_id))
    after = property(lambda self: segment_name(self.after_id))


class PointEdit(_Edit):
    """A point of a centerline moved from `center_mm`."""

    kind: Literal["point"] = "point"
    after_mm: Point

    what = property(lambda self: "centerline point")
    before = property(lambda self: _position(self.center_mm))
    after = property(lambda self: f"{_position(self.after_mm)}, {np.linalg.norm(np.subtract(self.after_mm, self.center_mm)):.1f} mm away")


class LesionEdit(_Edit):
    """A stenosis deleted, added, or given another degree. Diameter stenosis in percent; None where there is none."""

    kind: Literal["lesion"] = "lesion"
    before_pct: FiniteFloat | None = None
    after_pct: Annotated[FiniteFloat, Field(ge=0, le=100)] | None = None
    length_mm: FiniteFloat | None = None
    """Of an added one, which is measured in the contours; its degree is not given then."""

    @property
    def action(self) -> Literal["added", "deleted", "regraded"]:
        return "added" if self.length_mm is not None else "deleted" if self.after_pct is None else "regraded"

    what = property(lambda self: f"stenosis {self.action}")
    before = property(lambda self: "none" if self.before_pct is None else f"{self.before_pct:.0f} %")
    after = property(lambda self: f"measured over {self.length_mm:.0f} mm" if self.action == "added" else _percent(self.after_pct))


Edit = Annotated[ContourEdit | NameEdit | PointEdit | LesionEdit, Field(discriminator="kind")]
HISTORY = TypeAdapter(list[Edit])
OF_STAGE = {"tree": ("name", "point"), "measure": ("contour", "lesion")}
"""Which stage applies which kinds of edit."""


def applied(history: Sequence[Edit], stage: str = "") -> list[Edit]:
    """The edits that hold now, of one stage or of all."""
    return [edit for edit in history if edit.state == "applied" and (not stage or edit.kind in OF_STAGE[stage])]


def added(history: Sequence[Edit], edit: Edit) -> list[Edit]:
    """The history with one more edit; what was undone before it can no longer be redone. BadInput without a name of who edits."""
    if not edit.by.strip():
        raise BadInput("an edit needs the name of who makes it")
    return [*(_in_state(one, "replaced") if one.state == "undone" else one for one in history), edit]


def undone(history: Sequence[Edit]) -> list[Edit]:
    """The history with its last edit taken back. BadInput where there is none."""
    return _changed(history, max((i for i, edit in enumerate(history) if edit.state == "applied"), default=None), "undone", "undo")


def redone(history: Sequence[Edit]) -> list[Edit]:
    """The history with the edit that was taken back last in force again. BadInput where there is none."""
    return _changed(history, min((i for i, edit in enumerate(history) if edit.state == "undone"), default=None), "applied", "redo")


def _changed(history, index, state, action):
    if index is None:
        raise BadInput(f"there is nothing to {action}")
    return [_in_state(edit, state) if i == index else edit for i, edit in enumerate(history)]


def _in_state(edit: Edit, state: str) -> Edit:
    return edit.model_copy(update={"state": state})


def segment_name(segment: int) -> str:
    """Short SCCT name, "unnamed" for 0."""
    return SEGMENTS[segment][0] if segment in SEGMENTS else "unnamed"


def contour_area_mm2(points_mm: Sequence[Point]) -> float:
    """Area inside a closed plane polygon (N, 3): half the length of the sum of the cross products of neighbouring corners."""
    points = np.asarray(points_mm, float)
    points = points - points.mean(axis=0)
    return float(np.linalg.norm(np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)) / 2)


def _position(point_mm: Point) -> str:
    return "({:.1f}, {:.1f}, {:.1f}) mm".format(*point_mm)


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.0f} %"
