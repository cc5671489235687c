"""Findings by vessel in sentences, and what CAD-RADS 2.0 recommends."""

from ccta.findings import Findings
from ccta.model import SEGMENTS, VESSELS, Unavailable
from ccta.report.blocks import Section
from ccta.report.language import t, word
from ccta.report.wording import INTERPRETATION, MODIFIER_ADVICE, ffr_verdict


def vessels_section(findings: Findings) -> Section:
    """One sentence per vessel of everything that was found in it: stenoses, plaque, calcium, FFR, fat. A healthy one says so."""
    return Section(t("Findings by vessel"), facts=tuple((vessel, "; ".join(_vessel(findings, vessel))) for vessel in VESSELS if _is_there(findings, vessel)))


def _is_there(findings: Findings, vessel: str) -> bool:
    return not findings.tree or any(segment.vessel == vessel for segment in findings.tree.segments)


def _vessel(findings: Findings, vessel: str):
    stenoses = sorted((s for s in findings.stenoses if s.vessel == vessel), key=lambda s: -s.diameter_pct)
    for one in stenoses:
        place = SEGMENTS.get(one.segment, (vessel,))[0]
        plaque = t(", {kind} plaque", kind=word(one.plaque_type)) if one.plaque_type else ""
        yield t("{place}: {pct:.0f} % stenosis", place=place, pct=one.diameter_pct) + plaque
    if not stenoses:
        yield t("no stenosis")
    if findings.plaque:
        volumes = findings.plaque.vessels.get(vessel)
        yield t("plaque {volume:.0f} mm³", volume=volumes.total_mm3) if volumes and volumes.total_mm3 > 0 else t("no plaque")
    if findings.calcium:
        yield t("Agatston {score:.0f}", score=findings.calcium.vessels.get(vessel, 0.0))
    flow = findings.ffr.vessels.get(vessel) if findings.ffr else None
    if flow and not isinstance(flow.ffr, Unavailable):
        yield t("FFR {ffr:.2f}, {verdict}", ffr=flow.ffr, verdict=ffr_verdict(flow.ffr)[0])
    fat = findings.fat.get(vessel) if findings.fat else None
    if fat and not isinstance(fat.fai_hu, Unavailable):
        yield t("pericoronary fat {hu:.0f} HU", hu=fat.fai_hu)


def recommendation_section(findings: Findings) -> Section | None:
    """The management that CAD-RADS 2.0 lists for the category and its modifiers in stable chest pain; None without a category."""
    verdict = findings.cad_rads
    if isinstance(verdict, Unavailable):
        return None
    words = (verdict.plaque_burden, *verdict.modifiers)
    advice = (INTERPRETATION[verdict.category][1], *(MODIFIER_ADVICE[word] for word in words if word in MODIFIER_ADVICE))
    note = t("From the CAD-RADS 2.0 consensus (Cury 2022) for stable chest pain, in our words. The treating physician decides.")
    return Section(t("Recommendation by CAD-RADS"), bullets=(*(t(x) for x in advice), note))
