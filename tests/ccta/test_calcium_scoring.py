"""score_lesions against an independent reference scorer and hand calculations; thresholds, slabs, CAC-DRS, percentiles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ccta.coordinates import to_patient_mm
from ccta.disease.calcium_list import cac_drs
from ccta.disease.calcium_percentiles import percentile
from ccta.disease.calcium_scoring import agatston_weight, contiguous_slabs, score_lesions, threshold_hu
from ccta.model import Unavailable, Volume
from tests.ccta.reference_scorer import reference_agatston


def volume_of(hu, spacing=(0.5, 0.5, 3.0)):
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-40, 20, -150)
    return Volume(np.asarray(hu), affine)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), spacing=st.tuples(st.floats(0.3, 1.0), st.floats(0.3, 1.0), st.floats(2.5, 3.5)), kvp=st.sampled_from([80, 100, 120]))
def test_agrees_with_the_reference_scorer(seed, spacing, kvp):
    random = np.random.default_rng(seed)
    hu = ndimage.gaussian_filter(random.normal(0, 1, (24, 22, 6)), (1.2, 1.2, 0.5)) * 900 + 60
    labels = np.zeros(hu.shape, np.int32)
    labels[2:11, 3:19], labels[12:22, 2:20] = 1, 2
    threshold, _ = threshold_hu(kvp)
    scores = {s.label: s.agatston for s in score_lesions(volume_of(hu, spacing), labels, threshold)}
    for label in (1, 2):
        assert scores.get(label, 0.0) == pytest.approx(reference_agatston(hu, labels == label, spacing, threshold))


def test_hand_calculation():
    """4 x 4 pixels of 0.25 mm2 at 250 HU with one of 410 HU in slice 1 (4 mm2 x 4), the same without the peak in slice 2 (4 mm2 x 2): 24."""
    hu = np.zeros((20, 20, 4))
    hu[5:9, 5:9, 1:3] = 250
    hu[6, 6, 1] = 410
    (score,) = score_lesions(volume_of(hu), (hu > 0).astype(int))
    assert score.agatston == pytest.approx(24.0)
    assert score.volume_mm3 == pytest.approx(32 * 0.75)
    assert score.mass_mg == pytest.approx(1e-3 * (31 * 250 + 410) * 0.75)
    assert score.peak_hu == 410
    np.testing.assert_allclose(score.center_mm, to_patient_mm([6.5, 6.5, 1.5], volume_of(hu).affine), atol=0.05)


def test_only_what_the_contour_holds_is_scored():
    hu = np.full((20, 20, 3), 500.0)
    labels = np.zeros(hu.shape, int)
    labels[5:9, 5:9, 1] = 3
    (score,) = score_lesions(volume_of(hu), labels)
    assert (score.label, score.agatston) == (3, pytest.approx(16.0))


@pytest.mark.parametrize("pixels, counts", [(3, False), (4, True)])
def test_one_square_millimetre_is_the_least(pixels, counts):
    hu = np.zeros((10, 10, 3))
    hu[2 : 2 + pixels, 5, 1] = 150
    assert bool(score_lesions(volume_of(hu), np.ones(hu.shape, int))) is counts


def test_overlapping_slices_do_not_over_count():
    """The same object at 3 mm and, as 3-mm slices every 1.5 mm, at half the increment: the score is the same."""
    hu = np.zeros((20, 20, 8))
    hu[5:9, 5:9, 2:4] = 250
    doubled = np.repeat(hu, 2, axis=2)
    labels = (hu > 0).astype(int)
    a = score_lesions(volume_of(hu, (0.5, 0.5, 3.0)), labels)[0].agatston
    b = score_lesions(volume_of(doubled, (0.5, 0.5, 1.5)), np.repeat(labels, 2, axis=2))[0].agatston
    assert a == pytest.approx(b)


def test_wrong_shape_of_regions():
    with pytest.raises(ValueError, match="do not fit"):
        score_lesions(volume_of(np.zeros((4, 4, 4))), np.zeros((4, 4, 5), int))


@pytest.mark.parametrize("peak, weight", [(129.9, 0), (130, 1), (199, 1), (200, 2), (299, 2), (300, 3), (399.9, 3), (400, 4), (3000, 4)])
def test_weights(peak, weight):
    assert agatston_weight(peak) == weight


@pytest.mark.parametrize("kvp, value, words", [
    (120, 130, "130 HU"), (100, 147, "adapted to 100 kVp"), (80, 177, "adapted to 80 kVp"), (90, 162, "adapted"), (140, 130, "not adapted"),
    (None, 130, "tube voltage unknown"),
])  # fmt: skip
def test_threshold(kvp, value, words):
    found, why = threshold_hu(kvp)
    assert found == pytest.approx(value) and words in why


@pytest.mark.parametrize("increment", [0.5, 0.75, 1.0, 1.25, 2.0])
def test_slabs_are_contiguous_3_mm_and_keep_their_place(increment):
    """A linear ramp along z stays the same ramp in millimetres (to a part of a slice where slices straddle slabs); the mean is kept."""
    depth = int(36 / increment)
    thin = volume_of(np.zeros((4, 4, depth)), (1, 1, increment))
    z = to_patient_mm(np.stack(np.meshgrid(*map(np.arange, thin.array.shape), indexing="ij"), -1), thin.affine)[..., 2]
    slabs = contiguous_slabs(thin.with_array(z))
    assert slabs.spacing_mm[2] == pytest.approx(3.0) and slabs.array.shape[2] == 12
    z_slab = to_patient_mm(np.stack(np.meshgrid(*map(np.arange, slabs.array.shape), indexing="ij"), -1), slabs.affine)[..., 2]
    straddling = 3.0 % increment > 1e-9
    whole = slice(0, int(depth * increment // 3.0))  # the last slab of 1.25-mm slices is imaged to two thirds
    np.testing.assert_allclose(slabs.array[:, :, whole], z_slab[:, :, whole], atol=increment / 8 if straddling else 1e-3)


def test_averaging_keeps_noise_below_the_threshold():
    noise = np.random.default_rng(0).normal(40, 60, (64, 64, 60))
    thin = volume_of(noise, (0.5, 0.5, 0.5))
    assert score_lesions(thin, np.ones(noise.shape, int))
    assert not score_lesions(contiguous_slabs(thin), np.ones((64, 64, 10), int))


@pytest.mark.parametrize("score, vessels, text", [
    (0, {}, "A0"), (0.6, {"LAD": 0.6}, "A1/N1"), (99, {"LAD": 60, "RCA": 39}, "A1/N2"), (100, {"LM": 100}, "A2/N1"),
    (299, {"LAD": 299, "RCA": 0}, "A2/N1"), (300, {"LM": 1, "LAD": 1, "LCx": 1, "RCA": 297}, "A3/N4"), (4000, {"RCA": 4000}, "A3/N1"),
])  # fmt: skip
def test_cac_drs(score, vessels, text):
    assert cac_drs(score, vessels) == text


@pytest.mark.parametrize("sex, age, score, value", [
    ("M", 62, 113, 50), ("M", 62, 410, 75), ("M", 62, 994, 90), ("M", 62, 261.5, 62.5), ("M", 62, 13, 25), ("F", 67, 24, 50), ("F", 47, 1, 62.5),
    ("M", 39.9, 3, 75), ("M", 40, 9, 75), ("M", 74, 310, 50), ("M", 75, 473, 50), ("F", 80, 709, 90),
])  # fmt: skip
def test_percentile(sex, age, score, value):
    found = percentile(score, age, sex)
    assert found.value == pytest.approx(value) and found.table.startswith("Hoff 2001")


@pytest.mark.parametrize("sex, age, score, words", [
    ("M", 62, 995, "above the 90th percentile"), ("F", 50, 0, "at or below the 50th percentile"), ("M", 72, 3, "at or below the 25th percentile"),
])  # fmt: skip
def test_percentile_outside_the_table_is_said_in_words(sex, age, score, words):
    assert words in percentile(score, age, sex).value.reason


@pytest.mark.parametrize("sex, age", [("", 60), ("O", 60), ("M", Unavailable("no age")), ("M", 25), ("F", 95)])
def test_no_percentile(sex, age):
    assert isinstance(percentile(50, age, sex), Unavailable)
