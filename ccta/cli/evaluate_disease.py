"""`ccta evaluate tree` and `ccta evaluate disease`: centerlines, names, stenoses, plaque and CAD-RADS of phantom patients beside their truth and the goals.

Each patient is measured twice: on the true lumen mask, and on the product's own segmentation of heart and arteries.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Annotated

import numpy as np
import typer

from ccta.agreement import centerline_agreement, icc_agreement, linear_kappa, matched
from ccta.cli.analyse import Json
from ccta.cli.console import print_json, print_table, reporting

FIRST_SEED = 2000  # nothing was tuned on the patients from here on
REACH_MM = 2.0  # between the nearest points of a found and a true lesion on their centerlines
CATEGORIES = ("0", "1", "2", "3", "4A", "4B", "5")
MASK, OWN = "true mask", "own segmentation"
TREE_GOALS = {MASK: (0.97, 0.15), OWN: (0.94, 0.25)}  # OV at least, mm at most
COLUMNS = ["figure", "from", "measured", "goal", "reached"]

Patients = Annotated[int, typer.Option(min=2, help="How many phantom patients.")]
Seed = Annotated[int, typer.Option(help="Seed of the first one; from 2000 on nothing was tuned.")]
Processes = Annotated[int, typer.Option(min=1, help="Patients at once.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module to `ccta evaluate`."""
    app.command(epilog="Example: ccta evaluate tree --patients 30")(tree)
    app.command(epilog="Example: ccta evaluate disease --patients 30")(disease)


@dataclass(frozen=True)
class Lesion:
    """One true lesion: kind of plaque, diameter stenosis and minimal diameter, and what was found of it (None: nothing)."""

    kind: str
    true_pct: float
    true_mld_mm: float
    found_pct: float | None = None
    mld_mm: float | None = None
    interval_pct: tuple[float, float] | None = None


@dataclass(frozen=True)
class PatientResult:
    """One patient measured in one way. plaque: {"total": (true, found), ...} mm3; false_pct: degrees of found lesions that belong to no true one.

    seconds: from label maps to CAD-RADS, in one process. refusal: why nothing was measured.
    """

    seed: int
    way: str
    overlap: float = 0.0
    accuracy_mm: float = float("nan")
    right_names: int = 0
    named: int = 0
    lesions: tuple[Lesion, ...] = ()
    false_pct: tuple[float, ...] = ()
    plaque: dict[str, tuple[float, float]] = field(default_factory=dict)
    categories: tuple[str, str] = ("0", "N")
    seconds: float = 0.0
    refusal: str = ""


def tree(patients: Patients = 30, seed: Seed = FIRST_SEED, processes: Processes = 2, as_json: Json = False) -> None:
    """Centerlines and segment names of phantom patients with lesions: overlap, accuracy, names. About 40 minutes for 30."""
    report("tree", tree_rows, (patients, seed, processes), as_json)


def disease(patients: Patients = 30, seed: Seed = FIRST_SEED, processes: Processes = 2, as_json: Json = False) -> None:
    """Stenoses, plaque and CAD-RADS of phantom patients: errors, sensitivity, agreement, time. About 40 minutes for 30."""
    report("disease", disease_rows, (patients, seed, processes), as_json)


def report(name: str, rows_of, cohort: tuple[int, int, int], as_json: bool) -> None:
    """The table of one command over (patients, first seed, processes)."""
    patients, seed, processes = cohort
    results: list[PatientResult] = []
    with reporting() as start, ProcessPoolExecutor(processes) as pool:
        progress = start(name)
        for both in pool.map(measured_patient, range(seed, seed + patients)):
            results += both
            progress(f"patient {both[0].seed}: {'; '.join(r.refusal or lesion_text(r) for r in both)}", len(results) / (2 * patients))
    rows = [row for way in (MASK, OWN) for row in rows_of([r for r in results if r.way == way], way)]
    print_table(f"{name}, {patients} phantom patients (seeds {seed}-{seed + patients - 1})", COLUMNS, rows)
    if as_json:
        print_json({"rows": rows, "patients": [asdict(result) for result in results]})


def lesion_text(result: PatientResult) -> str:
    pairs = (f"{x.true_pct:.0f}/{'-' if x.found_pct is None else f'{x.found_pct:.0f}'}" for x in result.lesions)
    return f"{result.way} {' '.join(pairs)} %"


def measured_patient(seed: int) -> list[PatientResult]:
    """Makes one patient and its scan, measures it without its truth in both ways, then compares."""
    from ccta.anatomy.coronaries import segment_coronaries
    from ccta.anatomy.heart import segment_heart
    from ccta.errors import Refusal
    from ccta.networks.coronary_inference import predict_vessels
    from ccta.networks.inference import predict_places
    from ccta.phantom.cohort import disease_patient
    from ccta.phantom.scanner import scan
    from ccta.settings import Settings

    patient, series = disease_patient(seed)
    volume = scan(patient, series)
    shape, settings = volume.array.shape, Settings()

    def own():
        heart = segment_heart(volume, settings.segment, predict_places(volume))
        return heart, segment_coronaries(volume, heart, settings.segment, predict_vessels).labels

    ways = {MASK: lambda: (patient.heart_labels(volume.affine, shape), patient.lumen_labels(volume.affine, shape)), OWN: own}
    results = []
    for way, labels in ways.items():
        try:
            results.append(compared(patient, way, measured(volume, *labels(), settings)))
        except Refusal as refusal:
            results.append(missed(patient, way, str(refusal)))
    return results


def measured(volume, heart, coronary, settings):
    """(tree, stenoses, plaque, CAD-RADS category, seconds): the stages from label maps to the verdict."""
    from ccta.anatomy.branch_names import name_tree
    from ccta.anatomy.centerline import extract_tree
    from ccta.anatomy.contours import trace_contours
    from ccta.disease.cadrads import classify
    from ccta.disease.plaque import measure_plaque
    from ccta.disease.stenosis import find_stenoses
    from ccta.findings import Findings

    started = time.monotonic()
    named = name_tree(extract_tree(volume, heart, coronary, settings.tree), heart, settings.tree).continued()
    sections = trace_contours(volume, named, settings.measure)
    plaque, stenoses = measure_plaque(volume, named, sections, find_stenoses(named, sections, settings.measure), settings.measure)
    verdict = classify(Findings(stenoses=stenoses, plaque=plaque))
    return named, stenoses, plaque, verdict.category, time.monotonic() - started


def missed(patient, way: str, refusal: str) -> PatientResult:
    """A refused patient: every lesion missed, no plaque, and no category."""
    from ccta.phantom.truth import cad_rads_of, plaque_of, stenosis_of

    true = [stenosis_of(patient, n) for n in range(len(patient.plaques))]
    lesions = tuple(Lesion(plaque.spec.kind, t.diameter_pct, t.mld_mm) for plaque, t in zip(patient.plaques, true, strict=True))
    category = cad_rads_of(true, None).category
    return PatientResult(patient.seed, way, lesions=lesions, plaque=plaque_pairs(plaque_of(patient), None), categories=(category, "N"), refusal=refusal)


def compared(patient, way: str, found) -> PatientResult:
    """What `measured` gave, beside the patient's truth."""
    from ccta.phantom.truth import cad_rads_of, plaque_of, stenosis_of

    named, stenoses, plaque, category, seconds = found
    true = [stenosis_of(patient, n) for n in range(len(patient.plaques))]
    ways = [points_of(named, s) for s in stenoses], [points_of(patient.tree, t) for t in true]
    pairs, _ = matched(*ways, REACH_MM)
    own = {int(n): s for s, n in zip(stenoses, pairs, strict=True) if n >= 0}
    lesions = tuple(_lesion(plaque.spec.kind, t, own.get(n)) for n, (plaque, t) in enumerate(zip(patient.plaques, true, strict=True)))
    line = centerline_agreement(named, patient.tree, [vessel.healthy_radius_mm for vessel in patient.vessels])
    return PatientResult(
        patient.seed, way, line.overlap, line.accuracy_mm, line.right_names, line.named, lesions,
        tuple(s.diameter_pct for s, n in zip(stenoses, pairs, strict=True) if n < 0),
        plaque_pairs(plaque_of(patient), plaque), (cad_rads_of(true, None).category, category), seconds,
    )  # fmt: skip


def _lesion(kind: str, true, found) -> Lesion:
    measured = (found.diameter_pct, found.mld_mm, found.diameter_pct_interval) if found else ()
    return Lesion(kind, true.diameter_pct, true.mld_mm, *measured)


def points_of(named, stenosis) -> np.ndarray:
    """(N, 3) centerline of a lesion about its narrowest place, mm: the half of it between its ends."""
    low, high = (0.5 * (end + stenosis.position_mm) for end in (stenosis.entry_mm, stenosis.exit_mm))
    return named.branches[stenosis.branch].point_at(np.linspace(low, high, 25))


def plaque_pairs(true, found) -> dict[str, tuple[float, float]]:
    return {name: (getattr(true, f"{name}_mm3"), getattr(found, f"{name}_mm3") if found else 0.0) for name in ("total", "calcified", "noncalcified")}


def tree_rows(results: list[PatientResult], way: str) -> list[list[str]]:
    """Means over the patients; a refused one overlaps by 0."""
    least, most = TREE_GOALS[way]
    measured = [r for r in results if not r.refusal]
    overlap = float(np.mean([r.overlap for r in results]))
    accuracy = float(np.mean([r.accuracy_mm for r in measured])) if measured else float("nan")
    names = sum(r.right_names for r in results) / max(sum(r.named for r in results), 1)
    return [
        row("centerline overlap OV", way, overlap, f"{overlap:.3f}", least),
        row("centerline accuracy", way, -accuracy, f"{accuracy:.3f} mm", -most, f"at most {most} mm"),
        row("length with the right segment name", way, names, f"{100 * names:.1f} %", 0.95, "95 %"),
        row("patients refused", way, len(measured) - len(results), f"{len(results) - len(measured)} of {len(results)}", 0, "0"),
    ]


def disease_rows(results: list[PatientResult], way: str) -> list[list[str]]:
    """Errors are of the lesions that were found; how many were is a row of its own."""
    lesions = [x for r in results for x in r.lesions]
    found = [x for x in lesions if x.found_pct is not None]
    error = np.array([x.found_pct - x.true_pct for x in found] or [np.nan])
    mld = float(np.mean([abs(x.mld_mm - x.true_mld_mm) for x in found])) if found else float("nan")
    graded = [x for x in lesions if x.true_pct >= 25]
    seen = sum(x.found_pct is not None for x in graded) / max(len(graded), 1)
    covered = float(np.mean([x.interval_pct[0] <= x.true_pct <= x.interval_pct[1] for x in found])) if found else float("nan")
    severe = [x for x in lesions if x.true_pct >= 50]
    called = [x for x in found if x.found_pct >= 50]
    both = sum(x.true_pct >= 50 for x in called)
    sensitivity, ppv = both / max(len(severe), 1), both / max(len(called) + sum(p >= 50 for r in results for p in r.false_pct), 1)
    kappa, seconds = category_kappa(results), float(np.median([r.seconds for r in results]))
    return [
        row("diameter stenosis, mean absolute error", way, -np.mean(abs(error)), f"{np.mean(abs(error)):.1f} points, {len(found)} lesions", -6, "at most 6"),
        row("diameter stenosis, bias", way, -abs(np.mean(error)), f"{np.mean(error):+.1f} points", -2, "within 2"),
        *kind_rows(found, way),
        ["lesions of 25 % and more found", way, f"{100 * seen:.1f} % of {len(graded)}", "none set", "–"],
        row("lesions >= 50 %: sensitivity", way, sensitivity, f"{sensitivity:.3f} of {len(severe)}", 0.92),
        row("lesions >= 50 %: positive predictive value", way, ppv, f"{ppv:.3f}", 0.85),
        row("minimal lumen diameter, mean absolute error", way, -mld, f"{mld:.2f} mm", -0.2, "at most 0.2 mm"),
        *(plaque_row(results, way, name, least) for name, least in (("total", 0.95), ("calcified", 0.9), ("noncalcified", 0.9))),
        row("CAD-RADS category, weighted kappa", way, kappa, f"{kappa:.3f}", 0.9),
        row("90 % intervals that hold the true stenosis", way, -abs(covered - 0.9), f"{100 * covered:.0f} %", -0.05, "85-95 %"),
        row("label maps to verdict, one patient, median", way, -seconds, f"{seconds:.0f} s", -45, "at most 45 s"),
    ]


def kind_rows(found: list[Lesion], way: str) -> list[list[str]]:
    """Bias of each kind of plaque."""
    rows = []
    for kind in ("soft", "mixed", "calcified"):
        error = [x.found_pct - x.true_pct for x in found if x.kind == kind]
        shown = f"{np.mean(error):+.1f} ± {np.std(error):.1f} points, {len(error)} lesions" if error else "no lesions"
        rows.append([f"diameter stenosis, {kind} plaque", way, shown, "none set", "–"])
    return rows


def plaque_row(results: list[PatientResult], way: str, name: str, least: float) -> list[str]:
    true, found = np.array([r.plaque[name] for r in results]).T
    icc = icc_agreement(true, found)
    return row(f"ICC of plaque volume, {name}", way, icc, f"{icc:.3f}, {100 * (found.sum() / max(true.sum(), 1e-9) - 1):+.0f} %", least)


def category_kappa(results: list[PatientResult]) -> float:
    """Linear weights; a patient without a category counts as the farthest from the true one."""
    true = [CATEGORIES.index(r.categories[0]) for r in results]
    last = len(CATEGORIES) - 1
    found = [CATEGORIES.index(r.categories[1]) if r.categories[1] in CATEGORIES else last * (t < last / 2) for r, t in zip(results, true, strict=True)]
    return linear_kappa(true, found, len(CATEGORIES))


def row(figure: str, way: str, value: float, shown: str, goal: float, goal_shown: str = "") -> list[str]:
    return [figure, way, shown, goal_shown or f"{goal:g}", "yes" if value >= goal else "no"]
