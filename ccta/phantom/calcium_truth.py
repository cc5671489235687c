"""The calcium score of the analytic calcium, lesion by lesion.

Volume and mass are integrals over the analytic calcification. The Agatston score has no value apart from an imaging system (Agatston et al., JACC
1990;15:827, defines it on 3 mm slices), so the truth is what the noiseless system gives: the analytic map of each lesion alone in sub-voxels of 0.1 mm,
convolved with the known point spread and slice profile at the slice positions of the series, thresholded by the definition: 130 HU, 8-connected areas of
at least 1 mm2 per slice, weighted by their peak, times increment / 3 mm.
"""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ccta.findings import Calcium, CalciumLesion
from ccta.model import SEGMENTS, VESSELS, Unavailable
from ccta.phantom.patient import PhantomPatient
from ccta.phantom.plaques import integrals
from ccta.phantom.scanner import ScannerSpec, noiseless

THRESHOLD_HU = 130.0
SOFT_HU = 60.0  # bone is drawn as soft tissue


def calcium_of(patient: PhantomPatient, series: ScannerSpec) -> Calcium:
    """Scores of all calcified plaques on one non-contrast series."""
    found = [lesion_of(patient, number, series) for number, plaque in enumerate(patient.plaques) if plaque.spec.kind != "soft"]
    vessels = {vessel: sum(lesion.agatston for lesion in found if lesion.vessel == vessel) for vessel in VESSELS}
    score = sum(vessels.values())
    with_calcium = sum(value > 0 for value in vessels.values())
    band = int(np.searchsorted([0, 99, 299], np.floor(score)))
    return Calcium(
        agatston=score, volume_mm3=sum(lesion.volume_mm3 for lesion in found), mass_mg=sum(lesion.mass_mg for lesion in found),
        mass_calibration="true hydroxyapatite", vessels=vessels, lesions=found, cac_drs=f"A{band}/N{with_calcium}" if score else "A0",
        percentile=Unavailable("the phantom states no percentile"),
        method="noiseless imaging of the analytic calcium; volume and mass analytic",
    )  # fmt: skip


def lesion_of(patient: PhantomPatient, number: int, series: ScannerSpec) -> CalciumLesion:
    """One plaque's calcium."""
    plaque = patient.plaques[number]
    vessel = patient.vessels[plaque.branch]
    truth = integrals(vessel, number)
    place = next(part for part in vessel.inclusions if part.density_mg_cm3 > 0 and plaque.entry_mm <= part.distance_mm <= plaque.exit_mm)
    center = vessel.branch.point_at(place.distance_mm)
    image = noiseless(alone(patient, number), crop_of(series, center, place.half_length_mm + 8.0))
    score, peak = agatston(image, series.pixel_mm**2, series.increment_mm)
    name = SEGMENTS[plaque.spec.segment][1]
    return CalciumLesion(
        vessel=name, agatston=score, volume_mm3=truth["calcified_mm3"], mass_mg=truth["mass_mg"], peak_hu=peak, center_mm=tuple(center.tolist())
    )


def calcium_points_mm(patient: PhantomPatient, number: int) -> np.ndarray:
    """(N, 3) points in the middle of one plaque's calcification, every node along the artery and 15 degrees about it."""
    plaque = patient.plaques[number]
    vessel = patient.vessels[plaque.branch]
    part = next(part for part in vessel.inclusions if part.density_mg_cm3 > 0 and plaque.entry_mm <= part.distance_mm <= plaque.exit_mm)
    angle = part.angle + np.linspace(-1, 1, 1 + int(np.ceil(np.rad2deg(part.half_arc) / 7.5))) * part.half_arc
    apart_mm = np.abs(vessel.branch.distance_mm - part.distance_mm)
    nodes = np.flatnonzero(apart_mm <= max(part.half_length_mm, apart_mm.min()))
    lumen = vessel.branch.radius_mm[nodes, None]
    radius = (lumen + part.depth * (vessel.wall_at(angle)[nodes] - lumen))[..., None]
    _, u, v = (axis[nodes, None] for axis in vessel.frame)
    return (vessel.branch.points_mm[nodes, None] + radius * (np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * v)).reshape(-1, 3)


def alone(patient: PhantomPatient, number: int) -> PhantomPatient:
    """The same patient with the calcium of one plaque only: no other deposit, and no bone, which may lie within the crop about an anterior lesion."""
    plaque = patient.plaques[number]
    kept = []
    for index, vessel in enumerate(patient.vessels):
        parts = tuple(part for part in vessel.inclusions if index == plaque.branch and plaque.entry_mm <= part.distance_mm <= plaque.exit_mm)
        kept.append(replace(vessel, inclusions=parts))
    layers = tuple(replace(layer, plain_hu=min(layer.plain_hu, SOFT_HU)) for layer in patient.anatomy.layers)
    return replace(patient, vessels=tuple(kept), deposits=(), anatomy=replace(patient.anatomy, layers=layers))


def crop_of(series: ScannerSpec, center_mm: np.ndarray, half_mm: float) -> ScannerSpec:
    """A part of the series about a place, on the same pixels and slice positions, with finer sub-voxels and without faults."""
    spacing = np.array([series.pixel_mm, series.pixel_mm, series.increment_mm])
    origin = series.affine[:3, 3]
    low = np.floor((center_mm - half_mm - origin) / spacing)
    shape = np.ceil(2 * half_mm / spacing).astype(int) + 2
    middle = origin + spacing * (low + (shape - 1) / 2)
    return replace(series, shape=tuple(int(n) for n in shape), center_mm=tuple(middle.tolist()), sub_mm=0.1, motion_mm=0.0, slab_mm=0.0)


def agatston(image: np.ndarray, pixel_mm2: float, increment_mm: float) -> tuple[float, float]:
    """(score, peak HU) of an image (ni, nj, nk)."""
    score, peak = 0.0, float(image.max())
    for k in range(image.shape[2]):
        labels, count = ndimage.label(image[:, :, k] >= THRESHOLD_HU, np.ones((3, 3)))
        for one in range(1, count + 1):
            inside = labels == one
            if inside.sum() * pixel_mm2 >= 1.0:
                score += inside.sum() * pixel_mm2 * np.digitize(image[:, :, k][inside].max(), [130, 200, 300, 400]) * increment_mm / 3
    return float(score), peak
