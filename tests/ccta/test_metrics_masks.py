"""Overlap, surface distance and topology of masks, against values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ccta.metrics.case_score import Found, score
from ccta.metrics.masks import betti_errors, betti_numbers, cl_dice, dice, surface_distance, territories
from ccta.model import Annotation

SPACING = np.diag([0.5, 0.8, 2.0, 1.0])
SHAPE = (24, 20, 16)


def boxed(*box, shape=SHAPE):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in box)] = True
    return mask


def ball(radius, shape=(21, 21, 21)):
    return np.linalg.norm(np.indices(shape) - 10.0 * np.ones(3)[:, None, None, None], axis=0) <= radius


def ring():
    """A torus of radius 6 and thickness 2 about the third axis."""
    x, y, z = np.indices((21, 21, 21)) - 10.0
    return (np.hypot(x, y) - 6) ** 2 + z**2 <= 4


masks = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((6, 5, 4)) < 0.4)


def test_dice_by_hand():
    """20 voxels and 30, 10 of them common."""
    assert dice(boxed((0, 20), (0, 1), (0, 1)), boxed((10, 20), (0, 3), (0, 1))) == pytest.approx(2 * 10 / 50)
    assert dice(boxed((0, 2), (0, 2), (0, 2)), boxed((5, 7), (0, 2), (0, 2))) == 0.0
    assert dice(np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)) == 1.0


@given(masks, masks, st.permutations([0, 1, 2]))
def test_overlap_is_symmetric_and_does_not_depend_on_the_axes(a, b, order):
    assert dice(a, b) == dice(b, a) == dice(a.transpose(order), b.transpose(order))
    assert dice(a, a) == 1.0 and 0 <= dice(a, b) <= 1
    assert cl_dice(a, b) == pytest.approx(cl_dice(b, a)) and 0 <= cl_dice(a, b) <= 1


def test_cl_dice_of_a_line_of_which_half_is_found():
    """All of the found skeleton is right, half of the true one is found: 2 x 1 x 0.5 / 1.5."""
    line, half = boxed((2, 22), (9, 10), (8, 9)), boxed((2, 12), (9, 10), (8, 9))
    assert cl_dice(half, line) == pytest.approx(2 / 3) and cl_dice(line, line) == 1.0
    block = boxed((4, 6), (4, 6), (4, 6))  # thinning leaves nothing of it
    assert cl_dice(block, block) == 1.0 and cl_dice(np.zeros(SHAPE, bool), line) == 0.0 and cl_dice(np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)) == 1.0


def test_cl_dice_sees_a_thin_false_branch_that_dice_hardly_does():
    tube = boxed((2, 22), (6, 13), (5, 12))
    branch = tube | boxed((12, 13), (13, 20), (8, 9))
    assert dice(branch, tube) > 0.98 and cl_dice(branch, tube) < 0.9


def test_distance_of_two_parallel_plates_is_their_distance():
    """Three voxels of 0.5 mm apart, each voxel of a plate has its match straight across."""
    found = surface_distance(boxed((4, 5), (0, 20), (0, 16)), boxed((7, 8), (0, 20), (0, 16)), SPACING)
    assert found.hd95_mm == pytest.approx(1.5) and found.mean_mm == pytest.approx(1.5)


def test_the_95th_percentile_is_of_the_worse_direction_and_forgives_few():
    plate = boxed((4, 5), (0, 20), (0, 16))
    few, many = plate.copy(), plate.copy()
    few[16, :4, :2] = True  # 8 of 328 surface voxels, 6 mm off: below 5 %
    many[16, :10, :4] = True  # 40 of 360: above
    assert surface_distance(few, plate, SPACING).hd95_mm == 0.0 and surface_distance(few, plate, SPACING).mean_mm == pytest.approx(8 * 6 / 648)
    for one, other in ((many, plate), (plate, many)):
        assert surface_distance(one, other, SPACING).hd95_mm == pytest.approx(6.0)
    assert surface_distance(plate, np.zeros(SHAPE, bool), SPACING) is None


@settings(max_examples=20)
@given(masks.filter(np.any), masks.filter(np.any), st.floats(-3, 3))
def test_distance_does_not_depend_on_how_the_grid_lies_in_the_patient(a, b, turn):
    turned = SPACING.copy()
    turned[:3, :3] = Rotation.from_rotvec([turn, 0.3, -turn / 2]).as_matrix() @ SPACING[:3, :3]
    turned[:3, 3] = 100.0, -50.0, 7.0
    straight, oblique = surface_distance(a, b, SPACING), surface_distance(a, b, turned)
    assert oblique.hd95_mm == pytest.approx(straight.hd95_mm, abs=1e-6) and oblique.mean_mm == pytest.approx(straight.mean_mm, abs=1e-6)


@pytest.mark.parametrize(
    ("mask", "numbers"),
    [
        (ball(6), (1, 0, 0)),
        (ball(6) & ~ball(3), (1, 0, 1)),
        (ring(), (1, 1, 0)),
        (ball(1) | boxed((0, 2), (0, 2), (0, 2), shape=(21, 21, 21)), (2, 0, 0)),
        (ring() & (np.indices((21, 21, 21))[0] != 10), (2, 0, 0)),
        (np.zeros((5, 5, 5), bool), (0, 0, 0)),
    ],
    ids=["ball", "hollow ball", "ring", "two balls", "ring cut in two", "nothing"],
)
def test_betti_numbers(mask, numbers):
    assert betti_numbers(mask) == numbers


def test_corners_connect_the_object_and_separate_its_background():
    """Two voxels that touch at a corner are one piece; a shell open at a corner only still holds a cavity."""
    corner = np.zeros((4, 4, 4), bool)
    corner[1, 1, 1] = corner[2, 2, 2] = True
    assert betti_numbers(corner) == (1, 0, 0)
    shell = boxed((0, 3), (0, 3), (0, 3), shape=(3, 3, 3))
    shell[1, 1, 1] = shell[0, 0, 0] = False
    assert betti_numbers(shell) == (1, 0, 1)


@settings(max_examples=30)
@given(masks, st.permutations([0, 1, 2]))
def test_topology_does_not_depend_on_the_axes(mask, order):
    assert betti_numbers(mask) == betti_numbers(mask.transpose(order)[::-1]) and min(betti_numbers(mask)) >= 0


def test_betti_errors_are_distances_of_the_numbers():
    assert betti_errors(ring() & (np.indices((21, 21, 21))[0] != 10), ring()) == (1, 1, 0)


def test_a_stray_voxel_goes_to_the_nearest_artery_or_to_none():
    branches = np.zeros(SHAPE, np.uint8)
    branches[4, 5:9, 5], branches[12, 5:9, 5] = 1, 2
    found = np.zeros(SHAPE, bool)
    found[[6, 10, 20], 6, 5] = True  # 1 mm from the first, 1 mm from the second, 4 mm from any
    owner = territories(branches, found, SPACING, reach_mm=2.0)
    assert (owner[6, 6, 5], owner[10, 6, 5], owner[20, 6, 5]) == (1, 2, 0) and (owner[branches > 0] == branches[branches > 0]).all()


def test_what_was_refused_scores_nothing():
    lumen = boxed((4, 8), (4, 8), (4, 8))
    truth = Annotation({"lumen": lumen, "lv": lumen}, lumen.astype(np.uint8), ("LAD",))
    scored = score("one", Found(SPACING, None, None, None, refusals=("no heart",)), truth)
    assert scored.structures["lumen"].dice == scored.structures["lv"].dice == scored.branch_dice["LAD"] == scored.lumen.cl_dice == 0.0
    assert scored.structures["lv"].hd95_mm is None and scored.lumen.false_branches is None and scored.refusals == ("no heart",)


def test_a_case_is_scored_by_structure_and_artery():
    """The lumen of LAD is found whole, that of RCA by half; label 2 is calcium, not lumen; the union of the heart takes five labels."""
    branches = np.zeros(SHAPE, np.uint8)
    branches[2:4, 2:6, 2:4], branches[12:14, 2:6, 2:4] = 1, 2
    coronary = (branches > 0).astype(np.uint8)
    coronary[12:14, 4:6, 2:4] = 2
    heart = np.zeros(SHAPE, np.uint8)
    heart[:5], heart[5:9], heart[9:11] = 1, 2, 8
    truth = Annotation({"lumen": branches > 0, "heart_union": heart <= 2}, branches, ("LAD", "RCA", "D1"))
    scored = score("one", Found(SPACING, heart, coronary, None), truth)
    assert scored.branch_dice == {"LAD": 1.0, "RCA": pytest.approx(2 * 8 / 24)}
    assert scored.structures["lumen"].dice == pytest.approx(2 * 24 / 56)
    assert scored.structures["heart_union"].dice == pytest.approx(2 * 9 * 320 / (9 * 320 + (24 - 2) * 320))
