"""SNOMED CT terms, as value and meaning, of what DICOM objects say about the coronary arteries: written by `report`, read back by `reading`. Values only."""

VESSELS = {
    "LM": ("3227004", "Left Main Coronary Artery"),
    "LAD": ("59438005", "Left Anterior Descending Coronary Artery"),
    "LCx": ("57396003", "Circumflex Coronary Artery"),
    "RCA": ("13647002", "Right Coronary Artery"),
}
SEGMENTS = {
    1: ("91083009", "Proximal Right Coronary Artery"),
    2: ("450960006", "Mid Right Coronary Artery"),
    3: ("41879009", "Distal Right Coronary Artery"),
    4: ("53655008", "Posterior Descending Right Coronary Artery"),
    5: VESSELS["LM"],
    6: ("68787002", "Proximal Left Anterior Descending Coronary Artery"),
    7: ("91748002", "Mid Left Anterior Descending Coronary Artery"),
    8: ("36672000", "Distal Left Anterior Descending Coronary Artery"),
    9: ("91750005", "1st Diagonal Coronary Artery"),
    10: ("91751009", "2nd Diagonal Coronary Artery"),
    11: ("52433000", "Proximal Circumflex Coronary Artery"),
    12: ("91754001", "1st Marginal Coronary Artery"),
    13: ("6511003", "Distal Circumflex Coronary Artery"),
    14: ("91755000", "2nd Marginal Coronary Artery"),
    15: ("91760001", "Left Posterior Descending Circumflex Coronary Artery"),
    16: ("17269004", "Posterolateral branch of right Coronary Artery"),
    17: ("244252004", "Intermediate Artery (Ramus)"),
    18: ("57823005", "Left Posterolateral Circumflex Coronary Artery"),
}
"""SCCT segment -> its artery (CID 3015)."""

STENOSIS = ("415582006", "stenosis")
CALCIFICATION = ("237897009", "Vascular Calcification")
DIAMETER_STENOSIS = ("408715008", "Lumen Diameter Stenosis")
LESION_LENGTH = ("408716009", "Stenotic Lesion Length")
BEFORE_THROAT = ("ProximalLength", "Length of the lesion before its narrowest place")
"""Of our own scheme."""
CALCIUM_SCORE = ("450360000", "Coronary artery calcium score")
MAKER, MODEL = "Coronary CT workstation", "ccta"
"""How our objects name this software."""
