"""From anatomy to FFR, by either model: lumen and outlets are the same, and so is the result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ccta.errors import Refusal
from ccta.findings import Ffr, Patient, PullbackFile, Stenosis
from ccta.model import CoronaryTree, CrossSections, Surface, Unavailable
from ccta.settings import FlowSettings
from cfd.ffr import Reading, ffr_findings, plan_readings
from cfd.network import Solution, solve_network
from cfd.outlets import outlet_resistances_pa_s_m3, outlet_shares
from cfd.physiology import Physiology, hyperaemic_physiology
from cfd.profiles import branch_profiles
from cfd.pullback import FlowModel, pullback_file
from cfd.uncertainty import ffr_intervals

Progress = Callable[..., None]
"""Called with a sentence and, where known, the share that is done (0 to 1)."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What flow is solved in. sections, stenoses: empty where they were not measured. surface: needed by the 3-D model only."""

    tree: CoronaryTree
    sections: Sequence[CrossSections] = ()
    stenoses: Sequence[Stenosis] = ()
    surface: Surface | None = None
    lv_mass_g: float | Unavailable = field(default_factory=lambda: Unavailable("the heart was not segmented"))
    patient: Patient = field(default_factory=Patient)


@dataclass(frozen=True, eq=False)
class FlowResult:
    """pullback, ffr: what the case stores. problem, reduced: the reduced model's input and solution, which always exist."""

    pullback: PullbackFile
    ffr: Ffr
    problem: FlowModel
    reduced: Solution


def silent(message: str, share: float | None = None) -> None:
    """The progress reporter of a caller that wants none."""


def solve_flow(anatomy: Anatomy, settings: FlowSettings | None = None, model: str = "rom", progress: Progress = silent) -> FlowResult:
    """FFR on a patient's coronary tree by either model ("rom", "3d"). Refusal where the tree has no branches."""
    settings = settings or FlowSettings()
    problem = flow_problem(anatomy, settings)
    progress("reduced model", 0.1)
    reduced = solve_network(problem.tree, problem.profiles, problem.resistance_pa_s_m3, problem.physiology)
    pullback = pullback_file(problem, reduced, "rom", [MODEL_NOTE])
    readings = plan_readings(anatomy.tree, pullback, anatomy.stenoses)
    progress("uncertainty", 0.5)
    intervals = ffr_intervals(problem, [one for one in (*readings[0].values(), *readings[1]) if isinstance(one, Reading)], settings)
    return FlowResult(pullback, ffr_findings(pullback, anatomy.stenoses, readings, intervals, problem.physiology), problem, reduced)


MODEL_NOTE = "Steady mean flow in rigid vessels; side branches too small to be seen on CT carry no flow."


def flow_problem(anatomy: Anatomy, settings: FlowSettings) -> FlowModel:
    """Geometry with boundary conditions: what both models solve."""
    if not len(anatomy.tree):
        raise Refusal("the coronary tree has no branches, so there is nothing to solve flow in")
    physiology: Physiology = hyperaemic_physiology(anatomy.lv_mass_g, anatomy.patient.sex, settings)
    profiles = branch_profiles(anatomy.tree, anatomy.sections, anatomy.stenoses, settings.lumen_sd_mm)
    shares = outlet_shares(anatomy.tree, profiles, settings.outlet_exponent)
    return FlowModel(anatomy.tree, profiles, outlet_resistances_pa_s_m3(physiology.total_resistance_pa_s_m3, shares), physiology)
