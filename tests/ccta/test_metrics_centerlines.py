"""OV, OF, OT and AI of the Rotterdam framework on curves whose measures follow by hand; false branches; names of the lumen's voxels."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccta.metrics.centerlines import MISSED, artery_of, best_overlap, clipped, correspondence, false_branches, named_lumen, overlap, vessels_of
from ccta.model import Branch, CoronaryTree

LENGTH = 40.0
RADIUS = 1.5


def line(start=0.0, end=LENGTH, off=0.0):
    """Along x, `off` mm aside."""
    x = np.linspace(start, end, 81)
    return np.column_stack([x, np.full_like(x, off), 0 * x])


def reference(radius=RADIUS, points=None):
    points = line() if points is None else points
    return Branch(points, np.broadcast_to(np.asarray(radius, float), len(points)).copy(), name="LAD")


def test_a_line_beside_the_reference_overlaps_fully_and_is_as_far_inside_as_it_lies():
    found = overlap(line(off=0.5), reference())
    assert (found.ov, found.of, found.ot) == (1.0, 1.0, 1.0) and found.ai_mm == pytest.approx(0.5, abs=0.001)


def test_a_line_outside_the_radius_does_not_overlap():
    found = overlap(line(off=2.0), reference())
    assert (found.ov, found.of, found.ot, found.ai_mm) == (0.0, 0.0, 0.0, None)


def test_half_of_the_reference_found():
    """20 mm of 40: the found half is right; of the reference, 1.5 mm beyond its end still correspond to it within the radius."""
    found = overlap(line(end=20.0), reference())
    assert found.ov == pytest.approx((20 + 21.5) / (20 + 40), abs=0.002) and found.of == pytest.approx(21.5 / 40, abs=0.002)


def test_a_line_that_goes_on_beyond_the_end_is_wrong_there_but_makes_no_error_before():
    found = overlap(line(end=60.0), reference())
    assert found.ov == pytest.approx((41.5 + 40) / (60 + 40), abs=0.002) and found.of == 1.0


def test_misses_in_the_first_5_mm_are_no_first_error():
    late, later = overlap(line(start=4.0), reference()), overlap(line(start=8.0), reference())
    assert late.of == pytest.approx((40 - 2.5) / 40, abs=0.002)  # 2.5 mm are not found, but forgiven as an error
    assert later.of == 0.0  # the first error is at 5 mm, and before it nothing was found
    assert later.ov == pytest.approx((32 + 33.5) / (32 + 40), abs=0.002)


def test_a_detour_ends_the_way_until_the_first_error():
    """From 20 to 24 mm the line is 6 mm aside, on a triangle whose flanks leave the radius 1.5 after a quarter of their rise."""
    away = np.array([[0, 0, 0], [20, 0, 0], [22, 6, 0], [24, 0, 0], [40, 0, 0]], float)
    found = overlap(away, reference())
    assert 20.0 / 40 < found.of < 22.0 / 40 and 0.80 < found.ov < 0.95


def test_only_the_relevant_part_counts_for_ot():
    """The reference is wider than 1.5 mm for 30 mm of 40; a line of 30 mm has it all."""
    tapering = reference(np.interp(np.linspace(0, 40, 81), [0, 30, 30.01, 40], [1.5, 0.76, 0.7, 0.5]))
    found = overlap(line(end=30.0), tapering)
    assert found.ot == 1.0 and found.ov < 0.9
    assert overlap(line(), reference(0.6)).ot is None and overlap(line(), reference(0.6)).ov == 1.0


def test_what_lies_before_the_ostium_is_not_judged():
    whole = overlap(line(start=-15.0), reference())
    assert (whole.ov, whole.of) == (1.0, 1.0)
    np.testing.assert_allclose(clipped(line(start=-15.0), reference())[0], [0, 0, 0], atol=1e-9)
    aside = line(start=-15.0, off=3.5)  # passes the disc's plane, but not the disc of radius 3
    assert len(clipped(aside, reference())) == len(aside)


def test_measures_do_not_depend_on_how_often_a_curve_is_sampled():
    angle = np.linspace(0, 2, 400)
    arc = 30 * np.column_stack([np.sin(angle), 1 - np.cos(angle), 0 * angle])
    found = overlap(arc[::10] * 0.98, reference(points=arc))
    dense = overlap(arc * 0.98, reference(points=arc[::8]))
    assert found.ov == pytest.approx(dense.ov, abs=0.01) and found.ai_mm == pytest.approx(dense.ai_mm, abs=0.02)


points = st.lists(st.tuples(*[st.floats(-5, 5)] * 3), min_size=1, max_size=4).map(np.array)


@settings(max_examples=40)
@given(points, points)
def test_the_correspondence_is_the_shortest_of_all_valid_ones(first, second):
    """Against every order of steps along the one and the other line."""
    n, m = len(first), len(second)
    apart = np.linalg.norm(first[:, None] - second[None], axis=2)
    best = np.inf
    for chosen in itertools.combinations(range(n + m - 2), n - 1):
        step = np.isin(np.arange(n + m - 2), chosen)
        a, b = np.concatenate([[0], np.cumsum(step)]), np.concatenate([[0], np.cumsum(~step)])
        best = min(best, apart[a, b].sum())
    a, b = correspondence(first, second)
    assert len(a) == n + m - 1 and (a[0], b[0], a[-1], b[-1]) == (0, 0, n - 1, m - 1)
    assert (np.diff(a) + np.diff(b) == 1).all() and apart[a, b].sum() == pytest.approx(best, abs=1e-9)


def tree() -> CoronaryTree:
    """LAD along x; D1 leaves it at 10 mm; a false branch leaves it at 25 mm."""
    aside = np.linspace(0, 12, 25)
    side = Branch(np.column_stack([0 * aside + 10, aside, 0 * aside]), np.full(25, 1.0), 0, 10.0, np.full(25, 9), "D1")
    false = Branch(np.column_stack([0 * aside + 25, -aside / 2, 0 * aside]), np.full(25, 1.0), 0, 25.0)
    return CoronaryTree((Branch(line(), np.full(81, RADIUS), segment=np.full(81, 7), name="LAD"), side, false))


def lumen(points_mm, radius_mm):
    """(mask, affine) of tubes about points, 0.5 mm voxels."""
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = -5.0, -8.0, -4.0
    places = np.moveaxis(np.indices((100, 60, 16)), 0, -1) * 0.5 + affine[:3, 3]
    return np.min([np.linalg.norm(places - p, axis=-1) for p in points_mm], axis=0) <= radius_mm, affine


@pytest.fixture(scope="module")
def true_lumen():
    return lumen(np.vstack([tree().branches[0].points_mm, tree().branches[1].points_mm]), 1.2)


def test_the_best_way_through_the_tree_is_taken():
    assert best_overlap(tree(), reference()).ov == 1.0
    assert best_overlap(tree(), tree().path(1)).ov == 1.0 and best_overlap(CoronaryTree(()), reference()) == MISSED


def test_a_branch_outside_the_true_lumen_is_false_its_own_length_beginning_outside_the_parent(true_lumen):
    mask, affine = true_lumen
    places = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    assert false_branches(tree(), places) == [2]
    assert false_branches(tree(), np.zeros((0, 3))) == [0, 1, 2]


def test_voxels_of_the_lumen_take_the_name_of_the_nearest_artery(true_lumen):
    mask, affine = true_lumen
    named = CoronaryTree(tree().branches[:2])
    names, branches = named_lumen(mask, affine, named)
    assert names == ("LAD", "D1") and ((branches > 0) == mask).all()
    assert branches[30, 36, 8] == 2 and branches[60, 16, 8] == 1
    assert [artery_of(n) for n in (1, 2, 3, 4, 5, 8, 13, 18, 0)] == ["RCA", "RCA", "RCA", "R-PDA", "LM", "LAD", "LCx", "L-PLB", "unnamed"]


def test_a_reference_has_the_parents_radius_where_it_begins():
    """D1 of radius 1 leaves the LAD of radius 1.5 at a right angle: 1.5 in the LAD's middle, 1.1 a little off it, its own farther on."""
    lad, d1 = vessels_of(CoronaryTree(tree().branches[:2]))
    assert (lad.radius_mm == RADIUS).all() and d1.name == "D1" and d1.length_mm == pytest.approx(22.0)
    at = [float(np.interp(s, d1.distance_mm, d1.radius_mm)) for s in (5.0, 10.0, 10.4, 13.0)]
    assert at == pytest.approx([1.5, 1.5, 1.1, 1.0], abs=0.05)
