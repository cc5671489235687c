"""Contours against analytic vessels: diameter within 0.1 mm, whatever the calibre, the surroundings and the plaque."""

import numpy as np
import pytest

from ccta.anatomy.contours import centroid_mm, resampled_angles, second_rise, trace_contours
from ccta.anatomy.contours_model import blurred_disc
from ccta.anatomy.contours_smooth import best_path, smooth_surface
from ccta.errors import Refusal
from ccta.model import CoronaryTree, Volume, polar_area_mm2
from ccta.settings import MeasureSettings
from tests.ccta.tubes import Tube, jittered, scan_tube


def traced(tube, noise_hu=25.0):
    volume, branch = scan_tube(tube, noise_hu)
    section = trace_contours(volume, CoronaryTree((jittered(branch),)), MeasureSettings())[0]
    inside = (section.distance_mm > 2) & (section.distance_mm < tube.length_mm - 2)
    return section, 2 * tube.narrowing(section.distance_mm)[0], inside


@pytest.mark.parametrize("diameter_mm", [1.2, 2.0, 3.0, 4.0])
def test_healthy_calibre(diameter_mm):
    section, true_mm, inside = traced(Tube(healthy_mm=(diameter_mm / 2,) * 2))
    error = (section.lumen_diameter_mm - true_mm)[inside]
    assert abs(error.mean()) < 0.1
    assert np.quantile(abs(error), 0.95) < 0.2
    assert section.reliable[inside].all()


def test_taper_beside_myocardium():
    tube = Tube(healthy_mm=(1.8, 0.8), myocardium=True)
    section, true_mm, inside = traced(tube)
    assert abs((section.lumen_diameter_mm - true_mm)[inside].mean()) < 0.1
    wall_mm = np.sqrt(section.wall_area_mm2 / np.pi) - tube.healthy(section.distance_mm)
    assert 0.2 < wall_mm[inside].mean() < 0.8


@pytest.mark.parametrize(
    "percent, plaque_hu, eccentricity, tolerance",
    [(30, 60, 0, 6), (50, 60, 1, 6), (60, 60, 0, 6), (70, 60, 1, 6), (90, 60, 1, 10), (50, 900, 0, 8), (70, 900, 0, 8)],
)
def test_narrowest_diameter(percent, plaque_hu, eccentricity, tolerance):
    section, _, inside = traced(Tube(lesions=((20, 8, percent, plaque_hu, eccentricity),)))
    narrowest_mm = section.lumen_diameter_mm[inside].min()
    assert 100 * (1 - narrowest_mm / 3.0) == pytest.approx(percent, abs=tolerance)
    assert (section.wall_radius_mm >= section.lumen_radius_mm).all()


def test_large_voxels_are_refused():
    with pytest.raises(Refusal, match="at most 1 mm"):
        trace_contours(Volume(np.zeros((4, 4, 4)), np.diag([1.5, 1.5, 1.5, 1])), CoronaryTree(()), MeasureSettings())


def test_blurred_disc_agrees_with_sampling():
    rng = np.random.default_rng(0)
    at = rng.normal([0.5, 0], 0.3, (200_000, 2))
    assert blurred_disc(0.5, 0.6, 0.3) == pytest.approx((np.hypot(*at.T) < 0.6).mean(), abs=0.005)


def test_second_rise_hides_a_vein_but_not_calcium():
    lumen = np.array([400.0])
    vein = np.array([[[400, 200, -50, -80, 0, 150, 200.0]]])
    calcium = np.array([[[400, 250, 150, 600, 900, 300, 0.0]]])
    assert second_rise(vein, lumen)[0, 0].tolist() == [False] * 5 + [True] * 2
    assert not second_rise(calcium, lumen).any()


def test_best_path_ignores_one_bad_plane():
    cost = np.abs(np.arange(20)[None] - 8.0) * np.ones((15, 1))
    cost[7] = np.abs(np.arange(20) - 15) * 0.5
    assert (best_path(cost, 1.0, 3) == 8).all()


def test_centroid_of_a_shifted_circle():
    angle = 2 * np.pi * np.arange(24) / 24
    shift = 0.3
    radius = shift * np.cos(angle) + np.sqrt(1 - (shift * np.sin(angle)) ** 2)
    u, v = centroid_mm(np.repeat(radius[None], 9, axis=0))
    assert u == pytest.approx(np.full(9, shift), abs=1e-3)
    assert v == pytest.approx(np.zeros(9), abs=1e-9)


def test_more_angles_keep_the_circle():
    assert polar_area_mm2(resampled_angles(np.full((1, 24), 1.5)))[0] == pytest.approx(np.pi * 1.5**2, rel=0.004)


def test_a_smooth_surface_keeps_a_short_throat():
    """A throat of 4 planes (standard deviation) in a wide vessel whose edge counts four times as much."""
    true = 20 - 12 * np.exp(-(((np.arange(80) - 40) / 4.0) ** 2) / 2)
    cost = (true / 20)[:, None, None] ** 2 * (np.arange(40) - true[:, None, None]) ** 2 * np.ones((1, 24, 1))
    found = smooth_surface(cost, true[:, None], 1.0, 2.0)
    assert abs(found.mean(axis=1) - true).max() < 0.13 * 12
