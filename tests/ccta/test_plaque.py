"""Plaque volumes against analytic tubes and tori."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccta.curves import rotation_minimising_frames
from ccta.disease.high_risk import high_risk_features, remodelling_index
from ccta.disease.plaque import branch_plaque, measure_plaque, plaque_stage, plaque_type
from ccta.disease.plaque_extent import _bridged
from ccta.errors import BadSettings, Refusal
from ccta.model import Branch, CoronaryTree, CrossSections, Volume, arc_length_mm
from ccta.settings import MeasureSettings
from tests.ccta.example_findings import stenosis

SETTINGS = MeasureSettings()
ANGLES = 48


def sections_of(points, lumen_mm, wall_mm, branch=0):
    """Contours along a curve; radii are scalars, (M,) or (M, A)."""
    normal, u, v = rotation_minimising_frames(points)
    count = len(points)
    lumen, wall = (np.broadcast_to(np.asarray(r, float).reshape(-1, 1) if np.ndim(r) == 1 else r, (count, ANGLES)).copy() for r in (lumen_mm, wall_mm))
    return CrossSections(branch, arc_length_mm(points), points, normal, u, v, lumen, wall, np.full(count, 0.1), np.ones(count, bool))


def straight(length_mm=30.0, step_mm=0.5, at=(0.0, 0.0)):
    z = np.arange(0, length_mm + 1e-9, step_mm)
    return np.stack([np.full_like(z, at[0]), np.full_like(z, at[1]), z], axis=1)


def tree_of(*curves, segments=(7,), parents=(None,)):
    branches = [Branch(c, np.full(len(c), 1.5), p, 0.0, np.full(len(c), s)) for c, s, p in zip(curves, segments, parents, strict=True)]
    return CoronaryTree(tuple(branches), "right")


def block(hu=60.0, size_mm=40.0, spacing_mm=0.5, function=None):
    """A cube centred on the z axis at z = size / 2 with constant HU, or function(x, y, z)."""
    n = int(size_mm / spacing_mm) + 1
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:2, 3] = -size_mm / 2
    affine[2, 3] = -size_mm / 8
    array = np.full((n, n, n), hu, np.float32)
    if function is not None:
        x, y, z = np.meshgrid(*(affine[a, 3] + spacing_mm * np.arange(n) for a in range(3)), indexing="ij")
        array = function(x, y, z).astype(np.float32)
    return Volume(array, affine)


def in_fat(volume, sections):
    """The volume with -90 HU outside the straight, round vessels of `sections`."""
    x, y, z = (volume.affine[a, 3] + volume.affine[a, a] * np.arange(volume.array.shape[a]) for a in range(3))
    inside = np.zeros(volume.array.shape, bool)
    for own in sections:
        across = np.hypot(x[:, None] - own.center_mm[0, 0], y[None] - own.center_mm[0, 1])
        inside |= across[..., None] < np.interp(z, own.center_mm[:, 2], own.wall_radius_mm.max(axis=1)) + 0.25
    return volume.with_array(np.where(inside, volume.array, np.float32(-90)))


def measure(volume, sections, tree=None, stenoses=(), options=SETTINGS):
    volume = in_fat(volume, sections) if np.ptp(sections[0].center_mm[:, 0]) == 0 else volume
    return measure_plaque(volume, tree or tree_of(sections[0].center_mm), sections, list(stenoses), options)


def test_annulus_volume_pav_and_class():
    plaque, _ = measure(block(60.0), [sections_of(straight(), 1.5, 2.5)])
    truth = np.pi * (2.5**2 - 1.5**2) * 30
    assert plaque.total_mm3 == pytest.approx(truth, rel=0.01)
    assert plaque.noncalcified_mm3 == pytest.approx(truth, rel=0.01) and plaque.calcified_mm3 == plaque.low_attenuation_mm3 == 0
    assert plaque.pav_pct == pytest.approx(100 * (1 - 1.5**2 / 2.5**2), abs=0.5)
    assert plaque.segments_with_plaque == [7] and plaque.vessels["LAD"].total_mm3 == plaque.total_mm3
    assert plaque.stage == "3 (severe) by PAV; 2 (moderate) by volume"


@pytest.mark.parametrize("radius_mm", [6.0, 12.0, 40.0])
def test_volume_on_a_bend_is_that_of_the_torus(radius_mm):
    """An eccentric plaque on the outside of the bend: Pappus, by brute-force integration of r (R + r cos t)."""
    arc = np.linspace(0, np.pi / 2, 60)
    curve = np.stack([radius_mm * (1 - np.cos(arc)), 0 * arc, radius_mm * np.sin(arc)], axis=1)
    own = sections_of(curve, 1.5, 1.5)
    outward = -(own.axis_u[0] * 1.0) @ [1, 0, 0], -(own.axis_v[0]) @ [1, 0, 0]
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    cosine = np.cos(angle) * outward[0] + np.sin(angle) * outward[1]
    own = replace(own, wall_radius_mm=np.broadcast_to(1.5 + 1.2 * np.maximum(cosine, 0), own.wall_radius_mm.shape).copy())
    options = replace(SETTINGS, plaque_normal_wall_mm=0.01, plaque_min_area_mm2=0.1)
    fine = 2 * np.pi * (np.arange(4000) + 0.5) / 4000
    outer = 1.5 + 1.2 * np.maximum(np.cos(fine), 0)
    ring = radius_mm * (outer**2 - 1.5**2) / 2 + np.cos(fine) * (outer**3 - 1.5**3) / 3
    truth = ring.mean() * 2 * np.pi * (np.pi / 2)
    plaque, _ = measure(block(-20.0, size_mm=100, spacing_mm=2.0), [own], options=options)
    assert plaque.total_mm3 == pytest.approx(truth, rel=0.015)


@settings(max_examples=20, deadline=None)
@given(lumen=st.floats(0.8, 2.2), wall=st.floats(0.0, 0.45), noise=st.floats(0.0, 0.03), seed=st.integers(0, 99))
def test_healthy_vessels_have_no_plaque(lumen, wall, noise, seed):
    rng = np.random.default_rng(seed)
    own = sections_of(straight(), lumen, lumen + wall + noise * rng.standard_normal((61, ANGLES)))
    plaque, _ = measure(block(60.0), [own])
    assert plaque.total_mm3 == 0 and plaque.segments_with_plaque == [] and plaque.stage == "0 (none)"


def test_classes_add_up_and_follow_the_hu():
    """Quadrants of 80, -20, 80 and 600 HU: a quarter of the plaque is low, a quarter calcified (mixing at the seams is symmetric for the first)."""

    def quadrants(x, y, z):
        return np.select([(x > 0) & (y > 0), (x <= 0) & (y > 0), (x <= 0) & (y <= 0)], [80.0, -20.0, 80.0], 600.0)

    plaque, _ = measure(block(function=quadrants, spacing_mm=0.25), [sections_of(straight(), 1.5, 3.0)])
    assert plaque.total_mm3 == pytest.approx(plaque.calcified_mm3 + plaque.noncalcified_mm3, abs=0.01)
    assert plaque.calcified_mm3 / plaque.total_mm3 == pytest.approx(0.25, abs=0.03)
    assert plaque.low_attenuation_mm3 / plaque.total_mm3 == pytest.approx(0.25, abs=0.03)


def test_borders_do_not_become_low_attenuation_or_calcium():
    """A 70 HU plaque between a 450 HU lumen and -90 HU fat, blurred like a scanner does."""
    from scipy.ndimage import gaussian_filter

    def vessel(x, y, z):
        r = np.hypot(x, y)
        return gaussian_filter(np.select([r < 1.5, r < 2.8], [450.0, 70.0], -90.0), 0.3 / 0.25)

    plaque, _ = measure(block(function=vessel, spacing_mm=0.25, size_mm=36), [sections_of(straight(20), 1.5, 2.8)])
    assert plaque.low_attenuation_mm3 < 0.05 * plaque.total_mm3
    assert plaque.calcified_mm3 < 0.02 * plaque.total_mm3


def test_noise_alone_makes_little_low_attenuation():
    rng = np.random.default_rng(3)
    noisy = block(75.0, spacing_mm=0.4)
    noisy = noisy.with_array(noisy.array + 25 * rng.standard_normal(noisy.array.shape).astype(np.float32))
    plaque, _ = measure(noisy, [sections_of(straight(), 1.5, 2.5)])
    assert plaque.low_attenuation_mm3 < 0.03 * plaque.total_mm3


def test_two_branches_over_the_same_place_count_it_once():
    """A second branch that runs inside the first one's wall adds nothing; away from it, it adds its own."""
    first, same, apart = straight(), straight(at=(0.3, 0.0)), straight(at=(12.0, 0.0))
    parent = sections_of(first, 1.5, 2.5)
    alone, _ = measure(block(60.0), [parent])
    inside, _ = measure(block(60.0), [parent, sections_of(same, 0.8, 1.6, branch=1)], tree_of(first, same, segments=(7, 9), parents=(None, 0)))
    beside, _ = measure(block(60.0), [parent, sections_of(apart, 1.5, 2.5, branch=1)], tree_of(first, apart, segments=(7, 9), parents=(None, 0)))
    assert inside.total_mm3 <= alone.total_mm3
    assert 9 not in inside.segments
    assert beside.total_mm3 == pytest.approx(2 * alone.total_mm3, rel=0.01)


def test_short_flaws_small_vessels_and_unreliable_planes_are_left_out():
    bump = np.where(np.abs(np.arange(61) - 30) <= 0, 2.5, 1.6)
    assert measure(block(), [sections_of(straight(), 1.5, bump)])[0].total_mm3 == 0
    assert measure(block(), [sections_of(straight(), 0.1, 0.7)])[0].total_mm3 == 0
    own = sections_of(straight(), 1.5, 2.5)
    half = measure(block(), [replace(own, reliable=own.distance_mm < 15)])[0]
    assert half.total_mm3 == pytest.approx(measure(block(), [own])[0].total_mm3 / 2, rel=0.03)
    with pytest.raises(Refusal, match="no reliable cross-section"):
        measure(block(), [replace(own, reliable=np.zeros(61, bool))])


def test_adapted_thresholds_follow_the_lumen_and_are_printed():
    def vessel(x, y, z):
        return np.where(np.hypot(x, y) < 1.2, 525.0, 400.0)

    own = [sections_of(straight(), 1.5, 2.5)]
    fixed, _ = measure(block(function=vessel), own)
    adapted, _ = measure(block(function=vessel), own, options=replace(SETTINGS, plaque_thresholds="adapted"))
    assert fixed.calcified_mm3 > 0.9 * fixed.total_mm3 and fixed.thresholds == "fixed: < 30, 30-130, 130-350, > 350 HU"
    assert adapted.calcified_mm3 == 0 and "lumen of 525 HU" in adapted.thresholds and "> 525 HU" in adapted.thresholds
    with pytest.raises(BadSettings, match="adaptive"):
        measure(block(), own, options=replace(SETTINGS, plaque_thresholds="adaptive"))


@pytest.mark.parametrize(
    "volume, pav, stage",
    [
        (0, 0, "0 (none)"),
        (1, 0.1, "1 (mild)"),
        (250, 5, "1 (mild)"),
        (251, 5.1, "2 (moderate)"),
        (750, 15, "2 (moderate)"),
        (751, 15.1, "3 (severe)"),
        (100, 7, "2 (moderate) by PAV; 1 (mild) by volume"),
    ],
)
def test_stage(volume, pav, stage):
    assert plaque_stage(volume, pav) == stage


@pytest.mark.parametrize(
    "calcified, total, name", [(0, 0, ""), (0, 10, "non-calcified"), (0.19, 10, "non-calcified"), (0.2, 10, "mixed"), (4.9, 10, "mixed"), (5, 10, "calcified")]
)
def test_plaque_type(calcified, total, name):
    assert plaque_type(calcified, total) == name


def lesion(function, wall=2.4, options=SETTINGS):
    """A 10 mm plaque at 10-20 mm of a healthy tube (wall 1.8) in an image `function`; its stenosis as described."""
    own = sections_of(straight(), 1.5, np.where(np.abs(np.arange(61) * 0.5 - 15) <= 5, wall, 1.8))
    found = stenosis(7, 40, entry_mm=10.0, exit_mm=20.0, position_mm=15.0)
    _, (described,) = measure(block(function=function, spacing_mm=0.25), [own], stenoses=[found], options=options)
    return described


def test_high_risk_features_one_at_a_time():
    assert lesion(lambda x, y, z: 80.0 + 0 * x, wall=2.35).high_risk == ["PR"]
    plain = sections_of(straight(), np.where(np.abs(np.arange(61) * 0.5 - 15) <= 5, 0.8, 1.4), 1.8)
    for hu, features in ((80.0, []), (10.0, ["LAP"])):
        _, (described,) = measure(block(hu), [plain], stenoses=[stenosis(7, 40, entry_mm=10.0, exit_mm=20.0)])
        assert described.high_risk == features and described.plaque_type == "non-calcified"


@pytest.mark.parametrize("half_length_mm, spotty", [(0.9, True), (3.5, False)])
def test_spotty_calcium_is_small(half_length_mm, spotty):
    def image(x, y, z):
        return np.where((np.hypot(x - 1.9, y) < 0.9) & (np.abs(z - 15) < half_length_mm), 700.0, 80.0)

    assert ("SC" in lesion(image, wall=2.4).high_risk) is spotty


def test_spotty_calcium_at_the_seam_of_the_angle_is_one():
    """Angle zero runs along u; a spot there lies on both ends of the array."""
    own = sections_of(straight(), 1.5, 2.4)
    direction = own.axis_u[0]

    def image(x, y, z):
        along = x * direction[0] + y * direction[1]
        across = x * direction[1] - y * direction[0]
        return np.where((along > 0) & (np.abs(across) < 1.9) & (np.abs(z - 15) < 1.0), 700.0, 80.0)

    assert "SC" not in lesion(image).high_risk  # 3.8 mm across; each half alone would pass


def test_napkin_ring_is_a_dark_core_under_a_brighter_rim():
    def ring(x, y, z):
        return np.where(np.hypot(x, y) < 2.2, 35.0, 110.0)

    assert "NRS" in lesion(ring, wall=3.0).high_risk
    assert "NRS" not in lesion(lambda x, y, z: 70.0 + 0 * x, wall=3.0).high_risk
    assert "NRS" not in lesion(lambda x, y, z: np.where(np.hypot(x, y) < 2.2, 110.0, 35.0), wall=3.0).high_risk


@pytest.mark.parametrize("ratio", [0.95, 1.05, 1.2])
def test_remodelling_index_against_a_tapering_reference(ratio):
    z = np.arange(61) * 0.5
    taper = 2.2 - 0.01 * z
    inside = (z >= 10) & (z <= 20)
    own = sections_of(straight(), np.where(inside, taper - 1.1, taper - 0.3), np.where(inside, taper * ratio, taper))
    branch = branch_plaque(in_fat(block(), [own]), tree_of(own.center_mm), own, [own], SETTINGS)
    assert remodelling_index(branch, inside) == pytest.approx(ratio, abs=0.02)


def test_no_plaque_has_no_features():
    own = sections_of(straight(), 1.5, 1.8)
    branch = branch_plaque(block(-50.0), tree_of(own.center_mm), own, [own], SETTINGS)
    assert high_risk_features(branch, np.ones(61, bool), np.array([30.0, 130.0, 350.0])) == []


def test_mild_plaque_is_measured_against_the_vessels_own_wall():
    """A wall of 0.3 mm that grows to 0.6 mm over 10 mm: 2.9 mm2 more than healthy, 1 mm2 more than 0.5 mm."""
    line = straight(60.0, 0.25)
    own = sections_of(line, 1.5, 1.5 + np.where(np.abs(line[:, 2] - 30) <= 5, 0.6, 0.3))
    plaque, _ = measure(block(60.0, size_mm=90.0), [own])
    assert plaque.total_mm3 == pytest.approx(np.pi * (2.1**2 - 1.5**2) * 10, rel=0.1)


def test_a_wide_vessel_whose_wall_varies_by_less_than_is_resolved_has_no_plaque():
    """0.08 mm more over 10 mm of a vessel of 5 mm are 1.4 mm2."""
    line = straight(60.0, 0.25)
    own = sections_of(line, 2.5, 2.5 + np.where(np.abs(line[:, 2] - 30) <= 5, 0.38, 0.3))
    assert measure(block(60.0, size_mm=90.0), [own])[0].total_mm3 == 0


def test_the_aortas_wall_at_an_ostium_is_not_plaque():
    line = straight(30.0, 0.25)
    flare = np.exp(-line[:, 2] / 1.0)
    own = sections_of(line, 1.5 + 0.6 * flare, 1.85 + 1.6 * flare)
    assert measure(block(60.0), [own])[0].total_mm3 == 0
    child = tree_of(line, line, segments=(7, 9), parents=(None, 0))
    assert measure(block(60.0), [replace(own, branch=1)], child)[0].total_mm3 > 5


@pytest.mark.parametrize("healthy_mm", [0.4, 0.48])
def test_shoulders_reach_to_the_healthy_wall_beside_them_and_no_farther(healthy_mm):
    """A lesion of 12 mm that fades into its neighbourhood, whose wall contours may well read a little thick."""
    points = straight(60.0, 0.25)
    away = np.abs(points[:, 2] - 30.0)
    bump = np.where(away < 6, 0.5 * (1 + np.cos(np.pi * away / 6)), 0.0)
    own = sections_of(points, 1.6, 1.6 + healthy_mm + 0.6 * bump)
    plaque, _ = measure(block(60.0, size_mm=90.0), [own])
    inside = away < 6
    true = 0.25 * np.sum(own.wall_area_mm2[inside] - np.pi * 1.6**2)
    assert 0.9 * true < plaque.total_mm3 <= 1.02 * true


def test_a_long_artefact_between_two_plaques_is_not_plaque():
    seen, reliable = np.zeros(100, bool), np.ones(100, bool)
    seen[[10, 11, 14, 15, 60, 61]] = True
    reliable[12:14] = reliable[16:60] = False
    bridged = _bridged(seen, reliable, 12)
    assert bridged[12:14].all() and not bridged[16:60].any()
