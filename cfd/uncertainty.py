"""How far FFR could be off because of what is not known of the patient: the reduced model, sampled."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ccta.settings import FlowSettings
from ccta.units import m_to_mm, mmhg_to_pa
from cfd.ffr import Reading
from cfd.network import cut_at_bifurcations, solve_pieces
from cfd.outlets import outlet_resistances_pa_s_m3, outlet_shares
from cfd.physiology import Physiology
from cfd.profiles import SMALLEST_AREA_MM2, Profile
from cfd.pullback import FlowModel

CORRELATION_M = 5e-3  # half of a contour's error is shared along the vessel, half is forgotten within this length


def ffr_intervals(problem: FlowModel, readings: Sequence[Reading], settings: FlowSettings, seed: int = 0) -> dict[Reading, tuple[float, float]]:
    """{reading: (below, above)}: distances of the 2.5 and 97.5 % quantiles from the reduced model's own value, both >= 0.

    Sampled: aortic pressure, hyperaemic resistance, outlet exponent, lumen contours (FlowSettings). The spread belongs around either model's value.
    """
    generator = np.random.default_rng(seed)
    pieces = cut_at_bifurcations(problem.tree, problem.profiles)
    nominal = _read(problem, solve_pieces(pieces, problem.profiles, problem.resistance_pa_s_m3, problem.physiology), problem.physiology, readings)
    samples = []
    for _ in range(settings.interval_samples):
        physiology = _sampled_physiology(problem.physiology, settings, generator)
        exponent = np.clip(generator.normal(settings.outlet_exponent, settings.exponent_sd), 2.0, 3.5)
        resistance = outlet_resistances_pa_s_m3(physiology.total_resistance_pa_s_m3, outlet_shares(problem.tree, problem.profiles, exponent))
        profiles = [_sampled_profile(profile, generator) for profile in problem.profiles]
        samples.append(_read(problem, solve_pieces(pieces, profiles, resistance, physiology), physiology, readings))
    if not samples:
        return {}
    low, high = np.quantile(samples, [0.025, 0.975], axis=0)
    return {one: (float(max(n - a, 0)), float(max(b - n, 0))) for one, n, a, b in zip(readings, nominal, low, high, strict=True)}


def _read(problem, solution, physiology, readings):
    curves = [(m_to_mm(one.distance_m), p / physiology.aortic_pressure_pa) for one, p in zip(problem.profiles, solution.pressure_pa, strict=True)]
    return [reading.value(*curves[reading.branch])[0] for reading in readings]


def _sampled_physiology(physiology: Physiology, settings, generator) -> Physiology:
    pressure = physiology.aortic_pressure_pa + mmhg_to_pa(settings.pressure_sd_mmhg) * generator.normal()
    return replace(
        physiology,
        aortic_pressure_pa=max(pressure, 2 * physiology.distal_pressure_pa, mmhg_to_pa(40.0)),
        total_resistance_pa_s_m3=physiology.total_resistance_pa_s_m3 * float(np.exp(settings.resistance_sd * generator.normal())),
    )


def _sampled_profile(profile: Profile, generator) -> Profile:
    """Contour errors: one shared along the branch, one local, of equal variance."""
    knots = np.arange(0.0, profile.distance_m[-1] + CORRELATION_M, CORRELATION_M)
    local = np.interp(profile.distance_m, knots, generator.normal(size=len(knots)))
    error = (local + generator.normal()) * np.sqrt(0.5)
    return replace(profile, area_m2=np.maximum(profile.area_m2 + error * profile.area_sd_m2, 1e-6 * SMALLEST_AREA_MM2))
