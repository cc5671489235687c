"""The whole pipeline as a table of stages: the one place where ccta and cfd are put together."""

from __future__ import annotations

from pathlib import Path

from ccta import pipeline as anatomy
from ccta.runner import Stage
from ccta.study_input import KINDS, StudyInput, reading_stages

NAMES = ("read", "read_calcium", "segment", "centerlines", "tree", "contours", "measure", "calcium", "flow", "verdict", "report")
AGAIN = {
    "segment": "ccta segment",
    "centerlines": "ccta tree",
    "tree": "ccta tree",
    "contours": "ccta measure",
    "measure": "ccta measure",
    "calcium": "ccta calcium INPUT",
    "flow": "ccta flow",
    "verdict": "ccta report",
    "report": "ccta report",
}
"""The command that runs a stage on the case again; the case comes last."""
ALONG = {"read": ("read_calcium",), "tree": ("centerlines",), "measure": ("contours",)}


def names_of(words: str) -> list[str]:
    """Stage names as a user gives them, separated by commas; `read` stands for both series, `tree` and `measure` also for what they start from."""
    return [name for word in words.split(",") for name in (*ALONG.get(word, ()), word)]


def pipeline(source: Path | None = None, kinds: tuple[str, ...] = KINDS) -> list[Stage]:
    """The stages in order. `source` is the study that is read, `kinds` the series of it that the command can use. Without a source nothing is read, and
    whether the case's images are still those of the study is not asked.
    """
    flow = Stage(
        "flow",
        needs=("tree", "contours", "surface"),
        uses=("findings.stenoses", "findings.heart", "findings.quality"),
        makes=("mesh", "flow", "pullback", "findings.ffr"),
        run=_solve_flow,
        settings=("flow",),
    )
    stages = {stage.name: stage for stage in (*anatomy.STAGES, flow)}
    if source:
        stages |= reading_stages(StudyInput(source, kinds))
    return [stages[name] for name in NAMES if name in stages]


def _solve_flow(case, settings, progress):
    from cfd.case_stage import solve_case  # DOLFINx and numba load only when flow is wanted

    return solve_case(case, settings, progress)
