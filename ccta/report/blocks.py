"""The parts a report is made of, as data. The HTML and the PDF template lay out exactly these, and nothing else."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field, replace

from pydantic import TypeAdapter

from ccta.model import Unavailable
from ccta.report.language import t

RESEARCH_USE = "Research use only, not for diagnosis"


@dataclass(frozen=True)
class Cell:
    """Text of a table cell. tone: "" plain, "bad", "grey" (borderline), "good", "muted" (not available)."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """head: column titles; rows: one Cell per column; the first column is left-aligned, the others are figures."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    note: str = ""
    weights: tuple[float, ...] = ()
    """Relative widths of the columns; empty: the first as its text needs, the others alike."""

    def __post_init__(self):
        if any(len(row) != len(self.head) for row in self.rows):
            raise ValueError(f"every row of a table needs {len(self.head)} cells")


@dataclass(frozen=True)
class Picture:
    """key: of the PNG in `ReportContent.pictures`. width: share of the page."""

    key: str
    caption: str
    width: float = 1.0


@dataclass(frozen=True)
class Section:
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    bullets: tuple[str, ...] = ()
    refused: str = ""
    """Why the section has no result; printed in its place."""


@dataclass(frozen=True)
class Headline:
    """The box on the first page. tone as in Cell."""

    code: str
    title: str
    because: str
    recommendation: str
    tone: str


@dataclass(frozen=True)
class Status:
    """Whether the report may still change: the word for every page, one sentence for the first. tone as in Cell."""

    word: str
    sentence: str
    tone: str = "grey"


@dataclass(frozen=True)
class ReportContent:
    title: str
    institution: str
    patient: tuple[tuple[str, str], ...]
    study_date: str
    headline: Headline | None
    impression: tuple[str, ...]
    cover: tuple[Picture, ...]
    sections: tuple[Section, ...]
    footer: str
    status: Status
    words: dict[str, str] = field(default_factory=dict)
    """What the templates themselves say: lang, impression, refused, guidance."""
    pictures: dict[str, bytes] = field(repr=False, default_factory=dict)
    """key -> PNG."""

    def as_dict(self) -> dict:
        """Everything but the picture bytes, for a template."""
        values = asdict(self)
        del values["pictures"]
        return values

    def to_json(self) -> str:
        """With the pictures, in base64."""
        return json.dumps({**self.as_dict(), "pictures": {key: base64.b64encode(png).decode() for key, png in self.pictures.items()}}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ReportContent:
        """What `to_json` wrote. ValueError for anything else."""
        values = json.loads(text)
        pictures = {key: base64.b64decode(png) for key, png in values.pop("pictures").items()}
        return replace(TypeAdapter(cls).validate_python(values), pictures=pictures)


def shown(value, pattern: str = "{:.0f}") -> str:
    """A number by a format pattern, or that it is not available and why."""
    if isinstance(value, Unavailable):
        return t("not available: {reason}", reason=value.reason)
    return pattern.format(value)


def cell(value, pattern: str = "{:.0f}", tone: str = "") -> Cell:
    """A table cell; what is not available becomes a dash (its reason stands in the section on what could not be measured)."""
    return Cell("–", "muted") if isinstance(value, Unavailable) else Cell(pattern.format(value), tone)


def sentence(text: str) -> str:
    """A capital letter first and one full stop last."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def row(*values) -> tuple[Cell, ...]:
    """Strings and Cells to a table row."""
    return tuple(v if isinstance(v, Cell) else Cell(str(v)) for v in values)
