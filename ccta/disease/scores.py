"""Whole-tree scores of coronary CT angiography: segment involvement, segment stenosis, Leiden CTA score."""

from ccta.disease.plaque import plaque_type
from ccta.findings import Findings, Scores
from ccta.model import Unavailable

# Leiden score (van Rosendael 2018, JACC Cardiovasc Imaging, PMC6635103): location x composition x stenosis, 0-42, bands 0-5 / 6-20 / > 20.
# Weights recalled, not read [check]. They agree with the published maximum: 23 (sum of locations) x 1.3 x 1.4 = 41.9.
RIGHT_WEIGHT = {1: 1, 2: 1, 3: 1, 4: 1, 5: 5, 6: 3.5, 7: 2.5, 8: 1, 9: 1, 10: 0.5, 11: 1.5, 12: 1, 13: 0.5, 14: 1, 15: 0, 16: 0.5, 17: 1, 18: 0.5}
LEFT_WEIGHT = {1: 0, 2: 0, 3: 0, 4: 0, 5: 6, 6: 3.5, 7: 2.5, 8: 1, 9: 1, 10: 0.5, 11: 2.5, 12: 1, 13: 1.5, 14: 1, 15: 1, 16: 0, 17: 1, 18: 0.5}
COMPOSITION_WEIGHT = {"calcified": 1.1, "non-calcified": 1.2, "mixed": 1.3}
OBSTRUCTIVE_WEIGHT = 1.4  # >= 50 % diameter stenosis, else 1


def score(findings: Findings) -> Scores:
    """SIS: segments with plaque. SSS: per segment 0 none, 1 < 50 %, 2 50-69 %, 3 >= 70 % (Min 2007, J Am Coll Cardiol 50:1161). Leiden score."""
    if isinstance(findings.plaque, Unavailable):
        missing = Unavailable(f"plaque is not known by segment: {findings.plaque.reason}")
        return Scores(sis=missing, sss=missing, leiden=missing)
    segments = sorted(set(findings.plaque.segments_with_plaque))
    sis = float(len(segments))
    if isinstance(findings.stenoses, Unavailable):
        missing = Unavailable(f"stenoses are not known: {findings.stenoses.reason}")
        return Scores(sis=sis, sss=missing, leiden=missing)
    worst = {i: max((int(s.diameter_pct + 0.5) for s in findings.stenoses if s.segment == i), default=0) for i in segments}
    sss = sum(3 if pct >= 70 else 2 if pct >= 50 else 1 for pct in worst.values())
    return Scores(sis=sis, sss=float(sss), leiden=_leiden(findings, worst))


def _leiden(findings: Findings, worst_pct: dict[int, int]):
    """Leiden score, or Unavailable where it hangs on a dominance that is not known."""
    dominance = findings.tree.dominance if findings.tree else "unknown"
    right, left = (_leiden_with(weights, findings, worst_pct) for weights in (RIGHT_WEIGHT, LEFT_WEIGHT))
    if dominance not in ("right", "left", "co-dominant") and right != left:
        return Unavailable(f"the dominance is not known: {right:.1f} if right, {left:.1f} if left")
    return left if dominance == "left" else right


def _leiden_with(weights: dict[int, float], findings: Findings, worst_pct: dict[int, int]) -> float:
    total = sum(weights[i] * COMPOSITION_WEIGHT[_composition(findings, i)] * (OBSTRUCTIVE_WEIGHT if pct >= 50 else 1) for i, pct in worst_pct.items())
    return round(float(total), 2)


def _composition(findings: Findings, segment: int) -> str:
    """Of the segment's worst lesion; without one, by the segment's calcified share."""
    lesions = [s for s in findings.stenoses if s.segment == segment and s.plaque_type in COMPOSITION_WEIGHT]
    if lesions:
        return max(lesions, key=lambda s: s.diameter_pct).plaque_type
    volumes = findings.plaque.segments.get(segment)
    return plaque_type(volumes.calcified_mm3, volumes.total_mm3) if volumes else "mixed"
