import ctypes

import gmsh
import numpy as np
import pytest
import pyvista as pv

import cfd.mesh
from ccta.errors import SolverFailed
from ccta.model import Surface
from ccta.units import mm_to_m
from cfd.flow_space import flow_space
from cfd.lumen import lumens_from_case, lumens_from_surface
from cfd.lumen_reading import closed_surface, signed_volume
from cfd.mesh import MeshSettings, build_mesh, joined, save_mesh
from cfd.mesh_size import gently_growing
from tests.cfd.lumens import closed_tube, closed_y


@pytest.fixture(scope="module")
def y():
    (lumen,) = lumens_from_case(*closed_y())
    return lumen, build_mesh(lumen)


def cell_volumes(mesh):
    corner = mesh.points_m[mesh.tetrahedra]
    return np.abs(np.linalg.det(corner[:, 1:] - corner[:, :1])) / 6


def curved_volume(mesh):
    """By the elements' own rule, m3."""
    space = flow_space(mesh, 2)
    weight, _, slope, _ = space.basis
    return mm_to_m(mm_to_m(mm_to_m(float((weight * np.abs(np.linalg.det(np.einsum("cai,qak->cqik", space.nodes_mm[space.cells], slope)))).sum() / 6))))


def test_the_mesh_holds_the_lumens_volume_and_its_ports_are_flat(y):
    lumen, mesh = y
    assert mesh.names == ("wall", "inlet_0", "outlet_0", "outlet_1")
    assert curved_volume(mesh) == pytest.approx(signed_volume(lumen.points_m, lumen.triangles), rel=4e-3)
    assert signed_volume(mesh.points_m, mesh.triangles) == pytest.approx(cell_volumes(mesh).sum(), rel=1e-9)
    for port in lumen.ports:
        corner = mesh.points_m[mesh.boundary(port.name)]
        assert np.abs((corner - port.center_m) @ port.direction).max() < 1e-6
        area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1).sum() / 2
        assert area == pytest.approx(np.pi * port.radius_m**2, rel=0.05)
    assert mesh.worst_quality > 0.01


def test_elements_follow_the_calibre(y):
    lumen, mesh = y
    corner = mesh.points_m[mesh.boundary("outlet_0")], mesh.points_m[mesh.boundary("outlet_1")]
    trunk, side = (np.linalg.norm(c - np.roll(c, 1, axis=1), axis=2).mean() for c in corner)
    assert side < 0.9 * trunk
    fine = build_mesh(lumen, MeshSettings(elements_per_diameter=8))
    assert len(fine.tetrahedra) > 2 * len(mesh.tetrahedra)


def test_curved_cells_fill_a_round_tube():
    (lumen,) = lumens_from_case(*closed_tube(length_mm=10))
    mesh = build_mesh(lumen)
    length = np.ptp(mesh.points_m[:, 2])
    assert curved_volume(mesh) == pytest.approx(np.pi * 1.5e-3**2 * length, rel=0.002)
    assert cell_volumes(mesh).sum() < 0.98 * curved_volume(mesh)
    around = np.hypot(*mesh.middle_m[:, :2].T)
    assert around == pytest.approx(1.5e-3, rel=0.01)


def test_a_failed_attempt_is_repeated_and_the_last_failure_says_what_was_tried(monkeypatch):
    (lumen,) = lumens_from_case(*closed_tube(length_mm=6))
    real, calls = cfd.mesh.filled, []

    def failing(limit):
        def fill(*args):
            calls.append(args)
            if len(calls) <= limit:
                raise RuntimeError("overlapping facets")
            return real(*args)

        return fill

    monkeypatch.setattr(cfd.mesh, "filled", failing(2))
    assert len(build_mesh(lumen).attempts) == 2
    calls.clear()
    monkeypatch.setattr(cfd.mesh, "filled", failing(99))
    with pytest.raises(SolverFailed, match=r"HXT at 4.5.*Delaunay at 3.6 .*overlapping facets"):
        build_mesh(lumen)


def test_the_file_names_its_boundaries(y, tmp_path):
    _, mesh = y
    both = joined([mesh, cfd.mesh.replace(mesh, points_m=mesh.points_m + 0.05, names=("wall", "inlet_2", "outlet_2", "outlet_3"))])
    save_mesh(both, tmp_path / "mesh.msh")
    gmsh.initialize()
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.open(str(tmp_path / "mesh.msh"))
        names = {gmsh.model.getPhysicalName(*group) for group in gmsh.model.getPhysicalGroups()}
        count = len(gmsh.model.mesh.getElementsByType(4)[0])
    finally:
        gmsh.finalize()
    assert names == {"lumen", "wall", "inlet_0", "outlet_0", "outlet_1", "inlet_2", "outlet_2", "outlet_3"}
    assert count == 2 * len(mesh.tetrahedra)


def test_sizes_grow_gently_away_from_a_narrow_place():
    x = np.linspace(0, 10, 101)
    size = gently_growing(np.stack([x, 0 * x, 0 * x], axis=1), np.where(np.abs(x - 5) < 0.2, 0.1, 0.6), 0.15)
    assert np.abs(np.diff(size)).max() <= 0.15 * 0.1 + 1e-12
    assert size.min() == 0.1 and size[0] == pytest.approx(0.6)


def test_a_drawn_cylinder_with_flat_caps_is_meshed():
    """pyvista's own: two rings of points, walls as long as the vessel. Its shape stays."""
    drawn = pv.Cylinder(radius=1.5, height=20.0, resolution=60, capping=True).triangulate().clean()
    surface = Surface(np.asarray(drawn.points, float), drawn.faces.reshape(-1, 4)[:, 1:])
    data = closed_surface(surface).data
    corner = np.asarray(data.points)[data.faces.reshape(-1, 4)[:, 1:]]
    assert np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).max() <= 0.5 * 2.8
    assert data.volume == pytest.approx(drawn.volume, rel=1e-6) and data.is_manifold
    (lumen,) = lumens_from_surface(surface)
    mesh = build_mesh(lumen)
    assert mesh.attempts == () and mesh.worst_quality > 0.1 and mesh.names == ("wall", "inlet_0", "outlet_0")


def test_what_gmshs_libraries_print_does_not_reach_standard_output(capfd):
    with cfd.mesh._printing_to_errors():
        ctypes.CDLL(None).printf(b"PLC Error: a segment and a facet intersect\n")
    print("the answer")
    out, err = capfd.readouterr()
    assert out == "the answer\n" and "PLC Error" in err
