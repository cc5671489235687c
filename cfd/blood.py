"""Blood as a fluid: density and viscosity. SI units."""

import numpy as np

DENSITY_KG_M3 = 1060.0
VISCOSITY_PA_S = 0.0035  # whole blood at 37 C, high shear, haematocrit 0.41; 0.0035-0.004 is in use
PLASMA_VISCOSITY_PA_S = 0.0012


def newtonian_viscosity_pa_s(haematocrit: float) -> float:
    """High-shear viscosity of whole blood in a vessel much wider than a cell, Pa s.

    mu / mu_plasma = 1 + (3.2 - 1) ((1 - H)^-0.8 - 1) / ((1 - 0.45)^-0.8 - 1): Pries et al., Am J Physiol 1992;263:H1770, in the limit of a large
    diameter. haematocrit H: fraction, 0.1 to 0.65.
    """
    if not 0.1 <= haematocrit <= 0.65:
        raise ValueError(f"the haematocrit is a fraction between 0.1 and 0.65, got {haematocrit}")
    return PLASMA_VISCOSITY_PA_S * (1 + 2.2 * ((1 - haematocrit) ** -0.8 - 1) / (0.55**-0.8 - 1))


def carreau_yasuda_viscosity_pa_s(shear_rate_1_s):
    """Shear-thinning viscosity of whole blood, Pa s (scalar or array).

    eta = eta_inf + (eta_0 - eta_inf) (1 + (lambda gamma)^a)^((n - 1) / a), with eta_inf 0.0022, eta_0 0.022 Pa s, lambda 0.11 s, a 0.644, n 0.392:
    Boyd, Buick, Green, Phys Fluids 2007;19:093103.
    """
    eta_inf, eta_0, time_s, a, n = 0.0022, 0.022, 0.11, 0.644, 0.392
    return eta_inf + (eta_0 - eta_inf) * (1 + (time_s * np.abs(shear_rate_1_s)) ** a) ** ((n - 1) / a)
