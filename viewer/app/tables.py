"""The findings table and the headline of the reading page, as text."""

from __future__ import annotations

from collections.abc import Sequence

from ccta.findings import Findings
from ccta.model import SEGMENTS, Unavailable
from cfd.planner import Stent, stent_over
from viewer.app.charts import GREY_ZONE
from viewer.app.study import Study


def lesion_rows(study: Study) -> list[dict]:
    """One row per stenosis, in the order of the findings."""
    flow = study.findings.ffr or None
    ffr = [(shown(lesion.ffr, "{:.2f}"), grade(lesion.ffr)) for lesion in flow.lesions] if flow else []
    rows = []
    for index, s in enumerate(study.stenoses):
        rows.append(
            {
                "segment": SEGMENTS[s.segment][0] if s.segment in SEGMENTS else s.vessel,
                "stenosis": f"{s.diameter_pct:.0f} %",
                "mld": f"{s.mld_mm:.1f} mm",
                "plaque": s.plaque_type + (f" ({', '.join(s.high_risk)})" if s.high_risk else ""),
                "ffr": ffr[index][0] if index < len(ffr) else "–",
                "grade": ffr[index][1] if index < len(ffr) else "",
            }
        )
    return rows


def planned_rows(study: Study, stents: Sequence[Stent]) -> list[dict]:
    """Per stenosis: whether a stent is planned over it, and FFR behind it with the plan in place ("" without a plan)."""
    if study.pullback is None:
        return []
    changes = study.planned(stents)[0][-len(study.stenoses) :] if stents and study.stenoses else []
    rows = [{"stent": stent_over(study.problem, one) in stents, "after": "", "grade": ""} for one in study.stenoses]
    for row, change in zip(rows, changes, strict=False):
        row |= {"after": shown(change.after, "{:.2f}"), "grade": grade(change.after)}
    return rows


def grade(ffr: float | Unavailable) -> str:
    """FFR-CT reading (CLINICAL): positive at 0.75 and below, grey up to 0.80, negative above."""
    if isinstance(ffr, Unavailable):
        return "absent"
    return "positive" if ffr <= GREY_ZONE[0] else "grey" if ffr <= GREY_ZONE[1] else "negative"


def study_line(findings: Findings) -> str:
    """Who and what is shown, in a few words; what the file does not tell is left out."""
    patient, acquisition = findings.patient, findings.acquisition or findings.calcium_acquisition
    parts = [patient.name.replace("^", " "), f"{patient.sex} {patient.age_years:.0f} y" if patient.age_years else patient.sex, patient.study_date]
    if acquisition:
        parts += [f"{acquisition.kvp:.0f} kVp" if acquisition.kvp else "", " × ".join(f"{mm:.2g}" for mm in acquisition.spacing_mm or ()) + " mm"]
    return " · ".join(part for part in parts if part)


def headline(findings: Findings) -> list[list]:
    """(label, text, known) of the facts that a reader wants first; a reason stands where a value could not be had."""
    calcium, plaque, cad_rads = findings.calcium, findings.plaque, findings.cad_rads
    return [
        ["CAD-RADS", shown(cad_rads and cad_rads.text, "{}"), bool(cad_rads)],
        ["Agatston", shown(calcium and calcium.agatston, "{:.0f}"), bool(calcium)],
        ["Plaque", shown(plaque and plaque.total_mm3, "{:.0f} mm³"), bool(plaque)],
        _lowest_ffr(findings.ffr),
    ]


def notes(findings: Findings) -> list[list[str]]:
    """(subject, sentence): why this category, what the flow assumes, what is wrong with the image, what could not be had."""
    quality, flow = findings.quality, findings.ffr
    found = [["CAD-RADS", findings.cad_rads.because]] if findings.cad_rads else []
    found += [["Image", text] for text in (quality.warnings if quality else [])]
    found += [["Image", f"{task}: {text}"] for task, text in findings.task_verdicts.items() if text != "good"]
    found += [["FFR-CT", text] for text in (flow.assumptions if flow else [])]
    return [*found, *([name, value.reason] for name, value in (("Plaque", findings.plaque), ("Tree", findings.tree)) if isinstance(value, Unavailable))]


def _lowest_ffr(flow) -> list:
    if isinstance(flow, Unavailable):
        return ["FFR-CT", flow.reason, False]
    lowest = min(((value.ffr, name) for name, value in flow.vessels.items() if not isinstance(value.ffr, Unavailable)), default=None)
    return ["Lowest FFR-CT", f"{lowest[0]:.2f} {lowest[1]} ({flow.model})" if lowest else "no vessel could be read", lowest is not None]


def shown(value, pattern: str) -> str:
    """A value as text, or the reason for its absence."""
    return value.reason if isinstance(value, Unavailable) else pattern.format(value)
