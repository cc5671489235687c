"""The lesion list: totals from lesions, and hand corrections of it. No image is needed, so that a correction takes no time."""

from __future__ import annotations

import numpy as np

from ccta.disease.calcium_percentiles import percentile
from ccta.disease.calcium_restarts import interval
from ccta.errors import BadInput
from ccta.findings import Calcium, CalciumEdit, CalciumLesion, Patient, RejectedCalcium
from ccta.model import VESSELS, Unavailable

NOT_CORONARY = "not coronary"
SAME_PLACE_MM = 3.0  # a lesion found again after other settings lies within this of where it was corrected


def totalled(calcium: Calcium, patient: Patient) -> Calcium:
    """The same lists with the scores that follow from them; lesions largest first."""
    lesions = sorted(calcium.lesions, key=lambda lesion: -lesion.agatston)
    total = sum(lesion.agatston for lesion in lesions)
    vessels = {vessel: sum(lesion.agatston for lesion in lesions if lesion.vessel == vessel) for vessel in VESSELS}
    restarts = [lesion.restarts for lesion in lesions]
    spread = Unavailable("the spread over slice starts was not computed for every lesion")
    return calcium.model_copy(
        update={
            "agatston": total, "vessels": vessels, "lesions": lesions, "cac_drs": cac_drs(total, vessels),
            "volume_mm3": sum(lesion.volume_mm3 for lesion in lesions), "mass_mg": sum(lesion.mass_mg for lesion in lesions),
            "percentile": percentile(total, patient.age_years, patient.sex),
            "agatston_interval": interval(restarts, total) if all(restarts) else spread,
        }
    )  # fmt: skip


def cac_drs(agatston: float, vessels: dict[str, float]) -> str:
    """CAC-DRS (Hecht et al., J Cardiovasc Comput Tomogr 2018;12:185): A0 = 0, A1 = 1-99, A2 = 100-299, A3 >= 300; N = arteries with calcium."""
    if agatston <= 0:
        return "A0"
    category = int(np.digitize(agatston, [100, 300])) + 1
    return f"A{category}/N{sum(score > 0 for score in vessels.values())}"


def candidate(calcium: Calcium, lesion_id: int) -> CalciumLesion | RejectedCalcium:
    """The lesion or rejected candidate of this number; BadInput names those there are."""
    listed = {entry.id: entry for entry in (*calcium.lesions, *calcium.rejected)}
    if lesion_id not in listed:
        raise BadInput(f"there is no calcium lesion {lesion_id}; the list has {', '.join(map(str, sorted(listed))) or 'none'}")
    return listed[lesion_id]


def standing(entry: CalciumLesion | RejectedCalcium) -> str:
    """What an entry counts as: its artery, or why it does not count."""
    return entry.vessel if isinstance(entry, CalciumLesion) else f"{NOT_CORONARY} ({entry.reason})"


def edit_of(calcium: Calcium, lesion_id: int, after: str, by: str, at: str) -> CalciumEdit:
    """The record of a correction. after: an artery or `NOT_CORONARY`. Raises BadInput without a name, or where nothing would change."""
    entry = candidate(calcium, lesion_id)
    if not by.strip():
        raise BadInput("a correction needs the name of who makes it; give it with --by NAME")
    if after == entry.vessel and isinstance(entry, CalciumLesion):
        raise BadInput(f"calcium lesion {lesion_id} already counts as {after}; nothing was changed")
    if after == NOT_CORONARY and isinstance(entry, RejectedCalcium):
        raise BadInput(f"calcium lesion {lesion_id} is already rejected ({entry.reason}); nothing was changed")
    return CalciumEdit(lesion=lesion_id, center_mm=entry.center_mm, by=by.strip(), at=at, before=standing(entry), after=after)


def corrected(calcium: Calcium, edit: CalciumEdit, patient: Patient) -> Calcium:
    """The list with one entry moved or reassigned, scored again, and the correction noted."""
    entry = candidate(calcium, edit.lesion)
    shared = {name: getattr(entry, name) for name in ("id", "agatston", "volume_mm3", "mass_mg", "peak_hu", "center_mm", "restarts")}
    lesions = [lesion for lesion in calcium.lesions if lesion.id != edit.lesion]
    rejected = [spot for spot in calcium.rejected if spot.id != edit.lesion]
    if edit.after == NOT_CORONARY:
        rejected = [*rejected, RejectedCalcium(**shared, vessel=entry.vessel, reason=f"rejected by hand: {edit.by}", source="corrected")]
    else:
        lesions = [*lesions, CalciumLesion(**shared, vessel=edit.after, probability=1.0, source="corrected")]
    changed = calcium.model_copy(update={"lesions": lesions, "rejected": rejected, "corrections": [*calcium.corrections, edit]})
    return totalled(changed, patient)


def with_corrections(calcium: Calcium, edits: list[CalciumEdit], patient: Patient) -> tuple[Calcium, list[CalciumEdit]]:
    """(a freshly scored list with earlier corrections applied where their lesions are found again, the corrections that found none)."""
    lost = []
    for edit in edits:
        entries = [*calcium.lesions, *calcium.rejected]
        apart_mm = [float(np.linalg.norm(np.subtract(entry.center_mm, edit.center_mm))) for entry in entries]
        if not apart_mm or min(apart_mm) > SAME_PLACE_MM:
            lost.append(edit)
            continue
        entry = entries[int(np.argmin(apart_mm))]
        calcium = corrected(calcium, edit.model_copy(update={"lesion": entry.id}), patient)
    return calcium, lost
