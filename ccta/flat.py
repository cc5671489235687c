"""A patient's findings as one row of a table: the same content as findings.json, numbers and words only."""

from __future__ import annotations

from ccta.findings import Findings
from ccta.model import SEGMENTS, VESSELS, Unavailable

Row = dict[str, float | int | str | None]


def patient_row(findings: Findings) -> Row:
    """Column -> value; None where it could not be measured. Every patient has the same columns, units are part of their names."""
    patient = findings.patient
    row: Row = {"patient_id": patient.id, "sex": patient.sex, "age_years": _number(patient.age_years), "study_date": patient.study_date}
    row |= {"accession_number": patient.accession_number, "study_uid": patient.study_uid}
    verdict, scores, heart = findings.cad_rads or None, findings.scores or None, findings.heart or None
    row |= {f"cad_rads{end}": getattr(verdict, name, None) for end, name in (("", "category"), ("_text", "text"), ("_plaque_burden", "plaque_burden"))}
    row |= {name: _number(getattr(scores, name, None)) for name in ("sis", "sss", "leiden")}
    row |= {name: _number(getattr(heart, name, None)) for name in ("lv_mass_g", "lv_edv_ml", "lv_ef_pct", "eat_ml")}
    quality = findings.quality or None
    row |= {name: _number(getattr(quality, name, None)) for name in ("noise_hu", "snr", "cnr", "aorta_hu")}
    return row | _calcium(findings) | _plaque(findings) | _stenoses(findings) | _flow(findings)


def _number(value) -> float | None:
    return None if value is None or isinstance(value, Unavailable) else float(value)


def _calcium(findings: Findings) -> Row:
    calcium = findings.calcium or None
    row: Row = {f"calcium_{name}": _number(getattr(calcium, name, None)) for name in ("agatston", "volume_mm3", "mass_mg")}
    row["cac_drs"] = getattr(calcium, "cac_drs", None)
    return row | {f"agatston_{vessel}": float(calcium.vessels.get(vessel, 0.0)) if calcium else None for vessel in VESSELS}


def _plaque(findings: Findings) -> Row:
    names = ("total_mm3", "calcified_mm3", "noncalcified_mm3", "low_attenuation_mm3", "pav_pct")
    plaque = findings.plaque or None
    row: Row = {f"plaque_{name}": _number(getattr(plaque, name, None)) for name in names}
    for vessel in VESSELS:
        own = plaque.vessels.get(vessel) if plaque else None
        row[f"plaque_total_mm3_{vessel}"] = own.total_mm3 if own else 0.0 if plaque else None
        fat = (findings.fat or {}).get(vessel)
        row[f"fai_hu_{vessel}"] = _number(fat.fai_hu) if fat else None
    return row


def _stenoses(findings: Findings) -> Row:
    """The worst diameter stenosis of the patient and of each vessel; 0 where the vessel was graded and has none."""
    if isinstance(findings.stenoses, Unavailable):
        return {"stenoses": None, "worst_stenosis_pct": None, "worst_segment": None} | {f"stenosis_pct_{vessel}": None for vessel in VESSELS}
    worst = max(findings.stenoses, key=lambda s: s.diameter_pct, default=None)
    row: Row = {"stenoses": len(findings.stenoses), "worst_stenosis_pct": worst.diameter_pct if worst else 0.0}
    row["worst_segment"] = SEGMENTS.get(worst.segment, (worst.vessel,))[0] if worst else ""
    return row | {f"stenosis_pct_{v}": max((s.diameter_pct for s in findings.stenoses if s.vessel == v), default=0.0) for v in VESSELS}


def _flow(findings: Findings) -> Row:
    vessels = findings.ffr.vessels if findings.ffr else {}
    row: Row = {f"ffr_{vessel}": _number(vessels[vessel].ffr) if vessel in vessels else None for vessel in VESSELS}
    read = [value for value in row.values() if value is not None]
    return {"ffr_model": findings.ffr.model if findings.ffr else None, "ffr_lowest": min(read, default=None), **row}
