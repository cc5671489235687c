"""Score per segment: a still tube is good, the same tube in motion is not; noise, guesses and steps lower the score; FFR is refused where it has to be."""

import numpy as np
import pytest
from scipy import ndimage

from ccta.findings import Acquisition, Quality
from ccta.model import Branch, CoronaryTree, CrossSections, Unavailable, Volume
from ccta.reading.calcium_quality import assess_calcium_quality, soft_tissue_noise_hu
from ccta.reading.segment_quality import SegmentQuality, edge_widths_mm, segment_qualities, with_segments

RADIUS_MM, LENGTH_MM = 1.6, 30.0
QUALITY = Quality(
    noise_hu=20.0, snr=20.0, cnr=25.0, aorta_hu=420.0, fat_hu=-95.0, verdict={"calcium": "good", "anatomy": "good", "plaque": "good", "ffr": "good"}
)


def moving_tube(travel_mm=0.0, blur_mm=0.35, noise_hu=20.0, spacing_mm=(0.4, 0.4, 0.5), seed=0) -> Volume:
    """A straight tube of `RADIUS_MM` along z in fat, 420 HU, that travels along x during the exposure (uniformly), blurred (sd), noisy."""
    shape = (60, 60, 64)
    affine = np.diag([*spacing_mm, 1.0])
    fine = 0.1
    x, y = np.meshgrid(np.arange(-12, 12, fine), np.arange(-12, 12, fine), indexing="ij")
    still = np.clip((RADIUS_MM - np.hypot(x, y)) / fine + 0.5, 0, 1)
    smeared = np.mean([ndimage.shift(still, (s / fine, 0), order=1) for s in np.linspace(-travel_mm / 2, travel_mm / 2, 21)], axis=0) if travel_mm else still
    plane = ndimage.gaussian_filter(-95 + 515 * smeared, blur_mm / fine)
    at = [(np.arange(n) - n / 2) * s for n, s in zip(shape[:2], spacing_mm[:2], strict=True)]
    index = np.meshgrid(*[(a + 12) / fine for a in at], indexing="ij")
    hu = np.repeat(ndimage.map_coordinates(plane, index, order=1)[:, :, None], shape[2], axis=2)
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 0.5)
    return Volume((hu + noise_hu * noise / noise.std()).astype(np.int16), affine)


def tube_tree(volume: Volume, segment=2) -> tuple[CoronaryTree, list[CrossSections]]:
    """The tube's true centerline and contours."""
    distance = np.arange(0, LENGTH_MM, 0.5)
    middle = np.array([volume.array.shape[0] / 2, volume.array.shape[1] / 2]) * volume.spacing_mm[:2]
    points = np.column_stack([np.tile(middle, (len(distance), 1)), distance + 1.0])
    count = len(distance)
    frame = [np.tile(axis, (count, 1)).astype(float) for axis in ([0, 0, 1], [1, 0, 0], [0, 1, 0])]
    circle = np.full((count, 48), RADIUS_MM)
    tree = CoronaryTree((Branch(points, np.full(count, RADIUS_MM), segment=np.full(count, segment), name="RCA"),))
    return tree, [CrossSections(0, distance, points, *frame, circle, circle + 0.4, np.full(count, 0.05), np.ones(count, bool))]


def score(volume, quality=QUALITY, **change) -> SegmentQuality:
    tree, sections = tube_tree(volume)
    for name, value in change.items():
        getattr(sections[0], name)[:] = value
    return segment_qualities(volume, tree, sections, quality)[2]


@pytest.mark.parametrize("noise", [10.0, 25.0, 45.0])
def test_edges_of_a_still_tube_have_the_width_of_the_blur(noise):
    volume = moving_tube(noise_hu=noise)
    widths = edge_widths_mm(volume, tube_tree(volume)[1][0])
    assert np.nanmedian(widths) == pytest.approx(2.51 * np.hypot(0.35, 0.25), abs=0.35)  # sqrt(2 pi) times the blur with voxel and smoothing


def test_edges_widen_with_motion():
    widths = []
    for travel in (0.0, 1.0, 2.0, 3.0):
        volume = moving_tube(travel)
        widths.append(float(np.nanmedian(edge_widths_mm(volume, tube_tree(volume)[1][0]))))
    assert np.all(np.diff(widths) > 0.15), widths
    assert widths[3] > 2.0 and widths[0] < 1.35


def test_scores_fall_with_motion():
    scores = [score(moving_tube(travel)).score for travel in (0.0, 1.5, 3.2)]
    assert scores[0] >= 4 and scores[0] > scores[1] > scores[2] and scores[2] <= 2
    assert "motion or blur: its edges are" in score(moving_tube(3.2)).because


@pytest.mark.parametrize("spacing", [(0.3, 0.3, 0.4), (0.5, 0.5, 0.6)])
def test_still_tubes_are_good_on_other_grids(spacing):
    assert score(moving_tube(spacing_mm=spacing)).score >= 4


@pytest.mark.parametrize("noise, expected", [(20.0, 5), (60.0, 3), (140.0, 1)])
def test_noise_lowers_the_score(noise, expected):
    found = score(moving_tube(noise_hu=20.0), QUALITY.model_copy(update={"noise_hu": noise}))
    assert found.score == expected and ("contrast-to-noise" in found.because) == (expected < 5)


def test_guessed_contours_and_steps_lower_the_score():
    volume = moving_tube()
    assert score(volume, reliable=np.arange(60) % 3 == 0).score == 2
    assert score(volume, QUALITY.model_copy(update={"steps_mm": [15.0]})).score == 3
    assert score(volume, QUALITY.model_copy(update={"steps_mm": [150.0]})).score == 5


def test_small_segments_are_not_graded():
    volume = moving_tube()
    tree, sections = tube_tree(volume)
    sections[0].lumen_radius_mm[:] = 0.6
    assert segment_qualities(volume, tree, sections, QUALITY) == {}


def test_a_main_segment_without_diagnostic_quality_refuses_ffr():
    found = {2: SegmentQuality(1, "motion or blur: its edges are 2.8 mm wide", 2.8), 9: SegmentQuality(2, "contrast-to-noise ratio 6.0", 1.1)}
    told = with_segments(QUALITY, found)
    assert told.segments == {"2": 1, "9": 2} and told.edge_mm == 2.8
    assert told.verdict["ffr"].startswith("not possible: mRCA (motion or blur: its edges are 2.8 mm wide) is non-diagnostic")
    assert (
        told.verdict["anatomy"]
        == "limited: mRCA (motion or blur: its edges are 2.8 mm wide) is non-diagnostic; limited: D1 (contrast-to-noise ratio 6.0) is poor"
    )
    assert told.verdict["calcium"] == "good"
    assert with_segments(told, found) == told  # a second run says nothing twice
    assert with_segments(told, {2: SegmentQuality(5, "", 0.9)}).verdict == QUALITY.verdict


def test_many_segments_are_counted_not_all_named():
    told = with_segments(QUALITY, {s: SegmentQuality(2, "noise", 1.0) for s in (1, 2, 3, 6, 7)})
    assert told.verdict["plaque"] == "limited: pRCA (noise), mRCA (noise), dRCA (noise) and 2 more are poor"


def test_a_side_branch_does_not_refuse_ffr():
    told = with_segments(QUALITY, {9: SegmentQuality(1, "motion", 2.8)})
    assert told.verdict["ffr"].startswith("limited: D1")


def test_without_free_edges_motion_is_unavailable():
    assert isinstance(with_segments(QUALITY, {2: SegmentQuality(4, "", None)}).edge_mm, Unavailable)


def soft_block(noise_hu, increment=3.0, depth=44) -> Volume:
    """A body of water and air with correlated noise, no contrast medium."""
    shape = (160, 140, depth)
    i, j = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    hu = np.where(np.hypot(i, j) < 0.9, 45.0, -1000.0)[:, :, None]
    hu = np.where((np.hypot(i - 0.5, j) < 0.25)[:, :, None], -850.0, hu)
    noise = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=shape), (0.7, 0.7, 0))
    return Volume((hu + noise_hu * noise / noise.std()).astype(np.int16), np.diag([0.7, 0.7, increment, 1.0]))


@pytest.mark.parametrize("noise", [12.0, 22.0, 50.0])
def test_noise_without_labels(noise):
    assert soft_tissue_noise_hu(soft_block(noise)) == pytest.approx(noise, rel=0.12)


GATED = Acquisition(contrast=False, gated=True, kvp=120.0, kernel="Qr36")


@pytest.mark.parametrize("noise, increment, change, words", [
    (15, 3.0, {}, "good"), (32, 3.0, {}, "limited: noise of "), (60, 3.0, {}, "not possible: noise of"), (32, 1.0, {"depth": 120}, "good"),
    (15, 5.0, {"depth": 30}, "limited: slices every 5 mm"), (15, 8.0, {"depth": 20}, "not possible: slices every 8 mm"),
    (15, 3.0, {"depth": 20}, "57 mm of height"),
    (15, 3.0, {"gated": False}, "limited: not gated"), (15, 3.0, {"kvp": 100.0}, "limited: 100 kVp"), (15, 3.0, {"kernel": "Bv64"}, "sharp kernel Bv64"),
    (15, 3.0, {"contrast": True}, "not from this series"),
])  # fmt: skip
def test_calcium_verdict_in_words(noise, increment, change, words):
    volume = soft_block(noise, increment, change.pop("depth", 44))
    told = assess_calcium_quality(volume, GATED.model_copy(update=change))
    assert told.verdict == "good" if words == "good" else words in told.verdict
    assert told.verdict.startswith("not") == words.startswith("not")


def test_noise_that_cannot_be_measured_is_unavailable():
    air = Volume(np.full((60, 60, 44), -1000, np.int16), np.diag([0.7, 0.7, 3.0, 1.0]))
    assert isinstance(assess_calcium_quality(air, GATED).noise_hu, Unavailable)
