"""Surfaces as masks leave them: smoothed where as rough as voxels, bridged where a gap lies on a known centerline."""

import numpy as np
import pytest
import pyvista as pv

from ccta.errors import BadInput
from ccta.model import Branch, CoronaryTree, Surface
from cfd.lumen import lumens_from_case
from cfd.lumen_mending import ROUGH, bridged, roughness, smoothed_if_rough
from cfd.lumen_reading import signed_volume
from tests.cfd.lumens import capsule, closed_tube


def contoured(value, grid):
    surface = grid.contour([0.0], scalars=value).triangulate().clean()
    return np.asarray(surface.points, float), surface.faces.reshape(-1, 4)[:, 1:]


def broken_tube(gap_mm, step_mm=0.25):
    """Two capsules with a gap between them, and one centerline through both, 30 mm long, 2.4 mm wide."""
    line = np.stack([np.zeros(61), np.zeros(61), np.linspace(0, 30, 61)], axis=1)
    grid = pv.ImageData(dimensions=(21, 21, 141), spacing=(step_mm,) * 3, origin=(-2.5, -2.5, -2.5))
    at, half = np.asarray(grid.points), gap_mm / 2 + 1 + 1.2
    value = np.minimum(capsule(at, line[line[:, 2] <= 15 - half], 1.2), capsule(at, line[line[:, 2] >= 15 + half], 1.2))
    return Surface(*contoured(value, grid)), CoronaryTree((Branch(line, np.full(61, 1.2)),))


def test_a_wall_of_voxels_is_smoothed_and_keeps_its_calibre_and_a_smooth_one_is_left_alone():
    surface, _ = closed_tube()
    smooth = pv.PolyData.from_regular_faces(surface.points_mm, surface.triangles)
    assert smoothed_if_rough(smooth) == (smooth, [])
    grid = pv.ImageData(dimensions=(21, 21, 101), spacing=(0.25,) * 3, origin=(-2.5, -2.5, -2.5))
    voxels = pv.PolyData.from_regular_faces(*contoured(np.sign(capsule(np.asarray(grid.points), np.array([[0, 0, 0], [0, 0, 20.0]]), 1.2)), grid))
    mended, said = smoothed_if_rough(voxels)
    faces = voxels.faces.reshape(-1, 4)[:, 1:]
    assert roughness(np.asarray(mended.points, float), faces) < ROUGH / 2 and len(said) == 1
    assert signed_volume(np.asarray(mended.points, float), faces) == pytest.approx(signed_volume(np.asarray(voxels.points, float), faces), rel=0.02)


def test_a_gap_on_the_centerline_is_bridged_with_its_calibre_and_said():
    (lumen,) = lumens_from_case(*broken_tube(2.0))
    assert signed_volume(lumen.points_m, lumen.triangles) == pytest.approx(np.pi * 1.2e-3**2 * 29.4e-3, rel=0.03)
    assert "gap" in lumen.notes[0] and "2.4 mm wide" in lumen.notes[0]
    edges = np.sort(lumen.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()


def test_a_vessel_that_is_lost_for_longer_is_refused_in_a_sentence():
    with pytest.raises(BadInput, match=r"interrupted for 1\d mm at .* leave its centerline out"):
        lumens_from_case(*broken_tube(12.0))


def test_a_surface_without_gaps_stays_as_it_is():
    surface, tree = closed_tube()
    data = pv.PolyData.from_regular_faces(surface.points_mm, surface.triangles)
    assert bridged(data, tree) == (data, [])
