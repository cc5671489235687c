"""Findings as a Comprehensive 3D SR after TID 1500: a measurement group per patient, vessel, segment and stenosis, coded, with UCUM units.

What has a place in the patient carries it (SCOORD3D), so that `ccta.reading.structured_reports` finds it again: a stenosis the lumen's outline at its
narrowest, or that point alone where no outline is known; a segment a point of it; a calcium lesion its outlines in the slices that were scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from highdicom import sr
from pydicom import Dataset
from pydicom.sr.coding import Code

from ccta.findings import CalciumLesion, Findings, PlaqueVolumes, Stenosis
from ccta.model import SEGMENTS, VESSELS, Unavailable
from ccta.reader_report import SignedVersion
from ccta.report import dicom_codes as codes
from ccta.report.dicom_origin import SERIAL, Origin, finished
from ccta.report.dicom_places import Places
from ccta.report.lesion_flow import lesion_ffr
from ccta.terms import MAKER, MODEL

PLAUSIBLE_EDGE = 3  # corners that make an outline


@dataclass(frozen=True)
class Amended:
    """A signed report with addenda. previous: the SR that this one takes the place of. addenda: all so far, in their order."""

    previous: Dataset
    addenda: tuple[SignedVersion, ...]


def report_sr(origin: Origin, findings: Findings, places: Places, signed: SignedVersion | None, amended: Amended | None = None) -> sr.Comprehensive3DSR:
    """The SR of a case. signed: verified by that reader, else preliminary. amended: the same content with its addenda, which follows another instance.

    Every version is an instance of its own in one series, and names the one that it takes the place of. All are of one study: no identical documents.
    """
    groups = [*_patient_group(origin, findings), *_vessel_groups(origin, findings), *_segment_groups(origin, findings, places)]
    groups += [*_stenoses(origin, findings, places), *_calcium(origin, findings, places)]
    content = sr.MeasurementReport(_observer(origin), codes.PROCEDURE, groups, title=codes.REPORT_TITLE)
    if amended:
        content[0].ContentSequence.extend(_addendum(one) for one in amended.addenda)
    verifiers = [*([signed] if signed else []), *(amended.addenda if amended else ())]
    told = [findings.model_dump_json(), places.digest(), *((one.number, one.at, one.text) for one in verifiers)]
    verified = {"is_verified": True, "verifying_observer_name": signed.by, "verifying_organization": "not given"} if signed else {}
    document = sr.Comprehensive3DSR(
        evidence=[*origin.datasets, *_scored(origin, places)],
        content=content[0],
        is_complete=True,
        is_final=signed is not None,
        previous_versions=[amended.previous] if amended else None,
        **verified,
        **origin.labelled("measurements", 4, "Measurements", *told) | {"instance_number": amended.addenda[-1].number if amended else 1},
    )
    if verifiers:
        document.VerifyingObserverSequence = [_verifier(document.VerifyingObserverSequence[0], one) for one in verifiers]
    return finished(document, origin)


def _scored(origin: Origin, places: Places) -> list[Dataset]:
    """The slices that calcium was scored in, where they are of another series."""
    source = places.calcium_source
    return replace(origin, source=source).datasets if source and source["SeriesInstanceUID"] != origin.source["SeriesInstanceUID"] else []


def earlier_uid(origin: Origin, findings: Findings, places: Places, signed: SignedVersion) -> str:
    """The instance UID of a signed SR as it was made before SRs told the places of segments and calcium (version 0.1.0)."""
    return origin.uid("instance", "measurements", findings.model_dump_json(), repr(sorted(places.throats)), signed.at)


def _observer(origin: Origin) -> sr.ObservationContext:
    named = {"name": MAKER, "manufacturer_name": MAKER, "model_name": MODEL, "serial_number": SERIAL}
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(codes_device(), sr.DeviceObserverIdentifyingAttributes(origin.uid("device"), **named))
    )


def _addendum(version: SignedVersion) -> sr.TextContentItem:
    """Its words, who signed them and when."""
    item = sr.TextContentItem(codes.ADDENDUM, version.text, sr.RelationshipTypeValues.CONTAINS)
    item.ObservationDateTime = _moment(version)
    item.ContentSequence = [sr.PnameContentItem(codes.OBSERVER_NAME, version.by, sr.RelationshipTypeValues.HAS_OBS_CONTEXT)]
    return item


def _verifier(first: Dataset, version: SignedVersion) -> Dataset:
    item = deepcopy(first)
    item.VerifyingObserverName, item.VerificationDateTime = version.by, _moment(version)
    return item


def _moment(version: SignedVersion) -> str:
    return datetime.fromisoformat(version.at).astimezone().strftime("%Y%m%d%H%M%S")


def codes_device() -> Code:
    return Code("121007", "DCM", "Device")


def number(name: Code, value, unit: Code, **more) -> list[sr.Measurement]:
    """One measurement, none for what is not available."""
    return [] if isinstance(value, Unavailable) else [sr.Measurement(name, round(float(value), 4), unit, **more)]


def _group(origin: Origin, identifier: str, site: Code, measurements: list, evaluations: list = ()) -> list[sr.MeasurementsAndQualitativeEvaluations]:
    """A group without a place of its own (TID 1501); none where nothing was measured."""
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


def _segment_groups(origin: Origin, findings: Findings, places: Places) -> list:
    """Every segment of the tree, the healthy ones too, at a point of it."""
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
        name, point = f"Segment {segment.id} {segment.name}", places.segments.get(segment.id)
        if point is None:
            groups += _group(origin, name, codes.SEGMENT[segment.id], values)
        else:
            groups.append(_placed(origin, name, codes.SEGMENT[segment.id], values, [point[None]]))
    return groups


def _stenoses(origin: Origin, findings: Findings, places: Places) -> Iterator:
    flow = lesion_ffr(findings)
    for index, one in enumerate(findings.stenoses or ()):
        site = codes.SEGMENT.get(one.segment, codes.VESSEL[one.vessel])
        outline, point = places.throats.get(index), np.array([one.center_mm])
        place = point if outline is None or len(outline) < PLAUSIBLE_EDGE else np.vstack([outline, outline[:1]])
        name = f"Stenosis {index + 1} {SEGMENTS.get(one.segment, (one.vessel,))[0]}"
        yield _placed(origin, name, site, [*_degree(one), *_lesion_flow(flow[index])], [place], codes.STENOSIS)


def _calcium(origin: Origin, findings: Findings, places: Places) -> Iterator:
    """The lesions that count. Placed in the series that was scored, which may have a frame of reference of its own."""
    scored = replace(origin, source=places.calcium_source) if places.calcium_source else None
    for lesion in findings.calcium.lesions if findings.calcium and scored else ():
        outlines = places.calcium.get(lesion.id) or [np.array([lesion.center_mm])]
        yield _placed(scored, f"Calcium {lesion.id} {lesion.vessel}", codes.VESSEL[lesion.vessel], _score(lesion), outlines, codes.CALCIFICATION)


def _score(lesion: CalciumLesion) -> list:
    return [
        *number(codes.CALCIUM_SCORE, lesion.agatston, codes.NO_UNITS, method=codes.AGATSTON),
        *number(codes.CALCIUM_VOLUME, lesion.volume_mm3, codes.MM3),
        *number(codes.CALCIUM_MASS, lesion.mass_mg, codes.MG),
        *number(codes.ATTENUATION, lesion.peak_hu, codes.HU, derivation=codes.MAXIMUM),
    ]


def _placed(origin: Origin, name: str, site: Code, measurements: list, places_mm: list[np.ndarray], finding: Code | None = None):
    """A group with its place in the patient: a point or one outline (TID 1410), or several outlines (TID 1411)."""
    frame, kind = origin.source["FrameOfReferenceUID"], "POINT" if len(places_mm[0]) == 1 else "POLYGON"
    shared = {"finding_type": finding, "finding_sites": [sr.FindingSite(site)], "measurements": measurements}
    tracking = sr.TrackingIdentifier(origin.uid("group", name, *(place.tobytes() for place in places_mm)), name)
    if len(places_mm) == 1:
        return sr.PlanarROIMeasurementsAndQualitativeEvaluations(tracking, sr.ImageRegion3D(kind, places_mm[0], frame), **shared)
    series = sr.SourceSeriesForSegmentation(origin.source["SeriesInstanceUID"])
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking, referenced_volume_surface=sr.VolumeSurface(kind, places_mm, frame, source_series=series), **shared
    )


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
        *number(codes.BEFORE_THROAT, one.position_mm - one.entry_mm, codes.MM),
    ]


def _lesion_flow(read) -> list:
    return [] if isinstance(read, Unavailable) else [*_ffr(read.ffr, read.low, read.high), *number(codes.FFR_DELTA, read.delta, codes.NO_UNITS)]
