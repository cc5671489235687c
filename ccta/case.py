"""The Case directory: the contract between stages. Only this module knows the names of its files.

Every file is written under a temporary name in the same directory and renamed, so that a killed stage leaves no half file. `case.json`
records, per stage, the command, settings, versions, and the hashes of what it read and wrote; a stage whose inputs or settings have
changed since is stale. Sections of findings.json are items too, named `findings.<section>`, and so are the hand edits of a stage, `edits.<stage>`,
what a tree is without its names, `shape.tree`, and what the reader wrote for the next report, `reader.draft`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel
import numpy as np
from pydantic import TypeAdapter, ValidationError

from ccta.edits import HISTORY, Edit, applied
from ccta.errors import BadInput, MissingStage, StorageFailed
from ccta.findings import CalciumEdit, Findings, PullbackFile
from ccta.layers import by_layers
from ccta.model import CoronaryTree, CrossSections, Surface, Unavailable, Volume
from ccta.polydata import read_polydata, sections_from_polydata, sections_polydata, surface_from_polydata, surface_polydata, tree_polydata
from ccta.reader_report import ReaderReport
from ccta.source_series import SourceSeries
from ccta.storage import atomic_path, first_axis_fastest
from ccta.tree_file import shape_of, tree_from_dict, tree_to_dict

LAYOUT = {
    "image": ("image.nii.gz", "ccta analyse"),
    "calcium_image": ("calcium_image.nii.gz", "ccta analyse"),
    "calcium_regions": ("calcium_regions.nii.gz", "ccta calcium --regions"),
    "calcium_labels": ("calcium_labels.nii.gz", "ccta calcium"),
    "calcium_edits": ("calcium_edits.json", "ccta lesions"),
    "source": ("source.json", "ccta analyse"),
    "calcium_source": ("calcium_source.json", "ccta analyse"),
    "heart": ("heart.nii.gz", "ccta segment"),
    "coronary": ("coronary.nii.gz", "ccta segment"),
    "artery_probability": ("artery_probability.nii.gz", "ccta segment"),
    "artery_uncertainty": ("artery_uncertainty.nii.gz", "ccta segment"),
    "tree_found": ("tree_found.json", "ccta tree"),
    "tree": ("tree.json", "ccta tree"),
    "tree_polydata": ("tree.vtp", "ccta tree"),
    "contours_found": ("contours_found.vtp", "ccta measure"),
    "contours": ("contours.vtp", "ccta measure"),
    "edits": ("edits.json", "ccta view"),
    "plaque": ("plaque.nii.gz", "ccta measure"),
    "phases": ("phases", "ccta phases"),
    "views": ("views", "ccta view"),
    "surface": ("surface.vtp", "ccta measure"),
    "mesh": ("mesh.msh", "ccta flow"),
    "flow": ("flow.vtu", "ccta flow"),
    "pullback": ("pullback.json", "ccta flow"),
    "plan": ("plan.json", "ccta flow --stent"),
    "findings": ("findings.json", "ccta analyse"),
    "reader": ("reader.json", "ccta view"),
    "pictures": ("pictures", "ccta view"),
    "signed": ("signed", "ccta sign"),
    "report_content": ("report_content.json", "ccta report"),
    "report_html": ("report.html", "ccta report"),
    "report_pdf": ("report.pdf", "ccta report"),
    "dicom": ("dicom", "ccta report"),
}
SECTION, EDITS_OF, SHAPE_OF, READER_DRAFT = "findings.", "edits.", "shape.", "reader.draft"
CALCIUM_EDITS = TypeAdapter(list[CalciumEdit])
RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI stores RAS, we think in LPS


@dataclasses.dataclass(frozen=True)
class Case:
    """One patient's directory. `Case.create` makes one, `Case.open` demands that it is one."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> Case:
        """A new or existing case directory; refuses a directory that holds something else."""
        root = Path(root)
        if root.exists() and not root.is_dir():
            raise BadInput(f"{root} is a file; a case is a directory, choose another name")
        if root.is_dir() and any(root.iterdir()) and not (root / "case.json").exists():
            raise BadInput(f"{root} is not empty and holds no case; choose a new directory for the case")
        case = cls(root)
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailed(f"the case directory {root} cannot be made ({error.strerror}); choose another place") from error
        case._sweep()
        if not (root / "case.json").exists():
            case._write_record({"schema": "1.0", "stages": {}, "unavailable": {}})
        return case

    @classmethod
    def open(cls, root: Path) -> Case:
        """An existing case."""
        root = Path(root)
        if not (root / "case.json").is_file():
            raise BadInput(f"{root} is not a case (it has no case.json): make one with `ccta analyse INPUT {root}`")
        case = cls(root)
        case.record()
        return case

    def path(self, item: str, file: str = "") -> Path:
        """Of an item, or of a file in one that is a folder."""
        return self.root / LAYOUT[item][0] / file

    def require(self, item: str, file: str = "") -> Path:
        """The path of an item that must be there; else MissingStage names the command that makes it."""
        path = self.path(item, file)
        if not path.exists():
            reason = self.unavailable(item)
            because = f" ({reason.reason})" if reason is not None else ""
            raise MissingStage(f"{path} is missing{because}: run `{LAYOUT[item][1]}` on {self.root} first")
        return path

    @contextmanager
    def writing(self, item: str, file: str = "") -> Iterator[Path]:
        """A temporary path with the item's suffix; renamed to the item when the block ends well, removed when it does not."""
        with atomic_path(self.path(item, file)) as temporary:
            yield temporary

    def _sweep(self) -> None:
        """Removes what a killed run left behind under temporary names."""
        for left in self.root.glob(".partial-*"):
            left.unlink(missing_ok=True)

    # --- provenance ---

    def record(self) -> dict:
        """case.json as it stands."""
        try:
            return json.loads((self.root / "case.json").read_text())
        except (OSError, json.JSONDecodeError) as error:
            raise BadInput(f"{self.root / 'case.json'} cannot be read ({error}); make the case again with `ccta analyse`") from error

    def _write_record(self, record: dict) -> None:
        with atomic_path(self.root / "case.json") as temporary:
            temporary.write_text(json.dumps(record, indent=1))

    def note_stage(self, stage: str, entry: dict, unavailable: dict[str, str]) -> None:
        """Records a finished stage; `unavailable` replaces what its outputs said before."""
        record = self.record()
        record["stages"][stage] = entry
        kept = {item: value for item, value in record["unavailable"].items() if item not in entry["outputs"]}
        record["unavailable"] = {**kept, **unavailable}
        self._write_record(record)

    def unavailable(self, item: str) -> Unavailable | None:
        """Why an item could not be made, None if nothing was said."""
        reason = self.record()["unavailable"].get(item)
        return Unavailable(reason) if reason else None

    def digest(self, item: str) -> str:
        """A hash of an item's content (a file, a section of the findings, or the reason for its absence); empty where there is none."""
        if item.startswith(SECTION):
            return _hash(self.findings().model_dump_json(include={item.removeprefix(SECTION)}, by_alias=False).encode())
        if item.startswith(EDITS_OF):
            own = applied(self.edits(), item.removeprefix(EDITS_OF))
            return _hash(HISTORY.dump_json(own)) if own else ""
        if item.startswith(SHAPE_OF):
            file = item.removeprefix(SHAPE_OF)
            return _hash(shape_of(self.read_tree(file))) if self.path(file).exists() else self.digest(file)
        if item == READER_DRAFT:
            draft = self.reader().draft()
            return "" if draft == ReaderReport() else _hash(draft.model_dump_json().encode())
        path = self.path(item)
        if path.is_file():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        reason = self.unavailable(item)
        return _hash(reason.reason.encode()) if reason is not None else ""

    # --- items ---

    def write_volume(self, item: str, volume: Volume, file: str = "") -> None:
        """NIfTI with the affine turned to RAS; int16 images and uint8 labels keep their type."""
        image = nibabel.Nifti1Image(first_axis_fastest(volume.array), RAS_FROM_LPS @ volume.affine)
        image.header.set_xyzt_units("mm")
        image.header["descrip"] = volume.frame_of_reference_uid.encode()[:79]
        with self.writing(item, file) as path:
            nibabel.save(image, path)

    def read_volume(self, item: str, pixels: bool = True, file: str = "") -> Volume:
        """An image or label map; without `pixels` its geometry alone, every value 0 and no memory taken."""
        path = self.require(item, file)
        try:
            image = nibabel.load(path, keep_file_open=True)
            array = by_layers(image.dataobj) if pixels else np.broadcast_to(np.int16(0), image.shape)
        except Exception as error:  # nibabel and zlib raise a dozen types for a damaged file
            raise BadInput(f"{path} is damaged ({error}); make it again with `{LAYOUT[item][1]}`") from error
        uid = bytes(image.header["descrip"].tobytes()).rstrip(b"\0").decode(errors="replace")
        return Volume(array, RAS_FROM_LPS @ image.affine, uid)

    def write_json(self, item: str, text: str) -> None:
        with self.writing(item) as path:
            path.write_text(text)

    def write_tree(self, tree: CoronaryTree, item: str = "tree") -> None:
        self.write_json(item, json.dumps(tree_to_dict(tree)))
        if item == "tree":
            with self.writing("tree_polydata") as path:
                tree_polydata(tree).save(path)

    def read_tree(self, item: str = "tree") -> CoronaryTree:
        path = self.require(item)
        try:
            return tree_from_dict(json.loads(path.read_text()))
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path} is not a tree ({error}); correct it or run `ccta tree` again") from error

    def write_sections(self, sections: list[CrossSections], item: str = "contours") -> None:
        with self.writing(item) as path:
            sections_polydata(sections).save(path)

    def read_sections(self, item: str = "contours") -> list[CrossSections]:
        return sections_from_polydata(read_polydata(self.require(item)), len(self.read_tree()))

    def write_surface(self, surface: Surface) -> None:
        with self.writing("surface") as path:
            surface_polydata(surface).save(path)

    def read_surface(self) -> Surface:
        return surface_from_polydata(read_polydata(self.require("surface")))

    def findings(self) -> Findings:
        """findings.json, or empty findings before the first stage."""
        path = self.path("findings")
        if not path.exists():
            return Findings()
        try:
            return Findings.model_validate_json(path.read_text())
        except (ValidationError, UnicodeDecodeError) as error:
            raise BadInput(f"{path} does not follow the schema ({str(error).splitlines()[0]}); correct it, or run the stages again") from error

    def update_findings(self, **sections) -> Findings:
        """Replaces whole sections, keeps the others."""
        findings = Findings.model_validate({**dict(self.findings()), **sections})
        self.write_json("findings", findings.model_dump_json(indent=1))
        return findings

    def calcium_edits(self) -> list[CalciumEdit]:
        """Hand corrections of the calcium list in their order, [] where there are none."""
        return self._read_list("calcium_edits", CALCIUM_EDITS)

    def write_calcium_edits(self, edits: list[CalciumEdit]) -> None:
        self.write_json("calcium_edits", CALCIUM_EDITS.dump_json(edits, indent=1).decode())

    def edits(self) -> list[Edit]:
        """The history of hand edits of tree, contours and stenoses, [] where there are none."""
        return self._read_list("edits", HISTORY)

    def write_edits(self, history: list[Edit]) -> None:
        self.write_json("edits", HISTORY.dump_json(history, indent=1).decode())

    def reader(self) -> ReaderReport:
        """The reader's part of the report, empty where nothing was written."""
        path = self.path("reader")
        if not path.exists():
            return ReaderReport()
        try:
            return ReaderReport.model_validate_json(path.read_text())
        except (ValidationError, UnicodeDecodeError) as error:
            raise BadInput(f"{path} does not follow the schema ({str(error).splitlines()[0]}); correct it by hand, it names the signed versions") from error

    def write_reader(self, report: ReaderReport) -> None:
        self.write_json("reader", report.model_dump_json(indent=1))

    def write_source(self, item: str, source: SourceSeries | Unavailable) -> dict[str, str]:
        """The DICOM instances behind an image; {item: reason} where there are none, as a stage gives it back."""
        if isinstance(source, Unavailable):
            return {item: source.reason}
        self.write_json(item, source.model_dump_json())
        return {}

    def read_source(self, item: str = "source") -> SourceSeries:
        path = self.require(item)
        try:
            return SourceSeries.model_validate_json(path.read_text())
        except (ValidationError, UnicodeDecodeError) as error:
            raise BadInput(f"{path} does not follow the schema ({str(error).splitlines()[0]}); read the study again with `ccta analyse`") from error

    def _read_list(self, item: str, adapter: TypeAdapter) -> list:
        path = self.path(item)
        if not path.exists():
            return []
        try:
            return adapter.validate_json(path.read_text())
        except (ValidationError, UnicodeDecodeError) as error:
            raise BadInput(f"{path} is no list of corrections ({str(error).splitlines()[0]}); correct it, or delete it for the automatic result") from error

    def pullback(self) -> PullbackFile:
        return PullbackFile.model_validate_json(self.require("pullback").read_text())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
