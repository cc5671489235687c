"""What the reader wrote, in the report: question, clinical data, impression, key pictures, and whether it is signed."""

from ccta.reader_report import ReaderReport, SignedVersion
from ccta.report.blocks import Picture, Section, Status
from ccta.report.language import t
from ccta.settings import ReportSettings

NO_READER = ReaderReport()


def reader_sections(reader: ReaderReport, settings: ReportSettings) -> tuple[Section, ...]:
    """Indication and clinical data, then the key pictures where there are any."""
    question = Section(t("Indication"), paragraphs=(reader.indication or settings.indication or t("Not given to the software."),))
    data = Section(t("Clinical data"), paragraphs=(reader.clinical_data,)) if reader.clinical_data else None
    pictures = tuple(Picture(one.file, f"{one.caption or t('Key picture')} ({one.by}, {_utc(one.at)})", 0.62) for one in reader.pictures)
    return tuple(x for x in (question, data, Section(t("Key pictures"), pictures=pictures) if pictures else None) if x is not None)


def reader_words(reader: ReaderReport) -> tuple[str, ...]:
    """The reader's impression with the name, none without one."""
    return (f"{reader.impression} ({reader.by})",) if reader.impression else ()


def draft_status(reader: ReaderReport) -> Status:
    """A draft; beside a signed version it says so."""
    signed = reader.last_report
    if signed is None:
        return Status(t("Draft"), t("Draft: nobody has signed this report."))
    pattern = "Draft beside the signed report: version {number} was signed by {by} on {at} and has not changed."
    return Status(t("Draft"), t(pattern, number=signed.number, by=signed.by, at=_utc(signed.at)))


def signed_status(version: SignedVersion) -> Status:
    """Who signed, and when."""
    words = t("Version {number}, signed by {by} on {at}", number=version.number, by=version.by, at=_utc(version.at))
    return Status(words, t("{finding}.", finding=words), "good")


def addendum_sections(amended: SignedVersion) -> tuple[Section, ...]:
    """Which report an addendum adds to."""
    facts = (
        (t("Adds to"), t("Version {number}, signed by {by} on {at}", number=amended.number, by=amended.by, at=_utc(amended.at))),
        *((t("SHA-256 of its {file}", file=file), digest) for file, digest in amended.sha256.items()),
    )
    return (Section(t("The signed report, which stays as it is"), facts),)


def _utc(at: str) -> str:
    return f"{at.replace('T', ' ')[:16]} UTC"
