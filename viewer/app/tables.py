"""The findings table and the headline of the reading page, as text."""

from __future__ import annotations

from ccta.findings import Findings
from ccta.model import SEGMENTS, Unavailable
from viewer.app.study import Study


def lesion_rows(study: Study) -> list[dict]:
    """One row per stenosis, in the order of the findings."""
    flow = study.findings.ffr or None
    ffr = [shown(lesion.ffr, "{:.2f}") for lesion in flow.lesions] if flow else []
    rows = []
    for index, s in enumerate(study.stenoses):
        rows.append(
            {
                "segment": SEGMENTS[s.segment][0] if s.segment in SEGMENTS else s.vessel,
                "stenosis": f"{s.diameter_pct:.0f} %",
                "mld": f"{s.mld_mm:.1f} mm",
                "plaque": s.plaque_type + (f" ({', '.join(s.high_risk)})" if s.high_risk else ""),
                "ffr": ffr[index] if index < len(ffr) else "–",
            }
        )
    return rows


def headline(findings: Findings) -> list[list[str]]:
    """Label and value of the facts that a reader wants first; a reason stands where a value could not be had."""
    facts = [
        ["CAD-RADS", shown(findings.cad_rads and findings.cad_rads.text, "{}", findings.cad_rads)],
        ["Agatston", shown(findings.calcium and findings.calcium.agatston, "{:.0f}", findings.calcium)],
        ["Plaque", shown(findings.plaque and findings.plaque.total_mm3, "{:.0f} mm³", findings.plaque)],
    ]
    if isinstance(findings.ffr, Unavailable):
        return [*facts, ["FFR-CT", findings.ffr.reason]]
    lowest = [(value.ffr, name) for name, value in findings.ffr.vessels.items() if not isinstance(value.ffr, Unavailable)]
    return [*facts, ["lowest FFR-CT", f"{min(lowest)[0]:.2f} ({min(lowest)[1]}, {findings.ffr.model})" if lowest else "unavailable"]]


def shown(value, pattern: str, section=None) -> str:
    """A value as text, or the reason for its absence."""
    for one in (section, value):
        if isinstance(one, Unavailable):
            return one.reason
    return pattern.format(value)
