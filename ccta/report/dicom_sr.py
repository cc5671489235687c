"""Findings as a Comprehensive 3D SR after TID 1500: a measurement group per patient, vessel, segment and stenosis, coded, with UCUM units.

A stenosis carries its place: the lumen's outline at its narrowest (SCOORD3D), or that point alone where no outline is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from highdicom import sr
from pydicom.sr.coding import Code

from ccta.findings import Findings, PlaqueVolumes, Stenosis
from ccta.model import SEGMENTS, VESSELS, Unavailable
from ccta.reader_report import SignedVersion
from ccta.report import dicom_codes as codes
from ccta.report.dicom_origin import MAKER, MODEL, SERIAL, Origin, finished
from ccta.report.lesion_flow import lesion_ffr

PLAUSIBLE_EDGE = 3  # corners that make an outline


def report_sr(origin: Origin, findings: Findings, outlines: Mapping[int, np.ndarray], signed: SignedVersion | None) -> sr.Comprehensive3DSR:
    """The SR of a case. outlines: index of a stenosis -> (N, 3) closed lumen contour at its narrowest, mm. signed: verified by that
    reader, else preliminary.
    """
    observer = sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            codes_device(),
            sr.DeviceObserverIdentifyingAttributes(origin.uid("device"), name=MAKER, manufacturer_name=MAKER, model_name=MODEL, serial_number=SERIAL),
        )
    )
    groups = [*_patient_group(origin, findings), *_vessel_groups(origin, findings), *_segment_groups(origin, findings), *_stenoses(origin, findings, outlines)]
    content = sr.MeasurementReport(observer, codes.PROCEDURE, groups, title=codes.REPORT_TITLE)
    verified = {"is_verified": True, "verifying_observer_name": signed.by, "verifying_organization": "not given"} if signed else {}
    document = sr.Comprehensive3DSR(
        evidence=origin.datasets,
        content=content[0],
        is_complete=True,
        is_final=signed is not None,
        **verified,
        **origin.labelled("measurements", 4, "Measurements", findings.model_dump_json(), repr(sorted(outlines)), signed.at if signed else ""),
    )
    if signed:
        document.VerifyingObserverSequence[0].VerificationDateTime = origin.at.strftime("%Y%m%d%H%M%S")
    return finished(document, origin)


def codes_device() -> Code:
    return Code("121007", "DCM", "Device")


def number(name: Code, value, unit: Code, **more) -> list[sr.Measurement]:
    """One measurement, none for what is not available."""
    return [] if isinstance(value, Unavailable) else [sr.Measurement(name, round(float(value), 4), unit, **more)]


def _group(origin: Origin, identifier: str, site: Code, measurements: list, evaluations: list = ()) -> list[sr.MeasurementsAndQualitativeEvaluations]:
    """A group without a place of its own; none where nothing was measured."""
    if not measurements and not evaluations:
        return []
    return [
        sr.MeasurementsAndQualitativeEvaluations(
            sr.TrackingIdentifier(origin.uid("group", identifier), identifier),
            finding_sites=[sr.FindingSite(site)],
            measurements=measurements or None,
            qualitative_evaluations=list(evaluations) or None,
        )
    ]


def _patient_group(origin: Origin, findings: Findings) -> list:
    values = []
    if findings.calcium:
        values += number(codes.CALCIUM_SCORE, findings.calcium.agatston, codes.NO_UNITS, method=codes.AGATSTON)
        values += number(codes.CALCIUM_VOLUME, findings.calcium.volume_mm3, codes.MM3) + number(codes.CALCIUM_MASS, findings.calcium.mass_mg, codes.MG)
    if findings.plaque:
        values += _plaque(findings.plaque)
    if findings.heart:
        heart = findings.heart
        values += number(codes.LV_MASS, heart.lv_mass_g, codes.GRAM) + number(codes.LV_EDV, heart.lv_edv_ml, codes.ML)
        values += number(codes.LV_EF, heart.lv_ef_pct, codes.PERCENT) + number(codes.EPICARDIAL_FAT, heart.eat_ml, codes.ML)
    verdict = findings.cad_rads
    said = []
    if verdict:
        said.append(sr.QualitativeEvaluation(codes.CAD_RADS_NAME, codes.CAD_RADS[verdict.category]))
        words = [verdict.plaque_burden, *verdict.modifiers]
        said += [sr.QualitativeEvaluation(codes.CAD_RADS_MODIFIER_NAME, codes.modifier(word)) for word in words if word]
    return _group(origin, "Patient", codes.CORONARY, values, said)


def _plaque(volumes: PlaqueVolumes) -> list:
    return [
        *number(codes.PLAQUE_VOLUME, volumes.total_mm3, codes.MM3),
        *number(codes.CALCIFIED_VOLUME, volumes.calcified_mm3, codes.MM3),
        *number(codes.NONCALCIFIED_VOLUME, volumes.noncalcified_mm3, codes.MM3),
        *number(codes.LOW_ATTENUATION_VOLUME, volumes.low_attenuation_mm3, codes.MM3),
        *number(codes.PAV, volumes.pav_pct, codes.PERCENT),
    ]


def _ffr(value, low, high) -> list:
    """FFR with what it may be higher or lower by: the ends of the 90 % interval."""
    known = not any(isinstance(x, Unavailable) for x in (value, low, high))
    spread = (
        sr.MeasurementProperties(upper_measurement_uncertainty=round(high - value, 4), lower_measurement_uncertainty=round(value - low, 4)) if known else None
    )
    return number(codes.FFR, value, codes.NO_UNITS, method=codes.FFR_CT, properties=spread)


def _vessel_groups(origin: Origin, findings: Findings) -> list:
    groups = []
    for vessel in VESSELS:
        values = []
        if findings.calcium and vessel in findings.calcium.vessels:
            values += number(codes.CALCIUM_SCORE, findings.calcium.vessels[vessel], codes.NO_UNITS, method=codes.AGATSTON)
        if findings.plaque and vessel in findings.plaque.vessels:
            values += _plaque(findings.plaque.vessels[vessel])
        if findings.fat and vessel in findings.fat:
            values += number(codes.FAI, findings.fat[vessel].fai_hu, codes.HU)
        if findings.ffr and vessel in findings.ffr.vessels:
            read = findings.ffr.vessels[vessel]
            values += _ffr(read.ffr, read.low, read.high) + number(codes.FFR_DELTA, read.delta, codes.NO_UNITS)
        groups += _group(origin, f"Vessel {vessel}", codes.VESSEL[vessel], values)
    return groups


def _segment_groups(origin: Origin, findings: Findings) -> list:
    """Every segment of the tree, the healthy ones too."""
    groups = []
    for segment in findings.tree.segments if findings.tree else ():
        worst = max((s.diameter_pct for s in findings.stenoses or () if s.segment == segment.id), default=0.0)
        values = number(codes.LENGTH, segment.length_mm, codes.MM)
        values += number(codes.LUMEN_DIAMETER, segment.mean_diameter_mm, codes.MM, derivation=codes.MEAN)
        values += [] if isinstance(findings.stenoses, Unavailable) else number(codes.DIAMETER_STENOSIS, worst, codes.PERCENT)
        if findings.plaque:
            values += _plaque(findings.plaque.segments[segment.id]) if segment.id in findings.plaque.segments else number(codes.PLAQUE_VOLUME, 0.0, codes.MM3)
        if findings.quality and str(segment.id) in findings.quality.segments:
            values += number(codes.QUALITY, findings.quality.segments[str(segment.id)], codes.NO_UNITS)
        groups += _group(origin, f"Segment {segment.id} {segment.name}", codes.SEGMENT[segment.id], values)
    return groups


def _stenoses(origin: Origin, findings: Findings, outlines: Mapping[int, np.ndarray]) -> Iterator:
    flow = lesion_ffr(findings)
    for index, one in enumerate(findings.stenoses or ()):
        name = SEGMENTS.get(one.segment, (one.vessel,))[0]
        yield sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            sr.TrackingIdentifier(origin.uid("group", "stenosis", index, one.center_mm), f"Stenosis {index + 1} {name}"),
            referenced_region=_place(origin, one, outlines.get(index)),
            finding_type=codes.STENOSIS,
            finding_sites=[sr.FindingSite(codes.SEGMENT.get(one.segment, codes.VESSEL[one.vessel]))],
            measurements=[*_degree(one), *_lesion_flow(flow[index])],
        )


def _place(origin: Origin, one: Stenosis, outline: np.ndarray | None) -> sr.ImageRegion3D:
    frame = origin.source["FrameOfReferenceUID"]
    if outline is None or len(outline) < PLAUSIBLE_EDGE:
        return sr.ImageRegion3D("POINT", np.array([one.center_mm]), frame)
    return sr.ImageRegion3D("POLYGON", np.vstack([outline, outline[:1]]), frame)


def _degree(one: Stenosis) -> list:
    interval = one.diameter_pct_interval
    spread = None
    if not isinstance(interval, Unavailable):
        low, high = (abs(round(x - one.diameter_pct, 4)) for x in interval)
        spread = sr.MeasurementProperties(upper_measurement_uncertainty=high, lower_measurement_uncertainty=low)
    return [
        *number(codes.DIAMETER_STENOSIS, one.diameter_pct, codes.PERCENT, properties=spread),
        *number(codes.AREA_STENOSIS, one.area_pct, codes.PERCENT),
        *number(codes.LUMEN_DIAMETER, one.mld_mm, codes.MM, derivation=codes.MINIMUM),
        *number(codes.LUMEN_AREA, one.mla_mm2, codes.MM2, derivation=codes.MINIMUM),
        *number(codes.REFERENCE_DIAMETER, one.reference_diameter_mm, codes.MM),
        *number(codes.LESION_LENGTH, one.length_mm, codes.MM),
    ]


def _lesion_flow(read) -> list:
    return [] if isinstance(read, Unavailable) else [*_ffr(read.ffr, read.low, read.high), *number(codes.FFR_DELTA, read.delta, codes.NO_UNITS)]
