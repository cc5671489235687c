"""How far FFR could be off because of what is not known of the patient: the reduced model, sampled."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from ccta.errors import SolverFailed
from ccta.settings import FlowSettings
from ccta.units import m_to_mm, mmhg_to_pa
from cfd.ffr import Interval, Reading
from cfd.network import cut_at_bifurcations, solve_pieces
from cfd.outlets import outlet_resistances_pa_s_m3, outlet_shares
from cfd.physiology import Physiology
from cfd.profiles import SMALLEST_AREA_MM2, Profile
from cfd.pullback import FlowModel

CAUSES = ("blood pressure", "microvascular resistance", "myocardial mass", "outlet exponent")
LOSS = "loss behind narrowings"
LEAST_SOLVED = 0.95  # of the samples
CORRELATION_M = 5e-3  # half of a contour's error is shared along the vessel, half is forgotten within this length


def ffr_intervals(
    problem: FlowModel, readings: Sequence[Reading], settings: FlowSettings, loss_sd: np.ndarray | None = None, seed: int = 0
) -> dict[Reading, Interval]:
    """The spread of each reading by the reduced model; it belongs around either model's value.

    Sampled (FlowSettings): aortic pressure, hyperaemic resistance, myocardial mass, outlet exponent, lumen contours; where loss_sd (B,) is given also the
    reduced model's loss behind narrowings (`loss_range`), which 3-D does not have. A cause's share is the part of the variance that a parabola in its own draw
    explains (the first-order index of Sobol, for independent causes); the contours have the rest.
    A sample whose contours close a vessel so far that no flow settles is left out; where that is more than one in twenty there is no interval.
    """
    generator, names = np.random.default_rng(seed), (*CAUSES, LOSS) if loss_sd is not None else CAUSES
    spread = np.zeros(len(problem.profiles)) if loss_sd is None else loss_sd
    pieces = cut_at_bifurcations(problem.tree, problem.profiles)
    nominal = _read(problem, solve_pieces(pieces, problem.profiles, problem.resistance_pa_s_m3, problem.physiology), problem.physiology, readings)
    draws, samples = [], []
    for draw in generator.normal(size=(settings.interval_samples, len(names))):
        physiology = _sampled_physiology(problem.physiology, settings, dict(zip(names, draw, strict=True)))
        exponent = np.clip(settings.outlet_exponent + settings.exponent_sd * draw[CAUSES.index("outlet exponent")], 2.0, 3.5)
        resistance = outlet_resistances_pa_s_m3(physiology.total_resistance_pa_s_m3, outlet_shares(problem.tree, problem.profiles, exponent))
        profiles = [_sampled_profile(profile, float(np.exp(sd * draw[-1])), generator) for profile, sd in zip(problem.profiles, spread, strict=True)]
        with suppress(SolverFailed):
            samples.append(_read(problem, solve_pieces(pieces, profiles, resistance, physiology), physiology, readings))
            draws.append(draw)
    if len(samples) < max(2 * len(names) + 2, LEAST_SOLVED * settings.interval_samples):
        return {}
    low, high = np.quantile(samples, [0.05, 0.95], axis=0)
    shares = _shares(names, np.array(draws), np.array(samples))
    return {one: Interval(float(max(n - a, 0)), float(max(b - n, 0)), c) for one, n, a, b, c in zip(readings, nominal, low, high, shares, strict=True)}


def _shares(names: Sequence[str], draws: np.ndarray, samples: np.ndarray) -> list[dict[str, float]]:
    """Per reading {cause: share of the variance}, which sum to 1. draws: (S, causes). samples: (S, readings)."""
    spread = samples - samples.mean(axis=0)
    explained = []
    for draw in draws.T:
        basis = np.column_stack([np.ones(len(draw)), draw, draw**2])
        explained.append(np.square(basis @ np.linalg.lstsq(basis, spread, rcond=None)[0]).sum(axis=0))
    part = np.array(explained) / np.maximum(np.square(spread).sum(axis=0), 1e-30)
    part /= np.maximum(part.sum(axis=0), 1.0)
    return [dict(zip((*names, "lumen contours"), (*map(float, one), float(1 - one.sum())), strict=True)) for one in part.T]


def _read(problem, solution, physiology, readings):
    curves = [(m_to_mm(one.distance_m), p / physiology.aortic_pressure_pa) for one, p in zip(problem.profiles, solution.pressure_pa, strict=True)]
    return [reading.value(*curves[reading.branch])[0] for reading in readings]


def _sampled_physiology(physiology: Physiology, settings, draw: dict[str, float]) -> Physiology:
    pressure = physiology.aortic_pressure_pa + mmhg_to_pa(settings.pressure_sd_mmhg) * draw["blood pressure"]
    power = 0.75 if settings.rest_flow_law == "allometric" else 1.0  # of the mass, in the resting flow
    log_resistance = settings.resistance_sd * draw["microvascular resistance"] - power * settings.lv_mass_sd * draw["myocardial mass"]
    return replace(
        physiology,
        aortic_pressure_pa=max(pressure, 2 * physiology.distal_pressure_pa, mmhg_to_pa(40.0)),
        total_resistance_pa_s_m3=physiology.total_resistance_pa_s_m3 * float(np.exp(log_resistance)),
    )


def _sampled_profile(profile: Profile, factor: float, generator) -> Profile:
    """Contour errors: one shared along the branch, one local, of equal variance. factor: of its loss behind narrowings."""
    knots = np.arange(0.0, profile.distance_m[-1] + CORRELATION_M, CORRELATION_M)
    local = np.interp(profile.distance_m, knots, generator.normal(size=len(knots)))
    error = (local + generator.normal()) * np.sqrt(0.5)
    area = np.maximum(profile.area_m2 + error * profile.area_sd_m2, 1e-6 * SMALLEST_AREA_MM2)
    return replace(profile, area_m2=area, expansion_factor=factor)
