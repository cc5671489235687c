"""What the reading tools hold: measurements, what is being drawn, and the two places of an FFR drop. Plain values, kept with the view of the case."""

from __future__ import annotations

from dataclasses import dataclass

from ccta.findings import Point

KINDS = ("length", "angle", "polygon", "ellipse")
"""Kinds of measurement; each is also the name of its tool."""
TOOLS = (*KINDS, "drop", "brush")
BRUSHES_MM = (0.3, 0.5, 0.8, 1.2)
"""Radii of the circle that pushes a contour."""


@dataclass(frozen=True)
class Measure:
    """One measurement. points_mm: where it lies in the patient. view: the picture it was drawn in.

    Of a length along the straightened or (curved) the curved vessel: vessel (branch) and angle_deg at which it was drawn, flat_mm: (along, beside) of both
    ends; -1 and () else.
    text: what was measured.
    """

    kind: str
    view: str
    points_mm: tuple[Point, ...]
    text: str
    vessel: int = -1
    angle_deg: float = 0.0
    flat_mm: tuple[tuple[float, float], ...] = ()
    curved: bool = False


@dataclass(frozen=True)
class Pending:
    """What is being drawn in a picture: corners in fractions of it, the last of which follows the pointer where `loose`."""

    kind: str
    view: str
    corners: tuple[tuple[float, float], ...]
    loose: bool = False


@dataclass(frozen=True)
class TreePlace:
    """A place on the tree: branch, and mm along it."""

    branch: int
    distance_mm: float


@dataclass(frozen=True)
class ToolState:
    """brush_mm: radius of the circle that pushes contours. places: none, one or two of an FFR drop."""

    measures: tuple[Measure, ...] = ()
    pending: Pending | None = None
    places: tuple[TreePlace, ...] = ()
    brush_mm: float = BRUSHES_MM[1]
