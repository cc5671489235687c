"""What was corrected by hand: the table of edits, and the mark on every value that rests on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ccta.edits import Edit, applied
from ccta.findings import Findings
from ccta.report.blocks import Cell, Section, Table, row
from ccta.report.language import t, word

MARK = " †"
MARK_NOTE = " † rests on a correction by hand, listed under Corrections by hand."
REACH_MM = 2.0
"""A drawn contour changes the vessel this far beyond itself (`ccta.anatomy.edited.FADE_MM`)."""


@dataclass(frozen=True)
class Marks:
    """lesions: indices of stenoses, segments: SCCT ids, vessels: names, whose values rest on an edit. shapes: of the lesions, those whose FFR does too."""

    lesions: frozenset[int] = field(default_factory=frozenset)
    shapes: frozenset[int] = field(default_factory=frozenset)
    segments: frozenset[int] = field(default_factory=frozenset)
    vessels: frozenset[str] = field(default_factory=frozenset)

    def lesion(self, index: int) -> str:
        return MARK if index in self.lesions else ""

    def behind(self, index: int) -> str:
        """Of the FFR behind a lesion: it follows contours and centerlines, not a degree given by eye."""
        return MARK if index in self.shapes else ""

    def segment(self, segment: int) -> str:
        return MARK if segment in self.segments else ""

    def vessel(self, name: str) -> str:
        return MARK if name in self.vessels else ""


NO_MARKS = Marks()


def marks_of(findings: Findings, edits: Sequence[Edit]) -> Marks:
    """Stenoses whose stretch holds a drawn contour, a moved point or an edit of their own; renamed segments; vessels in which any shape was edited."""
    held = applied(edits)
    shapes = [edit for edit in held if edit.kind in ("contour", "point")]
    lesions = _touched(findings, [edit for edit in held if edit.kind != "name"])
    renamed = frozenset(edit.after_id for edit in held if edit.kind == "name")
    return Marks(lesions, _touched(findings, shapes), renamed, frozenset({edit.vessel for edit in shapes} - {""}))


def _touched(findings: Findings, edits: Sequence[Edit]) -> frozenset[int]:
    near = lambda edit, one: np.linalg.norm(np.subtract(edit.center_mm, one.center_mm)) <= one.length_mm / 2 + REACH_MM  # noqa: E731
    return frozenset(index for index, one in enumerate(findings.stenoses or ()) if any(near(edit, one) for edit in edits))


def edits_line(edits: Sequence[Edit]) -> tuple[str, ...]:
    """One sentence for the impression, none without edits."""
    held = applied(edits)
    if not held:
        return ()
    who = ", ".join(sorted({edit.by for edit in held}))
    return (t("Corrected by hand in {count} places ({who}); values that rest on it are marked †.", count=len(held), who=who),)


def edits_section(edits: Sequence[Edit]) -> Section | None:
    """Every edit in its order, those taken back too; None without edits."""
    if not edits:
        return None
    held = applied(edits)
    rows = tuple(
        row(
            one.at.replace("T", " ")[:16],
            one.by,
            one.place or "–",
            word(one.what),
            word(one.before),
            word(one.after),
            Cell(word(one.state), "" if one in held else "muted"),
        )
        for one in edits
    )
    note = t("Times in UTC. What was undone or replaced holds no longer. FFR follows contours and centerlines, not a degree given by eye.")
    head = tuple(t(x) for x in ("When", "Who", "Where", "What", "Before", "After", "State"))
    return Section(t("Corrections by hand"), tables=(Table(head, rows, note=note),))
