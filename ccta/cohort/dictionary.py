"""The data dictionary of the cohort tables: name, type, unit, definition and levels of each column, from the docstrings of the findings where they have one."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from ccta import findings
from ccta.cohort.table import COLUMNS

UNITS = {"mm": "mm", "mm2": "mm²", "mm3": "mm³", "hu": "HU", "pct": "%", "mg": "mg", "g": "g", "ml": "mL", "mmhg": "mmHg", "min": "min", "years": "years"}
SPECIAL_UNITS = {"flow_ml_min": "mL/min", "heart_rate_bpm": "1/min", "height_cm": "cm", "weight_kg": "kg", "seconds": "s"}

WORDS = {
    "id": "Name of the study in the cohort.",
    "status": "How the case ended: done, failed, running or waiting.",
    "reason": "Why the case failed.",
    "sex": "Patient's sex as in the image's header.",
    "age_years": "Patient's age at the study.",
    "study_date": "Date of the study as in the image's header.",
    "kvp": "Tube voltage of the CCTA series, kV.",
    "kernel": "Reconstruction kernel of the CCTA series.",
    "noise_hu": "Image noise of the CCTA in the aorta.",
    "snr": "Mean CT number of the aorta over the noise there.",
    "cnr": "Contrast-to-noise ratio of the CCTA.",
    "aorta_hu": "Mean CT number in the ascending aorta.",
    "agatston": "Agatston score from the series without contrast: of the patient, or of the vessel.",
    "calcium_volume_mm3": "Volume of coronary calcium.",
    "calcium_mass_mg": "Mass of coronary calcium; see the report for its calibration.",
    "cac_drs": "CAC-DRS category.",
    "dominance": "Coronary dominance.",
    "cad_rads": "CAD-RADS 2.0 with plaque burden and modifiers.",
    "cad_rads_category": "CAD-RADS 2.0 category, 0-5, 4A, 4B or N.",
    "plaque_burden": "CAD-RADS 2.0 plaque burden, P1-P4.",
    "sis": "Segment involvement score.",
    "sss": "Segment stenosis score.",
    "leiden": "Leiden CTA risk score.",
    "lv_mass_g": "Left ventricular myocardial mass.",
    "lv_edv_ml": "Left ventricular volume in the phase of the scan.",
    "eat_ml": "Epicardial fat volume.",
    "plaque_total_mm3": "Plaque volume of all components.",
    "plaque_calcified_mm3": "Volume of calcified plaque.",
    "plaque_noncalcified_mm3": "Volume of non-calcified plaque.",
    "plaque_low_attenuation_mm3": "Volume of low-attenuation plaque.",
    "pav_pct": "Percent atheroma volume.",
    "plaque_stage": "Plaque stage by total volume.",
    "stenoses": "How many stenoses were found.",
    "max_diameter_stenosis_pct": "Largest diameter stenosis found; 0 where the arteries were measured and none was found.",
    "ffr": "FFR from CT: of the vessel where it is read, behind the lesion, or the patient's lowest.",
    "ffr_low": "Lower end of the 90 % interval of FFR.",
    "ffr_high": "Upper end of the 90 % interval of FFR.",
    "ffr_delta": "Drop of FFR across the vessel or lesion.",
    "ffr_at_mm": "Where the vessel's FFR was read, along its branch from its origin.",
    "ffr_model": "Flow model of the FFR.",
    "pa_mmhg": "Mean aortic pressure that the flow was solved with.",
    "flow_ml_min": "Total hyperaemic coronary flow.",
    "fai_hu": "Fat attenuation index about the vessel.",
    "vessel": "Artery: left main, left anterior descending, circumflex or right.",
    "segment": "SCCT segment, 1-18.",
    "segment_name": "Short name of the SCCT segment.",
    "quality": "Image quality of the segment.",
    "lesion": "Number of the lesion in findings.json, from 0.",
    "plaque_type": "Type of the lesion's plaque.",
    "high_risk": "High-risk features of the lesion, separated by semicolons.",
    "diameter_low_pct": "Lower end of the 90 % interval of the diameter stenosis.",
    "diameter_high_pct": "Upper end of the 90 % interval of the diameter stenosis.",
    "quality_verdict": "What is wrong with the image for each task; empty where it is good for all.",
    "diameter_pct": "Diameter stenosis: how far the minimal lumen is narrower than the healthy reference there.",
    "area_pct": "Area stenosis.",
    "mld_mm": "Minimal lumen diameter, of the circle with the lumen's area.",
    "mla_mm2": "Minimal lumen area.",
    "reference_diameter_mm": "Healthy diameter expected at the minimal lumen from the vessel's taper.",
    "length_mm": "Length along the vessel: of the segment, or of the lesion from entry to exit.",
    "mean_diameter_mm": "Mean lumen diameter of the segment.",
    "missing": "Sections that could not be measured, each with its reason.",
    "program": "Version of the workstation that made the findings.",
    "provenance": "SHA-256 (first 16 digits) of the hashes, settings and versions of every stage in case.json: equal where computed equally from equal images.",
}
FIELDS = {"lesion": findings.Stenosis, "segment": findings.Segment, "patient": findings.Quality, "vessel": findings.VesselFfr}
LEVELS = {
    "vessel": "LM, LAD, LCx, RCA",
    "sex": "M, F, O",
    "status": "done, failed, running, waiting",
    "dominance": "right, left, co-dominant, unknown",
    "cad_rads_category": "0, 1, 2, 3, 4A, 4B, 5, N",
    "quality": "1 non-diagnostic, 2 poor, 3 adequate, 4 good, 5 excellent",
    "ffr_model": "rom, 3d, pulsatile, 3d-pulsatile",
}


@dataclass(frozen=True)
class Entry:
    """One column of one table."""

    table: str
    name: str
    kind: str
    unit: str
    definition: str
    levels: str


def entry_of(table: str, name: str, kind: str) -> Entry:
    """What is known of a column."""
    return Entry(table, name, kind, unit_of(name), definition_of(table, name), LEVELS.get(name, ""))


def unit_of(name: str) -> str:
    """The unit that stands in a column's name, "" for none."""
    return SPECIAL_UNITS.get(name) or UNITS.get(name.rsplit("_", 1)[-1], "")


def definition_of(table: str, name: str) -> str:
    """From the words here, the docstring of the field in the findings, or the cohort's own columns."""
    if name in WORDS:
        return WORDS[name]
    if name in COLUMNS:
        return f"Given in the cohort's table: {COLUMNS[name].what}."
    if name.startswith("note."):
        return "Given in the cohort's table by the researcher."
    said = field_docs(FIELDS[table]).get(name, "")
    return said or re.sub(r"_(mm3|mm2|mm|hu|pct|mg|ml|g)$", "", name).replace("_", " ").capitalize() + "."


@lru_cache
def field_docs(model: type) -> dict[str, str]:
    """{field: the string that stands under it in the class}."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0].body
    said = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            said[field.target.id] = " ".join(str(text.value.value).split())
    return said


def as_markdown(entries: Sequence[Entry]) -> str:
    """The dictionary as a page, a table per level."""
    blocks = ["# Data dictionary\n\nOne row per patient, vessel, segment or lesion; `id` joins the tables. An empty cell: not measured (see `missing`).\n"]
    for table in dict.fromkeys(one.table for one in entries):
        rows = "".join(f"| {e.name} | {e.kind} | {e.unit} | {e.definition} | {e.levels} |\n" for e in entries if e.table == table)
        blocks.append(f"## {table}\n\n| column | type | unit | definition | levels |\n|---|---|---|---|---|\n{rows}")
    return "\n".join(blocks)
