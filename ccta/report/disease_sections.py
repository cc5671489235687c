"""Sections on stenoses, segments and plaque."""

from ccta.findings import Findings, PlaqueVolumes
from ccta.model import SEGMENTS, Unavailable
from ccta.report.blocks import Cell, Picture, Section, Table, cell, row, sentence, shown
from ccta.report.hand_edits import MARK_NOTE, NO_MARKS, Marks
from ccta.report.language import t, word
from ccta.report.lesion_flow import lesion_ffr
from ccta.report.wording import AGREES, FEATURES, QUALITY_SCALE, ffr_verdict, leiden_band, stenosis_tone


def stenosis_section(findings: Findings, pictures: dict[str, bytes], marks: Marks = NO_MARKS) -> Section:
    """One row per stenosis, the worst first, with its FFR, and the pictures of the vessels."""
    flow_behind = [read and read.ffr for read in lesion_ffr(findings)]
    order = sorted(range(len(flow_behind)), key=lambda i: -findings.stenoses[i].diameter_pct)
    stenoses = [findings.stenoses[i] for i in order]
    rows = []
    for index, s, ffr in zip(order, stenoses, (flow_behind[i] for i in order), strict=True):
        by_hand = marks.lesion(index)
        interval = "" if isinstance(s.diameter_pct_interval, Unavailable) else " ({:.0f}–{:.0f})".format(*s.diameter_pct_interval)
        flow = cell(ffr, f"{{:.2f}}{marks.behind(index)}", "" if isinstance(ffr, Unavailable) else ffr_verdict(ffr)[1])
        plaque = "; ".join(x for x in (word(s.plaque_type), ", ".join(s.high_risk)) if x) or "–"
        rows.append(
            row(
                f"{s.segment} {SEGMENTS.get(s.segment, (t('unnamed'),))[0]}{marks.segment(s.segment)}",
                Cell(f"{s.diameter_pct:.0f}{interval}{by_hand}", stenosis_tone(s.diameter_pct)),
                f"{s.area_pct:.0f}{by_hand}",
                f"{s.mld_mm:.1f}{by_hand} / {s.reference_diameter_mm:.1f}",
                f"{s.mla_mm2:.1f}{by_hand}",
                t("{length:.0f} at {place:.0f}", length=s.length_mm, place=s.position_mm),
                plaque,
                flow,
            )
        )
    head = tuple(t(x) for x in ("Segment", "Diameter stenosis %", "Area %", "MLD / ref. mm", "MLA mm²", "Length mm", "Plaque", "FFR"))
    used = sorted({feature for s in stenoses for feature in s.high_risk})
    note = t("In brackets: 90 % interval. Length, and the place of the minimal lumen along the vessel. FFR is read behind the lesion.")
    note += f" {'; '.join(f'{f} {t(FEATURES[f])}' for f in used if f in FEATURES)}." if used else ""
    note += t(MARK_NOTE) if marks.lesions or marks.segments else ""
    tables = (Table(head, tuple(rows), note=note, weights=(1.1, 1.3, 0.8, 1.2, 0.9, 1.2, 2.2, 0.7)),) if rows else ()
    shown_pictures = [
        Picture(k, t("{vessel}, laid straight from its origin; yellow the lumen, red the stenoses.", vessel=k[4:])) for k in pictures if k.startswith("cpr_")
    ]
    if "cross" in pictures:
        shown_pictures.append(Picture("cross", t("Cross-sections at the minimal lumen: lumen (yellow) and outer wall (blue).")))
    if "profile" in pictures:
        shown_pictures.append(Picture("profile", t("Lumen diameter (Ø) along the vessels; blue: the expected normal diameter.")))
    paragraphs = () if rows else (t("No stenosis was found."),)
    return Section(t("Stenoses"), (), paragraphs, tables, tuple(shown_pictures))


def segments_section(findings: Findings, marks: Marks = NO_MARKS) -> Section:
    """Every segment that was found: calibre, worst stenosis, plaque, image quality, and on how much of its length the network sees it too."""
    tree = findings.tree
    if isinstance(tree, Unavailable):
        return Section(t("Coronary arteries by segment"), refused=sentence(tree.reason))
    quality = findings.quality.segments if findings.quality else {}
    plaque = findings.plaque.segments if findings.plaque else {}
    rows = []
    for vessel in ("LM", "LAD", "LCx", "RCA"):
        for segment in (s for s in tree.segments if s.vessel == vessel):
            worst = max((s.diameter_pct for s in findings.stenoses if s.segment == segment.id), default=0)
            volume = f"{plaque[segment.id].total_mm3:.0f}" if segment.id in plaque else t("none") if findings.plaque else "–"
            rows.append(
                row(
                    f"{segment.id} {segment.name}{marks.segment(segment.id)}",
                    vessel,
                    f"{segment.length_mm:.0f}",
                    f"{segment.mean_diameter_mm:.1f}",
                    Cell(f"{worst:.0f} %", stenosis_tone(worst)) if worst else t("none"),
                    volume,
                    quality.get(str(segment.id), "–"),
                    "–" if isinstance(segment.confidence, Unavailable) else f"{100 * segment.confidence:.0f} %",
                )
            )
    head = tuple(t(x) for x in ("Segment", "Vessel", "Length mm", "Mean diameter mm", "Worst stenosis", "Plaque mm³", "Quality 1–5", "Network agrees"))
    facts = [(t("Dominance"), word(tree.dominance))]
    if tree.unnamed_length_mm > 0:
        facts.append((t("Artery without a segment name"), f"{tree.unnamed_length_mm:.0f} mm"))
    missing = [name for i, (name, _) in SEGMENTS.items() if i in (1, 2, 3, 5, 6, 7, 8, 11, 13) and i not in {s.id for s in tree.segments}]
    said = (t("Main segments that were not found: {names}.", names=", ".join(missing)),) if missing else ()
    note = f"{t(QUALITY_SCALE)} {t(AGREES)}{t(MARK_NOTE) if marks.segments else ''}"
    return Section(t("Coronary arteries by segment"), tuple(facts), said, (Table(head, tuple(rows), note=note),))


def plaque_section(findings: Findings, pictures: dict[str, bytes]) -> Section:
    """Volumes per vessel and composition, scores, pericoronary fat."""
    plaque = findings.plaque
    if isinstance(plaque, Unavailable):
        return Section(t("Plaque"), refused=sentence(plaque.reason))
    names = [v for v in ("LM", "LAD", "LCx", "RCA") if v in plaque.vessels]
    rows = [_volume_row(vessel, plaque.vessels[vessel]) for vessel in names] + [_volume_row(t("Patient"), plaque)]
    head = ("", *(t(x) for x in ("Total mm³", "Non-calcified mm³", "of it low-attenuation mm³", "Calcified mm³", "PAV %")))
    table = Table(head, tuple(rows), note=t("HU ranges {ranges}. PAV: plaque volume over vessel volume.", ranges=plaque.thresholds))
    facts = [(t("Stage"), word(plaque.stage) or t("not given"))]
    if findings.scores:
        leiden = findings.scores.leiden
        facts.append((t("Segment involvement, segment stenosis score"), f"{shown(findings.scores.sis)}, {shown(findings.scores.sss)}"))
        facts.append((t("Leiden CTA score"), shown(leiden) if isinstance(leiden, Unavailable) else f"{leiden:.1f} ({leiden_band(leiden)})"))
    tables = (table,) if isinstance(findings.fat, Unavailable) else (table, _fat_table(findings))
    shown_pictures = (
        (Picture("plaque", t("Plaque volume by composition, in HU ranges; the lowest is low-attenuation plaque, the highest calcium."), 0.62),)
        if "plaque" in pictures
        else ()
    )
    return Section(t("Plaque and pericoronary fat"), tuple(facts), (), tables, shown_pictures)


def _volume_row(name: str, volumes: PlaqueVolumes) -> tuple[Cell, ...]:
    values = (volumes.total_mm3, volumes.noncalcified_mm3, volumes.low_attenuation_mm3, volumes.calcified_mm3)
    return row(name, *(f"{v:.0f}" for v in values), f"{volumes.pav_pct:.1f}")


def _fat_table(findings: Findings) -> Table:
    rows = [row(name, cell(fat.fai_hu, "{:.1f}"), fat.note or shown(fat.fai_hu)) for name, fat in findings.fat.items()]
    return Table((t("Vessel"), t("Fat attenuation HU"), t("Measured with")), tuple(rows), t("Pericoronary fat attenuation index"))
