"""The findings table, the headline and the list of corrections, as text in the page's language. `say`: of `viewer.app.words.said`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ccta.edits import Edit, contour_area_mm2, segment_name
from ccta.findings import Findings
from ccta.model import SEGMENTS, Unavailable
from ccta.report.hand_edits import marks_of
from cfd.planner import Stent, stent_over
from viewer.app.charts import GREY_ZONE
from viewer.app.study import Study


def lesion_rows(study: Study, say: dict[str, str]) -> list[dict]:
    """One row per stenosis, in the order of the findings; † where it rests on a correction by hand."""
    flow, marks = study.findings.ffr or None, marks_of(study.findings, study.history)
    lesions = flow.lesions if flow and len(flow.lesions) == len(study.stenoses) else [None] * len(study.stenoses)
    rows = []
    for index, (s, behind) in enumerate(zip(study.stenoses, lesions, strict=True)):
        rows.append(
            {
                "segment": SEGMENTS[s.segment][0] if s.segment in SEGMENTS else s.vessel,
                "stenosis": f"{s.diameter_pct:.0f} %{marks.lesion(index)}",
                "mld": f"{s.mld_mm:.1f} / {s.reference_diameter_mm:.1f} mm",
                "length": f"{s.length_mm:.0f} mm",
                "plaque": say.get(f"plaque_{s.plaque_type}", s.plaque_type) + (f" ({', '.join(s.high_risk)})" if s.high_risk else ""),
                "ffr": shown(behind.ffr, "{:.2f}") + marks.behind(index) if behind else "–",
                "interval": _interval(behind) if behind else "",
                "grade": grade(behind.ffr) if behind else "",
            }
        )
    return rows


def _interval(lesion) -> str:
    known = not isinstance(lesion.low, Unavailable) and not isinstance(lesion.high, Unavailable)
    return f"({lesion.low:.2f}–{lesion.high:.2f})" if known else ""


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


def study_line(findings: Findings, say: dict[str, str]) -> str:
    """Who and what is shown, in a few words; what the file does not tell is left out."""
    patient, acquisition = findings.patient, findings.acquisition or findings.calcium_acquisition
    age = f"{patient.sex} {patient.age_years:.0f} {say['years']}" if patient.age_years else patient.sex
    parts = [patient.name.replace("^", " "), age, patient.study_date]
    if acquisition:
        parts += [f"{acquisition.kvp:.0f} kVp" if acquisition.kvp else "", " × ".join(f"{mm:.2g}" for mm in acquisition.spacing_mm or ()) + " mm"]
    return " · ".join(part for part in parts if part)


def headline(findings: Findings, say: dict[str, str]) -> list[list]:
    """(label, text, known) of the facts that a reader wants first; a reason stands where a value could not be had."""
    calcium, plaque, cad_rads = findings.calcium, findings.plaque, findings.cad_rads
    return [
        [say["cad_rads"], shown(cad_rads and cad_rads.text, "{}"), bool(cad_rads)],
        [say["agatston"], shown(calcium and calcium.agatston, "{:.0f}"), bool(calcium)],
        [say["plaque_volume"], shown(plaque and plaque.total_mm3, "{:.0f} mm³"), bool(plaque)],
        _lowest_ffr(findings.ffr, say),
    ]


def notes(findings: Findings, say: dict[str, str]) -> list[list[str]]:
    """(subject, sentence): why this category, what the flow assumes, what is wrong with the image, what could not be had."""
    quality, flow = findings.quality, findings.ffr
    found = [[say["cad_rads"], findings.cad_rads.because]] if findings.cad_rads else []
    found += [[say["image"], text] for text in (quality.warnings if quality else [])]
    found += [[say["image"], f"{task}: {text}"] for task, text in findings.task_verdicts.items() if text != "good"]
    found += [[say["flow"], text] for text in (flow.assumptions if flow else [])]
    absent = (("plaque_volume", findings.plaque), ("coronary_tree", findings.tree))
    return [*found, *([say[name], value.reason] for name, value in absent if isinstance(value, Unavailable))]


def corrections(study: Study, say: dict[str, str]) -> list[dict]:
    """The history of edits, the latest first."""
    rows = []
    for edit in reversed(study.history):
        detail = {"contour": lambda e: e.contour, "lesion": lambda e: e.action}.get(edit.kind)
        kind = f"kind_{edit.kind}_{detail(edit)}" if detail else f"kind_{edit.kind}"
        row = {"who": edit.by, "what": say[kind], "where": edit.place, "change": _change(edit, say)}
        rows.append({**row, "state": edit.state, "shown": say[f"state_{edit.state}"]})
    return rows


def _change(edit: Edit, say: dict[str, str]) -> str:
    """Before and after, in figures and names that need no translation."""
    if edit.kind == "contour":
        return f"{contour_area_mm2(edit.before_mm):.1f} → {contour_area_mm2(edit.after_mm):.1f} mm²"
    if edit.kind == "name":
        return " → ".join(segment_name(one) if one else say["unnamed"] for one in (edit.before_id, edit.after_id))
    if edit.kind == "point":
        return f"{np.linalg.norm(np.subtract(edit.after_mm, edit.center_mm)):.1f} mm"
    degrees = " → ".join(f"{one:.0f} %" for one in (edit.before_pct, edit.after_pct) if one is not None)
    return degrees or f"{edit.length_mm:.0f} mm"


def segment_choices(say: dict[str, str]) -> list[list]:
    """(SCCT id, name) for renaming."""
    return [[0, say["unnamed"]], *([segment, f"{segment} {segment_name(segment)}"] for segment in SEGMENTS)]


def _lowest_ffr(flow, say: dict[str, str]) -> list:
    if isinstance(flow, Unavailable):
        return [say["flow"], flow.reason, False]
    lowest = min(((value.ffr, name) for name, value in flow.vessels.items() if not isinstance(value.ffr, Unavailable)), default=None)
    return [say["lowest_ffr"], f"{lowest[0]:.2f} {lowest[1]} ({flow.model})" if lowest else say["no_vessel_read"], lowest is not None]


def shown(value, pattern: str) -> str:
    """A value as text, or the reason for its absence."""
    return value.reason if isinstance(value, Unavailable) else pattern.format(value)
