"""Sections on the study: question, technique, image quality, flow, heart, and everything that could not be measured."""

from ccta.findings import Acquisition, Findings, Value
from ccta.model import SEGMENTS, Unavailable
from ccta.report.blocks import Cell, Picture, Section, Table, cell, row, sentence, shown
from ccta.report.hand_edits import MARK_NOTE, NO_MARKS, Marks
from ccta.report.wording import FLOW_MODEL, NAMES, ffr_verdict


def technique_section(findings: Findings) -> Section:
    """Of both series, as far as the files say."""
    acquisition, calcium = findings.acquisition, findings.calcium_acquisition
    own = (("Calcium series", ": ".join(x for x in (calcium.series_description, _grid(calcium)) if x)),) if calcium else ()
    if isinstance(acquisition, Unavailable):
        return Section("Technique", own, refused=sentence(acquisition.reason))
    return Section("Technique", (*_acquisition_facts(acquisition), *own))


def _acquisition_facts(acquisition: Acquisition):
    scanner = " ".join(x for x in (acquisition.manufacturer, acquisition.model) if x)
    flags = [word for flag, word in ((acquisition.contrast, "contrast-enhanced"), (acquisition.gated, "ECG-gated")) if flag]
    yield "Series", acquisition.series_description or acquisition.source or "not named"
    yield "Chosen because", acquisition.chosen_because or "it was the only one"
    yield "Scanner", scanner or "not named in the file"
    yield "Tube voltage, kernel", f"{shown(acquisition.kvp, '{:.0f} kVp')}, {acquisition.kernel or 'kernel not named'}"
    yield "Cardiac phase", f"{shown(acquisition.phase_percent, '{:.0f} %')}{' (' + ', '.join(flags) + ')' if flags else ''}"
    yield "Voxels", _grid(acquisition)


def _grid(acquisition: Acquisition) -> str:
    spacing = " × ".join(f"{x:.2f}" for x in acquisition.spacing_mm) + " mm" if acquisition.spacing_mm else "size not known"
    return f"{spacing}, {' × '.join(str(n) for n in acquisition.shape)}" if acquisition.shape else spacing


def quality_section(findings: Findings) -> Section:
    """Noise and contrast, and for which task the image is good enough."""
    quality = findings.quality
    tasks = tuple((f"Good enough for {NAMES.get(task, task)}", "yes" if text == "good" else f"no: {text}") for task, text in findings.task_verdicts.items())
    if isinstance(quality, Unavailable):
        return Section("Image quality", tasks, refused=sentence(quality.reason))
    facts = (
        ("Aortic enhancement", shown(quality.aorta_hu, "{:.0f} HU")),
        ("Noise (SD in the aorta)", shown(quality.noise_hu, "{:.0f} HU")),
        ("Signal to noise, contrast to noise", f"{shown(quality.snr, '{:.1f}')}, {shown(quality.cnr, '{:.1f}')}"),
    )
    return Section("Image quality", (*facts, *tasks), tuple(quality.warnings))


def ffr_section(findings: Findings, pictures: dict[str, bytes], marks: Marks = NO_MARKS) -> Section:
    """Values per vessel and lesion, the model, its boundary conditions and its assumptions."""
    ffr = findings.ffr
    if isinstance(ffr, Unavailable):
        return Section("Computed fractional flow reserve", refused=sentence(ffr.reason))
    facts = (
        ("Model", FLOW_MODEL[ffr.model]),
        ("Mean aortic pressure", f"{ffr.pa_mmhg:.0f} mmHg"),
        ("Coronary flow at hyperaemia", f"{ffr.flow_ml_min:.0f} mL/min"),
    )
    rows = [_ffr_row(name, value, value.at_mm, marks.vessel(name)) for name, value in ffr.vessels.items()]
    for index, x in enumerate(ffr.lesions):
        rows.append(_ffr_row(f"behind {x.segment} {SEGMENTS.get(x.segment, ('lesion',))[0]}", x, Unavailable("behind the lesion"), marks.behind(index)))
    note = "Positive ≤ 0.75, grey zone 0.76–0.80, negative > 0.80. Read behind the lesion, not at the end of the vessel. "
    note += "Mostly from: the cause of most of the interval; measuring it would narrow the interval most."
    note += MARK_NOTE if marks.vessels else ""
    table = Table(("Where", "FFR", "90 % interval", "Mostly from", "Read at mm", "Fall across lesion", "Verdict"), tuple(rows), note=note)
    shown_pictures = (Picture("pullback", "Pullback: FFR and lumen diameter along each vessel. Grey: 0.75–0.80."),) if "pullback" in pictures else ()
    words = ("Assumptions behind the numbers:",) if ffr.assumptions else ()
    return Section("Computed fractional flow reserve", facts, words, (table,), shown_pictures, tuple(ffr.assumptions))


def _ffr_row(name: str, value, at_mm, by_hand: str = "") -> tuple[Cell, ...]:
    verdict, tone = ("not available", "muted") if isinstance(value.ffr, Unavailable) else ffr_verdict(value.ffr)
    known = not isinstance(value.low, Unavailable) and not isinstance(value.high, Unavailable)
    interval = f"{value.low:.2f}–{value.high:.2f}" if known else Cell("–", "muted")
    cause = max(value.causes, key=value.causes.get, default="")
    mostly = f"{cause} ({100 * value.causes[cause]:.0f} %)" if cause else Cell("–", "muted")
    return row(name, cell(value.ffr, f"{{:.2f}}{by_hand}", tone), interval, mostly, cell(at_mm), cell(value.delta, "{:.2f}"), Cell(verdict, tone))


def heart_section(findings: Findings) -> Section:
    heart = findings.heart
    if isinstance(heart, Unavailable):
        return Section("Heart", refused=sentence(heart.reason))
    facts = (
        ("LV mass", shown(heart.lv_mass_g, "{:.0f} g")),
        ("LV end-diastolic volume", shown(heart.lv_edv_ml, "{:.0f} mL")),
        ("LV ejection fraction", shown(heart.lv_ef_pct, "{:.0f} %")),
        ("Epicardial fat", shown(heart.eat_ml, "{:.0f} mL")),
    )
    return Section("Heart", facts)


def unmeasured_section(findings: Findings) -> Section | None:
    """Every value that is not available, gathered by its reason; None when all was measured."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in unavailable_values(findings):
        by_reason.setdefault(reason, []).append(path)
    if not by_reason:
        return None
    rows = tuple(row(", ".join(paths), reason) for reason, paths in by_reason.items())
    return Section("What could not be measured, and why", tables=(Table(("Not available", "Reason"), rows),))


def unavailable_values(value, path: tuple[str, ...] = ()):
    """(place in words, reason) of each Unavailable inside findings, in their order."""
    if isinstance(value, Unavailable):
        yield ": ".join(part for part in path if part), value.reason
    elif isinstance(value, Value):
        for name in type(value).model_fields:
            label = NAMES.get(name, name.replace("_", " "))
            yield from unavailable_values(getattr(value, name), (*path, label))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from unavailable_values(item, (*path, str(key)))
    elif isinstance(value, list):
        for item in value:
            name = SEGMENTS[item.segment][0] if getattr(item, "segment", 0) in SEGMENTS else ""
            yield from unavailable_values(item, (*path, name))
