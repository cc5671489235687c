"""What the reading page shows of a case at one moment, and nothing else. Neither trame nor vtk."""

from __future__ import annotations

from dataclasses import dataclass, field

from cfd.planner import Stent
from viewer.app.tool_state import TOOLS, ToolState
from viewer.app.views.state import ViewState

WINDOWS = {"cta": (300.0, 800.0), "calcium": (400.0, 1500.0), "soft": (40.0, 400.0), "lung": (-600.0, 1500.0), "bone": (500.0, 2000.0)}
"""Window presets: (level, width) in HU. The names are keys of `viewer.app.words`."""

FIELDS_MM = {"whole": 0.0, "120 mm": 120.0, "60 mm": 60.0, "30 mm": 30.0}
"""Field of view of the slices; 0: all of the image."""

COLOURS = ("FFR", "diameter", "stenosis", "burden")
MODES = ("", "point", *TOOLS)
"""What a press into a picture means: a place, where the centerline shall run, or a reading tool."""
HANDLES = 8
"""Control points of a contour, every 45 degrees."""


@dataclass(frozen=True)
class Draft:
    """A contour being drawn: which (lumen, wall), on which branch and plane, and the change of its radius at each of `HANDLES` angles, mm.

    pushed_mm: (A,) what the brush changed at each of the contour's own angles; () where it was not used.
    """

    contour: str
    branch: int
    plane: int
    change_mm: tuple[float, ...] = (0.0,) * HANDLES
    pushed_mm: tuple[float, ...] = ()

    @property
    def changed(self) -> bool:
        return any(self.change_mm) or any(self.pushed_mm)


@dataclass
class ReadingState:
    """position_mm: the cross-hair. branch, distance_mm: the place on the tree that curve, CPR and cross-section show (branch -1: there is no tree).

    hover_mm: where the pointer is along the vessel, which the cross-section follows (-1: nowhere). stents: what is planned. mode: one of `MODES`.
    views: how the views look at the place.
    """

    position_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    branch: int = -1
    distance_mm: float = 0.0
    hover_mm: float = -1.0
    lesion: int = -1
    level_hu: float = WINDOWS["cta"][0]
    width_hu: float = WINDOWS["cta"][1]
    field_mm: float = 0.0
    cpr_angle_deg: float = 0.0
    stents: tuple[Stent, ...] = ()
    mode: str = ""
    draft: Draft | None = None
    tools: ToolState = field(default_factory=ToolState)
    views: ViewState = field(default_factory=ViewState)

    @property
    def cross_mm(self) -> float:
        """Where the cross-section is taken."""
        return self.distance_mm if self.hover_mm < 0 or self.draft else self.hover_mm
