"""`make bench`: the demo phantom end to end, each figure beside its goal and beside a peer where there is one. Takes about 20 minutes.

Wall time and peak memory are of whole `ccta` processes. The FFR truth is a fine 3-D solution on the true lumen with the same boundary conditions.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ccta.case import Case
from ccta.cli.console import print_table
from ccta.cli.demo import nearest_stenosis
from ccta.findings import Findings
from ccta.model import CoronaryTree, CrossSections
from ccta.settings import FlowSettings

GOALS = {"3d": 600.0, "rom": 180.0, "memory_gib": 6.0, "stenosis_points": 10.0, "agatston_pct": 15.0, "ffr": 0.03}


def timed(*words) -> tuple[float, float]:
    """(wall s, peak memory GiB) of one ccta process; its output is shown when it fails."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "ccta.cli.main", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"ccta {' '.join(map(str, words))} failed:\n{said}")
    return time.monotonic() - started, usage.ru_maxrss / 1024**2


def sections_on(tree: CoronaryTree, sections: list[CrossSections]) -> list[CrossSections]:
    """True sections gathered on the branches of the continued tree: the RCA's and those of the artery that it goes on as."""
    gathered = []
    for index, branch in enumerate(tree):
        places = cKDTree(branch.points_mm)
        own = [one for one in sections if np.mean(places.query(one.center_mm)[0] < 0.1) > 0.9]
        joined = {f.name: np.concatenate([getattr(one, f.name) for one in own]) for f in fields(CrossSections) if f.name != "branch"}
        joined["distance_mm"] = branch.distance_mm[places.query(joined["center_mm"])[1]]
        order = np.unique(joined["distance_mm"], return_index=True)[1]
        gathered.append(CrossSections(index, **{name: values[order] for name, values in joined.items()}))
    return gathered


def fine_truth(case: Case, seed: int) -> dict[int, float]:
    """FFR behind each true lesion by 3-D on the true lumen, meshed finer; blood pressure, mass and outlet law as in the case."""
    from ccta.anatomy.lumen_surface import lumen_surface
    from ccta.phantom.patient import make_patient
    from ccta.phantom.truth import stenosis_of
    from cfd.pipeline import Anatomy, solve_flow

    patient = make_patient(seed)
    tree = patient.tree.continued()
    sections = sections_on(tree, patient.sections)
    surface = lumen_surface(tree, sections)
    stenoses = [stenosis_of(patient, number) for number in range(len(patient.plaques))]
    found = case.findings()
    stenoses = [s.model_copy(update={"branch": branch_near(tree, s.center_mm)}) for s in stenoses]
    anatomy = Anatomy(tree, sections, stenoses, surface, found.heart.lv_mass_g, found.patient)
    result = solve_flow(anatomy, replace(FlowSettings(), elements_per_diameter=5.5), "3d")
    return {lesion.segment: lesion.ffr for lesion in result.ffr.lesions}


def branch_near(tree: CoronaryTree, center_mm) -> int:
    """The branch whose centerline is nearest to a place."""
    return int(np.argmin([np.linalg.norm(branch.points_mm - np.asarray(center_mm), axis=1).min() for branch in tree]))


def accuracy_rows(found: Findings, truth: dict, true_ffr: dict[int, float]) -> list[list[str]]:
    """Measured, truth, difference, goal."""
    rows = []
    for true in truth["stenoses"]:
        near = nearest_stenosis(found, true)
        got = f"{near.diameter_pct:.1f} %" if near else "not found"
        off = f"{near.diameter_pct - true['diameter_pct']:+.1f}" if near else "-"
        rows.append(
            [f"diameter stenosis, segment {true['segment']}", got, f"{true['diameter_pct']:.1f} %", off, f"within {GOALS['stenosis_points']:.0f} points"]
        )
    agatston, expected = found.calcium.agatston, truth["calcium"]["agatston"]
    rows.append(["Agatston", f"{agatston:.0f}", f"{expected:.0f}", f"{100 * (agatston / expected - 1):+.1f} %", f"within {GOALS['agatston_pct']:.0f} %"])
    for lesion in found.ffr.lesions:
        if lesion.segment in true_ffr:
            off = lesion.ffr - true_ffr[lesion.segment]
            rows.append(
                [
                    f"FFR behind segment {lesion.segment} ({found.ffr.model})",
                    f"{lesion.ffr:.3f}",
                    f"{true_ffr[lesion.segment]:.3f}",
                    f"{off:+.3f}",
                    f"within {GOALS['ffr']}",
                ]
            )
    rows.append(["plaque volume mm3", f"{found.plaque.total_mm3:.0f}", f"{truth['plaque']['total_mm3']:.0f}", "", "no goal"])
    rows.append(["LV mass g", f"{found.heart.lv_mass_g:.0f}", f"{truth['heart']['lv_mass_g']:.0f}", "", "no goal"])
    return rows


def model_row(case: Case, rom: Findings, solved: Findings) -> list[str]:
    """Largest |FFR| difference of the reduced model to 3-D behind lesions."""
    apart = [abs(a.ffr - b.ffr) for a, b in zip(rom.ffr.lesions, solved.ffr.lesions, strict=True)]
    return ["reduced FFR against 3-D, worst lesion", f"{max(apart, default=np.nan):.3f}", "", "", f"within {GOALS['ffr']}"]


def main() -> None:
    """Runs everything in a temporary folder, or in the one given, which is kept, and prints two tables."""
    with contextlib.nullcontext(sys.argv[1]) if sys.argv[1:] else tempfile.TemporaryDirectory() as name:
        folder, seed = Path(name), 1
        made_s, _ = timed("phantom", folder / "study", "--seed", seed)
        truth = json.loads((folder / "study" / "truth.json").read_text())
        rom_s, rom_gib = timed("analyse", folder / "study", folder / "rom", "--flow", "rom")
        full_s, full_gib = timed("analyse", folder / "study", folder / "full", "--flow", "3d")
        rom, full = Case.open(folder / "rom"), Case.open(folder / "full")
        seconds = {name: entry["seconds"] for name, entry in full.record()["stages"].items()}
        true_ffr = fine_truth(full, seed)
        rows = [*accuracy_rows(full.findings(), truth, true_ffr), model_row(full, rom.findings(), full.findings())]
    print_table("accuracy, demo phantom (seed 1)", ["figure", "measured", "truth", "difference", "goal"], rows)
    stages = ", ".join(f"{stage} {s:.0f}" for stage, s in seconds.items())
    rows = [
        ["phantom study", f"{made_s:.0f} s", "60 s"],
        ["whole run, reduced model", f"{rom_s:.0f} s", f"{GOALS['rom']:.0f} s"],
        ["whole run, 3-D", f"{full_s:.0f} s ({stages})", f"{GOALS['3d']:.0f} s"],
        ["peak memory", f"{max(rom_gib, full_gib):.1f} GiB", f"{GOALS['memory_gib']:.0f} GiB"],
        ["this process, fine 3-D truth", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.1f} GiB", "no goal"],
    ]
    print_table("time and memory, two cores", ["figure", "measured", "goal"], rows)


if __name__ == "__main__":
    main()
