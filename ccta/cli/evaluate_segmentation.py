"""`ccta evaluate segmentation`: heart, lumen and centerlines on data sets with truth, beside the goals and the published records."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from ccta.cli.analyse import Json
from ccta.cli.console import print_json, print_table, reporting, say
from ccta.errors import BadInput

if TYPE_CHECKING:
    from ccta.metrics.case_score import CaseScore, Found
    from ccta.model import Annotation, Volume

NO_ASCENDING_MM = 2.0  # from the descending aorta's lumen: nearer is not the ascending one
PHANTOMS = 20
FIRST_SEED = 1120  # of the reserved ones; no patient from here on was looked at or tuned on


class Dataset(StrEnum):
    """Layouts that can be read; `phantom` needs no folder, `files` is a folder with an image and masks named lumen, heart, lv ..."""

    asoca = "asoca"
    imagecas = "imagecas"
    imagecas_x = "imagecas-x"
    cat08 = "cat08"
    mmwhs = "mmwhs"
    totalsegmentator = "totalsegmentator"
    files = "files"
    phantom = "phantom"


@dataclass(frozen=True)
class PhantomCase:
    """A patient of the phantom in its default scanner, or with everything randomised far; nothing of it lies on a disk."""

    seed: int
    far: bool = False

    @property
    def name(self) -> str:
        return f"seed {self.seed}"

    def read(self) -> tuple[Volume, Annotation]:
        """(HU, the patient's own geometry on the same grid)."""
        from ccta.phantom.far import far_patient, far_scanner
        from ccta.phantom.patient import make_patient
        from ccta.phantom.scanner import scan

        patient = far_patient(self.seed) if self.far else make_patient(self.seed)
        return annotated(patient, scan(patient, far_scanner(self.seed) if self.far else None))


def annotated(patient, volume: Volume) -> tuple[Volume, Annotation]:
    """The image with its patient's lumen by artery, heart and centerlines. As in our labels, the aorta is the ascending one alone, and the atria end at
    their veins (as in TotalSegmentator's).
    """
    from ccta.coordinates import to_patient_mm
    from ccta.metrics.case_score import CHAMBERS
    from ccta.metrics.centerlines import named_lumen, vessels_of
    from ccta.model import CORONARY_LABELS, HEART_LABELS, Annotation
    from ccta.phantom.deposits import descending

    shape, affine = volume.array.shape, volume.affine
    heart = patient.heart_labels(affine, shape, veins=False).array
    aorta = np.argwhere(heart == HEART_LABELS["aorta"])
    heart[tuple(aorta[descending(patient)(to_patient_mm(aorta, affine)) < NO_ASCENDING_MM].T)] = 0
    lumen = patient.lumen_labels(affine, shape).array == CORONARY_LABELS["lumen"]
    structures = {name: heart == HEART_LABELS[name] for name in (*CHAMBERS, "aorta", "pulmonary_artery")}
    names, branches = named_lumen(lumen, affine, patient.tree)
    return volume, Annotation(structures | {"lumen": lumen}, branches, names, vessels_of(patient.tree.continued()))


def segmentation(
    root: Annotated[Path | None, typer.Argument(metavar="[ROOT]", help="Folder of the data set; none for phantoms.")] = None,
    dataset: Annotated[Dataset, typer.Option(help="Its layout.")] = Dataset.phantom,
    split: Annotated[str, typer.Option(help="train, val, test or all; without it the test split where there is one.")] = "",
    cases: Annotated[int | None, typer.Option(min=1, help="So many cases, the first ones; without it all of the split, or 20 phantoms.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the first phantom; nothing was tuned from 1120 on.")] = FIRST_SEED,
    far: Annotated[bool, typer.Option("--far", help="Phantoms with anatomy, contrast and scanner randomised far beyond the usual.")] = False,
    processes: Annotated[int, typer.Option(min=1, help="Cases at once.")] = 2,
    as_json: Json = False,
) -> None:
    """Heart, coronary lumen and centerlines beside the truth: per case, per artery, by image quality. About 2 minutes for a phantom."""
    from ccta.cli.segmentation_tables import tables

    if far and dataset is not Dataset.phantom:
        raise BadInput("--far is of phantoms: leave out --dataset, or --far")
    chosen = (
        [PhantomCase(case.seed, True) for case in cases_of(root, dataset, split, seed, cases)] if far else list(cases_of(root, dataset, split, seed, cases))
    )
    scores, left_out = [], {}
    with reporting() as start, ProcessPoolExecutor(processes) as pool:
        progress = start("segmentation")
        for case, result in zip(chosen, pool.map(scored, chosen), strict=True):
            if isinstance(result, str):
                left_out[case.name] = result
            else:
                scores.append(result)
            progress(f"{case.name}: {described(result)}", (len(scores) + len(left_out)) / len(chosen))
    if not scores:
        raise BadInput(next(iter(left_out.values())))
    for name, reason in left_out.items():
        say(f"left out {name}: {reason}")
    made = tables("phantom, far" if far else dataset.value, scores, len(left_out))
    for title, columns, rows in made:
        print_table(title, columns, rows)
    if as_json:
        print_json({"tables": {title: [columns, *rows] for title, columns, rows in made}, "cases": [asdict(s) for s in scores], "left_out": left_out})


def cases_of(root: Path | None, dataset: Dataset, split: str, seed: int, count: int | None) -> Iterator:
    """The first `count` cases that were asked for; without a number all, or 20 phantoms."""
    from ccta.reading.datasets import dataset_cases

    if dataset is Dataset.phantom:
        if root is not None or split:
            raise BadInput(f"phantoms are made, not read: leave out {root or '--split'}, or name the layout of a data set with --dataset.")
        return map(PhantomCase, range(seed, seed + (count or PHANTOMS)))
    if root is None:
        raise BadInput(f"give the folder of the data set: `ccta evaluate segmentation FOLDER --dataset {dataset.value}`")
    return iter(dataset_cases(dataset.value, root, split)[:count])


def scored(case) -> CaseScore | str:
    """A case's score, or why its files cannot be used."""
    from ccta.metrics.case_score import score

    try:
        volume, truth = case.read()
    except BadInput as error:
        return str(error)
    return score(case.name, found_in(volume, bool(truth.vessels) or "lumen" in truth.structures), truth)


def found_in(volume: Volume, arteries: bool) -> Found:
    """What the pipeline's own stages make of an image: heart, and where asked for, arteries and centerlines. The truth is not in their reach."""
    from ccta.case import Case
    from ccta.cli.stages import pipeline
    from ccta.findings import Acquisition
    from ccta.metrics.case_score import Found
    from ccta.runner import run_stages, select
    from ccta.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        case = Case.create(Path(folder) / "case")
        case.write_volume("image", volume)
        case.update_findings(acquisition=Acquisition(contrast=True))
        stages = select(pipeline(), ["segment", "centerlines", "tree"] if arteries else ["segment"])
        run_stages(case, stages, Settings(), lambda stage: lambda message, share=None: None)
        heart, coronary = (case.read_volume(item).array if case.path(item).exists() else None for item in ("heart", "coronary"))
        items = ("heart", "coronary", "tree") if arteries else ("heart",)
        reasons = tuple(dict.fromkeys(reason.reason for item in items if (reason := case.unavailable(item)) is not None))
        quality = case.findings().quality
        noise = float(quality.noise_hu) if quality and quality.noise_hu else None
        return Found(volume.affine, heart, coronary, case.read_tree() if case.path("tree").exists() else None, noise, reasons)


def described(result: CaseScore | str) -> str:
    """A line of progress."""
    if isinstance(result, str):
        return "left out"
    dice = ", ".join(f"{name} {score.dice:.3f}" for name, score in result.structures.items())
    overlap = f"OV {sum(v.ov for _, v in result.vessels) / len(result.vessels):.3f}" if result.vessels else ""
    return "; ".join(part for part in (f"Dice {dice}" if dice else "", overlap, *result.refusals) if part)
