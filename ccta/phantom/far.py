"""Patients and scanners with everything randomised far beyond the usual: how a segmentation holds where nothing is as it was developed on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ccta.phantom.artery_scene import plaque_patient
from ccta.phantom.deposits import drawn_deposits
from ccta.phantom.patient import PhantomPatient, make_patient
from ccta.phantom.scanner import HU_PER_MG_CM3, ScannerSpec

FIELD_MM = (200.0, 130.0)  # in the axial plane and along z, about the heart
DEPOSITS = {"aortic wall": 0.4, "aortic valve": 0.3, "mitral annulus": 0.3, "descending aorta": 0.3, "pericardium": 0.15, "lung node": 0.1, "stent": 0.2}


def far_patient(seed: int) -> PhantomPatient:
    """`plaque_patient` with any enhancement of each side of the heart, veins up to arterial brightness, and metal and calcium in other places."""
    rng = np.random.default_rng([seed, 4006])
    plain = plaque_patient(seed)
    blood = float(rng.uniform(260, 650))
    spec = replace(plain.spec, blood_hu=blood, right_hu=float(np.clip(rng.uniform(0.2, 1.1) * blood, 60, 900)), fat_hu=float(rng.uniform(-120, -60)))
    patient = make_patient(plain.seed, spec, plain.form)
    vein, muscle = float(rng.uniform(0.3, 1.0)), float(rng.uniform(0, 50))
    changed = {"vein": vein * blood, "lv_outer": 85 + muscle, "papillary": 85 + muscle}
    layers = tuple(replace(layer, hu=changed.get(layer.name, layer.hu)) for layer in patient.anatomy.layers)
    patient = replace(patient, anatomy=replace(patient.anatomy, layers=layers))
    return replace(patient, deposits=drawn_deposits(patient, rng, DEPOSITS))


def far_scanner(seed: int) -> ScannerSpec:
    """Voxels of 0.3-0.55 mm, slices of 0.4-1.5 mm at most 0.9 mm apart, any kernel, tube voltage and noise; some with motion, some in steps."""
    rng = np.random.default_rng([seed, 4007])
    pixel, increment = float(rng.uniform(0.3, 0.55)), float(rng.uniform(0.4, 0.9))
    across, up = (round(length / step) for length, step in zip(FIELD_MM, (pixel, increment), strict=True))
    moved, stepped = rng.random() < 0.3, rng.random() < 0.2
    return ScannerSpec(
        shape=(across, across, up), pixel_mm=pixel, increment_mm=increment, thickness_mm=float(rng.uniform(increment, min(1.5, 2 * increment))),
        kvp=int(rng.choice(list(HU_PER_MG_CM3))), noise_hu=float(rng.uniform(8, 45)), fwhm_mm=float(rng.uniform(0.5, 1.1)),
        fwhm_z_mm=float(rng.uniform(0.5, 1.1)), noise_fwhm_mm=float(rng.uniform(0.5, 1.6)), blooming=float(rng.uniform(0, 0.3)),
        motion_mm=float(rng.uniform(0.3, 1.5)) if moved else 0.0, slab_mm=float(rng.uniform(20, 40)) if stepped else 0.0,
        slab_shift_mm=float(rng.uniform(0.2, 0.8)) if stepped else 0.0,
    )  # fmt: skip
