"""`ccta segment`, `tree`, `measure`, `report`: one stage again, after a setting or a hand edit changed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ccta.case import Case
from ccta.cli.analyse import CaseDirectory, Json, run_and_tell
from ccta.cli.console import say
from ccta.cli.stages import AGAIN, pipeline
from ccta.pipeline import adopt_segmentation
from ccta.runner import select, stale_stages
from ccta.settings import Settings, load_settings


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for names, sentence in (
        (("centerlines", "tree"), "Centerlines and segment names again, from the labels of the case. Hand edits are kept."),
        (("contours", "measure"), "Contours, stenoses, plaque and fat again, from the tree of the case. Hand edits are kept."),
    ):
        app.command(names[-1], help=sentence, epilog=f"Example: ccta {names[-1]} case/")(_command(names))
    app.command(epilog="Examples: ccta segment case/ | ccta segment case/ --from SEG.dcm")(segment)
    app.command(epilog="Examples: ccta report case/ | ccta report case/ --language zh")(report)


def _command(names: tuple[str, ...]):
    def command(case: CaseDirectory, as_json: Json = False) -> None:
        target = Case.open(case)
        settings = load_settings(case / "case.toml")
        run_and_tell(target, select(pipeline(), names), settings, False, as_json)
        tell_stale(target, settings)

    return command


def segment(
    case: CaseDirectory,
    source: Annotated[Path | None, typer.Option("--from", help="A DICOM segmentation, of this or another program, whose segments become the labels.")] = None,
    as_json: Json = False,
) -> None:
    """Heart, aorta and coronary arteries again, from the image of the case, or from a DICOM segmentation of it."""
    target, settings = Case.open(case), load_settings(case / "case.toml")
    (stage,) = select(pipeline(), ("segment",))
    if source is not None:
        stage = replace(stage, run=partial(adopt_segmentation, source))
    run_and_tell(target, [stage], settings, False, as_json)
    tell_stale(target, settings)


def report(
    case: CaseDirectory,
    language: Annotated[str, typer.Option(help="en or zh; as case.toml says unless given.")] = "",
    as_json: Json = False,
) -> None:
    """CAD-RADS, scores and the report again, from the findings of the case."""
    target, settings = Case.open(case), load_settings(case / "case.toml")
    if language:
        settings = replace(settings, report=replace(settings.report, language=language))
    run_and_tell(target, select(pipeline(), ("verdict", "report")), settings, False, as_json)
    tell_stale(target, settings)


def tell_stale(case: Case, settings: Settings) -> None:
    """Says which recorded stages no longer follow from the case as it is now. The flow model is the last command's choice, whatever the settings' is."""
    flow = case.record()["stages"].get("flow", {}).get("settings", {}).get("flow", {})
    stale = stale_stages(case, pipeline(), replace(settings, flow=replace(settings.flow, model=flow.get("model", settings.flow.model))))
    if stale:
        say(f"stale now: {', '.join(stale)}; run `{AGAIN[stale[0]]} {case.root}` next")
