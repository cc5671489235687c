"""The whole pipeline as a table of stages: the one place where ccta and cfd are put together."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ccta import pipeline as anatomy
from ccta.errors import BadInput
from ccta.runner import Stage

NAMES = ("read", "segment", "tree", "measure", "calcium", "flow", "verdict", "report")


def pipeline(source: Path | None = None) -> list[Stage]:
    """The stages in order. `source` is the study that `read` opens; without it the case's image must be there already."""
    flow = Stage(
        "flow",
        needs=("tree", "contours", "surface"),
        uses=("findings.stenoses", "findings.heart", "findings.quality"),
        makes=("mesh", "flow", "pullback", "findings.ffr"),
        run=_solve_flow,
        settings=("flow",),
    )
    stages = {stage.name: stage for stage in (*anatomy.STAGES, flow)}
    stages["read"] = Stage(
        "read",
        needs=(),
        makes=("image", "calcium_image", "calcium_regions", "findings.patient", "findings.acquisition", "findings.calcium_acquisition"),
        run=partial(anatomy.read_input, source) if source else _no_source,
        settings=("read",),
    )
    return [stages[name] for name in NAMES]


def _solve_flow(case, settings, progress):
    from cfd.case_stage import solve_case  # DOLFINx and numba load only when flow is wanted

    return solve_case(case, settings, progress)


def _no_source(case, settings, progress):
    raise BadInput(f"the study of {case.root} was not given; use `ccta analyse INPUT {case.root}`")
