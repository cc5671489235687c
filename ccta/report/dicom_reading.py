"""Measurements of an SR (TID 1500), ours or another program's, as plain numbers."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset, dcmread

from ccta.errors import BadInput

GROUP, IDENTIFIER = "125007", "112039"
"""DCM codes: measurement group, tracking identifier."""


def measurements_of(path: Path) -> dict[str, dict[str, float]]:
    """Tracking identifier of each measurement group -> {meaning of the concept: value}. BadInput for a file that is no such report."""
    try:
        report = dcmread(path)
    except Exception as error:  # pydicom raises what it meets in a damaged file
        raise BadInput(f"{path} cannot be read as a DICOM report ({' '.join(str(error).split())[:150]}); export it again") from error
    if report.get("Modality") != "SR":
        raise BadInput(f"{path} is DICOM of modality {report.get('Modality', 'unknown')}, not a structured report")
    groups = {}
    for group in _found(report, GROUP):
        name = next((str(item.TextValue) for item in group.ContentSequence if _code(item) == IDENTIFIER), f"group {len(groups) + 1}")
        numbers = [item for item in group.ContentSequence if item.ValueType == "NUM" and item.get("MeasuredValueSequence")]
        groups[name] = {item.ConceptNameCodeSequence[0].CodeMeaning: float(item.MeasuredValueSequence[0].NumericValue) for item in numbers}
    return groups


def _found(item: Dataset, code: str) -> list[Dataset]:
    """All content items of a concept below `item`."""
    below = item.get("ContentSequence") or []
    return [found for child in below for found in ([child] if _code(child) == code else _found(child, code))]


def _code(item: Dataset) -> str:
    concept = item.get("ConceptNameCodeSequence")
    return str(concept[0].get("CodeValue", "")) if concept else ""
