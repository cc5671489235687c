"""What the reading page shows of a case at one moment, and nothing else. Neither trame nor vtk."""

from __future__ import annotations

from dataclasses import dataclass

from cfd.planner import Stent

WINDOWS = {"CTA": (300.0, 800.0), "calcium": (400.0, 1500.0), "soft tissue": (40.0, 400.0), "lung": (-600.0, 1500.0), "bone": (500.0, 2000.0)}
"""Window presets: (level, width) in HU."""

FIELDS_MM = {"whole image": 0.0, "120 mm": 120.0, "60 mm": 60.0, "30 mm": 30.0}
"""Field of view of the slices; 0: all of the image."""

COLOURS = ("FFR", "diameter", "stenosis")


@dataclass
class ReadingState:
    """position_mm: the cross-hair. branch, distance_mm: the place on the tree that curve, CPR and cross-section show (branch -1: there is no tree).

    stents: what is planned.
    """

    position_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    branch: int = -1
    distance_mm: float = 0.0
    lesion: int = -1
    level_hu: float = WINDOWS["CTA"][0]
    width_hu: float = WINDOWS["CTA"][1]
    field_mm: float = 0.0
    cpr_angle_deg: float = 0.0
    place_text: str = ""
    stents: tuple[Stent, ...] = ()
