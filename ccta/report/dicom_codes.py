"""Coded terms of the DICOM objects: SNOMED CT, DICOM and LOINC where they have the concept, else our own scheme 99CCTA. Checked against pydicom's tables."""

from __future__ import annotations

from pydicom.sr.coding import Code

from ccta import terms

OWN = "99CCTA"


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _own(value: str, meaning: str) -> Code:
    return Code(value, OWN, meaning)


ANATOMY, ABNORMAL = _sct("91723000", "Anatomical Structure"), _sct("49755003", "Morphologically Abnormal Structure")
CORONARY = _sct("41801008", "Coronary artery")
VESSEL = {vessel: _sct(*term) for vessel, term in terms.VESSELS.items()}
SEGMENT = {segment: _sct(*term) for segment, term in terms.SEGMENTS.items()}
"""SCCT segment -> its artery (CID 3015)."""

HEART = {
    "lv": _sct("87878005", "Left ventricle"),
    "myocardium": _sct("49848007", "Left Ventricle Myocardium"),
    "rv": _sct("53085002", "Right ventricle"),
    "la": _sct("82471001", "Left atrium"),
    "ra": _sct("73829009", "Right atrium"),
    "aorta": _sct("15825003", "Aorta"),
    "pulmonary_artery": _sct("81040000", "Pulmonary artery"),
    "heart": _sct("80891009", "Heart"),
}
"""Labels of heart.nii.gz; `heart` is what lies inside the pericardium beside the others."""
LUMEN = _sct("91747007", "Lumen of blood vessel")
CALCIFICATION = _sct(*terms.CALCIFICATION)
PLAQUE = {
    "low_attenuation": _dcm("122395", "Necrotic-Lipidic Plaque"),
    "fibro_fatty": _dcm("122394", "Fibro-Lipidic Plaque"),
    "fibrous": _sct("40772000", "Fibrous Plaque"),
    "calcified": CALCIFICATION,
}

MM, MM2, MM3 = Code("mm", "UCUM", "mm"), Code("mm2", "UCUM", "square millimeter"), Code("mm3", "UCUM", "cubic millimeter")
PERCENT, NO_UNITS, HU = Code("%", "UCUM", "Percent"), Code("1", "UCUM", "no units"), Code("[hnsf'U]", "UCUM", "Hounsfield unit")
MG, GRAM, ML, MMHG, ML_MIN = (Code(x, "UCUM", x) for x in ("mg", "g", "ml", "mm[Hg]", "ml/min"))

STENOSIS = _sct(*terms.STENOSIS)
DIAMETER_STENOSIS, AREA_STENOSIS = _sct(*terms.DIAMETER_STENOSIS), _sct("408714007", "Lumen Area Stenosis")
LUMEN_DIAMETER, LUMEN_AREA = _sct("397413000", "Vessel lumen diameter"), _sct("397415007", "Vessel lumen cross-sectional area")
REFERENCE_DIAMETER = _own("ReferenceDiameter", "Reference lumen diameter")
BEFORE_THROAT = _own(*terms.BEFORE_THROAT)
LESION_LENGTH, LENGTH = _sct(*terms.LESION_LENGTH), _sct("410668003", "Length")
MINIMUM, MEAN, MAXIMUM = _sct("255605001", "Minimum"), _sct("373098007", "Mean"), _sct("56851009", "Maximum")
FFR, FFR_CT = _sct("371842003", "Fractional flow reserve"), _own("FFRCT", "Computed from CT angiography")
FFR_DELTA = _own("DeltaFFR", "Fall of FFR across the lesion")
PLAQUE_VOLUME = _dcm("122376", "Total Plaque Volume")
CALCIFIED_VOLUME = _own("CalcifiedPlaqueVolume", "Calcified plaque volume")
NONCALCIFIED_VOLUME = _own("NonCalcifiedPlaqueVolume", "Non-calcified plaque volume")
LOW_ATTENUATION_VOLUME = _own("LowAttenuationPlaqueVolume", "Low-attenuation plaque volume")
PAV = _own("PAV", "Percent atheroma volume")
FAI = _dcm("130408", "Perivascular adipose tissue fat attenuation index")
CALCIUM_SCORE, AGATSTON = _sct(*terms.CALCIUM_SCORE), _dcm("112055", "Agatston scoring method")
ATTENUATION = _dcm("112031", "Attenuation Coefficient")
CALCIUM_VOLUME, CALCIUM_MASS = _dcm("122660", "Calcium Volume"), _dcm("122661", "Calcium Mass")
LV_MASS, LV_EDV = Code("18087-7", "LN", "Left Ventricle Mass"), Code("18026-5", "LN", "Left Ventricular End Diastolic Volume")
LV_EF, EPICARDIAL_FAT = Code("8810-4", "LN", "Left ventricular ejection fraction by CT"), _own("EAT", "Epicardial adipose tissue volume")
QUALITY = _dcm("111029", "Image Quality Rating")

CAD_RADS_NAME = _dcm("130720", "Coronary Artery Disease Assessment")
CAD_RADS = {
    "0": _dcm("130723", "0 - Documented absence of CAD"),
    "1": _dcm("130724", "1 - Minimal non-obstructive CAD"),
    "2": _dcm("130725", "2 - Mild non-obstructive CAD"),
    "3": _dcm("130726", "3 - Moderate stenosis"),
    "4A": _dcm("130728", "4A - Severe stenosis"),
    "4B": _dcm("130729", "4B - Severe stenosis"),
    "5": _dcm("130730", "5 - Total coronary occlusion"),
    "N": _dcm("130731", "N - Non-diagnostic study"),
}
CAD_RADS_MODIFIER_NAME = _dcm("130721", "Coronary Artery Disease Assessment Modifier")
PROCEDURE = _sct("419545005", "CT angiography of coronary arteries")
REPORT_TITLE = _dcm("126000", "Imaging Measurement Report")
ADDENDUM = Code("55107-7", "LN", "Addendum")
OBSERVER_NAME = _dcm("121008", "Person Observer Name")
REJECTED = {"quality": _dcm("113001", "Rejected for Quality Reasons"), "safety": _dcm("113037", "Rejected for Patient Safety Reasons")}
"""Titles of a rejection note (CID 7010, IHE IOCM): a viewer may still show what the first names, and never shows what the second does."""
TITLE_MODIFIER, SUPERSEDED = _dcm("113011", "Document Title Modifier"), _own("SupersededDraft", "Draft, superseded by a signed report")
KEY_OBJECTS = _dcm("113000", "Of Interest")
ALGORITHM_FAMILY = _dcm("123110", "Artificial Intelligence")


def modifier(text: str) -> Code:
    """A CAD-RADS 2.0 modifier or plaque burden (P1-P4, HRP, I+ ...): DICOM's own list is of version 1."""
    return _own(f"CADRADS2-{text}"[:16], f"CAD-RADS 2.0 {text}")
