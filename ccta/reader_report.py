"""What a reader adds to the automatic report (reader.json): the question, an impression, key pictures, and the versions that were signed. Values only."""

from __future__ import annotations

from typing import Literal

from ccta.findings import Value


class KeyPicture(Value):
    """A picture that the reader put into the report: a PNG in the case's folder of pictures, named after its content."""

    file: str
    caption: str = ""
    by: str
    at: str
    """ISO 8601, UTC."""


class SignedVersion(Value):
    """One signed document. It never changes; what has to be added later is a version of its own."""

    number: int
    kind: Literal["report", "addendum"] = "report"
    text: str = ""
    """Of an addendum."""
    by: str
    at: str
    """ISO 8601, UTC."""
    amends: int | None = None
    """Of an addendum: the number of the report that it adds to."""
    sha256: dict[str, str] = {}
    """File in the version's folder -> its hash when it was signed."""


class ReaderReport(Value):
    """The reader's part of a case. Empty words are left out of the report; an indication overrides the one of case.toml."""

    indication: str = ""
    clinical_data: str = ""
    impression: str = ""
    """The reader's own sentences, printed above the automatic ones."""
    by: str = ""
    """Who wrote these words last, and when (ISO 8601, UTC)."""
    at: str = ""
    pictures: list[KeyPicture] = []
    versions: list[SignedVersion] = []

    def draft(self) -> ReaderReport:
        """What goes into the next report: everything but the versions that were signed before."""
        return self.model_copy(update={"versions": []})

    @property
    def last_report(self) -> SignedVersion | None:
        """The report that was signed last, addenda left out."""
        return next((version for version in reversed(self.versions) if version.kind == "report"), None)
