"""Coronary calcium without a CCTA: a spot is judged by the places that the heart network names about it, and by what it is made of and lies in."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ccta.coordinates import sample, to_patient_mm
from ccta.disease.calcium_selection import BONE_MM3, NEARBY_MM, Judge, Spot, Verdict
from ccta.errors import Refusal
from ccta.model import VESSELS, Volume
from ccta.tissues import PLACES, PlaceMap

CORONARY = [PLACES[vessel] for vessel in VESSELS]
LEAST = 0.35  # probability of the arteries together; a lesion that is missed costs the reader more than one to be struck out
FAT_PRIOR = 0.03  # how often calcium in the epicardial fat is not an artery's: the pericardium's, in few patients
CHAMBER_PRIOR = 0.2  # in muscle, right heart and pulmonary artery it is rare, too; valves and annulus are the aorta's and the left heart's
MARGIN_MM = 10.0  # the heart's outline is known to a few millimetres
MIN_HEART_ML = 150.0  # an adult heart with its blood holds 500-1000
NOISE_LISTED_MM = 10.0  # as near an artery, what looks like noise is listed: a reader would score it if it is calcium
NOISE_SD, NOISE_MM3 = 5.0, 8.0  # a million voxels of a heart reach 5 SD; noise makes no larger spots
BLOOD = [PLACES[name] for name in ("lv", "rv", "la", "ra", "aorta", "pulmonary_artery")]
PRIOR = np.ones(max(PLACES.values()) + 1, np.float32)
PRIOR[PLACES["heart"]] = FAT_PRIOR
PRIOR[[PLACES[name] for name in ("myocardium", "rv", "ra", "pulmonary_artery")]] = CHAMBER_PRIOR
HEART = [code for name, code in PLACES.items() if name != "descending_aorta"]
WHAT = {
    0: "outside the heart", PLACES["heart"]: "pericardium or fat away from the arteries", PLACES["aorta"]: "aortic wall or valve",
    PLACES["descending_aorta"]: "descending aorta", PLACES["la"]: "mitral annulus or left atrium", PLACES["lv"]: "valve or left ventricle",
    PLACES["myocardium"]: "heart muscle", PLACES["rv"]: "right ventricle", PLACES["ra"]: "right atrium", PLACES["pulmonary_artery"]: "pulmonary artery",
}  # fmt: skip
"""What calcium in each other place is."""


def place_judge(volume: Volume, places: PlaceMap) -> Judge:
    """Accepts a spot whose voxels lie on average in an artery's place with a probability of at least `LEAST`, and gives it to the likeliest artery.

    The probability is the network's for the place times how often calcium occurs there (`PRIOR`). Raises Refusal where the places hold no heart.
    """
    label, step_mm = places.label, float(np.linalg.norm(places.affine[:3, 0]))
    check_heart(label, step_mm)
    likely = (places.probability * PRIOR[:, None, None, None]).argmax(axis=0)  # where calcium would be an artery's
    to_artery, to_heart = (
        Volume((ndimage.distance_transform_edt(~mask) * step_mm).astype(np.float32), places.affine)
        for mask in (np.isin(likely, CORONARY), np.isin(label, HEART))
    )
    middle, sd = blood_hu(volume, label, places.affine)

    def judge(spot: Spot) -> Verdict:
        away_mm, outside_mm = (float(sample(distance, spot.center_mm[None], outside=np.inf)[0]) for distance in (to_artery, to_heart))
        if spot.size_mm3 > BONE_MM3:
            return Verdict(reason=f"bone or device: {spot.size_mm3:.0f} mm3 in one piece", nearby=away_mm <= NEARBY_MM)
        if outside_mm > MARGIN_MM:
            return Verdict(reason="outside the heart", nearby=False)
        share = np.average(places.at(spot.points_mm), axis=0, weights=spot.excess) * PRIOR
        share /= share.sum()
        vessel, probability = VESSELS[int(np.argmax(share[CORONARY]))], float(share[CORONARY].sum())
        if spot.size_mm3 < NOISE_MM3 and spot.hu.max() < middle + NOISE_SD * sd:
            said = f"noise: {spot.hu.max():.0f} HU, within {NOISE_SD:g} SD ({sd:.0f} HU) of the blood"
            return Verdict(vessel, 0.0, said, away_mm <= NOISE_LISTED_MM)
        if probability >= LEAST:
            return Verdict(vessel, probability)
        share[CORONARY] = -1
        other = int(np.argmax(share))
        said = f"{WHAT[other]}: {100 * share[other]:.0f} % likely, {vessel} {100 * probability:.0f} %"
        return Verdict(vessel, 0.0, said, away_mm <= NEARBY_MM)

    return judge


def check_heart(label: np.ndarray, step_mm: float) -> None:
    """Raises Refusal where a map of PLACES holds no heart."""
    heart_ml = float(np.isin(label, [*BLOOD, PLACES["myocardium"]]).sum()) * step_mm**3 / 1000
    if heart_ml < MIN_HEART_ML:
        raise Refusal(f"the heart was not found in the image ({heart_ml:.0f} mL of it): a CT of the heart or chest is needed")


def blood_hu(volume: Volume, label: np.ndarray, affine: np.ndarray) -> tuple[float, float]:
    """(median, SD) of the heart's blood, HU: the noise of single voxels, robust against fat and calcium. label: PLACES on a grid of `affine`."""
    blood = np.isin(label, BLOOD)
    core = ndimage.binary_erosion(blood, iterations=2)
    points = to_patient_mm(np.argwhere(core if core.any() else blood), affine)
    hu = sample(volume, points, order=0)
    soft = hu[(hu > -60) & (hu < 160)]
    middle = float(np.median(soft)) if soft.size else 40.0
    return middle, float(1.4826 * np.median(np.abs(soft - middle))) if soft.size else 0.0
