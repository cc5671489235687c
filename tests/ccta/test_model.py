"""The shared vocabulary: trees, and volumes turned upright."""

import numpy as np
import pytest

from ccta.coordinates import to_index, to_patient_mm, upright
from ccta.errors import Refusal
from ccta.model import Branch, CoronaryTree, Volume


def line(start, direction, length_mm, radius_mm, **others):
    s = np.arange(0, length_mm + 1e-9, 0.5)
    points = np.asarray(start, float) + s[:, None] * np.asarray(direction, float)
    return Branch(points, np.full(len(s), radius_mm), **others)


def forked():
    """A right coronary artery that ends at the crux, where two branches begin; one of them has a child."""
    rca = line([0, 0, 0], [1, 0, 0], 40, 1.8, name="RCA", segment=np.full(81, 3))
    thin = line([40, 0, 0], [0, 1, 0], 20, 0.9, parent=0, parent_distance_mm=40.0, name="R-PDA", segment=np.full(41, 4))
    wide = line([40, 0, 0], [0, 0, 1], 30, 1.2, parent=0, parent_distance_mm=40.0, name="R-PLB", segment=np.full(61, 16))
    twig = line([40, 0, 10], [1, 0, 0], 8, 0.6, parent=2, parent_distance_mm=10.0)
    return CoronaryTree((rca, thin, wide, twig), "right")


def test_a_branch_goes_on_as_its_widest_child():
    tree = forked().continued()
    assert [b.name for b in tree] == ["RCA", "R-PDA", ""]
    rca, pda, twig = tree.branches
    assert abs(rca.length_mm - 70) < 1e-6 and set(rca.segment) == {3, 16}
    np.testing.assert_allclose(rca.point_at(pda.parent_distance_mm), [40, 0, 0])
    assert twig.parent == 0
    np.testing.assert_allclose(rca.point_at(twig.parent_distance_mm), [40, 0, 10])


def test_total_length_is_kept_and_a_second_time_changes_nothing():
    before, after = forked(), forked().continued()
    assert abs(sum(b.length_mm for b in before) - sum(b.length_mm for b in after)) < 1e-6
    assert after.continued() is after


def test_upright_keeps_every_voxel_in_its_place():
    array = np.random.default_rng(0).normal(0, 1, (7, 50, 70))
    affine = np.array([[0.0, 0.8, 0, 10], [0, 0, -0.8, 20], [-3, 0, 0, 30], [0, 0, 0, 1]])
    straight = upright(Volume(array, affine))
    assert (np.diag(straight.affine)[:3] > 0).all()
    at_mm = to_patient_mm(np.array([3, 40, 60]), affine)
    assert straight.array[tuple(np.rint(to_index(at_mm, straight.affine)).astype(int))] == array[3, 40, 60]
    with pytest.raises(Refusal, match="obliquely"):
        upright(Volume(np.zeros((4, 4, 4)), np.array([[1.0, 0.9, 0, 0], [0.95, 0.5, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])))
