"""Flow studies: FFR of one tree over ranges of boundary conditions and geometry, on a grid, by Latin hypercube, or by Saltelli's samples for Sobol indices."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from ccta.errors import BadInput, BadSettings, SolverFailed
from ccta.findings import Stenosis
from ccta.model import SEGMENTS
from ccta.settings import FlowSettings
from ccta.units import m3_s_to_ml_min, m_to_mm
from cfd.ffr import Reading, plan_readings
from cfd.network import cut_at_bifurcations, solve_network, solve_pieces
from cfd.outlets import outlet_resistances_pa_s_m3, outlet_shares
from cfd.physiology import DEFAULT_CUFF_MMHG, hyperaemic_physiology
from cfd.pipeline import Anatomy, flow_problem, silent, solve_problem
from cfd.profiles import SMALLEST_AREA_MM2, Profile
from cfd.pullback import FlowModel, pullback_file

SHORT = {
    "hyperaemia": "hyperaemia_factor",
    "murray": "outlet_exponent",
    "systolic": "systolic_mmhg",
    "diastolic": "diastolic_mmhg",
    "lv_mass": "lv_mass_g",
    "distal_pressure": "distal_pressure_mmhg",
}
BOUNDARY = (*SHORT.values(), "haematocrit", "height_cm", "weight_kg", "rest_flow_ml_min_g")
GEOMETRY = {"lumen": "factor on every lumen diameter", "stenosis": "factor on how far each stenosis narrows its vessel: 0 opens it, 1 is as measured"}
METHODS = ("grid", "lhs", "sobol")
MOST_GRID = 1_000_000
MOST_THREE_D = 50


@dataclass(frozen=True)
class Range:
    """One varied quantity: values from `low` to `high`, `count` of them on a grid."""

    name: str
    low: float
    high: float
    count: int = 2

    def __post_init__(self):
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high and self.count >= 2):
            raise BadInput(f"--vary {self.name}: from {self.low:g} to {self.high:g} in {self.count} steps is no range; write LOW:HIGH:COUNT, LOW < HIGH")


@dataclass(frozen=True, eq=False)
class Sweep:
    """values: (S, P) of the quantities `names`. results: (S, R) of `outputs` (ffr_LAD, ffr_lesion_0_mLAD, flow_ml_min), NaN where no flow settled."""

    names: tuple[str, ...]
    values: np.ndarray
    outputs: tuple[str, ...]
    results: np.ndarray


def parse_range(text: str) -> Range:
    """`name=LOW:HIGH[:COUNT]`; BadInput lists what can be varied."""
    name, _, span = text.partition("=")
    name = SHORT.get(name.strip(), name.strip())
    if name not in BOUNDARY and name not in GEOMETRY:
        shown = ", ".join((*SHORT, *(one for one in BOUNDARY if one not in SHORT.values()), *GEOMETRY))
        raise BadInput(f"--vary {text}: {name!r} cannot be varied; what can is {shown}")
    match = re.fullmatch(r"\s*([^:]+):([^:]+?)(?::(\d+))?\s*", span)
    try:
        return Range(name, float(match[1]), float(match[2]), int(match[3] or 11))
    except (TypeError, ValueError) as error:
        raise BadInput(f"--vary {text}: write name=LOW:HIGH:COUNT, for example hyperaemia=0.2:0.3:11") from error


def samples_of(ranges: Sequence[Range], method: str, count: int, seed: int = 0) -> np.ndarray:
    """(S, P) values. grid: all combinations. lhs: `count` of them. sobol: (P + 2) times the next power of two, the blocks that first-order and total
    indices are computed from (Saltelli, Comput Phys Commun 2010;181:259)."""
    names = [one.name for one in ranges]
    if len(set(names)) < len(names):
        raise BadInput(f"--vary names a quantity twice ({', '.join(names)}); give each once")
    if method == "grid":
        total = int(np.prod([one.count for one in ranges], dtype=float))
        if total > MOST_GRID:
            raise BadInput(f"a grid of {total} combinations is too many; take fewer steps, or --method lhs --samples 10000")
        return np.array(list(itertools.product(*(np.linspace(one.low, one.high, one.count) for one in ranges))))
    if method == "lhs":
        from SALib.sample import latin

        return latin.sample(problem_of(ranges), count, seed=seed)
    if method == "sobol":
        from SALib.sample import sobol

        return sobol.sample(problem_of(ranges), 2 ** int(np.ceil(np.log2(max(count, 2)))), calc_second_order=False, seed=seed)
    raise BadInput(f"there is no method {method!r}; it is one of {', '.join(METHODS)}")


def problem_of(ranges: Sequence[Range]) -> dict:
    """As SALib wants it."""
    return {"num_vars": len(ranges), "names": [one.name for one in ranges], "bounds": [[one.low, one.high] for one in ranges]}


def sobol_indices(ranges: Sequence[Range], sweep: Sweep, seed: int = 0) -> dict[str, dict]:
    """{output: {quantity: {first, first_ci, total, total_ci}}} of a sweep over Saltelli's samples; outputs that did not settle everywhere or do not vary
    have none. The intervals are 95 %, by bootstrap."""
    from SALib.analyze import sobol

    found = {}
    for name, column in zip(sweep.outputs, sweep.results.T, strict=True):
        if np.isfinite(column).all() and np.ptp(column) > 1e-9:
            one = sobol.analyze(problem_of(ranges), column, calc_second_order=False, seed=seed)
            rows = zip(sweep.names, one["S1"], one["S1_conf"], one["ST"], one["ST_conf"], strict=True)
            found[name] = {q: dict(zip(("first", "first_ci", "total", "total_ci"), map(float, values), strict=True)) for q, *values in rows}
    return found


def sweep_reduced(anatomy: Anatomy, settings: FlowSettings, names: Sequence[str], values: np.ndarray, progress: Callable = silent) -> Sweep:
    """The reduced model at every row of `values`; FFR is read where it is read as measured. BadInput, BadSettings for what cannot be solved at all."""
    settings = with_cuff(settings)
    problem = flow_problem(anatomy, settings)
    pieces = cut_at_bifurcations(problem.tree, problem.profiles)
    outputs = outputs_of(problem, anatomy)
    if not len(anatomy.stenoses) and "stenosis" in names:
        raise BadInput("the case has no stenosis, so its severity cannot be varied; vary lumen instead")
    results = np.full((len(values), len(outputs) + 1), np.nan)
    for row, point in enumerate(values):
        state = varied(problem, anatomy, settings, dict(zip(names, map(float, point), strict=True)))
        try:
            solution = solve_pieces(pieces, state.profiles, state.resistance_pa_s_m3, state.physiology)
        except SolverFailed:
            continue
        curves = [(m_to_mm(one.distance_m), p / state.physiology.aortic_pressure_pa) for one, p in zip(state.profiles, solution.pressure_pa, strict=True)]
        flow = float(m3_s_to_ml_min(solution.inlet_flow_m3_s.sum()))
        results[row] = [*(one.value(*curves[one.branch])[0] for one in outputs.values()), flow]
        if row % 200 == 0:
            progress(f"{row} of {len(values)} solutions", row / len(values))
    return Sweep(tuple(names), values, (*outputs, "flow_ml_min"), results)


def sweep_three_d(anatomy: Anatomy, settings: FlowSettings, names: Sequence[str], values: np.ndarray, progress: Callable = silent) -> Sweep:
    """The 3-D model at a handful of boundary conditions. BadInput for geometry, which would need another surface, and for more than MOST_THREE_D rows."""
    if set(names) & set(GEOMETRY):
        raise BadInput("lumen and stenosis are varied in the reduced model only; in 3-D vary boundary conditions, or solve a stent by `ccta flow --stent`")
    if len(values) > MOST_THREE_D:
        raise BadInput(f"{len(values)} solutions in 3-D are too many (each takes minutes): at most {MOST_THREE_D}")
    settings = with_cuff(settings)
    problem = flow_problem(anatomy, settings)
    outputs = outputs_of(problem, anatomy)
    results = np.full((len(values), len(outputs) + 1), np.nan)
    for row, point in enumerate(values):
        progress(f"3-D solution {row + 1} of {len(values)}", row / len(values))
        state = varied(problem, anatomy, settings, dict(zip(names, map(float, point), strict=True)))
        try:
            pullback = solve_problem(state, anatomy, replace(settings, interval_samples=0), "3d").pullback
        except SolverFailed:
            continue
        curves = [(np.array(one.distance_mm), np.array(one.ffr)) for one in pullback.branches]
        results[row] = [*(one.value(*curves[one.branch])[0] for one in outputs.values()), sum(port.flow_ml_min for port in pullback.inlets)]
    return Sweep(tuple(names), values, (*outputs, "flow_ml_min"), results)


def with_cuff(settings: FlowSettings) -> FlowSettings:
    """With the pressures that stand in for a cuff that was not measured, so that one of them can be varied."""
    if settings.systolic_mmhg == 0 and settings.diastolic_mmhg == 0:
        return replace(settings, systolic_mmhg=DEFAULT_CUFF_MMHG[0], diastolic_mmhg=DEFAULT_CUFF_MMHG[1])
    return settings


def outputs_of(problem: FlowModel, anatomy: Anatomy) -> dict[str, Reading]:
    """{column: where it is read} of the vessels and lesions at which FFR can be read. BadInput where there are none."""
    solution = solve_network(problem.tree, problem.profiles, problem.resistance_pa_s_m3, problem.physiology)
    vessels, lesions = plan_readings(anatomy.tree, pullback_file(problem, solution, "rom"), anatomy.stenoses)
    found = {f"ffr_{name}": one for name, one in vessels.items() if isinstance(one, Reading)}
    for number, (lesion, one) in enumerate(zip(anatomy.stenoses, lesions, strict=True)):
        if isinstance(one, Reading):
            found[f"ffr_lesion_{number}_{SEGMENTS.get(lesion.segment, ('',))[0]}"] = one
    if not found:
        raise BadInput("FFR can be read in none of the vessels of this tree (unnamed, or too narrow)")
    return found


def varied(problem: FlowModel, anatomy: Anatomy, settings: FlowSettings, point: dict[str, float]) -> FlowModel:
    """The flow problem at one point of the study. BadSettings where a boundary condition is not possible."""
    known = {one.name for one in fields(FlowSettings)}
    now = replace(settings, **{name: value for name, value in point.items() if name in known})
    try:
        physiology = hyperaemic_physiology(anatomy.lv_mass_g, anatomy.patient.sex, now)
    except BadSettings as error:
        raise BadSettings(f"at {', '.join(f'{k} = {v:g}' for k, v in point.items())}: {error}") from error
    profiles = problem.profiles
    if set(point) & set(GEOMETRY):
        profiles = [reshaped(one, _of_branch(anatomy.stenoses, k), point.get("lumen", 1.0), point.get("stenosis", 1.0)) for k, one in enumerate(profiles)]
    shares = outlet_shares(problem.tree, profiles, now.outlet_exponent)
    return replace(
        problem, profiles=profiles, physiology=physiology, resistance_pa_s_m3=outlet_resistances_pa_s_m3(physiology.total_resistance_pa_s_m3, shares)
    )


def reshaped(profile: Profile, stenoses: Sequence[Stenosis], lumen: float, stenosis: float) -> Profile:
    """Diameters times `lumen`, and within the stenoses healthy - `stenosis` (healthy - measured), at least as wide as an occluded lumen is held open."""
    diameter, healthy = np.sqrt(4 / np.pi * profile.area_m2), profile.healthy_m
    for one in stenoses:
        inside = (m_to_mm(profile.distance_m) >= one.entry_mm) & (m_to_mm(profile.distance_m) <= one.exit_mm) & (diameter < healthy)
        diameter = np.where(inside, healthy - stenosis * (healthy - diameter), diameter)
    area = np.maximum(np.pi / 4 * np.maximum(lumen * diameter, 0.0) ** 2, 1e-6 * SMALLEST_AREA_MM2)
    return replace(profile, area_m2=area, healthy_m=lumen * healthy, start_m=profile.start_m)


def _of_branch(stenoses: Sequence[Stenosis], branch: int) -> list[Stenosis]:
    return [one for one in stenoses if one.branch == branch]
