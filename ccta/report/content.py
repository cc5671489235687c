"""What the report says, from findings alone: an SCCT-structured report as data (Leipsic 2014, J Cardiovasc Comput Tomogr 8:342)."""

from collections.abc import Sequence

from ccta.edits import Edit
from ccta.findings import Findings
from ccta.model import SEGMENTS, Unavailable
from ccta.reader_report import ReaderReport
from ccta.report.blocks import RESEARCH_USE, Headline, Picture, ReportContent, Section, sentence
from ccta.report.calcium_section import calcium_section
from ccta.report.disease_sections import plaque_section, segments_section, stenosis_section
from ccta.report.hand_edits import edits_line, edits_section, marks_of
from ccta.report.language import speaking, t, word
from ccta.report.reader_sections import NO_READER, draft_status, reader_sections, reader_words
from ccta.report.study_sections import ffr_section, heart_section, quality_section, technique_section, unmeasured_section
from ccta.report.vessels_section import recommendation_section, vessels_section
from ccta.report.wording import BURDEN, CATEGORY_TONE, INTERPRETATION, LIMITS, ffr_verdict, shown_name, template_words
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
    settings = settings or ReportSettings()
    with speaking(settings.language):
        return _built(findings, pictures or {}, settings, edits, reader)


def _built(findings: Findings, pictures: dict[str, bytes], settings: ReportSettings, edits: Sequence[Edit], reader: ReaderReport) -> ReportContent:
    assessed = not isinstance(findings.stenoses, Unavailable)
    marks = marks_of(findings, edits)
    coronary = (
        (
            vessels_section(findings),
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
        recommendation_section(findings),
        Section(t("Limits of this report"), bullets=tuple(t(x) for x in LIMITS)),
    )
    return ReportContent(
        title=t("Coronary CT angiography"),
        institution=settings.institution,
        patient=_patient(findings),
        study_date=findings.patient.study_date,
        headline=_headline(findings),
        impression=(*reader_words(reader), *impression(findings), *edits_line(edits)),
        cover=tuple(Picture(key, t(caption)) for key, caption in COVER if key in pictures),
        sections=tuple(s for s in sections if s is not None),
        footer=t(RESEARCH_USE),
        status=draft_status(reader),
        words=template_words(),
        pictures=dict(pictures),
    )


COVER = (
    ("ffr_tree", "Computed FFR along the coronary tree, from the front and from the left front. Width is the lumen diameter; grey is the zone 0.75-0.80."),
)


def _patient(findings: Findings) -> tuple[tuple[str, str], ...]:
    patient = findings.patient
    age = "" if isinstance(patient.age_years, Unavailable) else t("{years:.0f} y", years=patient.age_years)
    values = (
        (t("Patient"), shown_name(patient.name) or t("not named")),
        (t("Patient ID"), patient.id),
        (t("Sex, age"), ", ".join(x for x in (word(patient.sex), age) if x)),
        (t("Study date"), patient.study_date),
        (t("Accession number"), patient.accession_number),
        (t("Study"), patient.study_description),
    )
    return tuple((label, value or t("not given")) for label, value in values)


def _headline(findings: Findings) -> Headline:
    """CAD-RADS with what it means, or that there is none and why."""
    result = findings.cad_rads
    if isinstance(result, Unavailable):
        return Headline(t("no category"), t("The coronary arteries were not graded"), sentence(result.reason), "", "muted")
    title, recommendation = (t(x) for x in INTERPRETATION[result.category])
    burden = t(BURDEN[result.plaque_burden]) if result.plaque_burden in BURDEN else ""
    return Headline(result.text, f"{title}{t(', ') + burden if burden else ''}", result.because, recommendation, CATEGORY_TONE[result.category])


def impression(findings: Findings) -> tuple[str, ...]:
    """The answer in a few sentences, the most important first."""
    lines = [*_stenosis_lines(findings), *_flow_lines(findings), *_plaque_lines(findings), *_calcium_lines(findings)]
    if isinstance(findings.stenoses, Unavailable) and findings.heart:
        heart = findings.heart
        values = ((t("LV mass"), heart.lv_mass_g, "g"), (t("LV cavity"), heart.lv_edv_ml, "mL"), (t("epicardial fat"), heart.eat_ml, "mL"))
        measured = [f"{name} {value:.0f} {unit}" for name, value, unit in values if not isinstance(value, Unavailable)]
        if measured:
            lines.append(t("The heart could be measured: {values}.", values=", ".join(measured)))
    return tuple(lines)


def _stenosis_lines(findings: Findings) -> list[str]:
    if isinstance(findings.stenoses, Unavailable):
        return [t("The coronary arteries could not be assessed: {reason}.", reason=findings.stenoses.reason.rstrip("."))]
    relevant = sorted((s for s in findings.stenoses if s.diameter_pct >= 49.5), key=lambda s: -s.diameter_pct)
    if not relevant:
        worst = max((s.diameter_pct for s in findings.stenoses), default=0)
        return [t("No stenosis of 50 % or more (worst {worst:.0f} %).", worst=worst) if worst >= 1 else t("No coronary stenosis.")]
    lines = []
    for s in relevant:
        plaque = t(", {kind} plaque", kind=word(s.plaque_type)) if s.plaque_type else ""
        features = t(", high-risk features {names}", names=", ".join(s.high_risk)) if s.high_risk else ""
        place = SEGMENTS.get(s.segment, (s.vessel,))[0]
        degree = t("{pct:.0f} % diameter stenosis of the {place} (minimal lumen {mld:.1f} mm)", pct=s.diameter_pct, place=place, mld=s.mld_mm)
        lines.append(t("{finding}.", finding=f"{degree}{plaque}{features}"))
    return lines


def _flow_lines(findings: Findings) -> list[str]:
    if isinstance(findings.ffr, Unavailable):
        return [] if isinstance(findings.stenoses, Unavailable) else [t("FFR was not computed: {reason}.", reason=findings.ffr.reason.rstrip("."))]
    read = {name: v.ffr for name, v in findings.ffr.vessels.items() if not isinstance(v.ffr, Unavailable)}
    if not read:
        return [t("FFR could not be read in any vessel.")]
    lowest = min(read, key=read.get)
    rest = ", ".join(f"{name} {value:.2f}" for name, value in read.items() if name != lowest)
    others = f" ({rest})" if rest else ""
    verdict = ffr_verdict(read[lowest])[0]
    return [t("Lowest computed FFR {ffr:.2f} in the {vessel}: {verdict}{others}.", ffr=read[lowest], vessel=lowest, verdict=verdict, others=others)]


def _plaque_lines(findings: Findings) -> list[str]:
    if isinstance(findings.plaque, Unavailable):
        return []
    plaque = findings.plaque
    share = 100 * plaque.low_attenuation_mm3 / plaque.total_mm3 if plaque.total_mm3 else 0
    low = t(", {share:.0f} % of it low-attenuation", share=share) if share >= 1 else ""
    stage = word(plaque.stage) or t("not given")
    pattern = "Plaque volume {volume:.0f} mm³{low}; percent atheroma volume {pav:.1f} %; stage {stage}."
    return [t(pattern, volume=plaque.total_mm3, low=low, pav=plaque.pav_pct, stage=stage)]


def _calcium_lines(findings: Findings) -> list[str]:
    if isinstance(findings.calcium, Unavailable):
        return []
    calcium = findings.calcium
    percentile = calcium.percentile
    known = not isinstance(percentile, Unavailable) and not isinstance(percentile.value, Unavailable)
    place = t(", percentile {value:.0f} for age and sex", value=percentile.value) if known else ""
    return [t("Agatston score {score:.0f} ({category}){place}.", score=calcium.agatston, category=calcium.cac_drs, place=place)]
