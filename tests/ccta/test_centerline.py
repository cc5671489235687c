"""Centerlines of made-up arteries against their axes: overlap, distance, radii, branch structure."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from ccta.anatomy.centerline import extract_tree, mask_paths
from ccta.coordinates import to_patient_mm
from ccta.errors import BadInput, Refusal
from ccta.model import Volume
from ccta.settings import TreeSettings
from tests.ccta.coronary_scene import distance_to, left_and_right, render, vein

SETTINGS = TreeSettings()


def mask_of(tubes, volume):
    points = to_patient_mm(np.argwhere(np.ones(volume.array.shape, bool)), volume.affine)
    outside_aorta = (np.hypot(points[:, 0], points[:, 1]) > 13) | (points[:, 2] < -14)
    return ((distance_to(tubes, points) < 0) & outside_aorta).reshape(volume.array.shape).astype(np.uint8)


@pytest.fixture(scope="module")
def scene():
    image, heart = render(left_and_right().values(), [vein()])
    return image, heart, image.with_array(mask_of(left_and_right().values(), image))


@pytest.fixture(scope="module")
def tree(scene):
    return extract_tree(*scene, SETTINGS)


def test_one_branch_per_artery_two_of_them_from_the_aorta(tree):
    assert [branch.parent for branch in tree].count(None) == 2
    assert len(tree) == 4


def test_the_axis_is_found_within_a_third_of_a_voxel_over_its_whole_length(tree):
    found = np.vstack([branch.points_mm for branch in tree])
    for name, artery in left_and_right().items():
        axis = artery.points_mm[np.hypot(*artery.points_mm[:, :2].T) > 14]
        away = cKDTree(found).query(axis)[0]
        assert (away < artery.radius_mm.min()).mean() > 0.97, name
    axes = np.vstack([artery.points_mm for artery in left_and_right().values()])
    away = cKDTree(axes).query(found)[0]
    assert away.mean() < 0.2
    assert np.percentile(away, 90) < 0.35


def test_radii_are_those_of_the_tubes(tree):
    for artery in left_and_right().values():
        inner = slice(60, -30)
        found, radius = np.vstack([b.points_mm for b in tree]), np.concatenate([b.radius_mm for b in tree])
        error = radius[cKDTree(found).query(artery.points_mm[inner])[1]] - artery.radius_mm[inner]
        assert abs(np.median(error)) < 0.15


def test_children_start_on_their_parent_at_the_stated_distance(tree):
    for branch in tree:
        if branch.parent is not None:
            place = tree.branches[branch.parent].point_at(branch.parent_distance_mm)
            np.testing.assert_allclose(branch.points_mm[0], place, atol=0.05)


def test_no_kinks(tree):
    for index in range(len(tree)):
        points = tree.branches[index].points_mm
        step = np.diff(points, axis=0)
        step /= np.linalg.norm(step, axis=1, keepdims=True)
        turn_deg = np.degrees(np.arccos(np.clip((step[1:] * step[:-1]).sum(axis=1), -1, 1)))
        assert turn_deg.max() < 25


def test_a_gap_in_the_mask_is_bridged_and_a_loop_is_cut(scene, tree):
    image, heart, mask = scene
    lad, d1, whole = left_and_right()["LAD"], left_and_right()["D1"], tree
    points = to_patient_mm(np.argwhere(mask.array > 0), mask.affine)
    holed = mask.array.copy()
    holed[tuple(np.argwhere(mask.array > 0)[np.linalg.norm(points - lad.points_mm[150], axis=1) < 2].T)] = 0
    tree = extract_tree(image, heart, image.with_array(holed), SETTINGS)
    assert cKDTree(np.vstack([b.points_mm for b in tree])).query(lad.points_mm[-8])[0] < 1.0
    between = np.linspace(lad.points_mm[170], d1.points_mm[60], 60)
    looped = mask.array.copy()
    looped[tuple(np.round((between - mask.affine[:3, 3]) / mask.spacing_mm).astype(int).T)] = 1
    tree = extract_tree(image, heart, image.with_array(looped), SETTINGS)
    assert sum(branch.length_mm for branch in tree) < 1.15 * sum(branch.length_mm for branch in whole)


def test_a_straight_tube_mask_gives_one_path_down_its_middle():
    x = np.stack(np.meshgrid(*map(np.arange, (30, 30, 80)), indexing="ij"), axis=-1)
    mask = (np.hypot(x[..., 0] - 15, x[..., 1] - 15) < 5) & (x[..., 2] > 5) & (x[..., 2] < 75)
    ways = mask_paths(mask, mask & (x[..., 2] < 8), SETTINGS)
    assert len(ways) == 1
    way, parent = ways[0]
    assert parent is None
    assert np.abs(way[5:-8, :2] - 15).max() <= 1


def test_refusals_say_what_is_missing(scene):
    image, heart, mask = scene
    with pytest.raises(Refusal, match="label map is empty"):
        extract_tree(image, heart, image.with_array(np.zeros_like(mask.array)), SETTINGS)
    far = np.zeros_like(mask.array)
    far[10:14, 10:14, 10:60] = 1
    with pytest.raises(Refusal, match="of the aorta"):
        extract_tree(image, heart, image.with_array(far), SETTINGS)
    with pytest.raises(BadInput, match="differ in shape"):
        extract_tree(image, heart, Volume(mask.array[1:], mask.affine), SETTINGS)
