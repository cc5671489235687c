"""The verification cases themselves, coarse and fast; `make verify` runs them fine and writes cfd/VERIFICATION.md."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from ccta.errors import SolverFailed
from cfd import exact, verification
from cfd.verification import DFG_2D1, GHIA_U, GHIA_Y, cavity_velocity, cylinder_coefficients, kovasznay_error
from cfd.verification_tubes import Blood, nozzle_radius_mm, revolved, stenosis_drop_pa


@pytest.mark.parametrize(("degree", "sizes", "order"), [(1, (16, 24), 2.0), (2, (8, 12), 3.0)])
def test_velocity_converges_to_kovasznays_flow(degree, sizes, order):
    """Measured 1.95 and 3.06."""
    assert exact.observed_order(1 / np.array(sizes), [kovasznay_error(n, degree) for n in sizes]) == pytest.approx(order, abs=0.1)


def test_the_cavity_is_ghias():
    height, velocity = cavity_velocity(100, 10)
    assert velocity[0] == 0.0 and velocity[-1] == 1.0
    assert np.abs(CubicSpline(height, velocity)(GHIA_Y) - GHIA_U[100]).max() < 0.01


def test_the_cylinder_has_its_drag_and_pressure():
    found = cylinder_coefficients(0.14)
    assert found["drag"] == pytest.approx(DFG_2D1["drag"], rel=0.01)
    assert found["pressure difference"] == pytest.approx(DFG_2D1["pressure difference"], rel=0.01)


def test_a_problem_that_does_not_settle_is_said_so(monkeypatch):
    monkeypatch.setattr(verification, "MOST_STEPS", 1)
    with pytest.raises(SolverFailed, match="did not settle in 1 steps"):
        cavity_velocity(100, 4)


def test_a_stenosis_costs_more_than_its_throat_kept_moving_and_less_than_young_and_tsai():
    """Borda and Carnot's rho / 2 (1 / A_s - 1 / A)^2 Q^2, the flat profile's loss, stands between nothing and the blunt obstruction's."""
    drop, formula, solution = stenosis_drop_pa(0.5, 1e-6, elements=3.5)
    area, flow = np.pi * 1.5e-3**2, solution.port_flow_m3_s["inlet_0"]
    assert solution.mass_error < 1e-6
    assert 0.5 * Blood().density_kg_m3 * (3 * flow / area) ** 2 < drop < formula


def test_young_and_tsai_by_hand():
    """Half the diameter, 10 mm, 1 mL/s: Kv = 32 (8.3 + 2.46) / 3 * 16 = 1836.4; 1836.4 * 0.1650 = 303.0 Pa and 530 * 1.52 * 9 * 0.02001 = 145.1 Pa."""
    assert exact.young_tsai_drop_pa(1e-6, 3e-3, 0.5, 10e-3, (0.0035, 1060.0)) == pytest.approx(303.0 + 145.1, rel=2e-3)


def test_the_nozzle_has_its_measures_and_a_revolved_surface_is_closed():
    np.testing.assert_allclose(nozzle_radius_mm(np.array([0.0, 5.0, 5.0 + 22.685, 5.0 + 62.685, 5.0 + 63.2, 90.0]), 5.0), [6, 6, 2, 2, 6, 6])
    surface, tree = revolved(lambda s: 1.0 + 0.1 * s, 10.0, 0.25)
    edges = np.vstack([surface.triangles[:, [0, 1]], surface.triangles[:, [1, 2]], surface.triangles[:, [2, 0]]])
    assert sorted(map(tuple, edges)) == sorted(map(tuple, edges[:, ::-1]))
    assert tree.branches[0].radius_mm[-1] == pytest.approx(2.0)
