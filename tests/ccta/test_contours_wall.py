"""The outer wall beside what has no border: muscle before fat, a vein, a side branch."""

import numpy as np
import pytest
from scipy import ndimage

from ccta.anatomy.contours_model import ANGLES, ray_distance_mm
from ccta.anatomy.contours_rays import Rays
from ccta.anatomy.contours_wall import hidden_rays, outer_wall, wall_model
from ccta.model import polar_area_mm2
from ccta.settings import MeasureSettings

BLUR_MM, NOISE_HU, LUMEN_HU, PLANES, PIXEL_MM = 0.3, 20.0, 400.0, 25, 0.05
NORMAL_MM = 0.4


def seen(wall_mm=1.5 + NORMAL_MM, shift_mm=0.0, behind=lambda x, y: np.full_like(x, -90.0), own=None):
    """Rays of a straight vessel with a lumen of 1.5 mm in `behind`; its outer wall is a circle moved by `shift_mm` along x."""
    axis = np.arange(-7, 7, PIXEL_MM)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    image = np.where(np.hypot(x, y) < 1.5, LUMEN_HU, np.where(np.hypot(x - shift_mm, y) < wall_mm, 60.0, behind(x, y)))
    image = ndimage.gaussian_filter(image, BLUR_MM / PIXEL_MM)
    angle = 2 * np.pi * np.arange(ANGLES)[:, None] / ANGLES
    at = [(ray_distance_mm() * f(angle) + 7) / PIXEL_MM for f in (np.sin, np.cos)]
    grain = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(PLANES, ANGLES, len(ray_distance_mm()))), (1.0, 0.5, 2.0))
    profile = ndimage.map_coordinates(image, at, order=1)[None] + NOISE_HU * grain / grain.std()
    return Rays(None, profile, np.ones(profile.shape, bool) if own is None else own)


def fitted(rays):
    """(M, A) outer wall, mm, given the true lumen."""
    model = wall_model(BLUR_MM, NOISE_HU, NORMAL_MM, MeasureSettings())
    area = ray_distance_mm() * 0.15 * 2 * np.pi / ANGLES / (4 * np.pi * BLUR_MM**2)
    weight = np.where(rays.own, area, 0.0)
    return outer_wall(rays, weight, np.full(PLANES, LUMEN_HU), np.full((PLANES, ANGLES), 1.5), model)


def wedge(x, y):
    """Muscle on one side, whose border to fat leaves the vessel at a tangent."""
    return np.where((y > 1.5) | ((x < 0) & (y > -0.6 - 0.6 * x - 0.4)), 100.0, -90.0)


def vein(x, y):
    """A vein of 2 mm that touches the artery."""
    return np.where(np.hypot(x - 3.6, y) < 2.0, 190.0, -90.0)


@pytest.mark.parametrize("behind", [wedge, vein])
def test_what_leans_on_a_healthy_wall_is_no_wall(behind):
    thickness = np.sqrt(polar_area_mm2(fitted(seen(behind=behind))) / np.pi) - 1.5
    assert np.median(thickness) < 0.55


@pytest.mark.parametrize("wall_mm, shift_mm", [(1.9, 0.0), (2.3, 0.0), (2.4, 0.5), (2.8, 0.8)])
def test_wall_in_fat_is_that_of_the_image(wall_mm, shift_mm):
    area_mm2 = polar_area_mm2(fitted(seen(wall_mm, shift_mm)))
    assert np.median(area_mm2) == pytest.approx(np.pi * wall_mm**2, rel=0.06)


def test_plaque_that_leans_on_muscle_goes_on_as_a_circle():
    area_mm2 = polar_area_mm2(fitted(seen(2.4, 0.5, lambda x, y: np.where(y > 1.2, 100.0, -90.0))))
    assert np.median(area_mm2) == pytest.approx(np.pi * 2.4**2, rel=0.08)


def test_a_side_branch_and_a_vein_hide_the_wall_and_plaque_and_calcium_do_not():
    lumen, radius = np.full(PLANES, LUMEN_HU), np.full((PLANES, ANGLES), 1.5)
    assert not hidden_rays(seen(2.6, 0.6), lumen, radius).any()
    assert not hidden_rays(seen(behind=lambda x, y: np.where(np.hypot(x - 2.6, y) < 0.9, 800.0, -90.0)), lumen, radius)[:, 0].any()
    assert hidden_rays(seen(behind=vein), lumen, radius)[:, 0].all()
    own = np.ones((PLANES, ANGLES, len(ray_distance_mm())), bool)
    own[10:15, 5, 12:] = False
    hidden = hidden_rays(seen(own=own), lumen, radius)
    assert hidden[10:15, 5].all() and hidden[8, 6].all() and not hidden[:, 12].any()


def test_dense_plaque_all_round_is_no_vein():
    ring = seen(1.8, behind=lambda x, y: np.where(np.hypot(x, y) < 3.0, 240.0, -90.0))
    assert np.median(polar_area_mm2(fitted(ring))) == pytest.approx(np.pi * 3.0**2, rel=0.12)
