"""FHIR, HL7 v2 and the CSV row of a case: valid by their libraries, with the values of findings.json and the report's own PDF."""

import base64
import csv
import json

from fhir.resources.R4B.bundle import Bundle
from hl7apy.parser import parse_message

from ccta.case import Case
from ccta.findings import Findings
from ccta.flat import patient_row
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
    assert row["cad_rads_text"] == "3/P2/HRP/I+" and float(row["ffr_lowest"]) == 0.74 and float(row["stenosis_pct_LAD"]) == 62


def test_every_patient_has_the_same_columns():
    full, empty = patient_row(example_findings()), patient_row(Findings())
    assert list(full) == list(empty) and empty["calcium_agatston"] is None and full["calcium_agatston"] == 187
