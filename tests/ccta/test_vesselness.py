"""Optimally oriented flux of tubes, walls and balls."""

import numpy as np
import pytest
from scipy import ndimage, special

from ccta.anatomy.vesselness import middle_eigenvalue, tube_contrast

RADII = (0.6, 0.9, 1.3, 1.8, 2.4, 3.0)
SPACING = 0.5


def grid(n=48):
    return (np.stack(np.meshgrid(*3 * [np.arange(n)], indexing="ij"), axis=-1) - n / 2) * SPACING


def soft(depth_mm):
    return special.erfc(depth_mm / 0.35) / 2


@pytest.mark.parametrize("radius", [1.0, 1.5, 2.2])
@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 1, 0), (1, 2, 3)])
def test_on_the_axis_of_a_tube_it_is_near_its_contrast_whatever_the_direction(radius, direction):
    x = grid()
    d = np.array(direction) / np.linalg.norm(direction)
    image = 100 + 300 * soft(np.linalg.norm(x - (x @ d)[..., None] * d, axis=-1) - radius)
    contrast, found = tube_contrast(image, SPACING, RADII, np.ones(image.shape, bool))
    assert contrast[24, 24, 24] == pytest.approx(300, rel=0.25)
    assert found[24, 24, 24] == pytest.approx(radius, abs=0.5)
    assert contrast.max() == pytest.approx(contrast[24, 24, 24], rel=0.1)


def test_a_wall_and_a_large_chamber_give_nothing():
    x = grid()
    wall, _ = tube_contrast(300 * soft(x[..., 0]), SPACING, RADII, np.ones(x.shape[:3], bool))
    chamber, _ = tube_contrast(300 * soft(np.linalg.norm(x, axis=-1) - 9), SPACING, RADII, np.ones(x.shape[:3], bool))
    assert wall[12:-12, 12:-12, 12:-12].max() < 15
    assert chamber[24, 24, 24] < 5
    assert chamber[12:-12, 12:-12, 12:-12].max() < 100


def test_noise_stays_far_below_an_artery():
    noise = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(48, 48, 48)), 0.7)
    contrast, _ = tube_contrast(30 * noise / noise.std(), SPACING, RADII, np.ones(noise.shape, bool))
    assert np.percentile(contrast, 99.9) < 100


def test_nothing_outside_the_mask():
    x = grid()
    where = x[..., 0] > 0
    contrast, radius = tube_contrast(300 * soft(np.hypot(x[..., 0], x[..., 1]) - 1.5), SPACING, RADII, where)
    assert not contrast[~where].any()
    assert not radius[~where].any()


def test_middle_eigenvalue_agrees_with_numpy():
    rng = np.random.default_rng(3)
    for _ in range(200):
        a = rng.normal(size=(3, 3))
        a = a + a.T
        assert middle_eigenvalue(a[0, 0], a[1, 1], a[2, 2], a[0, 1], a[0, 2], a[1, 2]) == pytest.approx(np.linalg.eigvalsh(a)[1], abs=1e-9)
    assert middle_eigenvalue(2.0, 2.0, 2.0, 0.0, 0.0, 0.0) == 2.0
