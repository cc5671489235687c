"""Hand edits of the list of stenoses: deleted, added, regraded; put onto what the contours gave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ccta.disease.stenosis import described, reference_profile
from ccta.edits import SAME_PLACE_MM, LesionEdit
from ccta.findings import Stenosis
from ccta.model import CoronaryTree, CrossSections, Unavailable


def with_lesion_edits(
    stenoses: Sequence[Stenosis], tree: CoronaryTree, sections: Sequence[CrossSections], edits: Sequence[LesionEdit]
) -> tuple[list[Stenosis], list[LesionEdit]]:
    """(the list as edited, by branch and place as it was; the edits whose lesion or vessel is no longer there)."""
    listed, lost = list(stenoses), []
    for edit in edits:
        if edit.action == "added":
            made = _added(tree, sections, edit)
            listed, lost = (listed, [*lost, edit]) if made is None else ([*listed, made], lost)
            continue
        index = nearest_lesion(listed, edit.center_mm)
        if index is None:
            lost.append(edit)
        elif edit.action == "deleted":
            listed.pop(index)
        else:
            listed[index] = regraded(listed[index], edit.after_pct)
    return sorted(listed, key=lambda s: (s.branch, s.position_mm)), lost


def nearest_lesion(stenoses: Sequence[Stenosis], position_mm) -> int | None:
    """The lesion whose stretch holds a position or ends nearest to it, of several the one with the nearest minimal lumen.

    None where none is within `SAME_PLACE_MM` beyond its borders.
    """
    apart = [float(np.linalg.norm(np.subtract(s.center_mm, position_mm))) for s in stenoses]
    reach = [(max(away - s.length_mm / 2, 0.0), away) for away, s in zip(apart, stenoses, strict=True)]
    return reach.index(min(reach)) if reach and min(reach)[0] <= SAME_PLACE_MM else None


def regraded(stenosis: Stenosis, diameter_pct: float) -> Stenosis:
    """Another degree by eye: minimal lumen and area follow from the reference as of a circle; an interval is no longer known."""
    open_share = 1 - diameter_pct / 100
    mld_mm = open_share * stenosis.reference_diameter_mm
    changed = {"diameter_pct": diameter_pct, "area_pct": 100 * (1 - open_share**2), "mld_mm": mld_mm, "mla_mm2": float(np.pi / 4 * mld_mm**2)}
    return stenosis.model_copy(update={**changed, "diameter_pct_interval": Unavailable("graded by hand")})


def _added(tree: CoronaryTree, sections: Sequence[CrossSections], edit: LesionEdit) -> Stenosis | None:
    """A stretch of a vessel measured as a lesion; None where no traced vessel is near, or none with a name."""
    apart = [np.linalg.norm(s.center_mm - np.asarray(edit.center_mm), axis=1).min() if len(s) > 2 else np.inf for s in sections]
    if not apart or min(apart) > SAME_PLACE_MM:
        return None
    own = sections[int(np.argmin(apart))]
    middle_mm = own.distance_mm[int(np.linalg.norm(own.center_mm - np.asarray(edit.center_mm), axis=1).argmin())]
    planes = np.flatnonzero(np.abs(own.distance_mm - middle_mm) <= edit.length_mm / 2 + 1e-9)
    made = described(tree, own, reference_profile(tree, list(sections), own.branch), int(planes[0]), int(planes[-1]))
    return made and _never_negative(made)


def _never_negative(stenosis: Stenosis) -> Stenosis:
    """A stretch wider than the reference has no stenosis: 0 %."""
    return stenosis if stenosis.diameter_pct >= 0 else regraded(stenosis, 0.0)
