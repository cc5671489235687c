"""The everyday 3-D solver against exact solutions, against FFCx's code for the same weak form, and against Taylor-Hood elements."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ccta.errors import SolverFailed
from cfd import exact
from cfd.block_matrix import product, to_scipy
from cfd.element_kernels import assemble, time_scales
from cfd.flow_problem import AxisFlow, FlowBoundary
from cfd.flow_space import flow_space
from cfd.losses import curvature_factor, reynolds_length_m
from cfd.lumen import lumens_from_case
from cfd.mesh import MeshSettings, build_mesh
from cfd.steady import SteadySettings, _March, solve_steady, steady_system
from cfd.steady_system import SteadySystem
from tests.cfd.lumens import bent_cube, bent_tube, closed_tube, closed_y

BLOOD = SimpleNamespace(density_kg_m3=1060.0, viscosity_pa_s=0.0035)
PRESSURES = {"aortic_pressure_pa": 12000.0, "distal_pressure_pa": 700.0}


def axis_of(lumen, flow_m3_s):
    """A rough guess along the centerlines: the same flow everywhere, no pressure drop, slabs of about a diameter."""
    rows = []
    for k, branch in enumerate(lumen.tree):
        s = np.linspace(0, branch.length_mm, 60)
        points = branch.point_at(s)
        direction = np.gradient(points, axis=0)
        slab = 100 * k + (s / (2 * branch.radius_mm.mean())).astype(int)
        radius = np.interp(s, branch.distance_mm, branch.radius_mm)
        rows.append((points, direction / np.linalg.norm(direction, axis=1)[:, None], radius, np.full(60, flow_m3_s), np.full(60, 11000.0), slab))
    return AxisFlow(*(np.concatenate(values) for values in zip(*rows, strict=True)))


def solved(case, resistance, elements):
    (lumen,) = lumens_from_case(*case)
    mesh = build_mesh(lumen, MeshSettings(elements_per_diameter=elements))
    return lumen, solve_steady(mesh, FlowBoundary(**PRESSURES, resistance_pa_s_m3=resistance), BLOOD, axis_of(lumen, 2e-6))


@pytest.fixture(scope="module")
def tube():
    return solved(closed_tube(length_mm=14), {"outlet_0": 5e9}, elements=6)


@pytest.fixture(scope="module")
def y():
    return solved(closed_y(), {"outlet_0": 8e9, "outlet_1": 16e9}, elements=4)


def test_poiseuilles_drop_within_one_percent(tube):
    _, solution = tube
    flow = solution.port_flow_m3_s["outlet_0"]
    drop = solution.port_pressure_pa["inlet_0"] - solution.port_pressure_pa["outlet_0"]
    assert drop == pytest.approx(exact.poiseuille_drop_pa(flow, 1.5e-3, (14 - 2 * 0.3) * 1e-3, 0.0035), rel=0.01)
    r = np.linalg.norm(solution.mesh.points_m[:, :2], axis=1)
    parabola = exact.poiseuille_velocity_m_s(np.minimum(r, 1.5e-3), flow, 1.5e-3)
    assert np.sqrt(np.mean((solution.velocity_m_s[:, 2] - parabola) ** 2)) < 0.03 * parabola.max()


def test_wall_shear_stress_is_poiseuilles(tube):
    """4 mu Q / (pi R^3), 0.5 % on average and 5 % at nearly every point away from the ends."""
    _, solution = tube
    z = 1e3 * solution.mesh.points_m[:, 2]
    shear = solution.wall_shear_pa[np.isfinite(solution.wall_shear_pa) & (z > 2) & (z < 12)]
    expected = 4 * 0.0035 * solution.port_flow_m3_s["outlet_0"] / (np.pi * 1.5e-3**3)
    assert np.isnan(solution.wall_shear_pa).any() and shear.mean() == pytest.approx(expected, rel=0.01)
    assert np.quantile(np.abs(shear / expected - 1), 0.9) < 0.06


@pytest.mark.parametrize("which", ["tube", "y"])
def test_mass_is_kept_and_every_outlet_obeys_its_resistance(which, request):
    _, solution = request.getfixturevalue(which)
    assert solution.mass_error < 1e-6 and solution.criterion.startswith("steady: residual")
    resistance = {"tube": {"outlet_0": 5e9}, "y": {"outlet_0": 8e9, "outlet_1": 16e9}}[which]
    for name, value in resistance.items():
        assert solution.port_pressure_pa[name] == pytest.approx(700 + value * solution.port_flow_m3_s[name], rel=1e-6)


def test_what_leaves_through_the_wall_is_what_was_asked(tube):
    lumen, solution = tube
    places, lost = np.array([[0, 0, 4.0], [0, 0, 9.0]]), np.array([1e-7, 2e-7])
    boundary = FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 5e9}, wall_flow=(places, lost))
    leaking = solve_steady(solution.mesh, boundary, BLOOD, axis_of(lumen, 2e-6))
    assert leaking.mass_error < 1e-6
    assert leaking.port_flow_m3_s["inlet_0"] - leaking.port_flow_m3_s["outlet_0"] == pytest.approx(3e-7, rel=1e-4)


def test_it_agrees_with_taylor_hood_elements(y):
    from cfd import navier_stokes

    _, solution = y
    boundary = FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 8e9, "outlet_1": 16e9})
    other = navier_stokes.solve_steady(solution.mesh, boundary, BLOOD)
    for name, pressure in other.port_pressure_pa.items():
        assert solution.port_pressure_pa[name] == pytest.approx(pressure, abs=0.005 * 12000)


STEADY = (0.0, np.zeros((0, 3)))


def assembled(space, state, nu, scales, motion=STEADY, dtype=float):
    tau, tau_c = np.zeros(len(space.cells)), np.zeros(len(space.cells))
    viscosity = np.full(len(space.cells), nu)
    time_scales(space.cells, space.gradient, state, (viscosity, float(space.degree), *scales), tau, tau_c)
    data, residual = np.zeros((len(space.pattern.column), 4, 4), dtype), np.zeros_like(state)
    assemble(space.for_kernels, state, (tau, tau_c, viscosity, *motion), (data, residual), True)
    return data, residual, tau, tau_c


@pytest.mark.parametrize(("degree", "bend", "rate"), [(1, 0.0, 0.0), (2, 0.0, 3.0), (2, 0.08, 3.0)])
def test_the_jacobian_is_the_derivative_of_the_residual(degree, bend, rate):
    space = flow_space(bent_cube(2, bend), degree)
    rng = np.random.default_rng(0)
    state, change, nu = rng.normal(size=(len(space.nodes_mm), 4)), rng.normal(size=(len(space.nodes_mm), 4)), 0.05
    motion = (rate, rng.normal(size=(len(space.nodes_mm), 3)))
    data, _, tau, tau_c = assembled(space, state, nu, (0.5, 0.1), motion)
    sides = []
    for sign in (1, -1):
        residual = np.zeros_like(state)
        assemble(space.for_kernels, state + sign * 1e-6 * change, (tau, tau_c, np.full(len(space.cells), nu), *motion), (data, residual), False)
        sides.append(residual)
    np.testing.assert_allclose((to_scipy(space.pattern, data) @ change.ravel()).reshape(-1, 4), (sides[0] - sides[1]) / 2e-6, atol=1e-6)


def test_blocks_in_single_precision_are_those_in_double_to_round_off():
    """The solver's own are single: a Newton step needs no more, and the residual is in double either way."""
    space = flow_space(bent_cube(2, 0.08), 2)
    state = np.random.default_rng(0).normal(size=(len(space.nodes_mm), 4))
    (exactly, residual, *_), (data, same, *_) = (assembled(space, state, 0.05, (0.5, 0.1), dtype=kind) for kind in (float, np.float32))
    assert data.dtype == np.float32 and np.abs(data - exactly).max() < 2e-6 * np.abs(exactly).max()
    np.testing.assert_allclose(residual, same, rtol=1e-11, atol=1e-13 * np.abs(residual).max())


@pytest.mark.parametrize(("degree", "bend"), [(1, 0.0), (2, 0.0), (2, 0.08)])
def test_the_kernels_are_what_ffcx_generates(degree, bend):
    """The residual of the same weak form, written in UFL on DOLFINx's own mesh, node by node to round-off."""
    import basix.ufl
    import ufl
    from dolfinx import fem
    from scipy.spatial import cKDTree

    from cfd.navier_stokes import domain_of

    mesh, nu = bent_cube(2, bend), 0.05
    space = flow_space(mesh, degree)
    state, past = np.random.default_rng(1).normal(size=(len(space.nodes_mm), 4)), np.random.default_rng(2).normal(size=(len(space.nodes_mm), 3))
    _, residual, tau, tau_c = assembled(space, state, nu, (0.5, 0.1), (3.0, past))
    domain, _ = domain_of(mesh)
    theirs = fem.functionspace(domain, basix.ufl.element("Lagrange", "tetrahedron", degree, shape=(4,)))
    node = cKDTree(space.nodes_mm).query(theirs.tabulate_dof_coordinates())[1]
    w = fem.Function(theirs)
    w.x.array[:] = state[node].ravel()
    before = fem.Function(theirs)
    before.x.array[:] = np.column_stack([past, np.zeros(len(past))])[node].ravel()
    scales = [fem.Function(fem.functionspace(domain, ("DG", 0))) for _ in range(2)]
    middle = cKDTree(space.nodes_mm[space.cells[:, :4]].mean(axis=1))
    cell = middle.query(domain.geometry.x[domain.geometry.dofmap[:, :4]].mean(axis=1))[1]
    for scale, values in zip(scales, (tau, tau_c), strict=True):
        scale.x.array[:] = values[cell]
    test = ufl.TestFunction(theirs)
    u, p = ufl.as_vector([w[i] for i in range(3)]), w[3]
    v, q = ufl.as_vector([test[i] for i in range(3)]), test[3]
    acceleration = 3.0 * u - ufl.as_vector([before[i] for i in range(3)])
    strong = acceleration + ufl.grad(u) * u + ufl.grad(p) - nu * ufl.div(ufl.grad(u))
    form = ufl.inner(acceleration + ufl.grad(u) * u + 0.5 * ufl.div(u) * u, v) + nu * ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) + q * ufl.div(u)
    form += scales[0] * ufl.inner(strong, ufl.grad(v) * u + ufl.grad(q)) + scales[1] * ufl.div(u) * ufl.div(v)
    rule = {"quadrature_degree": 2} if degree == 1 else {"quadrature_degree": 4, "quadrature_rule": "Xiao-Gimbutas"}
    expected = fem.assemble_vector(fem.form(form * ufl.dx(metadata=rule))).array.reshape(-1, 4)
    np.testing.assert_allclose(residual[node], expected, rtol=1e-11, atol=1e-12)


def test_a_bend_resists_as_the_reduced_model_says():
    """Re 120, Dean number 43: 20 % more than a straight tube by White's measurements, which the reduced model uses; here without them."""
    bend_mm, degrees = 12.0, 150.0
    (lumen,) = lumens_from_case(*bent_tube(bend_mm, degrees=degrees))
    mesh = build_mesh(lumen, MeshSettings(elements_per_diameter=5))
    solution = solve_steady(mesh, FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 12e9}), BLOOD, axis_of(lumen, 1e-6))
    arc = bend_mm * np.arctan2(mesh.points_m[:, 2] * 1e3, bend_mm - mesh.points_m[:, 0] * 1e3)
    first, last = (np.abs(arc - at) < 1.0 for at in (3.0, np.radians(degrees) * bend_mm - 3.0))
    drop = solution.pressure_pa[first].mean() - solution.pressure_pa[last].mean()
    length_m = 1e-3 * (arc[last].mean() - arc[first].mean())
    flow, area = solution.port_flow_m3_s["outlet_0"], np.pi * 1.5e-3**2
    factor = curvature_factor(reynolds_length_m(np.array([flow]), 1060.0, 0.0035), np.array([area]), np.array([1e3 / bend_mm]))[0]
    assert factor == pytest.approx(1.20, abs=0.01)
    assert drop / exact.poiseuille_drop_pa(flow, 1.5e-3, length_m, 0.0035) == pytest.approx(factor, rel=0.05)


def test_a_slab_in_which_nothing_can_move_leaves_the_coarse_matrix_regular(tube):
    """Such a slab, of the inlet's cap alone, made it singular."""
    lumen, solution = tube
    boundary = FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 5e9})
    system = SteadySystem(flow_space(solution.mesh, 1), solution.mesh, axis_of(lumen, 2e-6), boundary, BLOOD)
    system.tune()
    system.residual(system.state)
    still = replace(system.modes, shape=np.where(system.modes.slab[:, None] == 0, 0.0, system.modes.shape))
    matrix = still.images(system.space.pattern, system.data, system.resistance).matrix
    assert np.linalg.cond(matrix) < 1e12


def test_the_coarse_matrix_is_that_of_the_whole_between_the_modes(y):
    """Z^T (A + sum of R b b^T) Z, column by column, and A Z share without it."""
    lumen, solution = y
    boundary = FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 8e9, "outlet_1": 16e9})
    system = SteadySystem(flow_space(solution.mesh, 1), solution.mesh, axis_of(lumen, 2e-6), boundary, BLOOD)
    system.tune()
    system.residual(system.state)
    modes, pattern = system.modes, system.space.pattern
    images = modes.images(pattern, system.data, system.resistance)
    share = np.random.default_rng(0).normal(size=modes.size)
    np.testing.assert_allclose(images.combined(share), product(pattern, system.data, modes.spread(share)), atol=1e-5)
    columns = []
    for k in range(modes.size):
        known = modes.spread(np.eye(modes.size)[k])
        seen = product(pattern, system.data, known)
        for nodes, b, resistance in zip(system.port_nodes, system.normals, system.resistance, strict=True):
            seen[nodes, :3] += resistance * np.sum(b * known[nodes, :3]) * b
        columns.append(modes.tested(seen))
    np.testing.assert_allclose(images.matrix, np.array(columns).T, atol=1e-5 * np.abs(images.matrix).max())


def test_an_outlet_without_resistance_is_named(tube):
    lumen, solution = tube
    with pytest.raises(SolverFailed, match="outlet_0"):
        solve_steady(solution.mesh, FlowBoundary(**PRESSURES, resistance_pa_s_m3={}), BLOOD, axis_of(lumen, 2e-6))


def test_the_last_step_at_each_viscosity_makes_no_jacobian_and_threads_are_those_allowed(tube, monkeypatch):
    lumen, solution = tube
    boundary, made, residual = FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 5e9}), [], SteadySystem.residual

    def counted(own, state, wanted=True):
        made.append(wanted)
        return residual(own, state, wanted)

    monkeypatch.setattr(SteadySystem, "residual", counted)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    system, history, _ = steady_system(solution.mesh, boundary, BLOOD, axis_of(lumen, 2e-6))
    assert sum(made) < len(history) + len(SteadySettings.ramp) + 1 and system.parts == 1


def test_no_steady_flow_is_said_so(tube):
    lumen, solution = tube
    boundary = FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 5e9})
    with pytest.raises(SolverFailed, match="no steady flow in 2 steps at 4 times"):
        solve_steady(solution.mesh, boundary, BLOOD, axis_of(lumen, 2e-6), SteadySettings(ramp_tolerance=1e-30, most_steps=2))


def test_where_a_jet_never_settles_the_blood_is_thicker_there_alone(tube, monkeypatch):
    """The march is made to fail with blood's own viscosity in the jet, half of the tube."""
    lumen, solution = tube
    boundary, axis = FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 5e9}), axis_of(lumen, 2e-6)
    axis = replace(axis, jet=(axis.points_mm[:, 2] > 7).astype(float))
    march = _March._steady
    unsettled = lambda own, tolerance, factor: own.system.thickening.max() > 1 and march(own, tolerance, factor)  # noqa: E731
    monkeypatch.setattr(_March, "_steady", unsettled)
    system, _, criterion = steady_system(solution.mesh, boundary, BLOOD, axis)
    assert criterion.startswith("steady") and "in the jets behind narrowings 1.4 times the viscosity of blood" in criterion
    z = system.space.nodes_mm[system.space.cells[:, :4], 2].mean(axis=1)
    assert (system.thickening[z < 6] == 1).all() and np.allclose(system.thickening[z > 8], 1.4)
    drop = solution.port_pressure_pa["inlet_0"] - solution.port_pressure_pa["outlet_0"]
    thicker = boundary.aortic_pressure_pa - system.outlet_pressure(system.state)[0] * system.pressure_pa
    flows = system.outflow(system.state)[0] * 1e-6 / solution.port_flow_m3_s["outlet_0"]
    assert thicker / drop == pytest.approx(1.2 * flows, rel=0.02)


def test_backflow_is_resisted_at_outlets_and_outflow_is_not(tube):
    """With u uniform along the axis the work of two shares differs by (b1 - b0) |u.n| |u|^2 times the outlet's area, for flow that comes in."""
    lumen, solution = tube
    boundary = FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 5e9})
    system = SteadySystem(flow_space(solution.mesh, 2), solution.mesh, axis_of(lumen, 2e-6), boundary, BLOOD)
    outward = system.normals[0].sum(axis=0) / np.linalg.norm(system.normals[0].sum(axis=0))
    work = {}
    for share in (0.0, 0.5):
        system.tune(backflow=share)
        for direction in (1.0, -1.0):
            state = np.zeros_like(system.state)
            state[:, :3] = direction * outward
            work[share, direction] = float(np.sum(system.residual(state, wanted=False)[:-1].reshape(-1, 4)[:, :3] * state[:, :3]))
    free = ~system.space.fixed[system.port_nodes[0]]
    area = float(np.sum(system.normals[0][free] @ outward))
    assert work[0.5, 1.0] == pytest.approx(work[0.0, 1.0], abs=1e-3 * area)  # at a curved rim a node's share of the area can be just below 0
    assert work[0.5, -1.0] - work[0.0, -1.0] == pytest.approx(0.5 * area, rel=3e-3)
