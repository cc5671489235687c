"""Sections on the study: question, technique, image quality, flow, heart, and everything that could not be measured."""

from ccta.findings import Acquisition, Findings, Value
from ccta.model import SEGMENTS, Unavailable
from ccta.report.blocks import Cell, Picture, Section, Table, cell, row, sentence, shown
from ccta.report.hand_edits import MARK_NOTE, NO_MARKS, Marks
from ccta.report.language import t, word
from ccta.report.wording import FFR_NOTE, FLOW_MODEL, NAMES, ffr_verdict


def technique_section(findings: Findings) -> Section:
    """Of both series, as far as the files say."""
    acquisition, calcium = findings.acquisition, findings.calcium_acquisition
    own = ((t("Calcium series"), ": ".join(x for x in (calcium.series_description, _grid(calcium)) if x)),) if calcium else ()
    if isinstance(acquisition, Unavailable):
        return Section(t("Technique"), own, refused=sentence(acquisition.reason))
    return Section(t("Technique"), (*_acquisition_facts(acquisition), *own))


def _acquisition_facts(acquisition: Acquisition):
    scanner = " ".join(x for x in (acquisition.manufacturer, acquisition.model) if x)
    flags = [word for flag, word in ((acquisition.contrast, t("contrast-enhanced")), (acquisition.gated, t("ECG-gated"))) if flag]
    yield t("Series"), acquisition.series_description or acquisition.source or t("not named")
    yield t("Chosen because"), acquisition.chosen_because or t("it was the only one")
    yield t("Scanner"), scanner or t("not named in the file")
    yield t("Tube voltage, kernel"), f"{shown(acquisition.kvp, '{:.0f} kVp')}, {acquisition.kernel or t('kernel not named')}"
    yield t("Cardiac phase"), f"{shown(acquisition.phase_percent, '{:.0f} %')}{' (' + ', '.join(flags) + ')' if flags else ''}"
    yield t("Voxels"), _grid(acquisition)


def _grid(acquisition: Acquisition) -> str:
    spacing = " × ".join(f"{x:.2f}" for x in acquisition.spacing_mm) + " mm" if acquisition.spacing_mm else t("size not known")
    return f"{spacing}, {' × '.join(str(n) for n in acquisition.shape)}" if acquisition.shape else spacing


def quality_section(findings: Findings) -> Section:
    """Noise and contrast, and for which task the image is good enough."""
    quality = findings.quality
    tasks = tuple(
        (t("Good enough for {task}", task=word(NAMES.get(task, task))), t("yes") if text == "good" else t("no: {reason}", reason=text))
        for task, text in findings.task_verdicts.items()
    )
    if isinstance(quality, Unavailable):
        return Section(t("Image quality"), tasks, refused=sentence(quality.reason))
    facts = (
        (t("Aortic enhancement"), shown(quality.aorta_hu, "{:.0f} HU")),
        (t("Noise (SD in the aorta)"), shown(quality.noise_hu, "{:.0f} HU")),
        (t("Signal to noise, contrast to noise"), f"{shown(quality.snr, '{:.1f}')}, {shown(quality.cnr, '{:.1f}')}"),
    )
    return Section(t("Image quality"), (*facts, *tasks), tuple(quality.warnings))


def ffr_section(findings: Findings, pictures: dict[str, bytes], marks: Marks = NO_MARKS) -> Section:
    """Values per vessel and lesion, the model, its boundary conditions and its assumptions."""
    ffr = findings.ffr
    if isinstance(ffr, Unavailable):
        return Section(t("Computed fractional flow reserve"), refused=sentence(ffr.reason))
    facts = (
        (t("Model"), t(FLOW_MODEL[ffr.model])),
        (t("Mean aortic pressure"), f"{ffr.pa_mmhg:.0f} mmHg"),
        (t("Coronary flow at hyperaemia"), f"{ffr.flow_ml_min:.0f} mL/min"),
    )
    rows = [_ffr_row(name, value, value.at_mm, marks.vessel(name)) for name, value in ffr.vessels.items()]
    for index, x in enumerate(ffr.lesions):
        rows.append(
            _ffr_row(
                t("behind {place}", place=f"{x.segment} {SEGMENTS.get(x.segment, (t('lesion'),))[0]}"), x, Unavailable("behind the lesion"), marks.behind(index)
            )
        )
    note = t(FFR_NOTE) + (t(MARK_NOTE) if marks.vessels else "")
    head = tuple(t(x) for x in ("Where", "FFR", "90 % interval", "Mostly from", "Read at mm", "Fall across lesion", "Verdict"))
    table = Table(head, tuple(rows), note=note)
    shown_pictures = (
        (Picture("pullback", t("Pullback: FFR and lumen diameter (Ø) along each vessel. Grey: 0.75–0.80; yellow: stenoses.")),)
        if "pullback" in pictures
        else ()
    )
    words = (t("Assumptions behind the numbers:"),) if ffr.assumptions else ()
    return Section(t("Computed fractional flow reserve"), facts, words, (table,), shown_pictures, tuple(ffr.assumptions))


def _ffr_row(name: str, value, at_mm, by_hand: str = "") -> tuple[Cell, ...]:
    verdict, tone = (t("not available"), "muted") if isinstance(value.ffr, Unavailable) else ffr_verdict(value.ffr)
    known = not isinstance(value.low, Unavailable) and not isinstance(value.high, Unavailable)
    interval = f"{value.low:.2f}–{value.high:.2f}" if known else Cell("–", "muted")
    cause = max(value.causes, key=value.causes.get, default="")
    mostly = f"{word(cause)} ({100 * value.causes[cause]:.0f} %)" if cause else Cell("–", "muted")
    return row(name, cell(value.ffr, f"{{:.2f}}{by_hand}", tone), interval, mostly, cell(at_mm), cell(value.delta, "{:.2f}"), Cell(verdict, tone))


def heart_section(findings: Findings) -> Section:
    heart = findings.heart
    if isinstance(heart, Unavailable):
        return Section(t("Heart"), refused=sentence(heart.reason))
    facts = (
        (t("LV mass"), shown(heart.lv_mass_g, "{:.0f} g")),
        (t("LV end-diastolic volume"), shown(heart.lv_edv_ml, "{:.0f} mL")),
        (t("LV ejection fraction"), shown(heart.lv_ef_pct, "{:.0f} %")),
        (t("Epicardial fat"), shown(heart.eat_ml, "{:.0f} mL")),
    )
    return Section(t("Heart"), facts)


def unmeasured_section(findings: Findings) -> Section | None:
    """Every value that is not available, gathered by its reason; None when all was measured."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in unavailable_values(findings):
        by_reason.setdefault(reason, []).append(path)
    if not by_reason:
        return None
    rows = tuple(row(", ".join(paths), reason) for reason, paths in by_reason.items())
    return Section(t("What could not be measured, and why"), tables=(Table((t("Not available"), t("Reason")), rows),))


def unavailable_values(value, path: tuple[str, ...] = ()):
    """(place in words, reason) of each Unavailable inside findings, in their order."""
    if isinstance(value, Unavailable):
        yield ": ".join(part for part in path if part), value.reason
    elif isinstance(value, Value):
        for name in type(value).model_fields:
            label = word(NAMES.get(name, name.replace("_", " ")))
            yield from unavailable_values(getattr(value, name), (*path, label))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from unavailable_values(item, (*path, str(key)))
    elif isinstance(value, list):
        for item in value:
            name = SEGMENTS[item.segment][0] if getattr(item, "segment", 0) in SEGMENTS else ""
            yield from unavailable_values(item, (*path, name))
