"""`ccta flow CASE --stent`: FFR before and after."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from ccta.case import Case
from ccta.cli.console import print_json, print_table, reporting, say
from ccta.model import Unavailable
from ccta.settings import FlowSettings


def tell_plan(root: Path, stents: list[str], settings: FlowSettings, three_d: bool, as_json: bool) -> None:
    """Writes plan.json and prints a table. The case's own flow stays as it is. In 3-D both states are solved."""
    from ccta.anatomy.lumen_surface import lumen_surface
    from cfd import planner
    from cfd.case_stage import anatomy_of
    from cfd.pipeline import flow_problem, solve_problem

    case = Case.open(root)
    anatomy = anatomy_of(case)
    problem = flow_problem(anatomy, settings)
    chosen = [planner.stent_of(text, problem, anatomy.stenoses) for text in stents]
    solved = case.pullback() if case.path("pullback").exists() else None
    found, after = planner.planned(problem, chosen, anatomy.stenoses, solved)
    if three_d:
        sections = planner.stented_sections(anatomy.sections, chosen)
        opened = replace(anatomy, sections=sections, surface=lumen_surface(anatomy.tree, sections))
        pairs = (problem, anatomy), (planner.stented(problem, chosen), opened)
        with reporting() as start:
            before, after = (solve_problem(state, lumen, settings, "3d", start("flow")).pullback for state, lumen in pairs)
        found = planner.changes(anatomy.tree, before, after, anatomy.stenoses)
    content = planner.as_json(chosen, found, after)
    case.write_json("plan", json.dumps(content))
    for one in chosen:
        name, (first, last) = anatomy.tree.branches[one.branch].name or f"branch {one.branch}", one.diameter_mm
        say(f"stent    {name}, {one.from_mm:.1f}-{one.to_mm:.1f} mm, {first:.2f} to {last:.2f} mm wide")
    show = lambda value: value.reason if isinstance(value, Unavailable) else f"{value:.3f}"  # noqa: E731
    rows = [[one.place, show(one.before), show(one.after)] for one in found]
    print_table(f"FFR: {' '.join(after.notes[-1:])}", ["place", "before", "after"], rows)
    say(f"result   {case.path('plan')}")
    if as_json:
        print_json(content)
