"""The case as the reading page needs it: loaded once, never modified. What a stage could not make is None, with its reason beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ccta.case import Case
from ccta.disease.stenosis import reference_profile
from ccta.errors import BadInput
from ccta.findings import Findings, PullbackFile, Stenosis
from ccta.model import Branch, CoronaryTree, CrossSections, Surface, Volume
from ccta.settings import FlowSettings, load_settings
from cfd.pipeline import Anatomy, flow_problem
from cfd.planner import Change, Stent, planned
from cfd.pullback import FlowModel


@dataclass(frozen=True, eq=False)
class Study:
    """paths: per branch of the tree, the whole way from its ostium, with the pullback indexed alike."""

    volume: Volume
    findings: Findings
    tree: CoronaryTree
    sections: tuple[CrossSections, ...] = ()
    surface: Surface | None = None
    pullback: PullbackFile | None = None
    flow: FlowSettings = field(default_factory=FlowSettings)

    @cached_property
    def problem(self) -> FlowModel:
        """The flow problem of the case, in which stents are planned."""
        lv_mass_g = self.findings.heart.lv_mass_g if self.findings.heart else self.findings.heart
        return flow_problem(Anatomy(self.tree, self.sections, self.stenoses, lv_mass_g=lv_mass_g, patient=self.findings.patient), self.flow)

    def planned(self, stents: Sequence[Stent]) -> tuple[list[Change], PullbackFile]:
        """FFR before and after stents, and the curves after."""
        return planned(self.problem, stents, self.stenoses, self.pullback)

    @property
    def stenoses(self) -> list[Stenosis]:
        return list(self.findings.stenoses or ())

    def branch(self, index: int) -> Branch:
        return self.tree.branches[index]

    def reference_diameter_mm(self, index: int) -> np.ndarray:
        """(M,) healthy calibre along the branch, at the planes of its sections."""
        return reference_profile(self.tree, list(self.sections), index)

    def ffr_at(self, index: int, distance_mm: float) -> float | None:
        """FFR on a branch, None where flow was not solved."""
        curve = self.pullback.branches[index] if self.pullback else None
        return float(np.interp(distance_mm, curve.distance_mm, curve.ffr)) if curve and curve.ffr else None

    def diameter_at(self, index: int, distance_mm: float) -> float | None:
        """Lumen diameter on a branch, mm; None where there is no contour."""
        section = self.sections[index] if index < len(self.sections) else None
        return float(np.interp(distance_mm, section.distance_mm, section.lumen_diameter_mm)) if section is not None and len(section) else None


def load_study(root: Path) -> Study:
    """All that a case holds for reading. BadInput where there is not even an image."""
    case = Case.open(root)
    image = next((item for item in ("image", "calcium_image") if case.path(item).exists()), None)
    if image is None:
        raise BadInput(f"{root} holds no image; run `ccta analyse INPUT {root}` first")
    tree = case.read_tree() if case.path("tree").exists() else CoronaryTree(())
    return Study(
        volume=case.read_volume(image),
        findings=case.findings(),
        tree=tree,
        sections=tuple(case.read_sections()) if case.path("contours").exists() and len(tree) else (),
        surface=case.read_surface() if case.path("surface").exists() else None,
        pullback=case.pullback() if case.path("pullback").exists() else None,
        flow=load_settings(root / "case.toml").flow,
    )
