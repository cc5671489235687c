"""Public data sets in the layouts that they are handed out in: which cases there are, in which split, where image and truth lie.

Each layout is one function of the root folder that lists `DatasetCase`s; nothing is read before `DatasetCase.read`. What a layout does not hold of ours is
left out: TotalSegmentator's aorta has the abdominal part, its atrial appendages and veins have no label of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ccta.errors import BadInput
from ccta.model import Annotation, Volume
from ccta.reading.dataset_truth import IMAGECAS_X_BRANCHES, labels_on, vessels_from
from ccta.reading.image_files import SUFFIXES, read_image
from ccta.reading.split_tables import name_lists, split_table

MMWHS_LABELS = {"lv": 500, "rv": 600, "la": 420, "ra": 550, "myocardium": 205, "aorta": 820, "pulmonary_artery": 850}
"""Zhuang et al., Med Image Anal 2019;58:101537."""
TOTALSEGMENTATOR_MASKS = {
    "heart_union": "heart", "lv": "heart_ventricle_left", "rv": "heart_ventricle_right", "la": "heart_atrium_left", "ra": "heart_atrium_right",
    "myocardium": "heart_myocardium", "pulmonary_artery": "pulmonary_artery",
}  # fmt: skip
"""Version 2 has `heart` in one piece, version 1 its chambers (Wasserthal et al., Radiol Artif Intell 2023;5:e230024)."""
FILE_NAMES = {"heart": "heart_union", **{name: name for name in ("lumen", "lv", "myocardium", "rv", "la", "ra", "aorta", "pulmonary_artery")}}
"""Masks of the layout `files`, by their names."""


@dataclass(frozen=True)
class DatasetCase:
    """Where one case lies. structures: name -> (label file, its value there; None for any above 0). branch_names: artery of label 1, 2, ... of the lumen
    file. vessels: files of reference centerlines. may_lack: a structure outside the field of view has an empty mask, which is no fault.
    """

    name: str
    image: Path
    structures: dict[str, tuple[Path, int | None]] = field(default_factory=dict)
    vessels: tuple[Path, ...] = ()
    split: str = ""
    branch_names: tuple[str, ...] = ()
    may_lack: bool = False

    def read(self) -> tuple[Volume, Annotation]:
        """(HU, what readers drew on the same grid). Raises BadInput, which names the file, where the two do not fit."""
        image, _ = read_image(self.image)
        maps = {path: labels_on(path, image) for path in dict.fromkeys(path for path, _ in self.structures.values())}
        structures = {name: maps[path] > 0 if value is None else maps[path] == value for name, (path, value) in self.structures.items()}
        drawn = {name: mask for name, mask in structures.items() if mask.any()}
        missing = [name for name in structures if name not in drawn]
        if missing and not (self.may_lack and drawn):
            path, value = self.structures[missing[0]]
            of = f" (label {value}, the file has {np.unique(maps[path])[:12].tolist()})" if value is not None else ""
            raise BadInput(f"{path} holds no voxel of {missing[0]}{of}; the truth of {self.name} is empty or of another data set.")
        branches = maps[self.structures["lumen"][0]].astype(np.uint8) if self.branch_names else None
        vessels = [vessel for path in self.vessels for vessel in vessels_from(path, image, drawn.get("lumen"))]
        return image, Annotation(drawn, branches, self.branch_names, tuple(vessels))


def asoca(root: Path) -> list[DatasetCase]:
    """`Normal|Diseased/CTCA/*.nrrd` with `Annotations/` (lumen) and `Centerlines/*.vtp`. The 40 annotated are the challenge's training cases."""
    found = []
    for image in sorted(root.glob("*/CTCA/*.nrrd"), key=natural):
        mask = image.parents[1] / "Annotations" / image.name
        lines = image.parents[1] / "Centerlines" / f"{image.stem}.vtp"
        if mask.is_file():
            found.append(DatasetCase(image.stem, image, {"lumen": (mask, None)}, (lines,) if lines.is_file() else (), "train"))
    return found


def imagecas(root: Path) -> list[DatasetCase]:
    """`<id>.img.nii.gz` with `<id>.label.nii.gz`, in one folder or in `1-200`, `201-400` ...; column Split-1 of imageCAS_data_split, XLSX or CSV."""
    table = next((path for name in ("xlsx", "csv") for path in sorted(root.rglob(f"imageCAS_data_split.{name}"))), None)
    splits = split_table(table, "FileName", "Split-1") if table else {}
    found = []
    for image in sorted(root.rglob("*.img.nii.gz"), key=natural):
        name = image.name.removesuffix(".img.nii.gz")
        mask = image.with_name(f"{name}.label.nii.gz")
        if mask.is_file():
            found.append(DatasetCase(name, image, {"lumen": (mask, None)}, split=splits.get(name, "")))
    return found


def imagecas_x(root: Path) -> list[DatasetCase]:
    """`volumes/<id>.img.nii.gz`, `segmentations/<id>.coronary.nii.gz` (14 arteries), `centerlines/`, `filelist/`."""
    splits = name_lists(root / "filelist")
    found = []
    for image in sorted((root / "volumes").glob("*.img.nii.gz"), key=natural):
        name = image.name.removesuffix(".img.nii.gz")
        mask = root / "segmentations" / f"{name}.coronary.nii.gz"
        lines = tuple(p for side in ("left", "right") if (p := root / "centerlines" / f"{name}.coronary_{side}_centerline.vtk").is_file())
        if mask.is_file() and splits.get(name) != "excluded":
            found.append(DatasetCase(name, image, {"lumen": (mask, None)}, lines, splits.get(name, ""), IMAGECAS_X_BRANCHES))
    return found


def cat08(root: Path) -> list[DatasetCase]:
    """`datasetNN/imageNN.mhd` with `vesselK/reference.txt`; references are public for the training cases 00-07 alone."""
    found = []
    for folder in sorted(root.glob("dataset[0-9][0-9]"), key=natural):
        image = folder / f"image{folder.name[-2:]}.mhd"
        vessels = tuple(sorted(folder.glob("vessel*/reference.txt"), key=natural))
        if image.is_file() and vessels:
            found.append(DatasetCase(folder.name, image, vessels=vessels, split="train"))
    return found


def mmwhs(root: Path) -> list[DatasetCase]:
    """`ct_train_10NN_image.nii.gz` with `_label.nii.gz`, also in a folder ct_train. The labels of ct_test are not public."""
    found = []
    for image in sorted(root.rglob("ct_train_*_image.nii.gz"), key=natural):
        labels = image.with_name(image.name.replace("_image.", "_label."))
        if labels.is_file():
            structures = {name: (labels, code) for name, code in MMWHS_LABELS.items()}
            found.append(DatasetCase(image.name.removesuffix("_image.nii.gz"), image, structures, split="train"))
    return found


def totalsegmentator(root: Path) -> list[DatasetCase]:
    """`sNNNN/ct.nii.gz` with `segmentations/<class>.nii.gz`, versions 1 and 2; splits of meta.csv. What lies outside the image has empty masks."""
    table = root / "meta.csv"
    splits = split_table(table, "image_id", "split", ";") if table.is_file() else {}
    found = []
    for image in sorted(root.glob("s*/ct.nii.gz"), key=natural):
        masks = {name: image.parent / "segmentations" / f"{mask}.nii.gz" for name, mask in TOTALSEGMENTATOR_MASKS.items()}
        drawn = {name: (path, None) for name, path in masks.items() if path.is_file()}
        if drawn:
            found.append(DatasetCase(image.parent.name, image, drawn, split=splits.get(image.parent.name, ""), may_lack=True))
    return found


def files(root: Path) -> list[DatasetCase]:
    """An image whose name begins with ct or image (or ends in .img), and masks called lumen, heart, lv, aorta and so on; one folder a case, or the root."""
    found = []
    for folder in (root, *sorted((p for p in root.iterdir() if p.is_dir()), key=natural)):
        named = {re.sub(r"(\.nii)?\.\w+$", "", path.name): path for path in sorted(folder.iterdir()) if path.name.lower().endswith(SUFFIXES)}
        images = [path for name, path in named.items() if re.match(r"ct|image|.*\.img$", name, re.I) and name not in FILE_NAMES]
        masks = {FILE_NAMES[name]: (path, None) for name, path in named.items() if name in FILE_NAMES}
        if len(images) == 1 and masks:
            found.append(DatasetCase(folder.name, images[0], masks))
    return found


LAYOUTS: dict[str, Callable[[Path], list[DatasetCase]]] = {
    "asoca": asoca, "imagecas": imagecas, "imagecas-x": imagecas_x, "cat08": cat08, "mmwhs": mmwhs, "totalsegmentator": totalsegmentator, "files": files,
}  # fmt: skip


def dataset_cases(layout: str, root: Path, split: str = "") -> list[DatasetCase]:
    """The cases of one split: train, val, test, all, or "" for the test split where there is one, else all.

    Raises BadInput where the root has no case in this layout (saying which layout it looks like), or none in the split.
    """
    if not root.is_dir():
        raise BadInput(f"{root} does not exist or is no folder; give the folder of the {layout} data set.")
    found = LAYOUTS[layout](root)
    if not found:
        wanted = " ".join(re.split(r";|\. ", LAYOUTS[layout].__doc__ or "")[0].split()).rstrip(".")
        others = [name for name, cases in LAYOUTS.items() if name != layout and cases(root)]
        hint = f"It looks like {others[0]}." if others else "Check the folder, and that images and truth lie beside each other."
        raise BadInput(f"{root} holds no {layout} case with its truth; looked for: {wanted}. {hint}")
    return of_split(found, split, root)


def of_split(cases: Iterable[DatasetCase], split: str, root: Path) -> list[DatasetCase]:
    """See `dataset_cases`."""
    cases = list(cases)
    known = sorted({case.split for case in cases if case.split})
    wanted = split or ("test" if "test" in known else "all")
    chosen = [case for case in cases if wanted in ("all", case.split)]
    if not chosen:
        raise BadInput(f"{root} has no case of the split {wanted!r}; it has {', '.join(known) or 'no splits'}.")
    return chosen


def natural(path: Path) -> list:
    """Sorts 2 before 10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]
