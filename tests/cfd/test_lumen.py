from pathlib import Path

import numpy as np
import pytest
import pyvista as pv

from ccta.errors import BadInput
from ccta.model import Surface
from ccta.polydata import surface_polydata, tree_polydata
from cfd.lumen import lumens_from_case, lumens_from_surface
from cfd.lumen_centerlines import RADIUS_ARRAY, ostium_mm, tree_from_centerlines
from cfd.lumen_cut import boundary_loops
from cfd.lumen_reading import signed_volume, unit_to_mm
from tests.cfd.lumens import closed_tube, closed_y

PATIENT = Path(__file__).parents[2] / "../shared/data/patient_tree"


def is_closed(triangles):
    edges = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    return sorted(map(tuple, edges)) == sorted(map(tuple, edges[:, ::-1]))


def test_a_case_is_cut_flat_and_perpendicular_at_its_ports():
    surface, tree = closed_y()
    (lumen,) = lumens_from_case(surface, tree)
    assert [port.name for port in lumen.ports] == ["inlet_0", "outlet_0", "outlet_1"]
    assert is_closed(lumen.triangles) and signed_volume(lumen.points_m, lumen.triangles) > 0
    for k, (port, radius, direction) in enumerate(zip(lumen.ports, (1.5, 1.5, 1.1), ([0, 0, -1], [0, 0, 1], [np.sin(0.8), 0, np.cos(0.8)]), strict=True)):
        cap = lumen.points_m[lumen.triangles[lumen.label == k + 1]]
        assert np.abs((cap - port.center_m) @ port.direction).max() < 1e-9
        assert port.radius_m == pytest.approx(radius * 1e-3, rel=0.03)
        assert port.direction @ direction > 0.999
        normal = np.cross(cap[:, 1] - cap[:, 0], cap[:, 2] - cap[:, 0]).sum(axis=0)
        assert normal @ port.direction > 0.999 * np.linalg.norm(normal)


def test_two_ostia_give_two_lumens_with_names_of_the_whole_tree():
    surface, tree = closed_tube()
    far = surface.points_mm + np.array([30.0, 0, 0])
    both = Surface(np.vstack([surface.points_mm, far]), np.vstack([surface.triangles, surface.triangles + len(far)]))
    branch = tree.branches[0]
    other = type(branch)(branch.points_mm + np.array([30.0, 0, 0]), branch.radius_mm)
    lumens = lumens_from_case(both, type(tree)((branch, other)))
    assert [[port.name for port in lumen.ports] for lumen in lumens] == [["inlet_0", "outlet_0"], ["inlet_1", "outlet_1"]]
    assert np.allclose([lumen.ports[0].center_m[0] for lumen in lumens], [0, 0.03], atol=1e-4)


@pytest.mark.parametrize(("factor", "scale"), [(1.0, 1.0), (0.1, 10.0), (0.001, 1000.0)])
def test_the_unit_is_guessed_by_calibre(factor, scale):
    surface, _ = closed_y()
    assert unit_to_mm(surface.points_mm * factor, surface.triangles) == scale


@pytest.mark.parametrize("suffix", ["stl", "ply", "obj", "vtp"])
def test_an_open_surface_file_in_metres_finds_its_own_ports(tmp_path, suffix):
    surface, _ = closed_y()
    data = surface_polydata(surface).clip("z", origin=(0, 0, 0), invert=False).clip("z", origin=(0, 0, 19.0))
    data = data.clip(normal=(np.sin(0.8), 0, np.cos(0.8)), origin=(8.6, 0, 9 + 8.6 / np.tan(0.8))).triangulate().clean()
    data.points *= 1e-3
    path = tmp_path / f"y.{suffix}"
    data.save(path)
    (lumen,) = lumens_from_surface(path)
    assert sum(port.kind == "outlet" for port in lumen.ports) == 2
    assert len(lumen.tree) == 2 and is_closed(lumen.triangles)
    assert 1000 * max(port.radius_m for port in lumen.ports) == pytest.approx(1.5, rel=0.1)


def test_a_closed_surface_without_centerlines_is_cut_at_its_tips():
    surface, _ = closed_y(radius_mm=2.0)
    (lumen,) = lumens_from_surface(surface)
    assert len(lumen.ports) == 3 and is_closed(lumen.triangles)
    assert 1000 * lumen.ports[0].radius_m == pytest.approx(2.0, rel=0.1)


def sphere(radius=4.0):
    data = pv.Sphere(radius=radius, theta_resolution=40, phi_resolution=40)
    return Surface(np.asarray(data.points, float), data.faces.reshape(-1, 4)[:, 1:])


def one_opening():
    data = surface_polydata(closed_tube()[0]).clip("z", origin=(0, 0, 10.0)).triangulate().clean()
    return Surface(np.asarray(data.points, float), data.faces.reshape(-1, 4)[:, 1:])


def two_parts():
    surface, _ = closed_tube()
    far = surface.points_mm + np.array([30.0, 0, 0])
    return Surface(np.vstack([surface.points_mm, far]), np.vstack([surface.triangles, surface.triangles + len(far)]))


@pytest.mark.parametrize(
    ("surface", "words"),
    [
        (sphere, "neither openings nor tips"),
        (one_opening, "one opening only"),
        (two_parts, "separate parts"),
        (lambda: Surface(np.eye(3), np.array([[0, 1, 2]])), "triangles"),
    ],
)
def test_bad_surfaces_are_refused_in_words(surface, words):
    with pytest.raises(BadInput, match=words):
        lumens_from_surface(surface())


def test_lines_become_a_tree_with_parents_before_children():
    tree = closed_y()[1]
    lines = tree_polydata(type(tree)((tree.path(0), tree.path(1))))
    found = tree_from_centerlines(lines)
    lengths = sorted(branch.length_mm for branch in found)
    assert [branch.parent for branch in found] == [None, 0]
    assert lengths[0] == pytest.approx(12 if found.branches[0].length_mm > 20.5 else 11, abs=2.0)


def test_centerlines_without_radius_or_with_several_starts_are_refused():
    tree = closed_y()[1]
    lines = tree_polydata(type(tree)((tree.path(0), tree.path(1))))
    lines.point_data.remove(RADIUS_ARRAY)
    with pytest.raises(BadInput, match=RADIUS_ARRAY):
        tree_from_centerlines(lines)
    apart = tree_polydata(type(tree)((tree.branches[0], type(tree.branches[0])(tree.branches[0].points_mm + 30, tree.branches[0].radius_mm))))
    with pytest.raises(BadInput, match="apart"):
        tree_from_centerlines(apart)


def test_the_ostium_is_where_the_calibre_falls_to_the_arterys():
    points = np.stack([np.linspace(0, 100, 201), np.zeros(201), np.zeros(201)], axis=1)
    radius = np.where(points[:, 0] < 30, 13.0, np.maximum(2.0, 13.0 - 3 * (points[:, 0] - 30)))
    assert ostium_mm(points, radius) == pytest.approx(30 + (13 - 3.2) / 3, abs=1.0)
    assert ostium_mm(points, np.full(201, 2.0)) == 0.0


def test_the_patients_coronary_trees_leave_the_aorta():
    if not PATIENT.exists():
        pytest.skip("the patient's tree is not on this machine (shared/data/patient_tree)")
    lumens = lumens_from_surface(PATIENT / "NARCO_119.stl", [PATIENT / "lca_cl.vtp", PATIENT / "rca_cl.vtp"])
    assert [len(lumen.outlets) for lumen in lumens] == [5, 4]
    for lumen in lumens:
        assert is_closed(lumen.triangles) and not boundary_loops(lumen.triangles)
        assert 1500 < signed_volume(lumen.points_m, lumen.triangles) * 1e9 < 3000


def test_the_patients_arteries_are_found_without_centerlines():
    if not PATIENT.exists():
        pytest.skip("the patient's tree is not on this machine (shared/data/patient_tree)")
    lumens = lumens_from_surface(PATIENT / "NARCO_119.stl")
    assert [len(lumen.outlets) for lumen in lumens] == [5, 3]  # the fourth right end, 7 mm from its bifurcation, is too short to be told from a bulge
