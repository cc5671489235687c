"""`ccta demo` (`make demo`): a phantom patient, analysed, its findings beside the truth, and the viewer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ccta.case import Case
from ccta.cli.analyse import FlowModel, analyse
from ccta.cli.console import print_table, say
from ccta.cli.phantom import make_phantom
from ccta.cli.show import view
from ccta.findings import Findings
from ccta.model import Unavailable


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Example: ccta demo demo/ --seed 1 --no-view")(demo)


def demo(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Directory for the study and the case.")],
    seed: Annotated[int, typer.Option(help="Which phantom patient.")] = 1,
    flow: Annotated[FlowModel, typer.Option(help="Flow model.")] = FlowModel.three_d,
    show: Annotated[bool, typer.Option("--view/--no-view", help="Start the viewer at the end.")] = True,
) -> None:
    """A phantom patient from CT study to report, with the truth beside the findings."""
    study, case = out / f"study-{seed}", out / f"case-{seed}"
    if not (study / "truth.json").exists():
        make_phantom(study, seed)
    analyse(study, case, flow=flow)
    columns = ["finding", "measured", "truth"]
    print_table(f"phantom patient {seed}", columns, compared(Case.open(case).findings(), json.loads((study / "truth.json").read_text())))
    say(f"report   {case / 'report.html'}\nreport   {case / 'report.pdf'}")
    if show:
        view(case)


def compared(found: Findings, truth: dict) -> list[list[str]]:
    """Rows of name, measured, truth: calcium, each true stenosis with the nearest found one, plaque, CAD-RADS."""
    rows = [["Agatston score", shown(found.calcium, "agatston"), f"{truth['calcium']['agatston']:.0f}"]]
    for true in truth["stenoses"]:
        near = nearest_stenosis(found, true)
        measured = "not found" if near is None else f"{near.diameter_pct:.0f} %, MLD {near.mld_mm:.1f} mm"
        rows.append([f"stenosis in segment {true['segment']}", measured, f"{true['diameter_pct']:.0f} %, MLD {true['mld_mm']:.1f} mm"])
    rows.append(["plaque volume, mm³", shown(found.plaque, "total_mm3"), f"{truth['plaque']['total_mm3']:.0f}"])
    rows.append(["CAD-RADS", shown(found.cad_rads, "text"), truth["cad_rads"]["text"]])
    if not isinstance(found.ffr, Unavailable):
        rows += [[f"FFR {vessel} ({found.ffr.model})", shown(value, "ffr"), "see `make bench`"] for vessel, value in found.ffr.vessels.items()]
    else:
        rows.append(["FFR", found.ffr.reason, ""])
    return rows


def nearest_stenosis(found: Findings, true: dict, reach_mm: float = 10.0):
    """The found stenosis within `reach_mm` of a true one, None where there is none."""
    candidates = [] if isinstance(found.stenoses, Unavailable) else found.stenoses
    apart_mm = [sum((a - b) ** 2 for a, b in zip(s.center_mm, true["center_mm"], strict=True)) ** 0.5 for s in candidates]
    best = min(range(len(apart_mm)), key=apart_mm.__getitem__, default=None)
    return candidates[best] if best is not None and apart_mm[best] <= reach_mm else None


def shown(section, key: str) -> str:
    """One value of a section as text, or the reason why there is none."""
    value = section if isinstance(section, Unavailable) else getattr(section, key)
    if isinstance(value, Unavailable):
        return value.reason
    return value if isinstance(value, str) else f"{value:.2f}" if abs(value) < 2 else f"{value:.0f}"
