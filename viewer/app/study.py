"""The case as the reading page needs it: read from disk, never modified. What a stage could not make is None, with its reason beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ccta.anatomy.reformat import CprGrid, Frames, cpr_frames, frames_along
from ccta.case import Case
from ccta.disease.stenosis import reference_profile
from ccta.edits import Edit
from ccta.errors import BadInput
from ccta.findings import Findings, PullbackFile, Stenosis
from ccta.model import Branch, CoronaryTree, CrossSections, Surface, Volume
from ccta.phases import Phases, phases_of
from ccta.settings import Settings, load_settings
from cfd.pipeline import Anatomy, flow_problem
from cfd.planner import Change, Stent, planned
from cfd.pullback import FlowModel

CPR_SHAPE = 4.2
"""Length over width of the straightened vessel where its pane and length allow, so that it is shown about as long as it is."""
CPR_COLUMNS = 640


@dataclass(frozen=True, eq=False)
class Study:
    """sections, pullback: indexed as the branches of the tree. tree_found, found: tree and contours as the image gave them, before any edit by hand.

    history: of edits. measured: the stenoses as their stage left them, with their plaque. root: of the case, for what is read only when it is asked for, such
    as the images of its phases.
    """

    volume: Volume
    findings: Findings
    tree: CoronaryTree
    sections: tuple[CrossSections, ...] = ()
    surface: Surface | None = None
    pullback: PullbackFile | None = None
    settings: Settings = field(default_factory=Settings)
    tree_found: CoronaryTree | None = None
    found: tuple[CrossSections, ...] = ()
    history: tuple[Edit, ...] = ()
    measured: tuple[Stenosis, ...] = ()
    root: Path | None = None
    phases: Phases | None = None

    @property
    def anatomy(self) -> Anatomy:
        """What flow is solved in."""
        lv_mass_g = self.findings.heart.lv_mass_g if self.findings.heart else self.findings.heart
        return Anatomy(self.tree, self.sections, self.stenoses, lv_mass_g=lv_mass_g, patient=self.findings.patient)

    @cached_property
    def problem(self) -> FlowModel:
        """The flow problem of the case, in which stents are planned."""
        return flow_problem(self.anatomy, self.settings.flow)

    def planned(self, stents: Sequence[Stent]) -> tuple[list[Change], PullbackFile]:
        """FFR before and after stents, and the curves after."""
        return planned(self.problem, stents, self.stenoses, self.pullback)

    @property
    def stenoses(self) -> list[Stenosis]:
        return list(self.findings.stenoses or ())

    def branch(self, index: int) -> Branch:
        return self.tree.branches[index]

    def section(self, index: int) -> CrossSections | None:
        """Contours of a branch, None where there are none."""
        own = self.sections[index] if 0 <= index < len(self.sections) else None
        return own if own is not None and len(own) else None

    @cached_property
    def _frames(self) -> dict:
        return {}

    def frames(self, index: int) -> Frames:
        """Planes along a branch's centerline."""
        if index not in self._frames:
            self._frames[index] = frames_along(self.branch(index))
        return self._frames[index]

    def straight(self, index: int) -> tuple[CprGrid, Frames]:
        """Grid and planes of the straightened branch; they stay the same while it turns."""
        if ("cpr", index) not in self._frames:
            branch = self.branch(index)
            half_mm = float(np.clip(branch.length_mm / CPR_SHAPE / 2, 6, 18))
            grid = CprGrid(half_width_mm=half_mm, pixel_mm=half_mm / 80, step_mm=max(0.1, branch.length_mm / CPR_COLUMNS))
            self._frames["cpr", index] = grid, cpr_frames(branch.points_mm, grid)
        return self._frames["cpr", index]

    def reference_diameter_mm(self, index: int) -> np.ndarray:
        """(M,) healthy calibre along the branch, at the planes of its sections."""
        return reference_profile(self.tree, list(self.sections), index)

    def ffr_at(self, index: int, distance_mm: float) -> float | None:
        """FFR on a branch, None where flow was not solved."""
        curve = self.pullback.branches[index] if self.pullback else None
        return float(np.interp(distance_mm, curve.distance_mm, curve.ffr)) if curve and curve.ffr else None

    def diameter_at(self, index: int, distance_mm: float) -> float | None:
        """Lumen diameter on a branch, mm; None where there is no contour."""
        section = self.section(index)
        return float(np.interp(distance_mm, section.distance_mm, section.lumen_diameter_mm)) if section is not None else None


def load_study(root: Path, volume: Volume | None = None) -> Study:
    """All that a case holds for reading; `volume` where the image is in memory already. BadInput where there is not even an image."""
    case = Case.open(root)
    image = next((item for item in ("image", "calcium_image") if case.path(item).exists()), None)
    if image is None:
        raise BadInput(f"{root} holds no image; run `ccta analyse INPUT {root}` first")
    here = lambda item: case.path(item).exists()  # noqa: E731
    tree, findings = case.read_tree() if here("tree") else CoronaryTree(()), case.findings()
    sections = tuple(case.read_sections()) if here("contours") and len(tree) else ()
    return Study(
        volume=volume or case.read_volume(image),
        findings=findings,
        tree=tree,
        sections=sections,
        surface=case.read_surface() if here("surface") else None,
        pullback=case.pullback() if here("pullback") else None,
        settings=load_settings(root / "case.toml"),
        tree_found=case.read_tree("tree_found") if here("tree_found") else tree,
        found=tuple(case.read_sections("contours_found")) if here("contours_found") and len(tree) else sections,
        history=tuple(case.edits()),
        measured=tuple(findings.stenoses or ()),
        root=root,
        phases=phases_of(case),
    )
