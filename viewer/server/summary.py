"""What the worklist shows of a case's findings, however the case came onto it."""

from __future__ import annotations

from dataclasses import dataclass

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
