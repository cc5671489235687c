"""Calcium score of a non-contrast CT: Agatston, volume and mass per lesion and artery, CAC-DRS, percentile (CLINICAL rules)."""

from __future__ import annotations

import re

import numpy as np

from ccta.disease.calcium_place import blood_hu, map_heart, place_judge
from ccta.disease.calcium_percentiles import percentile
from ccta.disease.calcium_scoring import AGATSTON_HU, THIN_MM, LesionScore, contiguous_slabs, score_lesions, threshold_hu
from ccta.disease.calcium_selection import Verdict, judged_components, tree_judge
from ccta.errors import Refusal
from ccta.findings import Acquisition, Calcium, CalciumLesion, Patient, RejectedCalcium
from ccta.model import VESSELS, CoronaryTree, Volume
from ccta.settings import CalciumSettings

KV_INDEPENDENT = re.compile(r"^Sa\d\d|artificial ?120", re.I)  # kernels that render calcium as at 120 kVp


def score_calcium(
    volume: Volume, acquisition: Acquisition, patient: Patient, settings: CalciumSettings | None = None, tree: CoronaryTree | None = None
) -> Calcium:
    """Select, assign and score. volume: HU, non-contrast, k along head-foot. tree: named, in the same frame of reference, when there is a CCTA.

    Raises Refusal for a contrast-enhanced series, slices too thick to score, or (without a tree) when the heart is not found.
    """
    settings = settings or CalciumSettings()
    _check(volume, acquisition)
    threshold, why = _threshold(acquisition, settings)
    scoring, slabs = prepared(volume)
    if tree is not None and len(tree):
        judge, how = tree_judge(tree, settings.reach_mm), TREE_METHOD
    else:
        known = map_heart(scoring)
        judge, how = place_judge(scoring, known, blood_hu(scoring, known.place)), ATLAS_METHOD
    labels, verdicts = judged_components(scoring, threshold, judge)
    scores = score_lesions(scoring, np.where(_listed(verdicts)[labels], labels, 0), threshold, settings.mass_mg_per_hu_mm3)
    accepted = [s for s in scores if not verdicts[s.label].reason]
    total = sum(s.agatston for s in accepted)
    vessels = {v: sum(s.agatston for s in accepted if verdicts[s.label].vessel == v) for v in VESSELS}
    return Calcium(
        agatston=total,
        volume_mm3=sum(s.volume_mm3 for s in accepted),
        mass_mg=sum(s.mass_mg for s in accepted),
        mass_calibration=settings.mass_calibration,
        vessels=vessels,
        lesions=_lesions(accepted, verdicts),
        rejected=[RejectedCalcium(agatston=s.agatston, center_mm=s.center_mm, reason=verdicts[s.label].reason) for s in scores if verdicts[s.label].reason],
        cac_drs=cac_drs(total, vessels),
        percentile=percentile(total, patient.age_years, patient.sex),
        threshold_hu=threshold,
        method=f"Agatston at {why}; {slabs}; {how}",
    )


TREE_METHOD = "lesions found and assigned by their distance to the coronary tree of the CCTA"
ATLAS_METHOD = (
    "lesions found and assigned without a CCTA, by their place relative to the heart seen between the lungs: proximal LAD, LM and LCx can be "
    "confused, and so can mitral or aortic calcification beside an artery; check each lesion"
)


def _lesions(accepted: list[LesionScore], verdicts: dict[int, Verdict]) -> list[CalciumLesion]:
    """Largest first."""
    ordered = sorted(accepted, key=lambda s: -s.agatston)
    return [
        CalciumLesion(
            vessel=verdicts[s.label].vessel, probability=verdicts[s.label].probability, agatston=s.agatston, volume_mm3=s.volume_mm3,
            mass_mg=s.mass_mg, peak_hu=s.peak_hu, center_mm=s.center_mm,
        )
        for s in ordered
    ]  # fmt: skip


def _listed(verdicts: dict[int, Verdict]) -> np.ndarray:
    """(n + 1,) True for the components that are scored: lesions and rejected ones near the heart."""
    return np.array([False, *(not verdicts[label].reason or verdicts[label].nearby for label in sorted(verdicts))])


def _check(volume: Volume, acquisition: Acquisition) -> None:
    if acquisition.contrast:
        raise Refusal("the series is contrast-enhanced; the Agatston score needs a non-contrast series")
    if volume.spacing_mm[2] > 5.01:
        raise Refusal(f"slices every {volume.spacing_mm[2]:.1f} mm are too far apart for calcium scoring; 3 mm are needed, 5 mm tolerated")
    if volume.spacing_mm[:2].max() > 1.5:
        raise Refusal(f"pixels of {volume.spacing_mm[:2].max():.1f} mm are larger than the smallest lesion that counts (1 mm2)")
    if abs(volume.affine[2, 2]) < 0.9 * volume.spacing_mm[2]:
        raise Refusal("the slices are not axial; the Agatston score is defined on axial slices")


def _threshold(acquisition: Acquisition, settings: CalciumSettings) -> tuple[float, str]:
    if settings.threshold_hu:
        return float(settings.threshold_hu), f"{settings.threshold_hu:g} HU from the settings"
    if KV_INDEPENDENT.search(acquisition.kernel):
        return AGATSTON_HU, f"130 HU (kernel {acquisition.kernel} renders calcium as at 120 kVp)"
    return threshold_hu(float(acquisition.kvp) if isinstance(acquisition.kvp, int | float) else None)


def prepared(volume: Volume) -> tuple[Volume, str]:
    """(the volume that is scored, what was done to it): slices closer than 2.5 mm are averaged to contiguous 3 mm."""
    increment = float(volume.spacing_mm[2])
    if increment < THIN_MM - 1e-3:
        return contiguous_slabs(volume), f"slices every {increment:.2g} mm averaged to contiguous 3 mm"
    return volume, f"slices every {increment:.2g} mm as they are" + ("" if increment < 3.5 else ", thicker than the 3 mm of the definition")


def cac_drs(agatston: float, vessels: dict[str, float]) -> str:
    """CAC-DRS (Hecht et al., J Cardiovasc Comput Tomogr 2018;12:185): A0 = 0, A1 = 1-99, A2 = 100-299, A3 >= 300; N = arteries with calcium."""
    if agatston <= 0:
        return "A0"
    category = int(np.digitize(agatston, [100, 300])) + 1
    return f"A{category}/N{sum(score > 0 for score in vessels.values())}"
