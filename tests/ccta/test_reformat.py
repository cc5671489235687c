"""Reformats: what they sample is what lies there, and a pixel knows its place."""

import numpy as np
import pytest

from ccta.anatomy.reformat import CprGrid, cross_section_stack, frames_along, sampled, straightened_cpr
from ccta.coordinates import to_patient_mm
from ccta.model import Branch, Volume
from tests.ccta.tubes import arc_points

AFFINE = np.array([[0.4, 0.02, 0, -20], [-0.02, 0.4, 0, -15], [0, 0, 0.5, -10], [0, 0, 0, 1.0]])


def ramp(shape=(110, 80, 40)):
    """An image whose HU is 3 x - 2 y + 5 z of the patient position."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return Volume((to_patient_mm(index, AFFINE) @ [3.0, -2.0, 5.0]).astype(np.float32), AFFINE)


@pytest.fixture(scope="module")
def arc():
    points = arc_points(np.arange(5, 35, 0.5))
    return Branch(points, np.full(len(points), 1.5))


@pytest.mark.parametrize("cubic", [False, True])
def test_sampling_reproduces_a_linear_ramp(cubic):
    points = np.random.default_rng(0).uniform([-5, -5, -5], [10, 8, 5], (200, 3))
    np.testing.assert_allclose(sampled(ramp(), points, cubic), points @ [3, -2, 5], atol=2e-4)


def test_outside_the_image_is_air():
    assert sampled(ramp(), np.array([[500.0, 0, 0]]))[0] == -1024


def test_frames_are_orthonormal_and_follow_the_curve(arc):
    frames = frames_along(arc, 0.25)
    axes = np.stack([frames.axis_u, frames.axis_v, frames.normal], axis=1)
    np.testing.assert_allclose(axes @ np.swapaxes(axes, 1, 2), np.broadcast_to(np.eye(3), axes.shape), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(axes), 1, atol=1e-9)
    assert np.abs(frames.center_mm - arc.point_at(frames.distance_mm)).max() < 0.05
    assert frames.distance_mm[-1] == pytest.approx(arc.length_mm)


def test_cross_sections_lie_in_their_planes(arc):
    frames = frames_along(arc, 1.0)
    stack = cross_section_stack(ramp(), frames, half_width_mm=2.0, pixel_mm=0.5)
    assert stack.shape == (len(frames), 9, 9)
    corner = frames.center_mm - 2 * frames.axis_u + 1.5 * frames.axis_v
    np.testing.assert_allclose(stack[:, 7, 0], corner @ [3, -2, 5], atol=1e-3)


@pytest.mark.parametrize("slab_mm", [0.0, 1.0])
def test_straightened_pixels_know_their_place(arc, slab_mm):
    cpr = straightened_cpr(ramp(), arc.points_mm, 0.7, CprGrid(half_width_mm=3, pixel_mm=0.25, step_mm=0.5, slab_mm=slab_mm))
    assert cpr.image.shape == (len(cpr.distance_mm), 25)
    for row, column in ((0, 0), (20, 12), (40, 24)):
        assert cpr.image[row, column] == pytest.approx(cpr.position_mm(row, column) @ [3, -2, 5], abs=1e-2)
