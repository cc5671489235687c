"""Which end of a lumen surface the blood enters at: found, or as the user says. Millimetres."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyvista as pv

from ccta.errors import BadInput

AUTO = "auto"
NEAR_MM = 5.0
"""A given point belongs to the nearest end within this distance, or within that end's own diameter."""


def wanted_inlet(text: str, scale_to_mm: float) -> int | np.ndarray | None:
    """The wish as a value: "auto" -> None, "2" -> 2, "x,y,z" in the surface's unit -> (3,) mm. BadInput for anything else."""
    text = text.strip()
    if text.lower() == AUTO:
        return None
    if re.fullmatch(r"[1-9]\d{0,3}", text):
        return int(text)
    try:
        point = np.array([float(one) for one in text.split(",")])
    except ValueError:
        point = np.empty(0)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise BadInput(f'the inlet is "auto", the number of an end, or x,y,z in the surface\'s unit; got {text!r}')
    return scale_to_mm * point


def chosen_inlet(wanted: int | np.ndarray | None, ends_mm: np.ndarray, radius_mm: np.ndarray) -> tuple[int, str]:
    """(index of the inlet among the ends, sentence that says which was taken and how to take another). ends_mm: (K, 3). radius_mm: (K,).

    Without a wish the widest end. Ends are numbered from 1 by falling calibre. BadInput where no end is meant, or none is near the point.
    """
    order = np.argsort(-radius_mm, kind="stable")
    listed = [f"{number}: {2 * radius_mm[k]:.1f} mm wide at ({', '.join(f'{x:.1f}' for x in ends_mm[k])})" for number, k in enumerate(order, 1)]
    if wanted is None:
        taken = 0
    elif isinstance(wanted, int):
        taken = wanted - 1
        if taken >= len(order):
            raise BadInput(f"there is no end {wanted} to be the inlet; the ends of this surface are {'; '.join(listed)} mm")
    else:
        distance = np.linalg.norm(ends_mm[order] - wanted, axis=1)
        taken = int(np.argmin(distance))
        if distance[taken] > max(NEAR_MM, 2 * radius_mm[order[taken]]):
            raise BadInput(f"the inlet's point is {distance[taken]:.0f} mm from the nearest end; the ends of this surface are {'; '.join(listed)} mm")
    why = "the widest end" if wanted is None else "as given"
    rest = [one for number, one in enumerate(listed) if number != taken]
    return int(order[taken]), f"Blood enters at end {listed[taken]} mm ({why}). Other ends, for --inlet: {'; '.join(rest)} mm."


def demand_start(wanted: int | np.ndarray | None, centerlines: Sequence[pv.PolyData]) -> list[str]:
    """Given centerlines begin at the inlet: BadInput where the wish is another place, else nothing more to say."""
    if isinstance(wanted, int):
        raise BadInput("given centerlines begin at the inlet, so that the number of an end means nothing; give a point, or leave the centerlines out")
    if wanted is None:
        return []
    starts = np.array([np.asarray(lines.points)[lines.get_cell(0).point_ids[0]] for lines in centerlines])
    apart = float(np.linalg.norm(starts - wanted, axis=1).min())
    if apart > NEAR_MM:
        raise BadInput(f"the centerlines begin {apart:.0f} mm from the given inlet; give lines that begin there, or leave the centerlines out")
    return []
