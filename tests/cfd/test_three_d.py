"""From a 3-D solution to curves along the branches, with a made-up solution on a tube with one side branch."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial import Delaunay

from ccta.model import CoronaryTree
from ccta.settings import FlowSettings
from cfd.mesh import FlowMesh
from cfd.physiology import hyperaemic_physiology
from cfd.profiles import branch_profiles
from cfd.pullback import FlowModel
from tests.cfd.trees import narrowing, straight

three_d = pytest.importorskip("cfd.three_d", reason="the 3-D solver is not installed")


def tube_points(length_mm, radius_mm, axis, start):
    """Points that fill a tube along one coordinate axis, mm."""
    angle, ring = np.meshgrid(np.linspace(0, 2 * np.pi, 9)[:-1], [0.0, 0.5, 1.0])
    across = np.column_stack([(ring * np.cos(angle)).ravel(), (ring * np.sin(angle)).ravel()]) * radius_mm
    along = np.arange(0, length_mm + 0.1, 0.5)
    points = np.zeros((len(along) * len(across), 3))
    others = [k for k in range(3) if k != axis]
    points[:, axis] = np.repeat(along, len(across))
    points[:, others] = np.tile(across, (len(along), 1))
    return np.unique(np.round(points, 6), axis=0) + start


@pytest.fixture(scope="module")
def problem():
    tree = CoronaryTree((straight(40, 1.5), straight(20, 1.0, (0, 0, 20), (0, 1, 0), parent=0, parent_distance_mm=20.0)))
    physiology = hyperaemic_physiology(120.0, "M", FlowSettings())
    return FlowModel(tree, branch_profiles(tree), np.array([2e9, 4e9]), physiology)


@pytest.fixture(scope="module")
def flow(problem):
    """Pressure 12000 - 50 z - 80 y Pa (mm); 3 mL/s in, 2 leave through the tube, 1 through the side branch, whose end was cut off at 18 mm."""
    meshes = [tube_points(40, 1.5, 2, np.zeros(3)), tube_points(16.5, 1.0, 1, np.array([0, 1.5, 20.0]))]
    cells = [Delaunay(points).simplices for points in meshes]
    cells[1] = cells[1] + len(meshes[0])
    points = np.vstack(meshes)
    mesh = FlowMesh(1e-3 * points, np.vstack(cells), np.zeros((0, 3), int), np.zeros(0, int), ("wall",))
    ports = [("inlet_0", 0, 0.0), ("outlet_0", 0, 40.0), ("outlet_1", 1, 18.0)]
    ports = tuple(SimpleNamespace(name=name, kind=name[:-2], branch=branch, distance_mm=mm) for name, branch, mm in ports)
    lumen = SimpleNamespace(ports=ports, tree=problem.tree, branch_index=(0, 1))
    solution = SimpleNamespace(
        mesh=mesh, pressure_pa=12000 - 50 * points[:, 2] - 80 * points[:, 1], port_flow_m3_s={"inlet_0": 3e-6, "outlet_0": 2e-6, "outlet_1": 1e-6}
    )
    return three_d.TreeFlow(lumen, solution)


def test_a_jet_reaches_ten_diameters_behind_a_narrowing_and_into_the_branches_there():
    tree = CoronaryTree(
        (
            straight(80, narrowing(1.5, 0.5, 30.0)),
            straight(40, 0.75, (0, 0, 45), (0, 1, 0), parent=0, parent_distance_mm=45.0),
            straight(40, 1.2, (0, 0, 45), (0, -1, 0), parent=0, parent_distance_mm=45.0),
        )
    )
    problem = FlowModel(tree, branch_profiles(tree), np.array([2e9, 4e9, 4e9]), hyperaemic_physiology(120.0, "M", FlowSettings()))
    trunk, narrow, wide = (1e3 * profile.distance_m[three_d.in_jet(problem, k) > 0] for k, profile in enumerate(problem.profiles))
    assert 30 < trunk.min() < 33 and trunk.max() == pytest.approx(63.5, abs=0.3)
    assert len(narrow) == 0  # as narrow as the throat: no jet in it
    assert wide.max() == pytest.approx(11.2, abs=0.3)  # 24 mm, its ten diameters, from where the throat is 0.98 mm wide in radius, at 32.2 mm of the trunk
    assert not three_d.in_jet(replace(problem, tree=CoronaryTree((straight(40, 1.5),)), profiles=branch_profiles(CoronaryTree((straight(40, 1.5),)))), 0).any()


def test_pressure_is_the_mean_over_the_cross_section(problem, flow):
    solution = three_d.along_branches(problem, [flow], SimpleNamespace(side_flow_m3_s=0.0))
    z = 1e3 * problem.profiles[0].distance_m
    away = (np.abs(z - 20) > 3) & (z > 1) & (z < 39)
    np.testing.assert_allclose(solution.pressure_pa[0][away], 12000 - 50 * z[away], atol=25)
    y = 1e3 * problem.profiles[1].distance_m
    inside = (y > 3) & (y < 17)
    np.testing.assert_allclose(solution.pressure_pa[1][inside], 11000 - 80 * y[inside], atol=30)
    assert solution.pressure_pa[1][0] == pytest.approx(11000, abs=60)  # the parent's pressure at the bifurcation
    assert solution.pressure_pa[1][-1] == pytest.approx(11000 - 80 * 18, abs=60)  # constant beyond the cut


def test_flow_along_a_branch_is_that_of_the_outlets_beyond(problem, flow):
    solution = three_d.along_branches(problem, [flow], SimpleNamespace(side_flow_m3_s=0.0))
    z = 1e3 * problem.profiles[0].distance_m
    np.testing.assert_allclose(solution.flow_m3_s[0][z < 19], 3e-6)
    np.testing.assert_allclose(solution.flow_m3_s[0][z > 21], 2e-6)
    np.testing.assert_allclose(solution.flow_m3_s[1], 1e-6)
    assert solution.inlet_flow_m3_s.sum() == pytest.approx(solution.outlet_flow_m3_s.sum())


def test_what_leaves_through_side_branches_is_missing_beyond_and_goes_through_the_wall(problem, flow):
    shares = [np.linspace(0, 0.1, len(one.distance_m)) for one in problem.profiles]
    leaking = replace(problem, profiles=[replace(one, side_share=share) for one, share in zip(problem.profiles, shares, strict=True)])
    reduced = SimpleNamespace(side_flow_m3_s=np.array([4e-7, 2e-7]))
    solution = three_d.along_branches(leaking, [flow], reduced)
    assert solution.flow_m3_s[0][0] == pytest.approx(3.6e-6) and solution.flow_m3_s[0][-1] == pytest.approx(2e-6)
    assert solution.flow_m3_s[1][0] == pytest.approx(1.2e-6)
    places, lost = three_d.wall_flow(leaking, reduced, flow.lumen)
    assert lost.sum() == pytest.approx(6e-7) and lost[places[:, 1] > 10].sum() == pytest.approx(1e-7, rel=0.03)
    assert three_d.wall_flow(problem, reduced, flow.lumen) is None
