"""Pressure-loss laws of the reduced model, as pure functions of geometry. SI.

All are of the form linear Q + quadratic Q|Q|, so that a tree is solved from a few numbers per piece. The expansion was fitted to twelve steady 3-D solutions
(`cfd.steady`, curved walls, 4.5 elements per diameter) of one cosine-shaped stenosis in a straight tube of 2.4 or 3 mm: 40-70 % of the diameter, 6-14 mm long,
throat in the middle (2), half or three quarters to one side (8) or at the wall (2), 1.2-3.6 mL/s, throat Reynolds number 370-780, drops of 7 to 25 mmHg
between just before the stenosis and 5-32 mm behind its throat. The constants below give them within 1.9 mmHg (root mean square; 5 at worst: a 70 % stenosis of
6 mm loses more, one of 10 mm less, which area along the vessel does not tell). How far to one side the throat lies hardly matters. With 6 elements per diameter
the 3-D solutions move by up to 1 mmHg, to either side.
"""

import numpy as np
from numba import njit

EXPANSION_LOSS = 1.19  # lost for good; Borda-Carnot is 1 for a flat profile, Young and Tsai measured 1.52
JET_EXCESS = 0.43  # still in the jet right behind the throat, given back while it spreads
JET_LENGTH = 0.0069  # a jet spreads over JET_LENGTH Re_throat D_throat (D / D_throat)^JET_EXPONENT: laminar mixing
JET_EXPONENT = 1.48
JUNCTION_LOSS = 1.0  # Borda-Carnot on the velocity that a daughter loses
REACCELERATION = 1.1  # the jet counts as spread out where the velocity rises again by this factor


def viscous_resistance_pa_s_m3(distance_m: np.ndarray, area_m2: np.ndarray, viscosity_pa_s: float, factor: np.ndarray | float = 1.0) -> np.ndarray:
    """(N,) cumulative Poiseuille resistance along a vessel: integral of factor 8 pi mu / A^2 ds, from its first station."""
    gradient = factor * 8 * np.pi * viscosity_pa_s / area_m2**2
    return np.concatenate([[0.0], np.cumsum(0.5 * (gradient[1:] + gradient[:-1]) * np.diff(distance_m))])


def curvature_factor(reynolds_m: np.ndarray, area_m2: np.ndarray, curvature_1_m: np.ndarray) -> np.ndarray:
    """(N,) friction of fully developed laminar flow in a bend over that in a straight vessel (White, Proc R Soc Lond A 1929;123:645).

    1 / (1 - (1 - (11.6 / De)^0.45)^2.2) with the Dean number De = Re sqrt(r / R), from 11.6 on, below which a bend costs nothing; its data end at 2000.
    reynolds_m: (N,) of `reynolds_length_m`. curvature_1_m: 1 / R.
    """
    radius = np.sqrt(area_m2 / np.pi)
    dean = np.clip(reynolds_m / (2 * radius) * np.sqrt(radius * curvature_1_m), 11.6, 2000.0)
    return 1 / (1 - (1 - (11.6 / dean) ** 0.45) ** 2.2)


def reynolds_length_m(flow_m3_s, density_kg_m3: float, viscosity_pa_s: float):
    """Re D = 4 rho Q / (pi mu), the same at every diameter, m."""
    return 4 * density_kg_m3 * np.abs(flow_m3_s) / (np.pi * viscosity_pa_s)


@njit(cache=True)
def expansion_coefficient_1_m4(distance_m, area_m2, reynolds_m):
    """(N,) loss of total pressure behind narrowings up to each station, as e with dp = rho / 2 e Q|Q|.

    Each expansion costs EXPANSION_LOSS (1/A_throat - 1/A_distal)^2 for good: Borda-Carnot, the expansion term of Young and Tsai (J Biomech 1973;6:395).
    A further JET_EXCESS of it is missing behind the throat and comes back as the jet spreads, exponentially along the vessel over a length that grows
    with the Reynolds number. Throats are found in 1/A itself: an expansion ends where the velocity rises again by REACCELERATION. Convective
    acceleration into a throat costs nothing here, it is reversible. reynolds_m: (N,) of `reynolds_length_m`.
    """
    result = np.empty(len(area_m2))
    closed = excess = before = 0.0
    throat = low = 1.0 / area_m2[0]
    for i in range(len(area_m2)):
        v = 1.0 / area_m2[i]
        if i > 0:
            length = JET_LENGTH * reynolds_m[i] * (throat / low) ** (JET_EXPONENT / 2)
            excess *= np.exp(-(distance_m[i] - distance_m[i - 1]) / max(length, 1e-6))
        if v > throat or v > low * REACCELERATION:
            closed += EXPANSION_LOSS * before
            before = 0.0
            throat = low = v
        elif v < low:
            low = v
        expansion = (throat - low) ** 2
        excess += JET_EXCESS * (expansion - before)
        before = expansion
        result[i] = closed + EXPANSION_LOSS * expansion + excess
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
