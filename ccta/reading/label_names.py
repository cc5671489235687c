"""A DICOM segmentation, ours or another program's, as the labels of a case: by coded terms, else by the words of its segments' labels."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from pydicom import Dataset

from ccta.errors import BadInput
from ccta.model import CORONARY_LABELS, HEART_LABELS, Volume
from ccta.reading.segmentations import segmented

HEART_CODES = {
    "87878005": "lv", "49848007": "myocardium", "74281007": "myocardium", "53085002": "rv", "82471001": "la", "73829009": "ra", "15825003": "aorta",
    "81040000": "pulmonary_artery", "80891009": "heart",
}  # fmt: skip
"""SNOMED CT, as in CID 7151 and as highdicom, 3D Slicer and TotalSegmentator write them."""
CORONARY_CODES = {"41801008": "lumen", "91747007": "lumen", "237897009": "calcified"}
WORDS = (
    (r"myocard", "heart", "myocardium"),
    (r"left.*ventric|ventric.*left|^lv\b", "heart", "lv"),
    (r"right.*ventric|ventric.*right|^rv\b", "heart", "rv"),
    (r"left.*atri|atri.*left|^la\b", "heart", "la"),
    (r"right.*atri|atri.*right|^ra\b", "heart", "ra"),
    (r"pulmonary.*(artery|trunk)|^pa\b", "heart", "pulmonary_artery"),
    (r"aorta", "heart", "aorta"),
    (r"coronar.*calc|calc.*coronar", "coronary", "calcified"),
    (r"coronar(?!.*plaque)|^lumen$", "coronary", "lumen"),
)
"""Pattern in a segment's label, in lower case -> item of the case, label of it."""


def case_labels(path: Path, image: Volume) -> dict[str, Volume]:
    """Item ("heart", "coronary") -> label map on the image's grid. Segments that a case has no label for are left out. BadInput where none is known."""
    if not path.is_file():
        raise BadInput(f"{path} does not exist; give a DICOM segmentation (SEG)")
    found, seen = {}, []
    for item, labels in (("heart", HEART_LABELS), ("coronary", CORONARY_LABELS)):
        array = segmented(path, image, lambda segment, item=item, labels=labels: _number(segment, item, labels, seen))
        if np.any(array):
            found[item] = image.with_array(array)
    if not found:
        raise BadInput(f"{path} holds no segment of heart or coronary arteries; its segments are {', '.join(dict.fromkeys(seen)) or 'empty'}")
    return found


def _number(segment: Dataset, item: str, labels: dict[str, int], seen: list[str]) -> int:
    """The label of a segment in an item, 0 where it is none of it."""
    name = str(segment.get("SegmentLabel", ""))
    seen.append(name)
    kind = (segment.get("SegmentedPropertyTypeCodeSequence") or [Dataset()])[0]
    code = str(kind.get("CodeValue", "")) if kind.get("CodingSchemeDesignator") == "SCT" else ""
    for owner, codes in (("heart", HEART_CODES), ("coronary", CORONARY_CODES)):
        if code in codes:
            return labels[codes[code]] if owner == item else 0
    words = re.sub(r"[_\-]+", " ", name.lower())
    owner, label = next(((owner, label) for pattern, owner, label in WORDS if re.search(pattern, words)), ("", ""))
    return labels[label] if owner == item else 0
