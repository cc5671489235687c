"""Which FFR belongs to which stenosis."""

from __future__ import annotations

from ccta.findings import Findings, LesionFfr
from ccta.model import Unavailable


def lesion_ffr(findings: Findings) -> list[LesionFfr | Unavailable]:
    """FFR behind each stenosis, in their order: the flow stage lists its lesions in the same order within a segment."""
    waiting = list(findings.ffr.lesions) if findings.ffr else []
    values = []
    for stenosis in findings.stenoses or ():
        found = next((x for x in waiting if x.segment == stenosis.segment), None)
        values.append(Unavailable("flow was not solved behind it") if found is None else found)
        if found is not None:
            waiting.remove(found)
    return values
