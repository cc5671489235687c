"""The report for hospital systems that do not read DICOM: FHIR R4 (DiagnosticReport, ImagingStudy, Observations) and HL7 v2.5.1 ORU^R01, each with the PDF."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from datetime import date, datetime

from fhir.resources.R4B.bundle import Bundle
from hl7apy.core import Message, Segment

from ccta.case import Case
from ccta.errors import BadInput
from ccta.findings import Findings
from ccta.model import SEGMENTS, Unavailable
from ccta.reader_report import SignedVersion
from ccta.report import signing
from ccta.report.blocks import ReportContent
from ccta.source_series import SourceSeries

UCUM = "http://unitsofmeasure.org"
IMAGING = {"coding": [{"system": "http://loinc.org", "code": "18748-4", "display": "Diagnostic imaging study"}]}
SEX = {"M": "male", "F": "female", "O": "other"}


@dataclass(frozen=True)
class Exchanged:
    """What is told of a case. signed: the version that the report is, None for a draft."""

    findings: Findings
    content: ReportContent
    pdf: bytes
    signed: SignedVersion | None
    at: datetime
    source: SourceSeries | None

    @property
    def values(self) -> list[tuple[str, str, float | str, str]]:
        """(code of ours, words, value, UCUM unit or "") of the numbers that a hospital system keeps."""
        found, rows = self.findings, []
        if found.cad_rads:
            rows.append(("CADRADS", "CAD-RADS 2.0", found.cad_rads.text, ""))
        if found.calcium:
            rows.append(("AGATSTON", "Agatston score", found.calcium.agatston, "1"))
        if found.plaque:
            rows.append(("PLAQUE", "Total plaque volume", found.plaque.total_mm3, "mm3"))
        for index, one in enumerate(found.stenoses or (), 1):
            place = SEGMENTS.get(one.segment, (one.vessel,))[0]
            rows.append((f"STENOSIS{index}", f"Diameter stenosis {place}", one.diameter_pct, "%"))
        for vessel, read in (found.ffr.vessels if found.ffr else {}).items():
            if not isinstance(read.ffr, Unavailable):
                rows.append((f"FFR{vessel.upper()}", f"Computed FFR {vessel}", read.ffr, "1"))
        return [(code, words, round(value, 3) if isinstance(value, float) else value, unit) for code, words, value, unit in rows]


def exchanged(case: Case) -> Exchanged:
    """What a case has to tell. MissingStage where it has no report, BadInput where that is damaged."""
    pdf, content = case.require("report_pdf").read_bytes(), case.require("report_content")
    signed = signing.signed_as(case)
    path = signing.version_folder(case, signed.number) / signing.CONTENT if signed else content
    try:
        read = ReportContent.from_json(path.read_text())
    except (ValueError, KeyError) as error:
        raise BadInput(f"{path} is damaged; make it again with `ccta report {case.root}`") from error
    source = case.read_source("source") if case.path("source").exists() else None
    return Exchanged(case.findings(), read, pdf, signed, signing.report_time(case), source)


def fhir_bundle(case: Case) -> str:
    """A FHIR R4 collection bundle as JSON, valid by fhir.resources' models."""
    told = exchanged(case)
    name = lambda part: f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{told.findings.patient.study_uid} {part}')}"  # noqa: E731
    observations = [_observation(told, name("patient"), row) for row in told.values]
    resources = {"patient": _patient(told), "study": _study(told, name("patient")), **{f"observation {i}": one for i, one in enumerate(observations)}}
    resources["report"] = _report(told, name, len(observations))
    entries = [{"fullUrl": name(part), "resource": resource} for part, resource in resources.items()]
    return Bundle.model_validate({"resourceType": "Bundle", "type": "collection", "timestamp": told.at.isoformat(), "entry": entries}).model_dump_json(indent=1)


def _patient(told: Exchanged) -> dict:
    patient = told.findings.patient
    family, _, given = patient.name.split("=")[0].partition("^")
    names = [{"text": told.content.patient[0][1], **({"family": family} if family else {}), **({"given": given.split("^")[:1]} if given else {})}]
    found = {"resourceType": "Patient", "identifier": [{"value": patient.id or "unknown"}], "name": names, "gender": SEX.get(patient.sex, "unknown")}
    born = _day(told.source["PatientBirthDate"]) if told.source else None
    return found | ({"birthDate": born} if born else {})


def _study(told: Exchanged, patient: str) -> dict:
    found = told.findings.patient
    study = {"resourceType": "ImagingStudy", "status": "available", "subject": {"reference": patient}}
    if found.study_uid:
        study["identifier"] = [{"system": "urn:dicom:uid", "value": f"urn:oid:{found.study_uid}"}]
    if _day(found.study_date):
        study["started"] = _day(found.study_date)
    if told.source:
        uid, count = told.source["SeriesInstanceUID"], len(told.source.slices)
        modality = {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}
        study |= {"numberOfSeries": 1, "numberOfInstances": count, "series": [{"uid": uid, "modality": modality, "numberOfInstances": count}]}
    return study


def _observation(told: Exchanged, patient: str, row: tuple) -> dict:
    code, words, value, unit = row
    coded = {"coding": [{"system": "urn:ccta:99CCTA", "code": code, "display": words}], "text": words}
    found = {"resourceType": "Observation", "status": _status(told), "code": coded, "subject": {"reference": patient}}
    return found | ({"valueString": value} if isinstance(value, str) else {"valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit}})


def _report(told: Exchanged, name, observations: int) -> dict:
    return {
        "resourceType": "DiagnosticReport",
        "status": _status(told),
        "code": IMAGING,
        "subject": {"reference": name("patient")},
        "issued": told.at.isoformat(),
        "imagingStudy": [{"reference": name("study")}],
        "result": [{"reference": name(f"observation {i}")} for i in range(observations)],
        "conclusion": "\n".join((*told.content.impression, told.content.status.sentence, told.content.footer)),
        "presentedForm": [{"contentType": "application/pdf", "data": base64.b64encode(told.pdf).decode(), "title": told.content.title}],
        **({"resultsInterpreter": [{"display": told.signed.by}]} if told.signed else {}),
    }


def _status(told: Exchanged) -> str:
    return "final" if told.signed else "preliminary"


def _day(text: str) -> str | None:
    """YYYYMMDD as YYYY-MM-DD, None for anything else."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])).isoformat() if text.isdecimal() and len(text) == 8 else None
    except ValueError:
        return None


def hl7_oru(case: Case) -> str:
    """An HL7 v2.5.1 ORU^R01 (segments end with a carriage return): impression as text, numbers, the PDF in base64. Valid by hl7apy."""
    told = exchanged(case)
    message, stamp, patient = Message("ORU_R01", version="2.5.1"), told.at.strftime("%Y%m%d%H%M%S"), told.findings.patient
    control = uuid.uuid5(uuid.NAMESPACE_OID, f"{patient.study_uid} {told.at.isoformat()}").hex[:20]
    header = {"msh_3": "CCTA", "msh_7": stamp, "msh_9": "ORU^R01^ORU_R01", "msh_10": control, "msh_11": "P", "msh_12": "2.5.1", "msh_18": "UNICODE UTF-8"}
    _fill(message.msh, header)
    result = message.add_group("ORU_R01_PATIENT_RESULT")
    person = result.add_group("ORU_R01_PATIENT").add_segment("PID")
    _fill(person, {"pid_1": "1", "pid_8": patient.sex or "U"})
    person.pid_3.cx_1 = _escaped(patient.id or "unknown")
    parts = patient.name.split("=")[0].split("^")
    person.pid_5.xpn_1.fn_1 = _escaped(parts[0] or "unknown")
    if len(parts) > 1:
        person.pid_5.xpn_2 = _escaped(parts[1])
    order = result.add_group("ORU_R01_ORDER_OBSERVATION")
    request = order.add_segment("OBR")
    _fill(request, {"obr_1": "1", "obr_3": _escaped(patient.accession_number or control), "obr_22": stamp, "obr_25": "F" if told.signed else "P"})
    request.obr_4 = "18748-4^Diagnostic imaging study^LN"
    for index, (kind, code, value, unit) in enumerate(_observed(told), 1):
        segment = order.add_group("ORU_R01_OBSERVATION").add_segment("OBX")
        _fill(segment, {"obx_1": str(index), "obx_2": kind, "obx_3": code, "obx_11": "F" if told.signed else "P", **({"obx_6": unit} if unit else {})})
        segment.obx_5 = value
    message.validate()
    return message.to_er7()


def _observed(told: Exchanged):
    """(type, code, value, unit) of each OBX."""
    words = (*told.content.impression, told.content.status.sentence, told.content.footer)
    yield from (("TX", "19005-8^Impressions^LN", _escaped(text), "") for text in words)
    for code, text, value, unit in told.values:
        number = not isinstance(value, str)
        yield "NM" if number else "ST", f"{code}^{_escaped(text)}^99CCTA", f"{value:g}" if number else _escaped(value), f"{unit}^^UCUM" if unit else ""
    yield "ED", "18748-4^Diagnostic imaging study^LN", f"CCTA^application^pdf^Base64^{base64.b64encode(told.pdf).decode()}", ""


def _fill(segment: Segment, values: dict[str, str]) -> None:
    for field, value in values.items():
        setattr(segment, field, value)


def _escaped(text: str) -> str:
    """HL7's own delimiters in text (2.5.1, chapter 2.7)."""
    for mark, code in (("\\", "E"), ("|", "F"), ("^", "S"), ("&", "T"), ("~", "R")):
        text = text.replace(mark, f"\\{code}\\")
    return text.replace("\n", " ").replace("\r", " ")
