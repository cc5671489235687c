"""From anatomy to FFR, by either model: lumen and outlets are the same, and so is the result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ccta.errors import BadInput, BadSettings, Refusal
from ccta.findings import Ffr, Patient, PullbackFile, Stenosis
from ccta.model import CoronaryTree, CrossSections, Surface, Unavailable
from ccta.settings import FlowSettings
from ccta.units import m_to_mm
from cfd.ffr import Reading, ffr_findings, plan_readings
from cfd.loss_range import loss_spread, narrowings, range_notes
from cfd.lumen import Lumen, lumens_from_case, lumens_from_surface
from cfd.lumen_inlet import AUTO
from cfd.network import Solution, solve_network
from cfd.network_export import PERIOD_S
from cfd.outlets import outlet_resistances_pa_s_m3, outlet_shares, with_side_branches
from cfd.physiology import DEFAULT_CUFF_MMHG, Physiology, hyperaemic_physiology
from cfd.profiles import branch_profiles
from cfd.pullback import FlowModel, pullback_file
from cfd.pulsatile import solve_pulsatile
from cfd.slices import with_section_radii
from cfd.uncertainty import ffr_intervals

Progress = Callable[..., None]
"""Called with a sentence and, where known, the share that is done (0 to 1)."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What flow is solved in. sections, stenoses: empty where they were not measured. The 3-D model needs the surface, or the lumens cut from one."""

    tree: CoronaryTree
    sections: Sequence[CrossSections] = ()
    stenoses: Sequence[Stenosis] = ()
    surface: Surface | None = None
    lv_mass_g: float | Unavailable = field(default_factory=lambda: Unavailable("the heart was not segmented"))
    patient: Patient = field(default_factory=Patient)
    lumens: Sequence[Lumen] = ()


@dataclass(frozen=True, eq=False)
class FlowResult:
    """pullback, ffr: what the case stores. problem, reduced: the reduced model's input and solution, which always exist. flows: of the 3-D model."""

    pullback: PullbackFile
    ffr: Ffr
    problem: FlowModel
    reduced: Solution
    flows: tuple = ()


def silent(message: str, share: float | None = None) -> None:
    """The progress reporter of a caller that wants none."""


def solve_flow(anatomy: Anatomy, settings: FlowSettings | None = None, model: str = "rom", progress: Progress = silent) -> FlowResult:
    """FFR on a patient's coronary tree by one of the models ("rom", "3d", "pulsatile", "3d-pulsatile").

    Refusal where the tree has no branches; BadInput where the 3-D model has no surface; SolverFailed where a mesh or a solution could not be had.
    """
    settings = settings or FlowSettings()
    return solve_problem(flow_problem(anatomy, settings), anatomy, settings, model, progress)


def solve_problem(problem: FlowModel, anatomy: Anatomy, settings: FlowSettings, model: str, progress: Progress = silent) -> FlowResult:
    """`solve_flow` with outlets and boundary data that are known already."""
    progress("reduced model", 0.0)
    reduced = solve_network(problem.tree, problem.profiles, problem.resistance_pa_s_m3, problem.physiology)
    narrow = narrowings(problem, reduced)
    said_of_range = range_notes(problem, narrow)
    pullback = pullback_file(problem, reduced, "rom", [steady_note(problem, reduced), *said_of_range])
    readings = plan_readings(anatomy.tree, pullback, anatomy.stenoses)
    progress("uncertainty", 0.02)
    spread = None if model.startswith("3d") else loss_spread(problem, narrow, settings.loss_sd)
    intervals = ffr_intervals(problem, [one for one in (*readings[0].values(), *readings[1]) if isinstance(one, Reading)], settings, spread)
    flows = ()
    if model in ("3d", "3d-pulsatile"):
        pullback, flows = _in_three_d(anatomy, problem, reduced, replace(settings, model=model), progress)
    elif model == "pulsatile":
        solution, said = solve_pulsatile(problem, reduced, (settings.systolic_mmhg, settings.diastolic_mmhg) if settings.systolic_mmhg else DEFAULT_CUFF_MMHG)
        pullback = pullback_file(problem, solution, "pulsatile", [*said, *said_of_range])
    elif model != "rom":
        raise BadSettings(f'the flow model is "rom", "3d", "pulsatile" or "3d-pulsatile", got {model!r}')
    return FlowResult(pullback, ffr_findings(pullback, anatomy.stenoses, readings, intervals, problem.physiology), problem, reduced, flows)


def reduced_flow(anatomy: Anatomy, settings: FlowSettings) -> tuple[PullbackFile, Ffr]:
    """FFR by the reduced model without its interval, in a fraction of a second: what a change of the contours does. Refusals as in `flow_problem`."""
    problem = flow_problem(anatomy, settings)
    solution = solve_network(problem.tree, problem.profiles, problem.resistance_pa_s_m3, problem.physiology)
    notes = [steady_note(problem, solution), *range_notes(problem, narrowings(problem, solution))]
    pullback = pullback_file(problem, solution, "rom", notes)
    return pullback, ffr_findings(pullback, anatomy.stenoses, plan_readings(anatomy.tree, pullback, anatomy.stenoses), {}, problem.physiology)


def steady_note(problem: FlowModel, solution: Solution) -> str:
    """What both steady models assume."""
    lost = np.sum(solution.side_flow_m3_s)
    if not len(problem.profiles[0].side_share):
        return "Steady mean flow in rigid vessels; side branches too small to be seen on CT carry no flow."
    return (
        f"Steady mean flow in rigid vessels; {100 * lost / solution.inlet_flow_m3_s.sum():.0f} % of the flow leaves along the vessels through side branches "
        "too small to be seen on CT, as much as the healthy taper between the visible ones says."
    )


def _in_three_d(anatomy, problem, reduced, settings, progress):
    from cfd.three_d import along_branches, solve_trees  # gmsh and DOLFINx load only when they are wanted

    if anatomy.surface is None and not anatomy.lumens:
        raise BadInput("the 3-D model needs the lumen surface, which was not made; use the reduced model, or make the surface first")
    lumens = anatomy.lumens or lumens_from_case(anatomy.surface, with_measured_calibre(problem))
    part = lambda text, share=None: progress(text, None if share is None else 0.05 + 0.9 * share)  # noqa: E731
    flows = solve_trees(problem, lumens, reduced, settings, part)
    solution = along_branches(problem, flows, reduced)
    first = steady_note(problem, solution) if settings.model == "3d" else f"Mean over the heart's cycle at {60 / PERIOD_S:.0f} beats/min, {PULSATILE}"
    return pullback_file(problem, solution, settings.model, [first, *three_d_notes(problem, solution, reduced, flows)]), flows


def with_measured_calibre(problem: FlowModel) -> CoronaryTree:
    """The tree with the calibre of its contours in place of the mask's, in which a throat narrower than a few voxels is too wide: elements follow it."""
    profiles = zip(problem.tree.branches, problem.profiles, strict=True)
    radii = [np.interp(branch.distance_mm, m_to_mm(one.distance_m), m_to_mm(np.sqrt(one.area_m2 / np.pi))) for branch, one in profiles]
    return replace(problem.tree, branches=tuple(replace(branch, radius_mm=radius) for branch, radius in zip(problem.tree.branches, radii, strict=True)))


PULSATILE = "rigid walls, idealised aortic and ventricular pressures, coronary outlets; side branches too small to be seen on CT carry no flow."


def three_d_notes(problem: FlowModel, solution: Solution, reduced: Solution, flows: Sequence) -> list[str]:
    """How each tree was solved, how far the reduced model is from it, and where the interval comes from."""
    difference = np.concatenate([a - b for a, b in zip(solution.pressure_pa, reduced.pressure_pa, strict=True)]) / problem.physiology.aortic_pressure_pa
    ends = np.array([a[-1] - b[-1] for a, b in zip(solution.pressure_pa, reduced.pressure_pa, strict=True)]) / problem.physiology.aortic_pressure_pa
    trees = [
        f"3-D tree {k + 1}: {len(one.mesh.tetrahedra)} tetrahedra (worst quality {one.mesh.worst_quality:.2f}), mass error {one.solution.mass_error:.1e}, "
        f"{one.solution.criterion}."
        for k, one in enumerate(flows)
    ]
    compared = (
        f"FFR in 3-D minus reduced model: {difference.mean():+.3f} on average along the branches, {ends[np.argmax(np.abs(ends))]:+.3f} at the end "
        "of the branch where they differ most."
    )
    return [*trees, compared, "The interval is the spread of the reduced model's samples, put around the 3-D value."]


def flow_problem(anatomy: Anatomy, settings: FlowSettings) -> FlowModel:
    """Geometry with boundary conditions: what both models solve."""
    if not len(anatomy.tree):
        raise Refusal("the coronary tree has no branches, so there is nothing to solve flow in")
    if len(anatomy.tree.continued()) != len(anatomy.tree):
        raise BadInput("a branch of the tree ends in a fork, which would make it an outlet; join it with its widest child (`CoronaryTree.continued`)")
    physiology: Physiology = hyperaemic_physiology(anatomy.lv_mass_g, anatomy.patient.sex, settings)
    profiles = branch_profiles(anatomy.tree, anatomy.sections, anatomy.stenoses, settings.lumen_sd_mm)
    if settings.side_branches:
        profiles = with_side_branches(anatomy.tree, profiles, settings.outlet_exponent)
    shares = outlet_shares(anatomy.tree, profiles, settings.outlet_exponent)
    return FlowModel(anatomy.tree, profiles, outlet_resistances_pa_s_m3(physiology.total_resistance_pa_s_m3, shares), physiology)


def solve_surface(
    surface: Path, centerlines: Sequence[Path], out: Path, settings: FlowSettings | None = None, progress: Progress = silent, inlet: str = AUTO
) -> PullbackFile:
    """Flow on any lumen surface with its VMTK centerlines, by the model of the settings; files as in `write_flow_files`.

    The lumen area comes from cutting the surface, the healthy calibre that drives the outlets from a robust taper of it. inlet: as in
    `lumens_from_surface`. BadInput for unusable files.
    """
    from cfd.flow_files import write_flow_files  # loads gmsh and DOLFINx

    settings = settings or FlowSettings()
    progress("lumen and centerlines", 0.0)
    lumens = lumens_from_surface(Path(surface), [Path(one) for one in centerlines], inlet)
    anatomy = anatomy_of_lumens(lumens)
    result = solve_flow(anatomy, settings, settings.model, progress)
    noted = result.pullback.model_copy(update={"notes": [*lumens[0].notes, *result.problem.physiology.assumptions, *result.pullback.notes]})
    write_flow_files(Path(out), anatomy.surface, noted, result.flows)
    return noted


def anatomy_of_lumens(lumens: Sequence[Lumen]) -> Anatomy:
    """Lumens cut from a surface as one anatomy: trees one behind the other, radii from cross-section areas, one surface."""
    branches, points, triangles, numbered, first = [], [], [], [], 0
    for lumen in lumens:
        surface = Surface(m_to_mm(lumen.points_m), lumen.triangles)
        start = len(branches)
        tree = with_section_radii(lumen.tree, surface)
        branches += [one if one.parent is None else replace(one, parent=one.parent + start) for one in tree]
        numbered.append(replace(lumen, branch_index=tuple(range(start, len(branches)))))
        points.append(surface.points_mm)
        triangles.append(surface.triangles + first)
        first += len(surface.points_mm)
    whole = Surface(np.vstack(points), np.vstack(triangles))
    return Anatomy(CoronaryTree(tuple(branches)), surface=whole, lv_mass_g=Unavailable("a surface has no myocardium"), lumens=tuple(numbered))
