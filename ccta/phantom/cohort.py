"""Patients for the evaluations, a function of the seed alone.

Calcium: bodies, hearts, scanners and other calcium as they come. Disease: three or four lesions of every degree and kind in arteries wide enough to be graded.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ccta.errors import BadSettings
from ccta.phantom.deposits import drawn_deposits
from ccta.phantom.patient import PatientSpec, PhantomPatient, make_patient
from ccta.phantom.plaques import KINDS, PlaqueSpec
from ccta.phantom.scanner import CALCIUM_SERIES, ScannerSpec

PLACES = (5, 6, 7, 8, 9, 11, 12, 13, 1, 2, 3)
WEIGHTS = np.array([0.6, 1.6, 1.3, 0.4, 0.6, 1.0, 0.5, 0.5, 1.2, 1.0, 0.8])
"""Where plaques lie: most in the proximal LAD, few in the distal vessels."""
ZERO = 0.25  # share of patients without coronary calcium
UNGATED = 0.2  # share of series that are 5-mm chest CT without ECG gating
RIB_MM = 8.0  # a heart that would touch the chest wall is made smaller, its body larger
CHANCE = {"aortic wall": 0.4, "aortic valve": 0.2, "mitral annulus": 0.15, "descending aorta": 0.4, "pericardium": 0.05, "lung node": 0.3, "stent": 0.05}


def calcium_patient(seed: int) -> tuple[PhantomPatient, ScannerSpec]:
    """(patient, its non-contrast series)."""
    rng = np.random.default_rng([seed, 77])
    size = float(np.clip(rng.normal(1.0, 0.08), 0.86, 1.22))
    heart = float(np.clip(size**0.6 * rng.normal(1.0, 0.05), 0.86, 1.18))
    turn = tuple(float(x) for x in np.clip(rng.normal(0, [5, 6, 9]), [-10, -12, -18], [10, 12, 18]))
    dominance = str(rng.choice(["right", "left", "co-dominant"], p=[0.80, 0.11, 0.09]))
    wanted = PatientSpec(dominance=dominance, plaques=plaques(rng, dominance), body_size=size, heart_size=heart, turn_deg=turn)
    patient = made_to_fit(seed, wanted)
    while free_of_ribs_mm(patient) < RIB_MM:
        wanted = replace(
            patient.spec, heart_size=0.96 * patient.spec.heart_size, body_size=1.02 * patient.spec.body_size, plaques=shorter(patient.spec.plaques)
        )
        patient = made_to_fit(seed, wanted)
    return replace(patient, deposits=drawn_deposits(patient, rng, CHANCE)), series(rng)


def made_to_fit(seed: int, wanted: PatientSpec) -> PhantomPatient:
    """The wanted patient, with plaques shorter where two would overlap."""
    for _ in range(20):
        try:
            return make_patient(seed, wanted)
        except BadSettings:
            wanted = replace(wanted, plaques=shorter(wanted.plaques))
    return make_patient(seed, wanted)


def shorter(plaques: tuple[PlaqueSpec, ...]) -> tuple[PlaqueSpec, ...]:
    return tuple(replace(plaque, length_mm=0.94 * plaque.length_mm) for plaque in plaques)


def free_of_ribs_mm(patient: PhantomPatient) -> float:
    """Least distance of an artery from the wall of the chest."""
    cavity = next(layer.shape for layer in patient.anatomy.layers if layer.name == "lung")
    return -max(float(cavity(branch.points_mm).max()) for branch in patient.tree)


def plaques(rng: np.random.Generator, dominance: str) -> tuple[PlaqueSpec, ...]:
    """None, or one to eight with calcium, at most one per segment, and some without."""
    weights = WEIGHTS * np.array([segment != 3 or dominance != "left" for segment in PLACES])
    count = 0 if rng.random() < ZERO else int(rng.choice([1, 2, 3, 4, 6, 8], p=[0.2, 0.2, 0.2, 0.15, 0.15, 0.1]))
    soft = int(rng.integers(0, 3))
    chosen = rng.choice(PLACES, size=count + soft, replace=False, p=weights / weights.sum())
    return tuple(plaque(int(segment), "soft" if n >= count else None, rng) for n, segment in enumerate(chosen))


def plaque(segment: int, kind: str | None, rng: np.random.Generator) -> PlaqueSpec:
    kind = kind or str(rng.choice(["calcified", "mixed"], p=[0.6, 0.4]))
    length = 6.0 if segment == 5 else float(np.round(rng.uniform(5, 16), 1))
    return PlaqueSpec(
        segment, kind, float(np.round(rng.uniform(15, 65))), length, float(np.round(rng.uniform(0.25, 0.75), 2)), float(np.round(rng.uniform(0.4, 0.85), 2)),
        float(np.round(rng.uniform(1.05, 1.35), 2)), float(rng.integers(0, 360)), float(np.round(rng.uniform(300, 900))),
    )  # fmt: skip


def series(rng: np.random.Generator) -> ScannerSpec:
    """Gated 3-mm calcium scan, or chest CT of 5 mm with motion; field of view, position and noise as they come."""
    off = rng.uniform([-18, -15, -8], [18, 15, 8])
    middle = tuple(float(x) for x in np.array(CALCIUM_SERIES.center_mm) + off)
    noise, pixel = float(rng.uniform(12, 24)), float(rng.uniform(0.60, 0.78))
    if rng.random() >= UNGATED:
        return replace(CALCIUM_SERIES, shape=(320, 320, 46), pixel_mm=pixel, noise_hu=noise, center_mm=middle, fwhm_mm=float(rng.uniform(0.8, 1.2)))
    chest = (middle[0] - 15, middle[1] + 5, middle[2])
    spec = replace(CALCIUM_SERIES, shape=(340, 340, 34), pixel_mm=1.0, increment_mm=5.0, noise_hu=min(noise, 18.0), center_mm=chest)
    return replace(spec, fwhm_mm=float(rng.uniform(1.3, 2.0)))  # the heart's motion blurs


LESION_PLACES = (5, 6, 7, 8, 9, 11, 13, 12, 1, 2, 3)
LESION_WEIGHTS = np.array([0.3, 1.5, 1.5, 0.5, 0.5, 1.2, 0.7, 0.5, 1.3, 1.2, 0.7])
LESION_REFERENCE_MM = 1.8  # healthy calibre at a lesion: clear of the 1.5 mm below which vessels are not graded
FIELD_MARGIN_MM = 22.0  # about the arteries: the muscle below them, and the aortic root


def disease_patient(seed: int) -> tuple[PhantomPatient, ScannerSpec]:
    """(patient with 3 or 4 lesions of 10-95 %, soft, mixed or calcified; its CCTA of 0.4 x 0.4 x 0.5 mm about the heart, noise 15-35 HU)."""
    rng = np.random.default_rng([seed, 78])
    healthy = make_patient(seed, PatientSpec(plaques=()))
    wanted = lesions(healthy, rng)
    patient = make_patient(seed, replace(healthy.spec, plaques=wanted))
    points = np.vstack([branch.points_mm for branch in patient.tree])
    low, high = points.min(axis=0) - FIELD_MARGIN_MM, points.max(axis=0) + FIELD_MARGIN_MM
    size = np.ceil((high - low) / [0.4, 0.4, 0.5]).astype(int)
    middle = tuple(float(x) for x in np.round((low + high) / 2, 1))
    shape = (int(size[0]), int(size[1]), int(size[2]))
    return patient, ScannerSpec(shape=shape, pixel_mm=0.4, increment_mm=0.5, center_mm=middle, noise_hu=float(np.round(rng.uniform(15, 35), 1)))


def lesions(healthy: PhantomPatient, rng: np.random.Generator) -> tuple[PlaqueSpec, ...]:
    """At most one in a segment, where the healthy artery is wide enough."""
    present = {int(s) for branch in healthy.tree for s in branch.segment}
    chance = LESION_WEIGHTS * np.array([segment in present for segment in LESION_PLACES])
    wanted, found = int(rng.integers(3, 5)), []
    for segment in rng.choice(LESION_PLACES, size=int((chance > 0).sum()), replace=False, p=chance / chance.sum()):
        lesion = _lesion(int(segment), rng)
        vessel = next(v for v in healthy.vessels if (v.branch.segment == segment).any())
        here = vessel.branch.segment == segment
        at_mm = np.quantile(vessel.branch.distance_mm[here], lesion.position)
        fits = np.ptp(vessel.branch.distance_mm[here]) > lesion.length_mm
        if fits and 2 * np.interp(at_mm, vessel.branch.distance_mm, vessel.healthy_radius_mm) >= LESION_REFERENCE_MM and len(found) < wanted:
            found.append(lesion)
    return tuple(found)


def _lesion(segment: int, rng: np.random.Generator) -> PlaqueSpec:
    length = 6.0 if segment == 5 else float(np.round(rng.uniform(7, 18), 1))
    return PlaqueSpec(
        segment, str(rng.choice(KINDS)), float(np.round(rng.uniform(10, 95))), length, 0.5, float(np.round(rng.uniform(0.4, 0.85), 2)),
        float(np.round(rng.uniform(1.0, 1.3), 2)), float(rng.integers(0, 360)), float(np.round(rng.uniform(250, 900))),
    )  # fmt: skip
