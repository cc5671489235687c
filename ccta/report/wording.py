"""Fixed words: CAD-RADS 2.0 interpretation and recommendation (after Cury 2022, in our words), FFR and plaque verdicts, limits, names of values."""

from ccta.report.language import spoken, t

INTERPRETATION = {
    "0": ("Absence of coronary artery disease", "No further cardiac investigation; other causes of the symptoms may be considered."),
    "1": ("Minimal non-obstructive coronary artery disease", "Other causes of the symptoms may be considered; preventive therapy and risk factors."),
    "2": ("Mild non-obstructive coronary artery disease", "Other causes of the symptoms may be considered; preventive therapy and risk factors."),
    "3": ("Moderate stenosis", "Consider functional assessment; symptom-guided anti-ischaemic and preventive therapy."),
    "4A": ("Severe stenosis", "Consider invasive coronary angiography or functional assessment; anti-ischaemic and preventive therapy."),
    "4B": ("Severe stenosis: left main or three vessels", "Invasive coronary angiography is recommended; anti-ischaemic and preventive therapy."),
    "5": ("Total coronary occlusion", "Consider invasive angiography, functional or viability assessment; anti-ischaemic and preventive therapy."),
    "N": ("Non-diagnostic: obstructive disease is not excluded", "Additional or alternative evaluation may be needed."),
}
CATEGORY_TONE = {"0": "good", "1": "good", "2": "good", "3": "grey", "4A": "bad", "4B": "bad", "5": "bad", "N": "grey"}
BURDEN = {"P1": "mild plaque burden", "P2": "moderate plaque burden", "P3": "severe plaque burden", "P4": "extensive plaque burden"}
MODIFIER_ADVICE = {
    "P1": "P1: risk factors and preventive therapy as for mild plaque burden.",
    "P2": "P2: preventive therapy is advised.",
    "P3": "P3: aggressive preventive therapy is advised, whatever the stenosis.",
    "P4": "P4: aggressive preventive therapy is advised, whatever the stenosis.",
    "HRP": "HRP: high-risk plaque; more intensive preventive therapy may be considered, and in acute chest pain observation.",
    "I+": "I+: computed FFR suggests lesion-specific ischaemia; invasive coronary angiography may be considered where symptoms persist.",
    "I-": "I-: computed FFR does not suggest ischaemia; medical therapy before invasive angiography.",
    "I±": "I±: computed FFR is in the grey zone; decide by symptoms, site of the lesion and other tests.",
    "N": "N: some segments could not be read; another test may be needed for them.",
}
FEATURES = {"PR": "positive remodelling", "LAP": "low attenuation", "SC": "spotty calcium", "NRS": "napkin-ring sign"}
FLOW_MODEL = {
    "rom": "reduced-order model of the whole tree (steady)",
    "3d": "3-D Navier-Stokes equations on the whole tree (steady, finite elements)",
    "3d-pulsatile": "3-D Navier-Stokes equations on the whole tree over the heart's cycle (rigid walls, coronary outlets; mean of the cycle)",
    "pulsatile": "reduced-order model over the heart cycle (pulsatile)",
}
FFR_NOTE = (
    "Positive ≤ 0.75, grey zone 0.76–0.80, negative > 0.80. Read behind the lesion, not at the end of the vessel. "
    "Mostly from: the cause of most of the interval; measuring it would narrow the interval most."
)
QUALITY_SCALE = "Segment quality: 1 non-diagnostic, 2 poor, 3 adequate, 4 good, 5 excellent."
AGREES = "Network agrees: share of the segment's length on which the coronary network, asked by itself, sees an artery too; look at segments below 80 %."

LIMITS = (
    "Produced automatically: whoever signs confirms the text, not every contour and measurement.",
    "Stents, bypass grafts, anomalous arteries and non-atherosclerotic disease are not detected: the modifiers S, G and E are never assigned.",
    "Arteries below 1.5 mm are not graded. Heavily calcified plaque blooms, and its stenosis tends to be over-read.",
    "Plaque volumes depend on scanner, voltage, kernel and contrast; compare only examinations made alike.",
    "FFR is computed from the anatomy and from assumed resting flow and hyperaemia, not measured with a wire.",
    "Non-coronary findings (lungs, valves, great vessels, bones) were not looked for.",
)

NAMES = {
    "acquisition": "CT acquisition", "calcium_acquisition": "calcium acquisition", "quality": "image quality", "calcium": "calcium score",
    "tree": "coronary tree", "stenoses": "stenoses", "plaque": "plaque", "fat": "pericoronary fat", "cad_rads": "CAD-RADS", "scores": "tree scores",
    "heart": "heart", "ffr": "FFR", "patient": "patient", "age_years": "age", "kvp": "tube voltage", "phase_percent": "cardiac phase",
    "noise_hu": "noise", "snr": "signal to noise", "cnr": "contrast to noise", "aorta_hu": "aortic enhancement", "percentile": "percentile",
    "lv_mass_g": "LV mass", "lv_edv_ml": "LV end-diastolic volume", "lv_ef_pct": "LV ejection fraction", "eat_ml": "epicardial fat",
    "fai_hu": "fat attenuation index", "sis": "segment involvement", "sss": "segment stenosis score", "leiden": "Leiden score",
    "diameter_pct_interval": "interval of the stenosis", "at_mm": "place of reading", "delta": "fall across the lesion", "low": "lower limit",
    "high": "upper limit", "vessels": "", "lesions": "", "value": "",
}  # fmt: skip
"""Keys of findings.json in words; "" is left out of the path."""


def ffr_verdict(ffr: float) -> tuple[str, str]:
    """(words, tone) of an FFR as printed to two decimals: <= 0.75 positive, 0.76-0.80 grey zone, > 0.80 negative."""
    value = round(ffr, 2)
    verdict, tone = ("positive", "bad") if value <= 0.75 else ("grey zone", "grey") if value <= 0.80 else ("negative", "good")
    return t(verdict), tone


def stenosis_tone(pct: float) -> str:
    """Tone of a diameter stenosis: from 70 % bad, from 50 % borderline."""
    return "bad" if int(pct + 0.5) >= 70 else "grey" if int(pct + 0.5) >= 50 else ""


def leiden_band(score: float) -> str:
    """Band of the Leiden CTA score (van Rosendael 2018): 0-5, 6-20, > 20; the score is printed with one decimal, the bands are whole numbers."""
    return t("0-5, low" if score < 6 else "6-20, intermediate" if score <= 20 else "> 20, high")


def template_words() -> dict[str, str]:
    """What the templates themselves say, in the report's language."""
    return {
        "lang": spoken(),
        "impression": t("Impression"),
        "refused": t("Not available."),
        "guidance": t("Guidance of this category for stable chest pain:"),
    }


def shown_name(name: str) -> str:
    """A DICOM person name as people write it: its groups (alphabetic=ideographic=phonetic) apart, its parts by spaces."""
    groups = [" ".join(group.replace("^", " ").split()) for group in name.split("=")]
    return " ".join(dict.fromkeys(group for group in groups if group))
