"""Pressure-loss laws of the reduced model, as pure functions of geometry. SI.

All are of the form linear Q + quadratic Q|Q|, so that a tree is solved from a few numbers per piece. Constants were set on 3-D and axisymmetric solutions
of stenoses that are in no test (see EXPANSION_LOSS).
"""

import numpy as np
from numba import njit

EXPANSION_LOSS = 1.2  # Borda-Carnot is 1 for a flat throat profile; fitted to 3-D solutions of 50-70 % stenoses at 1-4 mL/s (1.15-1.28)
JUNCTION_LOSS = 1.0  # Borda-Carnot on the velocity that a daughter loses
REACCELERATION = 1.1  # the jet counts as spread out where the velocity rises again by this factor


def viscous_resistance_pa_s_m3(distance_m: np.ndarray, area_m2: np.ndarray, viscosity_pa_s: float) -> np.ndarray:
    """(N,) cumulative Poiseuille resistance along a vessel: integral of 8 pi mu / A^2 ds, from its first station."""
    gradient = 8 * np.pi * viscosity_pa_s / area_m2**2
    return np.concatenate([[0.0], np.cumsum(0.5 * (gradient[1:] + gradient[:-1]) * np.diff(distance_m))])


@njit(cache=True)
def expansion_coefficient_1_m4(area_m2, factor):
    """(N,) cumulative irreversible loss behind narrowings, as e with dp = rho / 2 e Q|Q|, from the first station.

    Each expansion costs factor (1/A_throat - 1/A_distal)^2: Borda-Carnot, the expansion term of Young and Tsai (J Biomech 1973;6:395) with Kt = factor.
    Throats and the end of their jets are found in 1/A itself: a jet ends where the velocity rises again by REACCELERATION. Convective acceleration into a
    throat costs nothing here, it is reversible.
    """
    result = np.empty(len(area_m2))
    closed = 0.0
    throat = low = 1.0 / area_m2[0]
    for i in range(len(area_m2)):
        v = 1.0 / area_m2[i]
        if v > throat or v > low * REACCELERATION:
            closed += factor * (throat - low) ** 2
            throat = low = v
        elif v < low:
            low = v
        result[i] = closed + factor * (throat - low) ** 2
    return result


@njit(cache=True)
def junction_coefficient_1_m4(flow_m3_s, parent_flow_m3_s, area_m2, parent_area_m2, factor):
    """Loss from a parent into one daughter, as g with dp = rho / 2 g Q|Q|, Q the daughter's flow: Borda-Carnot on the lost velocity.

    g = factor (Q_p / (Q A_p) - 1 / A)^2 where the daughter is slower than the parent, 0 where it is faster (acceleration is reversible). With this the
    pressure behind a bifurcation lies between continuity of total pressure (factor 0) and of static pressure.
    """
    if flow_m3_s <= 0.0:
        return 0.0
    lost = parent_flow_m3_s / (flow_m3_s * parent_area_m2) - 1.0 / area_m2
    return factor * lost * lost if lost > 0 else 0.0


def dynamic_pressure_pa(flow_m3_s, area_m2, density_kg_m3: float):
    """rho / 2 (Q / A)^2: what the mean static pressure lacks to the total one with a flat profile."""
    return 0.5 * density_kg_m3 * (flow_m3_s / area_m2) ** 2
