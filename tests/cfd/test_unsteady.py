"""Pulsatile 3-D flow: Womersley's flow, the steady limit, coronary outlets, and a periodic state that is checked."""

from dataclasses import replace

import numpy as np
import pytest

from ccta.errors import SolverFailed
from cfd.coronary_outlets import CoronaryOutlets
from cfd.lumen import lumens_from_case
from cfd.mesh import MeshSettings, build_mesh
from cfd.unsteady import PulsatileFlow, UnsteadySettings
from cfd.verification_tubes import Blood, revolved, womersley_error, womersley_system

OUTLETS = CoronaryOutlets(
    np.outer([0.32, 0.52, 0.16], [4e9, 9e9]),
    np.outer([0.11, 0.89], [2e-10, 1e-10]),
    lambda t: np.full(2, 9000.0 * max(0.0, np.sin(2 * np.pi * t / 0.8))),
    700.0,
)


@pytest.fixture(scope="module")
def mesh():
    (lumen,) = lumens_from_case(*revolved(lambda s: np.full(len(s), 1.5), 8.0, 0.2))
    return lumen, build_mesh(lumen, MeshSettings(elements_per_diameter=3.5))


def test_womersleys_flow_has_its_size_and_phase(mesh):
    """Amplitude and phase of the flow that an oscillating pressure drives through a tube and a resistance (complex ratio to the exact one)."""
    assert abs(womersley_error(mesh, 0.04)) < 0.01


def test_a_constant_pressure_keeps_the_steady_flow(mesh):
    system, resistance = womersley_system(mesh, 100.0)
    outlets = CoronaryOutlets(np.outer([0.3, 0.5, 0.2], [resistance]), np.zeros((2, 1)), lambda t: np.zeros(1), 0.0)
    cycle, mean = PulsatileFlow(system, outlets, lambda t: 100.0, UnsteadySettings(step_s=0.2, residual=1e-3)).until_periodic(0.8)
    tube = 8 * Blood().viscosity_pa_s * 7.4e-3 / (np.pi * 1.5e-3**4)
    assert np.ptp(cycle.flow_m3_s) < 1e-4 * cycle.flow_m3_s.mean()
    assert cycle.flow_m3_s.mean() == pytest.approx(100.0 / (resistance + tube), rel=2e-3)
    assert np.abs(cycle.inflow_m3_s - cycle.flow_m3_s[:, 0]).max() < 1e-5 * cycle.inflow_m3_s.mean()
    assert mean.shape == system.state.shape
    assert cycle.cycles <= 2  # a quarter repeats itself, here to a millionth of the flow


def test_one_jacobian_serves_many_steps(mesh):
    """And the last cycle, whenever it ended, is told in the order of its times."""
    system, resistance = womersley_system(mesh, 100.0)
    outlets = CoronaryOutlets(np.outer([0.3, 0.5, 0.2], [resistance]), np.zeros((2, 1)), lambda t: np.zeros(1), 0.0)
    flow = PulsatileFlow(system, outlets, lambda t: 100.0 + 20.0 * np.cos(2 * np.pi * t / 0.8), UnsteadySettings(step_s=0.05))
    cycle, _ = flow.until_periodic(0.8)
    assert 1 < cycle.cycles < 2 and cycle.change < 1e-3
    np.testing.assert_allclose(cycle.time_s, 0.05 * np.arange(1, 17))
    np.testing.assert_allclose(cycle.inlet_pa, 100.0 + 20.0 * np.cos(2 * np.pi * cycle.time_s / 0.8))
    assert flow.jacobians * 4 < flow.newton_steps


def test_without_enough_cycles_it_says_that_the_flow_is_not_periodic(mesh):
    system, resistance = womersley_system(mesh, 100.0)
    outlets = CoronaryOutlets(np.outer([0.3, 0.5, 0.2], [resistance]), np.zeros((2, 1)), lambda t: np.zeros(1), 0.0)
    with pytest.raises(SolverFailed, match="did not become periodic"):
        PulsatileFlow(system, outlets, lambda t: 100.0, UnsteadySettings(step_s=0.4, most_cycles=1)).until_periodic(0.8)


def test_an_outlets_pressure_is_that_of_its_circuit():
    """p0 + r Q with the circuit's own currents: what flows in is stored in Ca, or goes on through Rm, is stored in Cm, or leaves through Rv."""
    rng, time, rate = np.random.default_rng(3), 0.13, 150.0
    past, flow = rng.uniform(1e5, 1e6, (2, 2)), np.array([2e-6, 1e-6])
    level, slope = OUTLETS.behind(time, rate, past)
    arterial, muscle = OUTLETS.states(time, rate, past, flow)
    center = muscle + OUTLETS.muscle_pa(time)
    small, micro, venous = OUTLETS.resistance_pa_s_m3
    stored = OUTLETS.compliance_m3_pa * (rate * np.stack([arterial, muscle]) - past)
    np.testing.assert_allclose(level + slope * flow, arterial + small * flow, rtol=1e-12)
    np.testing.assert_allclose(flow, stored[0] + (arterial - center) / micro, rtol=1e-9)
    np.testing.assert_allclose((arterial - center) / micro, stored[1] + (center - 700.0) / venous, rtol=1e-9, atol=1e-15)


def test_over_a_cycle_an_outlet_lets_through_what_its_resistances_do():
    """What compliances and the muscle's pressure take they give back: the mean flow is the mean pressure's."""
    pressure = lambda t: 12000.0 + 2000.0 * np.cos(2 * np.pi * t / 0.8)  # noqa: E731
    state, step, flows = OUTLETS.started(pressure, 0.8), 0.8 / 200, []
    for k in range(1, 201):
        level, slope = OUTLETS.behind(k * step, 1 / step, state / step)
        flows.append((pressure(k * step) - level) / slope)
        state = OUTLETS.states(k * step, 1 / step, state / step, flows[-1])
    np.testing.assert_allclose(np.mean(flows, axis=0), (12000.0 - 700.0) / np.array([4e9, 9e9]), rtol=1e-3)
    assert np.ptp(np.array(flows)[:, 0]) > 0.3 * np.mean(flows, axis=0)[0]


def test_without_compliance_an_outlet_is_a_resistance():
    plain = replace(OUTLETS, compliance_m3_pa=np.zeros((2, 2)))
    level, slope = plain.behind(0.1, 100.0, np.zeros((2, 2)))
    np.testing.assert_allclose(level, 700.0)
    np.testing.assert_allclose(slope, [4e9, 9e9])
