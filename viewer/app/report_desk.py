"""The reader's part of the report at the page: words, key pictures, signature, addendum. Between the page and `ccta.report.signing`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ccta.case import Case
from ccta.reader_report import ReaderReport
from ccta.report import signing
from viewer.app.words import NotPossible

FIELDS = ("indication", "clinical_data", "impression")
WHY_NOT = {"no_draft": "sign_no_draft", "stale": "sign_stale", "signed": "sign_signed"}
"""Why a report may not be signed (`signing.why_not`) -> its word."""


@dataclass(frozen=True)
class Conclusion:
    """reader: what was written and signed. signed: the case is the version that was signed last, not a draft after it."""

    reader: ReaderReport
    signed: bool

    def shown(self, say: dict[str, str]) -> dict:
        """What the page shows of it."""
        last = self.reader.last_report
        line = say["draft"]
        if last is not None:
            line = (say["signed_by"] if self.signed else say["draft_beside"]).format(number=last.number, by=last.by, at=_minutes(last.at))
        addenda = [[f"{one.number}", one.by, _minutes(one.at), one.text] for one in self.reader.versions if one.kind == "addendum"]
        return {
            "line": line,
            "signed": self.signed,
            "can_add": last is not None,
            "pictures": [[one.file, one.caption] for one in self.reader.pictures],
            "addenda": addenda,
            **{name: getattr(self.reader, name) for name in FIELDS},
        }


def conclusion(root: Path) -> Conclusion:
    """The reader's part as it stands in the case."""
    case = Case.open(root)
    return Conclusion(signing.read(case), signing.signed_as(case) is not None)


def write_words(root: Path, by: str, words: dict[str, str]) -> bool:
    """Writes what changed; False where nothing did. NotPossible without a name."""
    case = Case.open(root)
    reader = signing.read(case)
    changed = {name: text for name, text in words.items() if name in FIELDS and text.strip() != getattr(reader, name)}
    if not changed:
        return False
    signing.write_text(case, _named(by), **changed)
    return True


def add_picture(root: Path, by: str, png: bytes, caption: str) -> None:
    """One more key picture for the next report."""
    signing.add_picture(Case.open(root), _named(by), png, caption)


def remove_picture(root: Path, by: str, file: str) -> None:
    """A key picture taken out of the next report."""
    _named(by)
    signing.remove_picture(Case.open(root), file)


def is_stale(root: Path) -> bool:
    """True where the draft does not follow from the case, or there is none yet."""
    reason = signing.why_not(Case.open(root))
    return reason is not None and reason.kind != "signed"


def sign(root: Path, by: str) -> None:
    """Signs the draft. NotPossible where there is none, where it does not follow from the case, and where it is signed."""
    case, name = Case.open(root), _named(by)
    reason = signing.why_not(case)
    if reason:
        raise NotPossible(WHY_NOT[reason.kind], stages=", ".join(reason.stages))
    signing.sign(case, name)


def add_addendum(root: Path, by: str, text: str) -> None:
    """Adds to the report that was signed last. NotPossible without words, without such a report, or where its files have changed."""
    if not text.strip():
        raise NotPossible("addendum_empty")
    case, name = Case.open(root), _named(by)
    if case.reader().last_report is None:
        raise NotPossible("nothing_signed")
    for version, _ in signing.faults(case):
        raise NotPossible("signed_changed", number=version.number)
    signing.add_addendum(case, name, text)


def _named(by: str) -> str:
    if not by.strip():
        raise NotPossible("needs_name")
    return by.strip()


def _minutes(at: str) -> str:
    return f"{at.replace('T', ' ')[:16]} UTC"
