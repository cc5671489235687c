"""Calcium score of a non-contrast CT: Agatston, volume and mass per lesion and artery, CAC-DRS, percentile (CLINICAL rules)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from ccta.disease.calcium_list import totalled
from ccta.disease.calcium_place import place_judge
from ccta.disease.calcium_restarts import restarted_scores
from ccta.disease.calcium_scoring import AGATSTON_HU, THIN_MM, contiguous_slabs, score_lesions, slab_labels, threshold_hu
from ccta.disease.calcium_selection import Judge, Verdict, judged_components, tree_judge
from ccta.errors import Refusal
from ccta.findings import Acquisition, Calcium, CalciumLesion, Patient, RejectedCalcium
from ccta.model import VESSELS, CoronaryTree, Volume
from ccta.settings import CalciumSettings
from ccta.tissues import PlaceMap

KV_INDEPENDENT = re.compile(r"^Sa\d\d|artificial ?120", re.I)  # kernels that render calcium as at 120 kVp
TREE_METHOD = "lesions found and assigned by their distance to the coronary tree of the CCTA"
PLACE_METHOD = "lesions found and assigned without a CCTA, by the places that the heart network names; check each lesion"
REGION_STEP = 1000
REGIONS_METHOD = "exactly the regions that a reader drew"


@dataclass(frozen=True, eq=False)
class ScoredScan:
    """calcium: the finding. labels: its lesions and listed candidates on the grid that was scored, value = their id."""

    calcium: Calcium
    labels: Volume


def score_calcium(
    volume: Volume, acquisition: Acquisition, patient: Patient, settings: CalciumSettings | None, guide: CoronaryTree | PlaceMap, left_out: str = ""
) -> ScoredScan:
    """Select, assign and score. volume: HU, non-contrast, k along head-foot.

    guide: the named tree of a CCTA beside it, or, without one, what the heart network names in this volume. left_out: why a tree is not used (`tree_beside`).
    Raises Refusal for a contrast-enhanced series, slices too thick to score, or when the places hold no heart.
    """
    settings = settings or CalciumSettings()
    check_scorable(volume, acquisition)
    threshold, why = _threshold(acquisition, settings)
    scoring, slabs = prepared(volume)
    judge, how = _judge(scoring, settings, guide, left_out)
    labels, verdicts = judged_components(scoring, threshold, judge)
    listed = np.array([False, *(not verdicts[label].reason or verdicts[label].nearby for label in sorted(verdicts))])
    rule = (threshold, f"Agatston at {why}; {slabs}; {how}", patient, settings)
    scored = _assembled(volume, scoring, np.where(listed[labels], labels, 0), verdicts, rule)
    unlisted = Counter(verdict.reason.split(":")[0] for verdict in verdicts.values() if verdict.reason and not verdict.nearby)
    return replace(scored, calcium=scored.calcium.model_copy(update={"rejected_unlisted": dict(unlisted.most_common())}))


def score_regions(volume: Volume, regions: np.ndarray, acquisition: Acquisition, patient: Patient, settings: CalciumSettings | None = None) -> ScoredScan:
    """Score what a reader drew and nothing else. regions: (volume's shape) 0, or `REGION_STEP` x the artery's number in VESSELS (from 1) + a lesion's number.

    Raises Refusal as `score_calcium` does for the image.
    """
    settings = settings or CalciumSettings()
    check_scorable(volume, acquisition)
    threshold, why = _threshold(acquisition, settings)
    scoring, slabs = prepared(volume)
    labels = regions if scoring is volume else slab_labels(volume, regions)
    verdicts = {int(number): Verdict(VESSELS[int(number) // REGION_STEP - 1], 1.0) for number in np.unique(labels) if number}
    method = f"Agatston at {why}; {slabs}; {REGIONS_METHOD}"
    return _assembled(volume, scoring, labels, verdicts, (threshold, method, patient, settings), source="reader")


def _judge(scoring: Volume, settings: CalciumSettings, guide: CoronaryTree | PlaceMap, left_out: str) -> tuple[Judge, str]:
    if isinstance(guide, CoronaryTree):
        return tree_judge(guide, settings.reach_mm), TREE_METHOD
    said = f"; the coronary tree of the CCTA was left out: {left_out}" if left_out else ""
    try:
        return place_judge(scoring, guide), PLACE_METHOD + said
    except Refusal as refusal:
        raise Refusal(f"{refusal}{said}") from refusal


def _assembled(volume: Volume, scoring: Volume, labels: np.ndarray, verdicts: dict[int, Verdict], rule: tuple, source: str = "automatic") -> ScoredScan:
    """Scores of every listed label as findings, numbered from 1: lesions first, largest first, then the rejected ones."""
    threshold, method, patient, settings = rule
    scores = score_lesions(scoring, labels, threshold, settings.mass_mg_per_hu_mm3)
    scores.sort(key=lambda s: (bool(verdicts[s.label].reason), -s.agatston))
    renumbered = np.zeros(int(labels.max()) + 1, np.int16)
    renumbered[[s.label for s in scores]] = np.arange(1, len(scores) + 1)
    labels = renumbered[labels]
    restarts = restarted_scores(volume, scoring, labels, threshold)
    lesions, rejected = [], []
    for number, score in enumerate(scores, 1):
        verdict = verdicts[score.label]
        values = {name: getattr(score, name) for name in ("agatston", "volume_mm3", "mass_mg", "peak_hu", "center_mm")}
        values |= {"id": number, "vessel": verdict.vessel, "restarts": [round(x, 2) for x in restarts.get(number, [])], "source": source}
        if verdict.reason:
            rejected.append(RejectedCalcium(**values, reason=verdict.reason))
        else:
            lesions.append(CalciumLesion(**values, probability=verdict.probability, note=verdict.note))
    empty = Calcium(
        agatston=0.0, volume_mm3=0.0, mass_mg=0.0, mass_calibration=calibration_of(settings), vessels=dict.fromkeys(VESSELS, 0.0), lesions=lesions,
        rejected=rejected, cac_drs="A0", threshold_hu=threshold, method=method,
    )  # fmt: skip
    return ScoredScan(totalled(empty, patient), Volume(labels, scoring.affine, scoring.frame_of_reference_uid))


def calibration_of(settings: CalciumSettings) -> str:
    """What the mass score rests on: the calibration phantom by its name, a factor given without one, or nothing."""
    given, usual = settings.mass_mg_per_hu_mm3, CalciumSettings().mass_mg_per_hu_mm3
    if settings.mass_calibration == CalciumSettings().mass_calibration and given != usual:
        return f"{given:g} mg/(HU mm³) from the settings, whose calibration phantom is not named"
    return settings.mass_calibration


def check_scorable(volume: Volume, acquisition: Acquisition) -> None:
    """Raises Refusal with the reason why the Agatston score is not defined on this image."""
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
