"""Small coronary trees with known geometry for the flow tests."""

import numpy as np

from ccta.findings import Stenosis
from ccta.model import Branch, CoronaryTree


def straight(length_mm, radius_mm, start=(0.0, 0.0, 0.0), direction=(0.0, 0.0, 1.0), **known) -> Branch:
    """A straight branch, a point every 0.25 mm; radius_mm: a number or a function of the distance. segment may be given as one number."""
    s = np.linspace(0, length_mm, int(4 * length_mm) + 1)
    radius = radius_mm(s) if callable(radius_mm) else np.full(len(s), float(radius_mm))
    if np.isscalar(known.get("segment")):
        known["segment"] = np.full(len(s), known["segment"])
    return Branch(np.array(start) + s[:, None] * np.array(direction), radius, **known)


def narrowing(radius_mm, degree, center_mm, half_mm=6.0):
    """A cosine-shaped stenosis of `degree` (diameter, 0 to 1) in a straight vessel."""

    def radius(s):
        shape = np.where(np.abs(s - center_mm) < half_mm, 0.5 * (1 + np.cos(np.pi * (s - center_mm) / half_mm)), 0.0)
        return radius_mm * (1 - degree * shape)

    return radius


def left_tree(degree=0.5) -> CoronaryTree:
    """LAD with a left main of 12 mm and a stenosis at 60 mm, LCx, D1, and an RCA."""
    lad = straight(100, narrowing(1.6, degree, 60.0), name="LAD")
    s = lad.distance_mm
    segment = np.where(s < 12, 5, np.where(s < 40, 6, 7))
    lad = Branch(lad.points_mm, lad.radius_mm, segment=segment, name="LAD")
    return CoronaryTree(
        (
            lad,
            straight(60, 1.4, (0, 0, 12), (0, 1, 0), parent=0, parent_distance_mm=12.0, name="LCx", segment=11),
            straight(40, 1.0, (0, 0, 40), (0, 1, 0), parent=0, parent_distance_mm=40.0, name="D1", segment=9),
            straight(120, 1.7, (0, 50, 0), name="RCA", segment=1),
        )
    )


def stenosis(branch=0, position_mm=60.0, half_mm=6.0, **changes) -> Stenosis:
    values = {
        "segment": 7,
        "vessel": "LAD",
        "branch": branch,
        "diameter_pct": 50.0,
        "area_pct": 75.0,
        "mld_mm": 1.6,
        "mla_mm2": 2.0,
        "reference_diameter_mm": 3.2,
        "position_mm": position_mm,
        "entry_mm": position_mm - half_mm,
        "exit_mm": position_mm + half_mm,
        "length_mm": 2 * half_mm,
        "center_mm": (0.0, 0.0, position_mm),
    }
    return Stenosis(**(values | changes))
