"""What the worklist shows of a case's findings, however the case came onto it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ccta.case import Case
from ccta.errors import CctaError
from ccta.findings import Findings
from ccta.model import Unavailable


@dataclass(frozen=True)
class Summary:
    """The worklist's columns: what is wrong with the image, or "good"; CAD-RADS; the lowest FFR of a vessel or lesion. Empty where nothing was measured."""

    image_quality: str = ""
    cad_rads: str = ""
    lowest_ffr: float | None = None


def summary_of(findings: Findings) -> Summary:
    """The summary of a case's findings."""
    verdicts, ffr = findings.task_verdicts, findings.ffr
    poor = [f"{task}: {verdict}" for task, verdict in verdicts.items() if verdict != "good"]
    quality = "; ".join(poor) if poor else ("good" if verdicts else "")
    values = [each.ffr for each in (*ffr.vessels.values(), *ffr.lesions) if not isinstance(each.ffr, Unavailable)] if ffr else []
    return Summary(quality[:100], findings.cad_rads.text if findings.cad_rads else "", min(values, default=None))


def signed_by(root: Path | None) -> str:
    """Who signed the report as it stands in a case's folder; empty for a draft, and where there is no case."""
    if root is None or not Case(root).path("reader").exists():
        return ""
    try:
        case = Case.open(root)
        version = case.reader().last_report
        return version.by if version is not None and case.digest("report_pdf") in version.sha256.values() else ""
    except CctaError:
        return ""
