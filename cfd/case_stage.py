"""The flow stage of a case: what it reads from the Case directory and what it leaves there."""

from ccta.case import Case
from ccta.errors import Refusal
from ccta.settings import Settings
from cfd.pipeline import Anatomy, FlowResult, Progress, solve_flow


def solve_case(case: Case, settings: Settings, progress: Progress) -> dict[str, str]:
    """FFR by the model of the settings. Refusal where image quality does not allow it (CLINICAL: a stated refusal, not a number)."""
    found = case.findings()
    verdict = found.quality.verdict.get("ffr", "good") if found.quality else "good"
    if not verdict.startswith("good"):
        raise Refusal(f"FFR-CT was not computed: {verdict}")
    anatomy = Anatomy(
        tree=case.read_tree(),
        sections=case.read_sections(),
        stenoses=found.stenoses or (),
        surface=case.read_surface(),
        lv_mass_g=found.heart.lv_mass_g if found.heart else found.heart,
        patient=found.patient,
    )
    result = solve_flow(anatomy, settings.flow, settings.flow.model, progress)
    absent = _write_volume_files(case, result)
    case.write_json("pullback", result.pullback.model_dump_json())
    case.update_findings(ffr=result.ffr)
    return absent


def _write_volume_files(case: Case, result: FlowResult) -> dict[str, str]:
    """Mesh and 3-D field where there is one; else why there is none."""
    if not result.flows:
        return dict.fromkeys(("mesh", "flow"), "the reduced model needs no mesh; run `ccta flow` with --model 3d")
    from cfd.flow_files import flow_grid, joined_mesh
    from cfd.mesh import save_mesh  # gmsh loads only after a 3-D solution

    with case.writing("mesh") as path:
        save_mesh(joined_mesh(result.flows), path)
    with case.writing("flow") as path:
        flow_grid(result.flows, result.pullback.pa_mmhg).save(path)
    return {}
