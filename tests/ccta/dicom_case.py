"""The viewer's small made-up case, as if read from DICOM files of a patient with a Chinese name, with its report."""

from pathlib import Path

import numpy as np

from ccta.case import Case
from ccta.findings import Calcium, CalciumLesion, Patient
from ccta.model import Volume
from ccta.pipeline import STAGES
from ccta.runner import run_stages, select
from ccta.settings import Settings
from ccta.source_series import SourceSeries, SourceSlice
from tests.viewer.small_case import AFFINE, SHAPE, write_small_case

NAME = "Wang^XiaoDong=王^小东="
STUDY, FRAME = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.3"


def source(series: str = "1.2.826.0.1.3680043.8.498.2", slices: int = SHAPE[2], step_mm: float = 0.5) -> SourceSeries:
    """Axial slices on the small case's grid."""
    header = {
        "PatientID": "P-1", "PatientName": NAME, "PatientBirthDate": "19600229", "PatientSex": "M", "StudyInstanceUID": STUDY, "StudyDate": "20260314",
        "StudyTime": "101500", "StudyID": "7", "AccessionNumber": "A7731", "StudyDescription": "冠状动脉CT", "SeriesInstanceUID": series, "Modality": "CT",
        "FrameOfReferenceUID": FRAME,
    }  # fmt: skip
    corner = AFFINE[:3, 3]
    ct = "1.2.840.10008.5.1.4.1.1.2"
    stack = [
        SourceSlice(sop_class_uid=ct, sop_instance_uid=f"{series}.{k + 1}", position_mm=(corner[0], corner[1], corner[2] + k * step_mm)) for k in range(slices)
    ]
    return SourceSeries(header=header, rows=SHAPE[1], columns=SHAPE[0], orientation=((1, 0, 0), (0, 1, 0)), pixel_spacing_mm=(0.5, 0.5), slices=stack)


def write_dicom_case(root: Path) -> Case:
    """Heart, arteries, plaque and calcium as blocks of labels; stenoses, FFR and pictures of the small case."""
    write_small_case(root)
    case = Case.open(root)
    case.write_source("source", source())
    labels = np.zeros(SHAPE, np.uint8)
    for value in range(1, 9):
        labels[5 * value : 5 * value + 4, 20:40, 10:30] = value
    case.write_volume("heart", Volume(labels, AFFINE))
    case.write_volume("coronary", Volume(((labels == 1) + 2 * (labels == 2)).astype(np.uint8), AFFINE))
    case.write_volume("plaque", Volume(np.where(labels >= 3, labels - 2, 0).clip(0, 4).astype(np.uint8), AFFINE))
    case.write_source("calcium_source", source("1.2.826.0.1.3680043.8.498.9", 14, 3.0))
    thick = AFFINE @ np.diag([1, 1, 6, 1])
    spots = np.zeros((*SHAPE[:2], 14), np.uint8)
    spots[30:33, 30:33, 5], spots[50:53, 30:33, 6] = 1, 2
    case.write_volume("calcium_labels", Volume(spots, thick))
    spot = {"agatston": 20.0, "volume_mm3": 9.0, "mass_mg": 4.0, "peak_hu": 350.0, "center_mm": (0.0, 0.0, 0.0)}
    lesions = [CalciumLesion(vessel=vessel, id=i, **spot) for i, vessel in ((1, "LAD"), (2, "RCA"))]
    calcium = Calcium(agatston=40.0, volume_mm3=18.0, mass_mg=8.0, vessels={"LM": 0, "LAD": 20, "LCx": 0, "RCA": 20}, lesions=lesions, cac_drs="A1/N2")
    patient = Patient(id="P-1", name=NAME, sex="M", study_date="20260314", accession_number="A7731", study_uid=STUDY)
    case.update_findings(patient=patient, calcium=calcium)
    report(case)
    return case


def report(case: Case) -> None:
    run_stages(case, select(STAGES, ["report"]), Settings(), lambda _: lambda *_: None)
