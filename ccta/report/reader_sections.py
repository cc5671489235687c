"""What the reader wrote, in the report: question, clinical data, impression, key pictures, and whether it is signed."""

from ccta.reader_report import ReaderReport, SignedVersion
from ccta.report.blocks import DRAFT, Picture, Section, Status
from ccta.settings import ReportSettings

NO_READER = ReaderReport()


def reader_sections(reader: ReaderReport, settings: ReportSettings) -> tuple[Section, ...]:
    """Indication and clinical data, then the key pictures where there are any."""
    question = Section("Indication", paragraphs=(reader.indication or settings.indication or "Not given to the software.",))
    data = Section("Clinical data", paragraphs=(reader.clinical_data,)) if reader.clinical_data else None
    pictures = tuple(Picture(one.file, f"{one.caption or 'Key picture'} ({one.by}, {_utc(one.at)})", 0.62) for one in reader.pictures)
    return tuple(x for x in (question, data, Section("Key pictures", pictures=pictures) if pictures else None) if x is not None)


def reader_words(reader: ReaderReport) -> tuple[str, ...]:
    """The reader's impression with the name, none without one."""
    return (f"{reader.impression} ({reader.by})",) if reader.impression else ()


def draft_status(reader: ReaderReport) -> Status:
    """A draft; beside a signed version it says so."""
    signed = reader.last_report
    if signed is None:
        return DRAFT
    return Status("Draft", f"Draft beside the signed report: version {signed.number} was signed by {signed.by} on {_utc(signed.at)} and has not changed.")


def signed_status(version: SignedVersion) -> Status:
    """Who signed, and when."""
    words = f"Version {version.number}, signed by {version.by} on {_utc(version.at)}"
    return Status(words, f"{words}.", "good")


def addendum_sections(version: SignedVersion, amended: SignedVersion) -> tuple[Section, ...]:
    """Which report an addendum adds to."""
    facts = (
        ("Adds to", f"version {amended.number}, signed by {amended.by} on {_utc(amended.at)}"),
        *((f"SHA-256 of its {file}", digest) for file, digest in amended.sha256.items()),
    )
    return (Section("The signed report, which stays as it is", facts),)


def _utc(at: str) -> str:
    return f"{at.replace('T', ' ')[:16]} UTC"
