"""Exact solutions: verification as library code. Poiseuille, Womersley, Kovasznay, and a manufactured solution. SI units, numpy and scipy only."""

import numpy as np
from scipy.special import jv


def poiseuille_drop_pa(flow_m3_s, radius_m, length_m, viscosity_pa_s):
    """Pressure drop of fully developed flow in a round tube, Pa: 8 mu L Q / (pi r^4) (Hagen 1839, Poiseuille 1840)."""
    return 8 * viscosity_pa_s * length_m * flow_m3_s / (np.pi * radius_m**4)


def poiseuille_velocity_m_s(distance_from_axis_m, flow_m3_s, radius_m):
    """Axial velocity of fully developed flow in a round tube, m/s: 2 Q / (pi r^2) (1 - (s / r)^2); arrays broadcast."""
    return 2 * flow_m3_s / (np.pi * radius_m**2) * (1 - (distance_from_axis_m / radius_m) ** 2)


def young_tsai_drop_pa(flow_m3_s, diameter_m, degree, length_m, fluid):
    """Steady pressure drop over a concentric stenosis, Pa (Young and Tsai, J Biomech 1973;6:395): Kv mu Q / (A0 D0) + rho Kt / 2 (A0 / As - 1)^2 Q^2 / A0^2.

    Kt = 1.52, Kv = 32 (0.83 L + 1.64 Ds) / D0 (A0 / As)^2 [check]. diameter_m: D0 of the normal vessel. degree: 1 - Ds / D0. length_m: L of the stenosis.
    fluid: (viscosity Pa s, density kg/m3). An empirical law for steady flow at throat Reynolds numbers up to about 1000; not exact.
    """
    viscosity, density = fluid
    throat = diameter_m * (1 - degree)
    area, ratio = np.pi / 4 * diameter_m**2, (1 - degree) ** -2
    viscous = 32 * (0.83 * length_m + 1.64 * throat) / diameter_m * ratio**2
    return viscous * viscosity * flow_m3_s / (area * diameter_m) + density * 1.52 / 2 * (ratio - 1) ** 2 * flow_m3_s**2 / area**2


def womersley_number(radius_m, angular_frequency_rad_s, density_kg_m3, viscosity_pa_s):
    """Womersley number r sqrt(omega rho / mu), dimensionless."""
    return radius_m * np.sqrt(angular_frequency_rad_s * density_kg_m3 / viscosity_pa_s)


def womersley_velocity_m_s(distance_from_axis_m, time_s, radius_m, gradient_pa_m, fluid):
    """Axial velocity under the pressure gradient -dp/dz = G cos(omega t), m/s (Womersley, J Physiol 1955;127:553, eq. 8).

    u = Re{ G / (i rho omega) (1 - J0(i^1.5 alpha s / r) / J0(i^1.5 alpha)) exp(i omega t) }.
    gradient_pa_m: G. fluid: (angular frequency rad/s, density kg/m3, viscosity Pa s). distance and time broadcast. Not for omega = 0.
    """
    omega, density, viscosity = fluid
    argument = 1j**1.5 * womersley_number(radius_m, omega, density, viscosity)
    profile = 1 - jv(0, argument * np.asarray(distance_from_axis_m) / radius_m) / jv(0, argument)
    return np.real(gradient_pa_m / (1j * density * omega) * profile * np.exp(1j * omega * np.asarray(time_s)))


def womersley_flow_m3_s(time_s, radius_m, gradient_pa_m, fluid):
    """Flow under -dp/dz = G cos(omega t), m3/s: the real part of the admittance times G exp(i omega t)."""
    return np.real(gradient_pa_m * womersley_admittance_m4_s_pa(radius_m, fluid) * np.exp(1j * fluid[0] * np.asarray(time_s)))


def womersley_admittance_m4_s_pa(radius_m, fluid) -> complex:
    """Flow over pressure gradient of an oscillation in a rigid tube: pi r^2 / (i rho omega) (1 - 2 J1(L) / (L J0(L))), L = i^1.5 alpha."""
    omega, density, viscosity = fluid
    argument = 1j**1.5 * womersley_number(radius_m, omega, density, viscosity)
    return np.pi * radius_m**2 / (1j * density * omega) * (1 - 2 * jv(1, argument) / (argument * jv(0, argument)))


def beltrami_velocity(x, a: float = np.pi / 4, d: float = np.pi / 2):
    """Ethier and Steinman's steady velocity field at x (3, N) -> (3, N): divergence free, curl u = d u. Dimensionless.

    Ethier & Steinman, Int J Numer Meth Fluids 1994;19:369, eq. 12 at t = 0. Works on numpy arrays and, with the `sin`, `cos`, `exp` of
    the caller, on symbolic coordinates (see `beltrami`).
    """
    return np.stack(beltrami(x, np, a, d)[0])


def beltrami(x, functions, a: float = np.pi / 4, d: float = np.pi / 2):
    """((u0, u1, u2), p) of the Beltrami flow, for any module `functions` with exp, sin, cos (numpy or ufl).

    With it u . grad u + grad p = 0 (density 1), so the force of the steady problem is -mu laplace u = mu d^2 u.
    """
    exp, sin, cos = functions.exp, functions.sin, functions.cos
    x0, x1, x2 = x[0], x[1], x[2]
    u0 = -a * (exp(a * x0) * sin(a * x1 + d * x2) + exp(a * x2) * cos(a * x0 + d * x1))
    u1 = -a * (exp(a * x1) * sin(a * x2 + d * x0) + exp(a * x0) * cos(a * x1 + d * x2))
    u2 = -a * (exp(a * x2) * sin(a * x0 + d * x1) + exp(a * x1) * cos(a * x2 + d * x0))
    pressure = -(u0 * u0 + u1 * u1 + u2 * u2) / 2
    return (u0, u1, u2), pressure


def kovasznay(x, y, reynolds):
    """(u, v, w, p) of the steady flow behind a grid (Kovasznay, Proc Camb Phil Soc 1948;44:58): an exact solution without a force. Dimensionless.

    u = 1 - exp(l x) cos 2 pi y, v = l / (2 pi) exp(l x) sin 2 pi y, w = 0, p = -exp(2 l x) / 2, l = Re / 2 - (Re^2 / 4 + 4 pi^2)^1/2, viscosity 1 / Re.
    """
    rate = reynolds / 2 - np.sqrt(reynolds**2 / 4 + 4 * np.pi**2)
    wave, decay = 2 * np.pi * np.asarray(y), np.exp(rate * np.asarray(x))
    return 1 - decay * np.cos(wave), rate / (2 * np.pi) * decay * np.sin(wave), np.zeros_like(decay), -(decay**2) / 2


def observed_order(size, error) -> float:
    """Slope of log(error) over log(size): the observed order of convergence."""
    return float(np.polyfit(np.log(size), np.log(error), 1)[0])
