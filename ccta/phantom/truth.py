"""Every number that the report will print, from the analytic geometry: lumen and wall radii, plaque integrals, tissue volumes.

Nothing here looks at an image that our analysis sees. The Agatston score of the analytic calcium is the one that the noiseless imaging system gives:
see `calcium_truth`.
"""

import numpy as np

from ccta import findings
from ccta.coordinates import to_patient_mm
from ccta.findings import CadRads, Fat, Findings, Heart, Patient, Plaque, PlaqueVolumes, Quality, Scores, Segment, Stenosis, Tree, Value
from ccta.model import HEART_LABELS, SEGMENTS, VESSELS, Unavailable
from ccta.phantom import plaques as lesions
from ccta.phantom.calcium_truth import calcium_of
from ccta.phantom.patient import PhantomPatient
from ccta.phantom.scanner import ScannerSpec

GRADED_MM = 1.5
"""Vessels below this diameter are not graded (CAD-RADS 2.0)."""


class TrueBranch(Value):
    """A branch of the true tree, 0.25 mm steps."""

    name: str
    parent: int | None
    parent_distance_mm: float
    segment: list[int]
    points_mm: list[tuple[float, float, float]]
    radius_mm: list[float]
    healthy_radius_mm: list[float]
    wall_radius_mm: list[float]
    wall_offset_mm: list[float]
    wall_angle: list[float]


class Geometry(Value):
    """What made the image: seed, specification and vessels. The outer wall is a circle shifted by wall_offset_mm towards wall_angle."""

    seed: int
    spec: dict
    branches: list[TrueBranch]


class Truth(Findings):
    """findings.json's keys with true values, and the geometry."""

    phantom: Geometry


def truth_of(patient: PhantomPatient, ccta: ScannerSpec, calcium: ScannerSpec | None) -> Truth:
    """The whole truth about one study."""
    stenoses = [stenosis_of(patient, number) for number in range(len(patient.plaques))]
    score = calcium_of(patient, calcium) if calcium else Unavailable("no calcium series was made")
    return Truth(
        patient=Patient(id=f"PHANTOM{patient.seed:04d}", name=f"Phantom^Seed {patient.seed}", sex=patient.spec.sex, age_years=patient.spec.age_years),
        acquisition=acquisition_of(ccta),
        calcium_acquisition=acquisition_of(calcium) if calcium else Unavailable("no calcium series was made"),
        quality=quality_of(patient, ccta),
        calcium=score,
        tree=tree_of(patient),
        stenoses=stenoses,
        plaque=plaque_of(patient),
        fat={
            name: Fat(fai_hu=patient.spec.fat_hu, note="true attenuation of the fat; the scanner's spread raises it beside a vessel")
            for name in ("LAD", "LCx", "RCA")
        },
        cad_rads=cad_rads_of(stenoses, score),
        scores=scores_of(stenoses),
        heart=heart_of(patient),
        ffr=Unavailable("solved separately on the true lumen"),
        phantom=Geometry(seed=patient.seed, spec=as_dict(patient.spec), branches=[branch_of(vessel) for vessel in patient.vessels]),
    )


def acquisition_of(series: ScannerSpec) -> findings.Acquisition:
    """One series as it was ordered."""
    return findings.Acquisition(
        kvp=series.kvp,
        spacing_mm=(series.pixel_mm, series.pixel_mm, series.increment_mm),
        shape=series.shape,
        phase_percent=series.phase_percent,
        contrast=series.contrast,
        gated=True,
    )


def type_of(volumes: dict[str, float]) -> str:
    """By the share of calcium in the plaque's volume: calcified from one half, non-calcified below one fiftieth, mixed between."""
    share = volumes["calcified_mm3"] / volumes["total_mm3"]
    return "calcified" if share >= 0.5 else "non-calcified" if share < 0.02 else "mixed"


def as_dict(spec) -> dict:
    """A specification as plain values."""
    return {name: [vars(plaque) for plaque in value] if name == "plaques" else value for name, value in vars(spec).items()}


def branch_of(vessel) -> TrueBranch:
    branch = vessel.branch
    arrays = {"radius_mm": branch.radius_mm, "healthy_radius_mm": vessel.healthy_radius_mm, "wall_radius_mm": vessel.wall_radius_mm}
    arrays |= {"wall_offset_mm": vessel.offset_mm, "wall_angle": vessel.angle, "points_mm": branch.points_mm}
    lists = {name: np.round(value, 4).tolist() for name, value in arrays.items()}
    return TrueBranch(name=branch.name, parent=branch.parent, parent_distance_mm=branch.parent_distance_mm, segment=branch.segment.tolist(), **lists)


def stenosis_of(patient: PhantomPatient, number: int) -> Stenosis:
    """A plaque's narrowing at its middle, against the healthy calibre there."""
    plaque = patient.plaques[number]
    vessel = patient.vessels[plaque.branch]
    s = vessel.branch.distance_mm
    healthy = float(np.interp(plaque.distance_mm, s, vessel.healthy_radius_mm))
    open_ = 1 - plaque.spec.stenosis_pct / 100
    segment = vessel.branch.segment_at(plaque.distance_mm)
    return Stenosis(
        segment=segment, vessel=SEGMENTS[segment][1], branch=plaque.branch, diameter_pct=plaque.spec.stenosis_pct, area_pct=100 * (1 - open_**2),
        mld_mm=2 * healthy * open_, mla_mm2=np.pi * (healthy * open_) ** 2, reference_diameter_mm=2 * healthy, position_mm=plaque.distance_mm,
        entry_mm=plaque.entry_mm, exit_mm=plaque.exit_mm, length_mm=plaque.spec.length_mm,
        center_mm=tuple(vessel.branch.point_at(plaque.distance_mm).tolist()), diameter_pct_interval=(plaque.spec.stenosis_pct, plaque.spec.stenosis_pct),
        plaque_type={"soft": "non-calcified"}.get(plaque.spec.kind, plaque.spec.kind),
        high_risk=high_risk(plaque.spec),
    )  # fmt: skip


def high_risk(spec: lesions.PlaqueSpec) -> list[str]:
    """Of the four features of CAD-RADS 2.0: low-attenuation plaque, positive remodelling, spotty calcium (no napkin ring is modelled)."""
    spotty = spec.kind == "mixed" and 0.40 * spec.length_mm < 3
    return ["PR"] * (spec.remodelling >= 1.1) + ["LAP"] * (spec.kind != "calcified") + ["SC"] * spotty


def tree_of(patient: PhantomPatient) -> Tree:
    """Segments in the order of their ids, healthy calibre replaced by the true (diseased) lumen."""
    found = []
    for branch in patient.tree:
        for segment in np.unique(branch.segment):
            here = branch.segment == segment
            s, name = branch.distance_mm, SEGMENTS[int(segment)]
            start = tuple(branch.points_mm[np.argmax(here)].tolist())
            length, diameter = float(s[here].max() - s[here].min()), float(2 * branch.radius_mm[here].mean())
            found.append(Segment(id=int(segment), name=name[0], vessel=name[1], length_mm=length, mean_diameter_mm=diameter, ostium_mm=start))
    return Tree(dominance=patient.spec.dominance, segments=sorted(found, key=lambda s: s.id))


def plaque_of(patient: PhantomPatient) -> Plaque:
    """Plaque is everything between lumen and outer wall within a lesion; PAV is of the outer-wall volume of all vessels >= 1.5 mm."""
    parts: dict[str, dict[str, float]] = {}
    for number, plaque in enumerate(patient.plaques):
        vessel = SEGMENTS[plaque.spec.segment][1]
        sums = parts.setdefault(vessel, {"total_mm3": 0.0, "calcified_mm3": 0.0, "low_attenuation_mm3": 0.0})
        volumes = lesions.integrals(patient.vessels[plaque.branch], number)
        for key in sums:
            sums[key] += volumes[key]
    whole = {vessel: vessel_volume(patient, vessel) for vessel in VESSELS}
    vessels = {vessel: volumes_of(sums, whole[vessel]) for vessel, sums in parts.items()}
    total = {key: sum(sums[key] for sums in parts.values()) for key in ("total_mm3", "calcified_mm3", "low_attenuation_mm3")}
    segments = sorted({plaque.spec.segment for plaque in patient.plaques})
    every = volumes_of(total, sum(whole.values()))
    return Plaque(**every.model_dump(), vessels=vessels, stage=stage_of(every.total_mm3, every.pav_pct), segments_with_plaque=segments)


def vessel_volume(patient: PhantomPatient, vessel: str) -> float:
    """mm3 inside the outer wall of one vessel's segments >= 1.5 mm."""
    total = 0.0
    for v in patient.vessels:
        here = np.array([SEGMENTS[int(s)][1] == vessel for s in v.branch.segment]) & (2 * v.healthy_radius_mm >= GRADED_MM)
        total += float(np.sum(np.pi * v.wall_radius_mm**2 * np.gradient(v.branch.distance_mm) * here))
    return total


def volumes_of(sums: dict[str, float], whole_mm3: float) -> PlaqueVolumes:
    pav = 100 * sums["total_mm3"] / whole_mm3 if whole_mm3 else 0.0
    return PlaqueVolumes(**sums, noncalcified_mm3=sums["total_mm3"] - sums["calcified_mm3"], pav_pct=pav)


def stage_of(total_mm3: float, pav_pct: float) -> str:
    """Min et al., JCCT 2022;16:415: TPV 0 / <= 250 / <= 750 / > 750 mm3, PAV 0 / <= 5 / <= 15 / > 15 %; the higher one, both where they differ."""
    names = ("0 (none)", "1 (mild)", "2 (moderate)", "3 (severe)")
    found = {"volume": int(np.searchsorted([0, 250, 750], total_mm3)), "PAV": int(np.searchsorted([0, 5, 15], pav_pct))}
    high, low = ("volume", "PAV") if found["volume"] > found["PAV"] else ("PAV", "volume")
    return names[found[high]] if found[high] == found[low] else f"{names[found[high]]} by {high}; {names[found[low]]} by {low}"


def cad_rads_of(stenoses: list[Stenosis], calcium) -> CadRads:
    """CAD-RADS 2.0 (Cury et al., JCCT 2022;16:536) stated for the true stenoses."""
    graded = [s for s in stenoses if s.reference_diameter_mm >= GRADED_MM]
    worst = max((s.diameter_pct for s in graded), default=0.0)
    severe = {s.vessel for s in graded if s.diameter_pct >= 70}
    left_main = any(s.vessel == "LM" and s.diameter_pct >= 50 for s in graded)
    band = ["0", "1", "2", "3", "4A"][int(np.searchsorted([1e-9, 25, 50, 70], worst, side="right"))]
    category = "4B" if left_main or len(severe) >= 3 else band if stenoses else "0"
    sis = len({s.segment for s in stenoses})
    by_cac = int(np.searchsorted([0, 100, 300, 999], calcium.agatston)) if calcium else 0
    burden = f"P{by_cac or int(np.searchsorted([0, 2, 4, 7], sis))}" if sis else ""
    modifiers = ["HRP"] if any(len(s.high_risk) >= 2 for s in stenoses) else []
    text = "/".join([category, *([burden] if burden else []), *modifiers])
    return CadRads(category=category, plaque_burden=burden, modifiers=modifiers, text=text, because=f"true worst diameter stenosis {worst:.0f} %")


def scores_of(stenoses: list[Stenosis]) -> Scores:
    """Segment involvement and stenosis scores (Min et al., JACC 2007;50:1161): 1 < 50 %, 2 50-69 %, 3 >= 70 %."""
    worst: dict[int, float] = {}
    for s in stenoses:
        worst[s.segment] = max(worst.get(s.segment, 0.0), s.diameter_pct)
    sss = sum(1 + (pct >= 50) + (pct >= 70) for pct in worst.values())
    return Scores(sis=len(worst), sss=sss, leiden=Unavailable("the phantom does not state the Leiden score"))


def quality_of(patient: PhantomPatient, ccta: ScannerSpec) -> Quality:
    """Noise as ordered from the scanner, contrast as ordered from the patient."""
    noise, blood, fat = ccta.noise_hu, patient.spec.blood_hu, patient.spec.fat_hu
    if not noise:
        silent = Unavailable("the scanner was asked for no noise")
        return Quality(noise_hu=0.0, snr=silent, cnr=silent, aorta_hu=blood)
    return Quality(noise_hu=noise, snr=blood / noise, cnr=(blood - fat) / noise, aorta_hu=blood)


def heart_of(patient: PhantomPatient) -> Heart:
    """Volumes of the tissue shapes by a 1 mm lattice (error below 0.5 %): muscle x 1.05 g/mL, LV blood, epicardial fat without vessels."""
    center = patient.anatomy.to_patient[:3, 3] + [-8, -5, 0]
    affine, shape = np.eye(4), (170, 150, 150)
    affine[:3, 3] = np.round(center) - (np.array(shape) - 1) / 2
    labels = patient.heart_labels(affine, shape).array
    ml = {name: float(np.sum(labels == HEART_LABELS[name])) / 1000 for name in ("lv", "myocardium")}
    points = to_patient_mm(np.argwhere(labels == HEART_LABELS["heart"]), affine)
    walls = np.min([patient.anatomy.shapes[f"{name}_outer"](points) for name in ("ra", "la", "rv", "lv", "aorta", "pulmonary_artery")], axis=0)
    vessels = sum(vessel_volume(patient, name) for name in VESSELS) / 1000
    fat = float(np.sum((walls > 0) & (patient.anatomy.shapes["vein"](points) > 0))) / 1000 - vessels
    return Heart(lv_mass_g=1.05 * ml["myocardium"], lv_edv_ml=ml["lv"], lv_ef_pct=Unavailable("one cardiac phase"), eat_ml=fat)
