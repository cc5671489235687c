"""The flow stage of a case: what it reads from the Case directory and what it leaves there."""

import json
from dataclasses import replace
from pathlib import Path

from ccta.case import Case
from ccta.errors import Refusal, SolverFailed
from ccta.settings import FlowSettings, Settings
from cfd.lumen_cut import CutFailed
from cfd.network_export import network_document
from cfd.network_json import write_atomically
from cfd.physiology import DEFAULT_CUFF_MMHG
from cfd.pipeline import Anatomy, FlowResult, Progress, flow_problem, solve_flow


def solve_case(case: Case, settings: Settings, progress: Progress) -> dict[str, str]:
    """FFR by the model of the settings. Refusal where image quality does not allow it (CLINICAL: a stated refusal, not a number)."""
    result = _solved(anatomy_of(case), settings.flow, progress)
    absent = _write_volume_files(case, result)
    case.write_json("pullback", result.pullback.model_dump_json())
    case.update_findings(ffr=result.ffr)
    return absent


def anatomy_of(case: Case) -> Anatomy:
    """What flow is solved in. Refusal where image quality does not allow it."""
    found = case.findings()
    verdict = found.quality.verdict.get("ffr", "good") if found.quality else "good"
    if not verdict.startswith("good"):
        raise Refusal(f"FFR-CT was not computed: {verdict}")
    return Anatomy(
        tree=case.read_tree(),
        sections=case.read_sections(),
        stenoses=found.stenoses or (),
        surface=case.read_surface(),
        lv_mass_g=found.heart.lv_mass_g if found.heart else found.heart,
        patient=found.patient,
    )


def write_case_network(case: Case, settings: FlowSettings, target: Path) -> None:
    """The case's tree as a pulsatile 0-D network in svZeroDSolver's JSON (temporary name, then renamed)."""
    cuff = (settings.systolic_mmhg, settings.diastolic_mmhg) if settings.systolic_mmhg > 0 else DEFAULT_CUFF_MMHG
    write_atomically(target, json.dumps(network_document(flow_problem(anatomy_of(case), settings), cuff), indent=1))


def _solved(anatomy: Anatomy, settings: FlowSettings, progress: Progress) -> FlowResult:
    """By the model of the settings. Where the 3-D model cannot be had on this lumen, the reduced model stands in for it, and the result says so."""
    if settings.model == "rom":
        return solve_flow(anatomy, settings, "rom", progress)
    try:
        return solve_flow(anatomy, settings, settings.model, progress)
    except (SolverFailed, CutFailed) as error:
        said = f"The 3-D solution could not be had ({error}); these are the values of the reduced model."
        result = solve_flow(anatomy, settings, "rom", progress)
        pullback = result.pullback.model_copy(update={"notes": [said, *result.pullback.notes]})
        return replace(result, pullback=pullback, ffr=result.ffr.model_copy(update={"assumptions": [said, *result.ffr.assumptions]}))


def _write_volume_files(case: Case, result: FlowResult) -> dict[str, str]:
    """Mesh and 3-D field where there is one; else why there is none."""
    if not result.flows:
        return dict.fromkeys(("mesh", "flow"), "the flow was solved by the reduced model, which has no mesh")
    from cfd.flow_files import flow_grid, joined_mesh
    from cfd.mesh import save_mesh  # gmsh loads only after a 3-D solution

    with case.writing("mesh") as path:
        save_mesh(joined_mesh(result.flows), path)
    with case.writing("flow") as path:
        flow_grid(result.flows, result.pullback.pa_mmhg).save(path)
    return {}
