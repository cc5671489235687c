"""CAD-RADS 2.0 (Cury 2022, J Cardiovasc Comput Tomogr 16:536) from findings: category, plaque burden, modifiers and the sentence that says why.

The whole percent that the report prints is the one that is graded, so that a printed "50 %" is never in the category below 50.
Not seen by this software, so never assigned: S (stent), G (graft), E (exceptions).
"""

from ccta.errors import Refusal
from ccta.findings import CadRads, Findings, Stenosis
from ccta.model import SEGMENTS, Unavailable

GRADED_FROM_MM = 1.5  # smaller vessels are not graded
UNREADABLE_SCORE = 1  # of the 1-5 scale of segment quality
P_BY_CAC = ((1000, "P4"), (301, "P3"), (101, "P2"), (1, "P1"))
P_BY_SIS = ((8, "P4"), (5, "P3"), (3, "P2"), (1, "P1"))
CATEGORIES = ((100, "5"), (70, "4A"), (50, "3"), (25, "2"), (1, "1"))
RANGES = {"5": "100 %", "4A": "70-99 %", "3": "50-69 %", "2": "25-49 %", "1": "1-24 %"}
I_CATEGORIES = ("2", "3", "4A", "4B", "N")  # where a functional result may change what follows


def classify(findings: Findings) -> CadRads:
    """The CAD-RADS 2.0 line of one patient. Raises Refusal where no stenosis could be graded at all."""
    if isinstance(findings.stenoses, Unavailable):
        raise Refusal(f"CAD-RADS needs the coronary arteries: {findings.stenoses.reason}")
    graded = [s for s in findings.stenoses if s.reference_diameter_mm >= GRADED_FROM_MM]
    category, reasons = _category(graded, findings)
    unreadable = _unreadable_segments(findings)
    modifiers = []
    if unreadable:
        names = ", ".join(SEGMENTS[i][0] for i in unreadable)
        if category in ("0", "1", "2"):
            category, why = "N", f"{names} could not be read and the worst readable stenosis is below 50 % (N replaces the category)"
        else:
            modifiers, why = ["N"], f"{names} could not be read (modifier N)"
        reasons.append(why)
    burden, why = ("", "") if category == "0" else _plaque_burden(findings)
    features, hrp = _high_risk(findings.stenoses)
    ischaemia, flow = _ischaemia(findings, category)
    modifiers += [m for m in (features, ischaemia) if m]
    omitted = len(findings.stenoses) - len(graded)
    small = f"{omitted} narrowing(s) in vessels below {GRADED_FROM_MM} mm were not graded" if omitted else ""
    because = "; ".join(r for r in (*reasons, why, hrp, flow, small) if r) + "."
    text = "/".join(part for part in (category, burden, *modifiers) if part)
    return CadRads(category=category, plaque_burden=burden, modifiers=modifiers, text=text, because=because[0].upper() + because[1:])


def _pct(stenosis: Stenosis) -> int:
    """Whole percent, as printed."""
    return int(stenosis.diameter_pct + 0.5)


def _named(stenosis: Stenosis) -> str:
    place = SEGMENTS[stenosis.segment][0] if stenosis.segment in SEGMENTS else stenosis.vessel
    return f"{place} {_pct(stenosis)} % diameter stenosis"


def _category(graded: list[Stenosis], findings: Findings) -> tuple[str, list[str]]:
    """Category by the worst stenosis, before N is considered, with its reasons."""
    worst = max(graded, key=lambda s: s.diameter_pct, default=None)
    if worst is None or _pct(worst) < 1:
        return _without_stenosis(findings)
    main = max((s for s in graded if s.vessel == "LM"), key=lambda s: s.diameter_pct, default=None)
    severe = sorted({s.vessel for s in graded if s.vessel != "LM" and _pct(s) >= 70})
    category = next(name for limit, name in CATEGORIES if _pct(worst) >= limit)
    if category != "5" and main and _pct(main) >= 50:
        return "4B", [f"left main {_pct(main)} % diameter stenosis (left main >= 50 %)"]
    if category != "5" and len(severe) == 3:
        return "4B", [f"three vessels ({', '.join(severe)}) with >= 70 % diameter stenosis"]
    return category, [f"worst stenosis: {_named(worst)} ({RANGES[category]})"]


def _without_stenosis(findings: Findings) -> tuple[str, list[str]]:
    """0 or 1 by plaque alone; what was not measured is said."""
    if findings.plaque and findings.plaque.segments_with_plaque:
        return "1", ["plaque without stenosis"]
    if findings.calcium and findings.calcium.agatston > 0:
        return "1", ["coronary calcium without stenosis"]
    missing = [name for name, section in (("plaque", findings.plaque), ("calcium", findings.calcium)) if isinstance(section, Unavailable)]
    return "0", ["no stenosis and no plaque" + (f" ({' and '.join(missing)} not measured)" if missing else "")]


def _unreadable_segments(findings: Findings) -> list[int]:
    """Ids of segments of at least 1.5 mm whose image quality is non-diagnostic."""
    scores = findings.quality.segments if findings.quality else {}
    small = {s.id for s in findings.tree.segments if s.mean_diameter_mm < GRADED_FROM_MM} if findings.tree else set()
    ids = [int(key) for key, score in scores.items() if score <= UNREADABLE_SCORE]
    return sorted(i for i in ids if i in SEGMENTS and i not in small)


def _plaque_burden(findings: Findings) -> tuple[str, str]:
    """P1-P4 by calcium score where there is one above zero, else by segment involvement; both are stated."""
    cac = round(findings.calcium.agatston) if findings.calcium else 0
    sis = len(findings.plaque.segments_with_plaque) if findings.plaque else 0
    by_cac = next((p for limit, p in P_BY_CAC if cac >= limit), "")
    by_sis = next((p for limit, p in P_BY_SIS if sis >= limit), "")
    if by_cac:
        other = f"by segment involvement {sis} it would be {by_sis}" if by_sis else "segment involvement not available or 0"
        return by_cac, f"{by_cac} by the calcium score {cac} ({other})"
    if by_sis:
        other = "calcium score 0" if findings.calcium else "no calcium score"
        return by_sis, f"{by_sis} by segment involvement {sis} ({other})"
    return "", "no plaque burden: neither the calcium score nor segment involvement gives one"


def _high_risk(stenoses: list[Stenosis]) -> tuple[str, str]:
    """HRP when one plaque shows two or more of positive remodelling, low attenuation, spotty calcium and napkin-ring sign."""
    worst = max(stenoses, key=lambda s: len(set(s.high_risk)), default=None)
    if worst is None or len(set(worst.high_risk)) < 2:
        return "", ""
    return "HRP", f"high-risk plaque in {SEGMENTS.get(worst.segment, (worst.vessel,))[0]} ({', '.join(worst.high_risk)})"


def _ischaemia(findings: Findings, category: str) -> tuple[str, str]:
    """I+, I- or I± by the lowest computed FFR behind a lesion (else of a vessel): <= 0.75, > 0.80, or the grey zone between."""
    if not findings.ffr or category not in I_CATEGORIES:
        return "", ""
    behind = [(x.ffr, f"behind {SEGMENTS.get(x.segment, ('the lesion',))[0]}") for x in findings.ffr.lesions]
    values = [v for v in behind if not isinstance(v[0], Unavailable)]
    values = values or [(x.ffr, f"in the {name}") for name, x in findings.ffr.vessels.items() if not isinstance(x.ffr, Unavailable)]
    if not values:
        return "", "no ischaemia modifier: FFR could not be read"
    ffr, where = min(values)
    shown = round(ffr, 2)
    modifier = "I+" if shown <= 0.75 else "I±" if shown <= 0.80 else "I-"
    return modifier, f"{modifier} by computed FFR {shown:.2f} {where}"
