"""Cross-sections of triangle surfaces against known areas."""

import numpy as np
import pytest
import pyvista as pv

from ccta.model import Branch, CoronaryTree
from ccta.polydata import surface_from_polydata
from cfd.slices import section_area_mm2, with_section_radii


def tube(radius_mm=1.5, length_mm=40.0, squeeze=1.0, shift=(0.0, 0.0, 0.0)):
    data = pv.Cylinder(center=(0, 0, length_mm / 2), direction=(0, 0, 1), radius=radius_mm, height=length_mm, resolution=120).triangulate()
    data = data.subdivide(2, "linear").clean()
    data.points = data.points * [1.0, squeeze, 1.0] + np.array(shift)
    return surface_from_polydata(data)


def axis(radius_mm, length_mm=40.0):
    z = np.linspace(0, length_mm, 81)
    return CoronaryTree((Branch(np.column_stack([0 * z, 0 * z, z]), np.full(81, radius_mm)),))


def test_an_oblique_cut_of_a_tube_is_an_ellipse():
    surface = tube()
    normal = np.array([0.0, np.sin(0.5), np.cos(0.5)])
    area = section_area_mm2(surface.points_mm[surface.triangles], surface.triangles, np.array([0.3, 0.2, 20.0]), normal)
    assert area == pytest.approx(np.pi * 1.5**2 / np.cos(0.5), rel=2e-3)


def test_a_flattened_lumen_counts_with_its_area_not_its_inscribed_circle():
    tree = with_section_radii(axis(0.9), tube(squeeze=0.6))
    np.testing.assert_allclose(tree.branches[0].radius_mm[5:-5], 1.5 * np.sqrt(0.6), rtol=2e-3)


def test_a_plane_that_encloses_no_lumen_changes_nothing():
    surface = tube(shift=(10.0, 0.0, 0.0))
    assert section_area_mm2(surface.points_mm[surface.triangles], surface.triangles, np.zeros(3) + 20.0, np.array([0.0, 0.0, 1.0])) == 0.0
    np.testing.assert_array_equal(with_section_radii(axis(1.2), surface).branches[0].radius_mm, 1.2)
