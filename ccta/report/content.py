"""What the report says, from findings alone: an SCCT-structured report as data (Leipsic 2014, J Cardiovasc Comput Tomogr 8:342)."""

from collections.abc import Sequence

from ccta.edits import Edit
from ccta.errors import BadSettings
from ccta.findings import Findings
from ccta.model import SEGMENTS, Unavailable
from ccta.reader_report import ReaderReport
from ccta.report.blocks import RESEARCH_USE, Headline, Picture, ReportContent, Section, sentence, shown
from ccta.report.calcium_section import calcium_section
from ccta.report.disease_sections import plaque_section, segments_section, stenosis_section
from ccta.report.hand_edits import edits_line, edits_section, marks_of
from ccta.report.reader_sections import NO_READER, draft_status, reader_sections, reader_words
from ccta.report.study_sections import ffr_section, heart_section, quality_section, technique_section, unmeasured_section
from ccta.report.wording import BURDEN, CATEGORY_TONE, INTERPRETATION, LIMITS, ffr_verdict
from ccta.settings import ReportSettings


def build(
    findings: Findings,
    pictures: dict[str, bytes] | None = None,
    settings: ReportSettings | None = None,
    edits: Sequence[Edit] = (),
    reader: ReaderReport = NO_READER,
) -> ReportContent:
    """The draft report of one case. pictures: key -> PNG, as `ccta.report.pictures.make_pictures` names them, and the reader's by their file names; any may
    be absent. edits: the history by hand.
    """
    pictures, settings = pictures or {}, settings or ReportSettings()
    if settings.language != "en":
        raise BadSettings(f'report language "{settings.language}" does not exist yet; it may be "en"')
    assessed = not isinstance(findings.stenoses, Unavailable)
    marks = marks_of(findings, edits)
    coronary = (
        (
            stenosis_section(findings, pictures, marks),
            segments_section(findings, marks),
            plaque_section(findings, pictures),
            ffr_section(findings, pictures, marks),
        )
        if assessed
        else ()
    )
    sections = (
        *reader_sections(reader, settings),
        technique_section(findings),
        quality_section(findings),
        calcium_section(findings, pictures),
        *coronary,
        heart_section(findings),
        edits_section(edits),
        unmeasured_section(findings),
        Section("Limits of this report", bullets=LIMITS),
    )
    return ReportContent(
        title="Coronary CT angiography",
        institution=settings.institution,
        patient=_patient(findings),
        study_date=findings.patient.study_date,
        headline=_headline(findings),
        impression=(*reader_words(reader), *impression(findings), *edits_line(edits)),
        cover=tuple(Picture(key, caption) for key, caption in COVER if key in pictures),
        sections=tuple(s for s in sections if s is not None),
        footer=RESEARCH_USE,
        status=draft_status(reader),
        pictures=dict(pictures),
    )


COVER = (("ffr_tree", "Computed FFR along the coronary tree, from two sides. Width is the lumen diameter; grey is the zone 0.75-0.80."),)


def _patient(findings: Findings) -> tuple[tuple[str, str], ...]:
    patient = findings.patient
    age = "" if isinstance(patient.age_years, Unavailable) else f"{patient.age_years:.0f} y"
    values = (
        ("Patient", patient.name.replace("^", " ").strip() or "not named"),
        ("Patient ID", patient.id),
        ("Sex, age", ", ".join(x for x in (patient.sex, age) if x)),
        ("Study date", patient.study_date),
        ("Accession number", patient.accession_number),
        ("Study", patient.study_description),
    )
    return tuple((label, value or "not given") for label, value in values)


def _headline(findings: Findings) -> Headline:
    """CAD-RADS with what it means, or that there is none and why."""
    result = findings.cad_rads
    if isinstance(result, Unavailable):
        return Headline("no category", "The coronary arteries were not graded", sentence(result.reason), "", "muted")
    title, recommendation = INTERPRETATION[result.category]
    burden = BURDEN.get(result.plaque_burden, "")
    return Headline(result.text, f"{title}{', ' + burden if burden else ''}", result.because, recommendation, CATEGORY_TONE[result.category])


def impression(findings: Findings) -> tuple[str, ...]:
    """The answer in a few sentences, the most important first."""
    lines = [*_stenosis_lines(findings), *_flow_lines(findings), *_plaque_lines(findings), *_calcium_lines(findings)]
    if isinstance(findings.stenoses, Unavailable) and findings.heart:
        heart = findings.heart
        values = (("LV mass", heart.lv_mass_g, "g"), ("LV cavity", heart.lv_edv_ml, "mL"), ("epicardial fat", heart.eat_ml, "mL"))
        measured = [f"{name} {value:.0f} {unit}" for name, value, unit in values if not isinstance(value, Unavailable)]
        if measured:
            lines.append(f"The heart could be measured: {', '.join(measured)}.")
    return tuple(lines)


def _stenosis_lines(findings: Findings) -> list[str]:
    if isinstance(findings.stenoses, Unavailable):
        return [f"The coronary arteries could not be assessed: {findings.stenoses.reason.rstrip('.')}."]
    relevant = sorted((s for s in findings.stenoses if s.diameter_pct >= 49.5), key=lambda s: -s.diameter_pct)
    if not relevant:
        worst = max((s.diameter_pct for s in findings.stenoses), default=0)
        return [f"No stenosis of 50 % or more (worst {worst:.0f} %)." if worst >= 1 else "No coronary stenosis."]
    lines = []
    for s in relevant:
        plaque = f", {s.plaque_type} plaque" if s.plaque_type else ""
        features = f", high-risk features {', '.join(s.high_risk)}" if s.high_risk else ""
        lines.append(
            f"{s.diameter_pct:.0f} % diameter stenosis of the {SEGMENTS.get(s.segment, (s.vessel,))[0]} (minimal lumen {s.mld_mm:.1f} mm){plaque}{features}."
        )
    return lines


def _flow_lines(findings: Findings) -> list[str]:
    if isinstance(findings.ffr, Unavailable):
        return [] if isinstance(findings.stenoses, Unavailable) else [f"FFR was not computed: {findings.ffr.reason.rstrip('.')}."]
    read = {name: v.ffr for name, v in findings.ffr.vessels.items() if not isinstance(v.ffr, Unavailable)}
    if not read:
        return ["FFR could not be read in any vessel."]
    lowest = min(read, key=read.get)
    rest = ", ".join(f"{name} {value:.2f}" for name, value in read.items() if name != lowest)
    return [f"Lowest computed FFR {read[lowest]:.2f} in the {lowest}: {ffr_verdict(read[lowest])[0]}{f' ({rest})' if rest else ''}."]


def _plaque_lines(findings: Findings) -> list[str]:
    if isinstance(findings.plaque, Unavailable):
        return []
    plaque = findings.plaque
    share = 100 * plaque.low_attenuation_mm3 / plaque.total_mm3 if plaque.total_mm3 else 0
    low = f", {share:.0f} % of it low-attenuation" if share >= 1 else ""
    return [f"Plaque volume {plaque.total_mm3:.0f} mm³{low}; percent atheroma volume {plaque.pav_pct:.1f} %; stage {plaque.stage or 'not given'}."]


def _calcium_lines(findings: Findings) -> list[str]:
    if isinstance(findings.calcium, Unavailable):
        return []
    calcium = findings.calcium
    percentile = calcium.percentile
    place = "" if isinstance(percentile, Unavailable) or isinstance(percentile.value, Unavailable) else f", percentile {percentile.value:.0f} for age and sex"
    return [f"Agatston score {shown(calcium.agatston)} ({calcium.cac_drs}){place}."]
