"""SIS, SSS and Leiden score by hand calculation."""

import pytest

from ccta.disease.scores import LEFT_WEIGHT, RIGHT_WEIGHT, score
from ccta.findings import Findings, Plaque, PlaqueVolumes, Tree
from ccta.model import SEGMENTS, Unavailable
from tests.ccta.example_findings import stenosis


def plaque_in(**calcified_share):
    volumes = {
        int(k[1:]): PlaqueVolumes(total_mm3=10, calcified_mm3=10 * v, noncalcified_mm3=10 - 10 * v, low_attenuation_mm3=0, pav_pct=5)
        for k, v in calcified_share.items()
    }
    return Plaque(total_mm3=40, calcified_mm3=1, noncalcified_mm3=1, low_attenuation_mm3=0, pav_pct=4, segments=volumes, segments_with_plaque=list(volumes))


@pytest.mark.parametrize("pct, points", [(0, 1), (49, 1), (49.5, 2), (50, 2), (69, 2), (70, 3), (100, 3)])
def test_sis_counts_segments_and_sss_grades_them(pct, points):
    scores = score(Findings(stenoses=[stenosis(7, pct)], plaque=plaque_in(s7=0.5, s1=0.0), tree=Tree(dominance="right")))
    assert (scores.sis, scores.sss) == (2, points + 1)


@pytest.mark.parametrize("dominance, expected", [("right", 5 * 1.1 + 3.5 * 1.2 * 1.4 + 1 * 1.3), ("left", 6 * 1.1 + 3.5 * 1.2 * 1.4)])
def test_leiden_by_hand(dominance, expected):
    """Calcified LM, non-calcified 60 % pLAD, mixed pRCA (which weighs nothing in left dominance)."""
    stenoses = [stenosis(6, 60, plaque_type="non-calcified")]
    findings = Findings(stenoses=stenoses, plaque=plaque_in(s5=0.9, s6=0.5, s1=0.3), tree=Tree(dominance=dominance))
    assert score(findings).leiden == pytest.approx(expected)


def test_leiden_needs_the_dominance_only_where_it_matters():
    stenoses = [stenosis(7, 40)]
    assert score(Findings(stenoses=stenoses, plaque=plaque_in(s7=0.0))).leiden == pytest.approx(2.5 * 1.2)
    left_out = score(Findings(stenoses=stenoses, plaque=plaque_in(s7=0.0, s1=0.0))).leiden
    assert isinstance(left_out, Unavailable) and "4.2 if right, 3.0 if left" in left_out.reason


@pytest.mark.parametrize("weights", [RIGHT_WEIGHT, LEFT_WEIGHT])
def test_leiden_weights_reach_the_published_maximum_of_42(weights):
    assert set(weights) == set(SEGMENTS)
    assert sum(weights[i] for i in SEGMENTS if i != 18 or weights is LEFT_WEIGHT) * 1.3 * 1.4 == pytest.approx(42, abs=0.2)


def test_what_is_missing_is_said():
    scores = score(Findings(plaque=Unavailable("no contrast")))
    assert all("no contrast" in value.reason for value in (scores.sis, scores.sss, scores.leiden))
    scores = score(Findings(plaque=plaque_in(s7=0.0), stenoses=Unavailable("motion")))
    assert scores.sis == 1 and "motion" in scores.sss.reason
