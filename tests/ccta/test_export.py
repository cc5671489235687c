"""FHIR, HL7 v2 and the CSV row of a case: valid by their libraries, with the values of findings.json and the report's own PDF."""

import base64
import csv
import json

from fhir.resources.R4B.bundle import Bundle
from hl7apy.parser import parse_message

from ccta.case import Case
from ccta.cohort.tables import COLUMNS, NOT_OF_A_CASE, patient_row
from ccta.findings import Findings
from ccta.report import signing
from tests.ccta.dicom_case import report
from tests.ccta.example_findings import HARD_NAME, example_findings
from tests.conftest import run_ccta


def test_a_case_is_exported_and_valid(tmp_path):
    case = Case.create(tmp_path / "case")
    case.write_json("findings", example_findings(HARD_NAME).model_dump_json())
    report(case)
    signing.sign(case, "王医生")
    assert run_ccta("export", case.root, tmp_path / "out", "--fhir", "--hl7", "--csv") == 0
    pdf = case.path("report_pdf").read_bytes()
    bundle = json.loads((tmp_path / "out" / "report.fhir.json").read_text())
    Bundle.model_validate(bundle)
    told = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "DiagnosticReport")
    assert told["status"] == "final" and base64.b64decode(told["presentedForm"][0]["data"]) == pdf and "Research use only" in told["conclusion"]
    assert {e["resource"]["resourceType"] for e in bundle["entry"]} == {"Patient", "ImagingStudy", "Observation", "DiagnosticReport"}
    text = (tmp_path / "out" / "report.hl7").read_bytes().decode()
    message = parse_message(text)
    assert message.validate() and message.msh.msh_9.to_er7() == "ORU^R01^ORU_R01" and "王小明" in text
    assert base64.b64decode(text.split("^Base64^")[1].split("|")[0].strip()) == pdf
    (row,) = csv.DictReader((tmp_path / "out" / "patient.csv").open(encoding="utf-8"))
    assert row["cad_rads"] == "3/P2/HRP/I+" and float(row["ffr"]) == 0.74 and row["patient_id"] == example_findings(HARD_NAME).patient.id
    vessels = {one["vessel"]: one for one in csv.DictReader((tmp_path / "out" / "vessel.csv").open(encoding="utf-8"))}
    assert float(vessels["LAD"]["max_diameter_stenosis_pct"]) == 62 and (tmp_path / "out" / "lesion.csv").exists()


def test_every_patient_has_the_same_columns_which_are_those_of_a_cohort():
    full, empty = patient_row(example_findings()), patient_row(Findings())
    assert list(full) == list(empty) and set(full) == set(COLUMNS["patient"]) - set(NOT_OF_A_CASE)
    assert empty["agatston"] is None and full["agatston"] == 187
