import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from ccta.errors import SolverFailed
from cfd import exact
from cfd.flow_problem import FlowBoundary
from cfd.lumen import lumens_from_case
from cfd.mesh import MeshSettings, build_mesh
from cfd.navier_stokes import Discretisation, SolverSettings, solve_steady
from tests.cfd.lumens import closed_tube, closed_y, cube

BLOOD = SimpleNamespace(density_kg_m3=1060.0, viscosity_pa_s=0.0035)
PRESSURES = {"aortic_pressure_pa": 12000.0, "distal_pressure_pa": 700.0}


def solved(case, resistance, elements=4.5):
    (lumen,) = lumens_from_case(*case)
    mesh = build_mesh(lumen, MeshSettings(elements_per_diameter=elements))
    return lumen, solve_steady(mesh, FlowBoundary(**PRESSURES, resistance_pa_s_m3=resistance), BLOOD)


@pytest.fixture(scope="module")
def tube():
    return solved(closed_tube(length_mm=14), {"outlet_0": 5e9}, elements=5)


@pytest.fixture(scope="module")
def y():
    return solved(closed_y(), {"outlet_0": 8e9, "outlet_1": 16e9}, elements=4)


def test_poiseuilles_drop_within_four_percent(tube):
    _, solution = tube
    length = (14 - 2 * 0.3) * 1e-3
    flow = solution.port_flow_m3_s["outlet_0"]
    drop = solution.port_pressure_pa["inlet_0"] - solution.port_pressure_pa["outlet_0"]
    assert drop == pytest.approx(exact.poiseuille_drop_pa(flow, 1.5e-3, length, 0.0035), rel=0.01)
    r = np.linalg.norm(solution.mesh.points_m[:, :2], axis=1)
    parabola = exact.poiseuille_velocity_m_s(np.minimum(r, 1.5e-3), flow, 1.5e-3)
    assert np.sqrt(np.mean((solution.velocity_m_s[:, 2] - parabola) ** 2)) < 0.03 * parabola.max()


@pytest.mark.parametrize("which", ["tube", "y"])
def test_mass_is_kept_and_every_outlet_obeys_its_resistance(which, request):
    _, solution = request.getfixturevalue(which)
    assert solution.mass_error < 1e-6
    assert "residual" in solution.criterion
    resistance = {"tube": {"outlet_0": 5e9}, "y": {"outlet_0": 8e9, "outlet_1": 16e9}}[which]
    for name, value in resistance.items():
        assert solution.port_pressure_pa[name] == pytest.approx(700 + value * solution.port_flow_m3_s[name], rel=1e-6)


def test_a_bifurcation_splits_by_resistance(y):
    _, solution = y
    flow = solution.port_flow_m3_s
    assert flow["outlet_0"] / flow["outlet_1"] == pytest.approx(2.0, rel=0.02)


def test_an_outlet_without_resistance_is_named(tube):
    _, solution = tube
    with pytest.raises(SolverFailed, match="outlet_0"):
        solve_steady(solution.mesh, FlowBoundary(**PRESSURES, resistance_pa_s_m3={}), BLOOD)


def test_no_steady_flow_is_said_so(tube):
    _, solution = tube
    impossible = SolverSettings(ramp_tolerance=1e-30, most_steps=3)
    with pytest.raises(SolverFailed, match="no steady flow in"):
        solve_steady(solution.mesh, FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 5e9}), BLOOD, impossible)


def manufactured_error(n):
    """L2 error of velocity against Ethier and Steinman's field, with the force mu d^2 u and exact values on the boundary (SUPG off)."""
    import ufl
    from dolfinx import fem
    from scipy.sparse.linalg import spsolve

    fluid = SimpleNamespace(density_kg_m3=1.0, viscosity_pa_s=0.05e-3)  # 0.05 in the solver's units
    d = Discretisation(cube(n), fluid, SolverSettings(streamline=0.0, grad_div=0.0))
    d.convection.value = 1.0
    d.tau.x.array[:] = 1.0
    value = fem.Function(d.velocity_space)
    value.interpolate(exact.beltrami_velocity)
    x = ufl.SpatialCoordinate(d.domain)
    velocity = ufl.as_vector(exact.beltrami(x, ufl)[0])
    force = fem.assemble_vector(fem.form(0.05 * (np.pi / 2) ** 2 * ufl.inner(velocity, ufl.TestFunctions(d.space)[0]) * ufl.dx)).array
    border = d.velocity_dofs[fem.locate_dofs_topological(d.velocity_space, 2, d.tags.find(0))].ravel()
    d.w.x.array[d.velocity_dofs] = value.x.array.reshape(-1, 3)
    free = np.setdiff1d(np.arange(len(d.w.x.array)), np.append(border, d.pressure_dofs[0]))
    for _ in range(5):
        d.w.x.array[free] -= spsolve(d.jacobian()[free][:, free].tocsc(), (d.residual() - force)[free])
    difference = ufl.split(d.w)[0] - velocity
    return float(np.sqrt(fem.assemble_scalar(fem.form(ufl.inner(difference, difference) * ufl.dx))))


def test_velocity_converges_at_third_order_to_a_manufactured_solution():
    sizes = np.array([4, 6, 8])  # below 4 every second cell touches the boundary, and the order is not yet seen
    assert exact.observed_order(1 / sizes, [manufactured_error(n) for n in sizes]) > 2.75


def test_backflow_is_resisted_at_outlets_and_outflow_is_not(tube):
    """With u = u0 uniform and only the boundary term left, the difference between two shares is (b1 - b0) |u.n| |u|^2 times the outlet's area."""
    _, solution = tube
    power = {}
    for share in (0.0, 0.5):
        for direction in (1.0, -1.0):
            d = Discretisation(solution.mesh, BLOOD, SolverSettings(backflow=share))
            d.convection.value = 1.0
            for field in (d.w, d.before):
                field.x.array[d.velocity_dofs] = [0.0, 0.0, direction]
            power[share, direction] = float(d.residual() @ d.w.x.array)
    area_mm2 = np.pi * 1.5**2
    assert power[0.5, -1.0] - power[0.0, -1.0] == pytest.approx(0.5 * area_mm2, rel=0.02)
    assert power[0.5, 1.0] == pytest.approx(power[0.0, 1.0], abs=1e-9)


def test_a_closed_socket_does_not_end_a_process_that_has_loaded_the_solver():
    lines = ("import socket, cfd.navier_stokes", "a, b = socket.socketpair()", "b.close()", "try: a.sendall(b'x')", "except BrokenPipeError: print('told')")
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr
