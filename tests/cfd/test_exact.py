import numpy as np
import pytest

from cfd import exact


def test_poiseuille_profile_carries_its_flow_and_its_wall_shear_balances_the_drop():
    r, flow, mu, length = 1.5e-3, 2e-6, 3.5e-3, 0.02
    s = np.linspace(0, r, 20001)
    u = exact.poiseuille_velocity_m_s(s, flow, r)
    assert np.trapezoid(2 * np.pi * s * u, s) == pytest.approx(flow, rel=1e-6)
    shear = -mu * (u[-1] - u[-2]) / (s[-1] - s[-2])
    assert exact.poiseuille_drop_pa(flow, r, length, mu) * np.pi * r**2 == pytest.approx(shear * 2 * np.pi * r * length, rel=1e-3)


def test_slow_womersley_is_poiseuille_and_the_profile_integrates_to_the_flow():
    r, fluid = 1.5e-3, (0.01, 1060.0, 3.5e-3)
    assert exact.womersley_flow_m3_s(0.0, r, 1000.0, fluid) == pytest.approx(np.pi * r**4 * 1000.0 / (8 * 3.5e-3), rel=1e-3)
    fast, s = (2 * np.pi * 3, 1060.0, 3.5e-3), np.linspace(0, r, 4001)
    for t in (0.0, 0.07, 0.2):
        u = exact.womersley_velocity_m_s(s, t, r, 1000.0, fast)
        assert np.trapezoid(2 * np.pi * s * u, s) == pytest.approx(exact.womersley_flow_m3_s(t, r, 1000.0, fast), rel=1e-5, abs=1e-12)
        assert abs(u[-1]) < 1e-12


def test_beltrami_flow_is_divergence_free_and_balances_its_pressure():
    x, h = np.array([0.3, -0.2, 0.5]), 1e-5
    velocity = lambda at: exact.beltrami_velocity(at[:, None])[:, 0]  # noqa: E731
    gradient = np.stack([(velocity(x + h * e) - velocity(x - h * e)) / (2 * h) for e in np.eye(3)], axis=1)
    pressure = lambda at: exact.beltrami(at, np)[1]  # noqa: E731
    force = np.array([(pressure(x + h * e) - pressure(x - h * e)) / (2 * h) for e in np.eye(3)])
    assert np.trace(gradient) == pytest.approx(0, abs=1e-8)
    np.testing.assert_allclose(gradient @ velocity(x) + force, 0, atol=1e-7)


def test_kovasznays_flow_satisfies_the_navier_stokes_equations():
    at, h, nu = np.array([0.3, 0.2]), 1e-4, 0.05
    field = lambda shift: np.array([float(c) for c in exact.kovasznay(*(at + shift), 1 / nu)])  # noqa: E731
    ex, ey = np.array([h, 0]), np.array([0, h])
    dx, dy = (field(ex) - field(-ex)) / (2 * h), (field(ey) - field(-ey)) / (2 * h)
    laplace = (field(ex) + field(-ex) + field(ey) + field(-ey) - 4 * field(0)) / h**2
    u = field(0)
    assert dx[0] + dy[1] == pytest.approx(0, abs=1e-6)
    for k, slope in ((0, dx[3]), (1, dy[3])):
        assert u[0] * dx[k] + u[1] * dy[k] + slope - nu * laplace[k] == pytest.approx(0, abs=1e-5)


def test_observed_order_reads_a_power():
    h = np.array([0.4, 0.2, 0.1])
    assert exact.observed_order(h, 3 * h**2.5) == pytest.approx(2.5)
