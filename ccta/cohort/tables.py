"""The cohort as tidy tables: a row per patient, vessel, segment and lesion, from the findings of the cases. Parquet and CSV with a data dictionary."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from ccta.cohort.dictionary import Entry, as_markdown, entry_of
from ccta.cohort.record import read_cohort, read_record
from ccta.cohort.storage import Place
from ccta.cohort.table import Study
from ccta.findings import Findings
from ccta.model import SEGMENTS, VESSELS, Unavailable

LEVELS = ("patient", "vessel", "segment", "lesion")
TEXT = ("id", "status", "reason", "sex", "study_date", "kernel", "cac_drs", "dominance", "cad_rads", "cad_rads_category", "plaque_burden", "plaque_stage")
TEXT += ("ffr_model", "vessel", "segment_name", "plaque_type", "high_risk", "quality_verdict", "missing", "program", "provenance")
WHOLE = ("stenoses", "segment", "quality", "lesion")
COLUMNS = {
    "patient": (
        *("id", "status", "reason", "sex", "age_years", "study_date", "kvp", "kernel", "noise_hu", "snr", "cnr", "aorta_hu"),
        *("quality_verdict", "agatston"),
        *("calcium_volume_mm3", "calcium_mass_mg", "cac_drs", "dominance", "cad_rads", "cad_rads_category", "plaque_burden", "sis", "sss", "leiden"),
        *("stenoses", "max_diameter_stenosis_pct", "plaque_total_mm3", "plaque_calcified_mm3", "plaque_noncalcified_mm3", "plaque_low_attenuation_mm3"),
        *("pav_pct", "plaque_stage", "ffr", "ffr_model", "pa_mmhg", "flow_ml_min", "lv_mass_g", "lv_edv_ml", "eat_ml", "missing", "program", "provenance"),
    ),
    "vessel": (
        *("id", "vessel", "agatston", "max_diameter_stenosis_pct", "plaque_total_mm3", "plaque_calcified_mm3", "plaque_noncalcified_mm3"),
        *("plaque_low_attenuation_mm3", "pav_pct", "ffr", "ffr_low", "ffr_high", "ffr_delta", "ffr_at_mm", "fai_hu"),
    ),
    "segment": (
        *("id", "segment", "segment_name", "vessel", "length_mm", "mean_diameter_mm", "confidence", "quality", "max_diameter_stenosis_pct"),
        *("plaque_total_mm3", "plaque_calcified_mm3", "plaque_noncalcified_mm3", "plaque_low_attenuation_mm3", "pav_pct"),
    ),
    "lesion": (
        *("id", "lesion", "segment", "segment_name", "vessel", "diameter_pct", "diameter_low_pct", "diameter_high_pct", "area_pct", "mld_mm", "mla_mm2"),
        *("reference_diameter_mm", "position_mm", "length_mm", "plaque_type", "high_risk", "ffr", "ffr_low", "ffr_high", "ffr_delta"),
    ),
}

NOT_OF_A_CASE = ("id", "status", "reason", "program", "provenance")
"""Columns that say how a case went in its cohort."""


def write_tables(root: Place) -> dict[str, int]:
    """Writes OUT/tables/: <level>.parquet, <level>.csv, dictionary.csv, dictionary.json, README.md; returns the number of rows of each level."""
    frames = frames_of(root)
    entries = [entry_of(level, name, str(kind)) for level, frame in frames.items() for name, kind in frame.dtypes.items()]
    for level, frame in frames.items():
        (root / f"tables/{level}.parquet").write_bytes(_parquet(frame, [one for one in entries if one.table == level]))
        (root / f"tables/{level}.csv").write_bytes(frame.to_csv(index=False, lineterminator="\n").encode())
    import pandas

    rows = [asdict(one) for one in entries]
    (root / "tables/dictionary.csv").write_bytes(pandas.DataFrame(rows).to_csv(index=False, lineterminator="\n").encode())
    (root / "tables/dictionary.json").write_bytes(json.dumps(rows, indent=1, ensure_ascii=False).encode())
    (root / "tables/README.md").write_bytes(as_markdown(entries).encode())
    return {level: len(frame) for level, frame in frames.items()}


def frames_of(root: Place) -> dict:
    """{level: pandas DataFrame} of a cohort on disk. Cases that failed or wait are rows of the patients' table alone."""
    import pandas

    studies, _ = read_cohort(root)
    rows: dict[str, list[dict]] = {level: [] for level in LEVELS}
    notes: dict[str, type] = {}
    for study in studies:
        notes |= {name: type(value) for name, value in study.given.items()}
        found, case = _read_case(root, study)
        record = read_record(root, study)
        status = {"id": study.id, "status": record["status"], "reason": record["reason"]}
        for level, made in rows_of(found).items():
            own = {**study.given, **status, **provenance(case)} if level == "patient" else {"id": study.id}
            rows[level] += [{**row, **own} for row in made]
    frames = {level: pandas.DataFrame(rows[level], columns=[*COLUMNS[level], *(sorted(notes) if level == "patient" else ())]) for level in LEVELS}
    return {level: frame.astype({name: _kind(name, notes) for name in frame.columns}) for level, frame in frames.items()}


def _kind(name: str, notes: dict[str, type]) -> str:
    return "string" if name in TEXT or notes.get(name) is str else "Int64" if name in WHOLE else "float64"


def _read_case(root: Place, study: Study) -> tuple[Findings, dict]:
    found = (root / f"cases/{study.id}/findings.json").read_bytes()
    case = (root / f"cases/{study.id}/case.json").read_bytes()
    return Findings.model_validate_json(found) if found else Findings(), json.loads(case) if case else {"stages": {}}


def provenance(case: dict) -> dict[str, str]:
    """Version, and a hash of what every stage read, wrote and was set to; times and commands do not count."""
    kept = {name: {key: entry.get(key) for key in ("settings", "versions", "inputs", "outputs")} for name, entry in case["stages"].items()}
    if not kept:
        return {"program": "", "provenance": ""}
    versions = sorted({entry["versions"]["ccta-workstation"] for entry in kept.values()})
    return {"program": ", ".join(versions), "provenance": hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]}


def patient_row(f: Findings) -> dict:
    """Of the findings of one case; what is unavailable is None, and said in `missing`."""
    stenoses = f.stenoses if isinstance(f.stenoses, list) else None
    ffr = [v.ffr for v in f.ffr.vessels.values() if not isinstance(v.ffr, Unavailable)] if f.ffr else []
    bad = [f"{task}: {verdict}" for task, verdict in f.task_verdicts.items() if verdict != "good"]
    missing = [f"{name}: {getattr(f, name).reason}" for name in type(f).model_fields if isinstance(getattr(f, name), Unavailable)]
    return {
        "sex": f.patient.sex,
        "age_years": _value(f.patient, "age_years"),
        "study_date": f.patient.study_date,
        **{name: _value(f.acquisition, name) for name in ("kvp", "kernel")},
        **{name: _value(f.quality, name) for name in ("noise_hu", "snr", "cnr", "aorta_hu")},
        "quality_verdict": " ".join(bad),
        "agatston": _value(f.calcium, "agatston"),
        "calcium_volume_mm3": _value(f.calcium, "volume_mm3"),
        "calcium_mass_mg": _value(f.calcium, "mass_mg"),
        "cac_drs": _value(f.calcium, "cac_drs"),
        "dominance": _value(f.tree, "dominance"),
        "cad_rads": _value(f.cad_rads, "text"),
        "cad_rads_category": _value(f.cad_rads, "category"),
        "plaque_burden": _value(f.cad_rads, "plaque_burden"),
        **{name: _value(f.scores, name) for name in ("sis", "sss", "leiden")},
        "stenoses": None if stenoses is None else len(stenoses),
        "max_diameter_stenosis_pct": _largest(stenoses),
        **_plaque(f.plaque),
        "plaque_stage": _value(f.plaque, "stage"),
        "ffr": min(ffr, default=None),
        "ffr_model": _value(f.ffr, "model"),
        **{name: _value(f.ffr, name) for name in ("pa_mmhg", "flow_ml_min")},
        **{name: _value(f.heart, name) for name in ("lv_mass_g", "lv_edv_ml", "eat_ml")},
        "missing": " ".join(missing),
    }


def rows_of(f: Findings) -> dict[str, list[dict]]:
    """{level: rows} of one case."""
    return {"patient": [patient_row(f)], "vessel": list(vessel_rows(f)), "segment": list(segment_rows(f)), "lesion": list(lesion_rows(f))}


def vessel_rows(f: Findings) -> Iterator[dict]:
    """The four arteries, of those that any part of the findings speaks of."""
    for vessel in VESSELS:
        ffr = f.ffr.vessels.get(vessel) if f.ffr else None
        stenoses = [one for one in f.stenoses if one.vessel == vessel] if isinstance(f.stenoses, list) else None
        has_segment = bool(f.tree) and any(one.vessel == vessel for one in f.tree.segments)
        if not has_segment and ffr is None and not (f.calcium and vessel in f.calcium.vessels):
            continue
        yield {
            "vessel": vessel,
            "agatston": f.calcium.vessels.get(vessel, 0.0) if f.calcium else None,
            "max_diameter_stenosis_pct": _largest(stenoses) if has_segment else None,
            **_plaque(f.plaque.vessels.get(vessel) if f.plaque else None),
            **_ffr(ffr),
            "ffr_at_mm": _value(ffr, "at_mm"),
            "fai_hu": _value(f.fat.get(vessel), "fai_hu") if isinstance(f.fat, dict) else None,
        }


def segment_rows(f: Findings) -> Iterator[dict]:
    """The segments of the tree."""
    for one in f.tree.segments if f.tree else ():
        stenoses = [s for s in f.stenoses if s.segment == one.id] if isinstance(f.stenoses, list) else None
        yield {
            "segment": one.id,
            "segment_name": one.name,
            "vessel": one.vessel,
            "length_mm": one.length_mm,
            "mean_diameter_mm": one.mean_diameter_mm,
            "confidence": _value(one, "confidence"),
            "quality": f.quality.segments.get(str(one.id)) if f.quality else None,
            "max_diameter_stenosis_pct": _largest(stenoses),
            **_plaque(f.plaque.segments.get(one.id) if f.plaque else None),
        }


def lesion_rows(f: Findings) -> Iterator[dict]:
    """The stenoses, with the FFR behind each."""
    stenoses = f.stenoses if isinstance(f.stenoses, list) else []
    behind = f.ffr.lesions if f.ffr and len(f.ffr.lesions) == len(stenoses) else [None] * len(stenoses)
    for number, (one, ffr) in enumerate(zip(stenoses, behind, strict=True)):
        interval = one.diameter_pct_interval
        kept = ("segment", "vessel", "diameter_pct", "area_pct", "mld_mm", "mla_mm2", "reference_diameter_mm", "position_mm", "length_mm", "plaque_type")
        yield {
            "lesion": number,
            **{name: getattr(one, name) for name in kept},
            "segment_name": SEGMENTS.get(one.segment, ("",))[0],
            "diameter_low_pct": interval[0] if interval else None,
            "diameter_high_pct": interval[1] if interval else None,
            "high_risk": ";".join(one.high_risk),
            **_ffr(ffr),
        }


def _value(section, name: str):
    """A value of a section, None where either could not be measured."""
    if section is None or isinstance(section, Unavailable):
        return None
    value = getattr(section, name)
    return None if isinstance(value, Unavailable) else value


def _largest(stenoses: Sequence | None) -> float | None:
    return None if stenoses is None else max((one.diameter_pct for one in stenoses), default=0.0)


def _plaque(volumes) -> dict:
    names = ("total_mm3", "calcified_mm3", "noncalcified_mm3", "low_attenuation_mm3")
    return {f"plaque_{name}": _value(volumes, name) for name in names} | {"pav_pct": _value(volumes, "pav_pct")}


def _ffr(value) -> dict:
    return {"ffr": _value(value, "ffr"), "ffr_low": _value(value, "low"), "ffr_high": _value(value, "high"), "ffr_delta": _value(value, "delta")}


def _parquet(frame, entries: Sequence[Entry]) -> bytes:
    """With unit and definition of each column in the file's own schema."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    for position, (field, one) in enumerate(zip(table.schema, entries, strict=True)):
        described = field.with_metadata({"unit": one.unit, "definition": one.definition, "levels": one.levels})
        table = table.cast(table.schema.set(position, described))
    stream = io.BytesIO()
    parquet.write_table(table, stream)
    return stream.getvalue()
