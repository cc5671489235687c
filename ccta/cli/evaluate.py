"""`ccta evaluate`: accuracy on patients whose truth is known, beside the goals."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ccta.agreement import icc_agreement, linear_kappa, matched
from ccta.cli import evaluate_disease
from ccta.cli.analyse import Json
from ccta.cli.console import print_json, print_table, reporting
from ccta.cli.evaluate_segmentation import segmentation
from ccta.coordinates import to_patient_mm

FIRST_SEED = 1160  # nothing is tuned on the patients from here on; those of 1000-1159 were looked at
REACH_MM = 3.0  # between the nearest voxel of a found lesion and the calcium of a true one: a slice
LEAST_AGATSTON = 1.0  # a true lesion below this does not have to be found
RISK = (1e-9, 100.0, 300.0)  # lower limits of A1, A2, A3 (CAC-DRS)
SLICES = 60

app = typer.Typer(no_args_is_help=True, help="Accuracy on patients whose truth is known, beside the goals.")


def register(parent: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(epilog="Example: ccta evaluate calcium --patients 40")(calcium)
    app.command(epilog="Examples: ccta evaluate segmentation | ccta evaluate segmentation asoca/ --dataset asoca --split train")(segmentation)
    evaluate_disease.register(app)
    parent.add_typer(app, name="evaluate")


@dataclass(frozen=True)
class PatientResult:
    """One patient's score beside its truth.

    detected: true lesions, of `lesions`, that have a found one of their own. assigned: found lesions of the right artery, of `right` that are one.
    false: found lesions that touch no true one. pieces: those that touch one which has another. refusal: why there is no score.
    """

    seed: int
    truth: float
    found: float
    lesions: int
    detected: int
    right: int
    assigned: int
    false: int
    pieces: int = 0
    refusal: str = ""


def calcium(
    patients: Annotated[int, typer.Option(min=2, help="How many phantom patients.")] = 40,
    seed: Annotated[int, typer.Option(help="Seed of the first one; from 1160 on nothing was tuned.")] = FIRST_SEED,
    processes: Annotated[int, typer.Option(min=1, help="Patients at once.")] = 2,
    as_json: Json = False,
) -> None:
    """The automatic calcium score on phantom patients: agreement, arteries, lesions, zero scores, time. About 10 minutes for 40."""
    with reporting() as start, ProcessPoolExecutor(processes) as pool:
        progress = start("calcium")
        results = []
        for result in pool.map(scored_patient, range(seed, seed + patients)):
            results.append(result)
            progress(
                f"patient {result.seed}: Agatston {result.found:.0f}, truth {result.truth:.0f}{result.refusal and ', ' + result.refusal}",
                len(results) / patients,
            )
        progress("time from DICOM to score")
        seconds = dicom_to_score_s(seed)
    rows = summary(results, seconds)
    print_table(f"calcium score, {patients} phantom patients (seeds {seed}-{seed + patients - 1})", ["figure", "measured", "goal", "reached"], rows)
    if as_json:
        print_json({"rows": rows, "patients": [vars(result) for result in results]})


def scored_patient(seed: int) -> PatientResult:
    """Makes one patient and its series, scores it without its truth, then compares."""
    from ccta.disease.calcium import score_calcium
    from ccta.errors import Refusal
    from ccta.findings import Acquisition, Patient
    from ccta.networks.inference import predict_places
    from ccta.phantom.calcium_truth import calcium_of, calcium_points_mm
    from ccta.phantom.cohort import calcium_patient
    from ccta.phantom.scanner import scan

    patient, series = calcium_patient(seed)
    volume, truth = scan(patient, series), calcium_of(patient, series)
    must = np.array([lesion.agatston >= LEAST_AGATSTON for lesion in truth.lesions], bool)
    empty = PatientResult(seed, truth.agatston, 0.0, int(must.sum()), 0, 0, 0, 0)
    try:
        scored = score_calcium(volume, Acquisition(kvp=float(series.kvp), contrast=False), Patient(), None, predict_places(volume))
    except Refusal as refusal:
        return replace(empty, refusal=str(refusal))
    found = scored.calcium.lesions
    spots = [to_patient_mm(np.argwhere(scored.labels.array == lesion.id), scored.labels.affine) for lesion in found]
    true = [calcium_points_mm(patient, number) for number, plaque in enumerate(patient.plaques) if plaque.spec.kind != "soft"]
    pairs, touching = matched(spots, true, REACH_MM)
    own = [(lesion.vessel, truth.lesions[n].vessel) for lesion, n in zip(found, pairs, strict=True) if n >= 0 and must[n]]
    agreeing, alone = sum(a == b for a, b in own), touching & (pairs < 0)
    return replace(
        empty, found=scored.calcium.agatston, detected=len(own), right=len(own), assigned=agreeing, false=int((~touching).sum()), pieces=int(alone.sum())
    )


def summary(results: list[PatientResult], seconds: float) -> list[list[str]]:
    """Rows of figure, measured, goal, reached. A refusal is a row of its own, the farthest risk category, and no score of 0 where the truth is 0."""
    icc = _icc([r for r in results if r.truth > 0 or not r.refusal])
    kappa = linear_kappa(np.digitize([r.truth for r in results], RISK), [_category(r) for r in results], len(RISK) + 1)
    right, assigned = sum(r.right for r in results), sum(r.assigned for r in results)
    lesions, detected = sum(r.lesions for r in results), sum(r.detected for r in results)
    false, pieces = (sum(getattr(r, name) for r in results) / len(results) for name in ("false", "pieces"))
    zeros, refused = [r.found == 0 and not r.refusal for r in results if r.truth == 0], sum(bool(r.refusal) for r in results)
    return [
        _row("ICC of the total Agatston score", icc, f"{icc:.4f}", 0.99),
        _row("kappa of the risk category (linear weights)", kappa, f"{kappa:.3f}", 0.95),
        _row("lesions given to the right artery", assigned / max(right, 1), f"{100 * assigned / max(right, 1):.1f} % of {right}", 0.95, "95 %"),
        _row("lesions found (Agatston 1 and more)", detected / max(lesions, 1), f"{100 * detected / max(lesions, 1):.1f} % of {lesions}", 0.90, "90 %"),
        _row("false lesions in a scan", -false, f"{false:.2f}", -0.5, "at most 0.5"),
        ["second pieces of a lesion in a scan", f"{pieces:.2f}", "none set", "–"],
        _row("patients without calcium scored 0", np.mean(zeros) if zeros else 1.0, f"{sum(zeros)} of {len(zeros)}", 0.95, "95 %"),
        _row("patients refused", -refused, f"{refused} of {len(results)}", 0, "0"),
        _row(f"{SLICES} slices from DICOM to score", -seconds, f"{seconds:.1f} s", -8.0, "at most 8 s"),
    ]


def _icc(results: list[PatientResult]) -> float:
    """Refused patients with calcium are scored 0 here. nan where fewer than two are left."""
    return icc_agreement([r.truth for r in results], [r.found for r in results]) if len(results) > 1 else float("nan")


def _category(result: PatientResult) -> int:
    """0 to 3; for a refusal the farthest from the true one."""
    if not result.refusal:
        return int(np.digitize(result.found, RISK))
    return 0 if np.digitize(result.truth, RISK) >= len(RISK) / 2 else len(RISK)


def _row(figure: str, value: float, shown: str, goal: float, goal_shown: str = "") -> list[str]:
    return [figure, shown, goal_shown or f"{goal:g}", "yes" if value >= goal else "no"]


def dicom_to_score_s(seed: int) -> float:
    """Wall time of a new process that reads and scores a series of `SLICES` slices of 512 x 512, from its start to its end."""
    from ccta.phantom.cohort import calcium_patient
    from ccta.phantom.scanner import CALCIUM_SERIES, scan
    from ccta.phantom.study import header, write_series

    patient = calcium_patient(seed)[0]
    series = replace(CALCIUM_SERIES, shape=(512, 512, SLICES))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_series(folder / "study" / "calcium", scan(patient, series), header(patient, series, "Calcium score", 1))
        started = time.monotonic()
        subprocess.run(
            [sys.executable, "-c", "import sys; from ccta.cli.evaluate import score; score(*sys.argv[1:])", folder / "study", folder / "case"], check=True
        )
        return time.monotonic() - started


def score(study: str, case: str) -> None:
    """Reads and scores a study into a new case, without a report."""
    from ccta.case import Case
    from ccta.cli.stages import pipeline
    from ccta.runner import run_stages, select
    from ccta.settings import Settings

    stages = select(pipeline(Path(study), ("calcium",)), ["read_calcium", "calcium"])
    run_stages(Case.create(Path(case)), stages, Settings(), lambda stage: lambda message, share=None: None)
