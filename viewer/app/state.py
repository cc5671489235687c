"""What the reading page shows of a case at one moment, and nothing else. Neither trame nor vtk."""

from __future__ import annotations

from dataclasses import dataclass, field

from cfd.planner import Stent
from viewer.app.views.state import ViewState

WINDOWS = {"cta": (300.0, 800.0), "calcium": (400.0, 1500.0), "soft": (40.0, 400.0), "lung": (-600.0, 1500.0), "bone": (500.0, 2000.0)}
"""Window presets: (level, width) in HU. The names are keys of `viewer.app.words`."""

FIELDS_MM = {"whole": 0.0, "120 mm": 120.0, "60 mm": 60.0, "30 mm": 30.0}
"""Field of view of the slices; 0: all of the image."""

COLOURS = ("FFR", "diameter", "stenosis")
MODES = ("", "ruler", "point")
"""What a press into a slice means: a place, a length, or where the centerline shall run."""
HANDLES = 8
"""Control points of a contour, every 45 degrees."""


@dataclass(frozen=True)
class Draft:
    """A contour being drawn: which (lumen, wall), on which branch and plane, and the change of its radius at each of `HANDLES` angles, mm."""

    contour: str
    branch: int
    plane: int
    change_mm: tuple[float, ...] = (0.0,) * HANDLES


@dataclass(frozen=True)
class Ruler:
    """A length in one slice: both ends in patient mm, and in fractions of the picture for drawing."""

    view: str
    start: tuple[float, float]
    end: tuple[float, float]
    length_mm: float


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
    ruler: Ruler | None = None
    views: ViewState = field(default_factory=ViewState)

    @property
    def cross_mm(self) -> float:
        """Where the cross-section is taken."""
        return self.distance_mm if self.hover_mm < 0 or self.draft else self.hover_mm
