"""The tables of `ccta evaluate segmentation`: figures beside goals and published records, then per case, per artery, and by image quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ccta.metrics.case_score import CaseScore

NOISE_HU = (20.0, 30.0)  # borders between low, middle and high noise in the aortic root
DICE_GOAL = {"lumen": 0.90, **dict.fromkeys(("lv", "myocardium", "rv", "la", "ra", "aorta", "pulmonary_artery"), 0.94)}
REAL_GOAL = {"heart_union": 0.88, "pulmonary_artery": 0.88}
GOALS = {"phantom": DICE_GOAL | {"clDice": 0.95, "HD95": -1.5, "false branches": -1.0}, "phantom, far": {"lumen": 0.80}, "files": REAL_GOAL}
"""By data set and figure; lengths and counts are negative, so that larger is better."""
RECORDS = {
    ("asoca", "lumen"): "observers 0.856; networks 0.87-0.89 (Sci Data 2023)",
    ("imagecas-x", "lumen"): "observers 0.928; CAS-Net 0.912",
    ("imagecas-x", "HD95"): "CAS-Net 2.99 mm",
    ("cat08", "OV"): "0.937 (Wolterink 2019); second reader 0.957",
    ("cat08", "AI"): "0.21 mm (Wolterink 2019)",
}
"""Published for the same data set (CLINICAL.md)."""
Table = tuple[str, list[str], list[list[str]]]


@dataclass(frozen=True)
class Figure:
    """One figure over the cases: key of goals and records; values of the cases that have one; better: +1 where larger is better, -1 where smaller is."""

    key: str
    title: str
    values: list[float]
    better: int = 1
    shown: str = "{:.3f}"

    def row(self, dataset: str) -> list[str]:
        """figure, mean, worst, goal or record, reached."""
        middle, worst = self.better * float(np.mean(self.values)), min(self.better * value for value in self.values)
        goal = GOALS.get(dataset, {}).get(self.key)
        reached = "–" if goal is None else "yes" if middle >= goal else "no"
        words = {1: "at least ", -1: "at most "}[self.better] + self.shown.format(self.better * goal) if goal is not None else "none set"
        return [self.title, self.shown.format(abs(middle)), self.shown.format(abs(worst)), words, RECORDS.get((dataset, self.key), "–"), reached]


def tables(dataset: str, scores: Sequence[CaseScore], left_out: int) -> list[Table]:
    """(title, columns, rows) of each table that the data set's truth allows."""
    rows = [figure.row(dataset) for figure in figures(scores) if figure.values]
    refused = sum(bool(s.refusals) for s in scores)
    goal, reached = ("0", "no" if refused else "yes") if dataset == "phantom" else ("none set", "–")
    rows.append(["cases refused in part (what was refused scores 0)", f"{refused} of {len(scores)}", "", goal, "–", reached])
    if left_out:
        rows.append(["cases left out: their files cannot be used", str(left_out), "", "", "–", "–"])
    made = [(f"segmentation, {dataset}, {len(scores)} cases", ["figure", "mean", "worst", "goal", "published", "reached"], rows)]
    if any(s.structures for s in scores):
        made.append(("per structure", ["structure", "cases", "Dice", "HD95 mm", "ASD mm"], by_structure(scores)))
    made.append(("per case", ["case", "noise HU", *_case_columns(scores)], [_case_row(s, _case_columns(scores)) for s in scores]))
    arteries = by_artery(scores)
    if arteries:
        made.append(("per artery", ["artery", "cases", "Dice", "OV", "OF", "OT", "AI mm"], arteries))
    made.append(("by image quality", ["noise in the aortic root", "cases", "lumen Dice", "clDice", "OV", "heart Dice"], by_noise(scores)))
    return made


def figures(scores: Sequence[CaseScore]) -> list[Figure]:
    """Lumen, centerlines, heart, in this order. Distances are of the cases in which something was found."""
    lumen = [s.lumen for s in scores if s.lumen]
    made = [Figure("lumen", "lumen Dice", _dices(scores, "lumen")), Figure("clDice", "lumen clDice", [one.cl_dice for one in lumen])]
    surface = [s.structures["lumen"] for s in scores if "lumen" in s.structures and s.structures["lumen"].hd95_mm is not None]
    made += [Figure("HD95", "lumen HD95, mm", [one.hd95_mm for one in surface], -1, "{:.2f}")]
    made += [Figure("ASD", "lumen average surface distance, mm", [one.mean_mm for one in surface], -1, "{:.2f}")]
    for n, what in enumerate(("pieces", "tunnels", "cavities")):
        made.append(Figure(f"Betti {n}", f"lumen Betti error {n} ({what})", [float(one.betti_errors[n]) for one in lumen], -1, "{:.1f}"))
    made.append(Figure("false branches", "false branches in a case", [float(x.false_branches) for x in lumen if x.false_branches is not None], -1, "{:.2f}"))
    for name, title in (("ov", "overlap"), ("of", "overlap until the first error"), ("ot", "overlap where wider than 1.5 mm")):
        made.append(Figure(name.upper(), f"centerline {title} ({name.upper()})", _overlaps(scores, name)))
    made.append(Figure("AI", "centerline distance inside (AI), mm", _overlaps(scores, "ai_mm"), -1, "{:.2f}"))
    for name in structures_of(scores):
        made.append(Figure(name, f"{name.replace('_', ' ')} Dice", _dices(scores, name)))
    return made


def structures_of(scores: Sequence[CaseScore]) -> list[str]:
    """Those of the heart that any case has."""
    return [name for name in dict.fromkeys(key for s in scores for key in s.structures) if name != "lumen"]


def _dices(scores: Sequence[CaseScore], name: str) -> list[float]:
    return [s.structures[name].dice for s in scores if name in s.structures]


def _overlaps(scores: Sequence[CaseScore], name: str) -> list[float]:
    """Of all reference vessels of all cases, as the framework counts."""
    return [value for s in scores for _, one in s.vessels if (value := getattr(one, name)) is not None]


def _case_columns(scores: Sequence[CaseScore]) -> list[str]:
    lumen = ["lumen", "clDice", "HD95 mm", "ASD mm", "Betti errors", "false branches"] if any(s.lumen for s in scores) else []
    return [*lumen, *["OV", "OF", "OT", "AI mm"] * any(s.vessels for s in scores), *structures_of(scores), "refused"]


def _case_row(s: CaseScore, columns: list[str]) -> list[str]:
    cells = {name: f"{one.dice:.3f}" for name, one in s.structures.items()}
    if s.lumen:
        surface = s.structures["lumen"]
        cells |= {"clDice": f"{s.lumen.cl_dice:.3f}", "HD95 mm": _number(surface.hd95_mm), "ASD mm": _number(surface.mean_mm)}
        cells |= {"Betti errors": " ".join(map(str, s.lumen.betti_errors)), "false branches": _number(s.lumen.false_branches, "{}")}
    cells |= {title: _mean(_overlaps([s], name)) for title, name in (("OV", "ov"), ("OF", "of"), ("OT", "ot"))}
    cells |= {"AI mm": _mean(_overlaps([s], "ai_mm"), "{:.2f}"), "refused": "; ".join(s.refusals)}
    return [s.name, _number(s.noise_hu, "{:.0f}"), *(cells.get(column, "–") for column in columns)]


def by_structure(scores: Sequence[CaseScore]) -> list[list[str]]:
    """Means over the cases; distances over those in which something was found."""
    rows = []
    for name in dict.fromkeys(key for s in scores for key in s.structures):
        seen = [s.structures[name] for s in scores if name in s.structures]
        distances = [_mean([v for one in seen if (v := getattr(one, key)) is not None], "{:.2f}") for key in ("hd95_mm", "mean_mm")]
        rows.append([name.replace("_", " "), str(len(seen)), _mean([one.dice for one in seen]), *distances])
    return rows


def by_artery(scores: Sequence[CaseScore]) -> list[list[str]]:
    """Dice of an artery's territory, and overlap of the reference centerlines that carry its name."""
    names = dict.fromkeys([*(name for s in scores for name in s.branch_dice), *(name for s in scores for name, _ in s.vessels)])
    rows = []
    for name in names:
        cases = [s for s in scores if name in s.branch_dice or name in dict(s.vessels)]
        ways = [overlap for s in cases for vessel, overlap in s.vessels if vessel == name]
        dices = [s.branch_dice[name] for s in cases if name in s.branch_dice]
        measures = [
            _mean([v for o in ways if (v := getattr(o, key)) is not None], "{:.2f}" if key == "ai_mm" else "{:.3f}") for key in ("ov", "of", "ot", "ai_mm")
        ]
        rows.append([name, str(len(cases)), _mean(dices), *measures])
    return rows


def by_noise(scores: Sequence[CaseScore]) -> list[list[str]]:
    """Cases with low, middle and high noise, and those whose noise could not be measured."""
    low, high = NOISE_HU
    groups = [(f"below {low:.0f} HU", lambda n: n is not None and n < low), (f"{low:.0f}-{high:.0f} HU", lambda n: n is not None and low <= n < high)]
    groups += [(f"{high:.0f} HU and more", lambda n: n is not None and n >= high), ("not measured", lambda n: n is None)]
    rows = []
    for title, belongs in groups:
        group = [s for s in scores if belongs(s.noise_hu)]
        if group:
            heart = [value for name in structures_of(group) for value in _dices(group, name)]
            cl = [s.lumen.cl_dice for s in group if s.lumen]
            rows.append([title, str(len(group)), _mean(_dices(group, "lumen")), _mean(cl), _mean(_overlaps(group, "ov")), _mean(heart)])
    return rows


def _mean(values: Sequence[float], shown: str = "{:.3f}") -> str:
    return shown.format(float(np.mean(values))) if len(values) else "–"


def _number(value: float | None, shown: str = "{:.2f}") -> str:
    return "–" if value is None else shown.format(value)
