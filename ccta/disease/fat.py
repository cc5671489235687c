"""Pericoronary fat attenuation index (Oikonomou 2018, Lancet 392:929)."""

import numpy as np

from ccta.coordinates import sample
from ccta.disease.plaque import inside_others, plane_spacing_mm, polar_positions
from ccta.findings import Acquisition, Fat
from ccta.model import CoronaryTree, CrossSections, Unavailable, Volume

FAT_HU = (-190.0, -30.0)
HIGH_RISK_HU = -70.1  # at 120 kVp
STRETCH_MM = {"LAD": (0.0, 40.0), "LCx": (0.0, 40.0), "RCA": (10.0, 50.0)}  # from the vessel's own beginning
PROXIMAL = {"LAD": 6, "LCx": 11, "RCA": 1}  # the segment where the vessel begins
MIN_LENGTH_MM = 20.0  # half of the stretch: less does not stand for it
MIN_FAT_MM3 = 100.0  # about a thousand voxels of a usual study: the mean's noise is then below 2 HU
RADIAL_STEP_MM = 0.25


def measure_fat(volume: Volume, tree: CoronaryTree, sections: list[CrossSections], acquisition: Acquisition) -> dict[str, Fat]:
    """Mean HU of the voxels of -190 ... -30 HU within one vessel diameter of the outer wall, per LAD, LCx and RCA."""
    return {vessel: _vessel_fat(volume, tree, sections, acquisition, vessel) for vessel in STRETCH_MM}


def _vessel_fat(volume: Volume, tree: CoronaryTree, sections: list[CrossSections], acquisition: Acquisition, vessel: str) -> Fat:
    found = next((s for s in sections if PROXIMAL[vessel] in tree.branches[s.branch].segment), None)
    if found is None:
        return Fat(fai_hu=Unavailable(f"the proximal {vessel} was not found"))
    branch = tree.branches[found.branch]
    start = branch.distance_mm[np.argmax(branch.segment == PROXIMAL[vessel])]
    low, high = STRETCH_MM[vessel]
    planes = (found.distance_mm >= start + low) & (found.distance_mm <= start + high)
    length = float(np.ptp(found.distance_mm[planes])) if planes.any() else 0.0
    if length < MIN_LENGTH_MM:
        return Fat(fai_hu=Unavailable(f"only {length:.0f} mm of the stretch {low:.0f}-{high:.0f} mm from the ostium was traced (at least {MIN_LENGTH_MM:.0f})"))
    hu, weight = _around(volume, found, planes, sections)
    is_fat = (hu >= FAT_HU[0]) & (hu <= FAT_HU[1]) & (weight > 0)
    amount = float(weight[is_fat].sum())
    if amount < MIN_FAT_MM3:
        return Fat(fai_hu=Unavailable(f"only {amount:.0f} mm3 of fat around the vessel (at least {MIN_FAT_MM3:.0f})"))
    fai = float(np.average(hu[is_fat], weights=weight[is_fat]))
    return Fat(fai_hu=round(fai, 2), note=_note(fai, acquisition, volume))


def _around(volume: Volume, own: CrossSections, planes: np.ndarray, sections: list[CrossSections]) -> tuple[np.ndarray, np.ndarray]:
    """HU and volume element (mm3) of polar samples from the outer wall to one vessel diameter beyond it, outside every other vessel's wall."""
    diameter = 2 * np.sqrt(own.wall_area_mm2 / np.pi)
    count = max(4, int(np.ceil(diameter[planes].max() / RADIAL_STEP_MM)))
    fraction = (np.arange(count) + 0.5) / count
    radius = own.wall_radius_mm[..., None] + fraction * diameter[:, None, None]
    element = diameter[:, None, None] / count * radius * (2 * np.pi / radius.shape[1]) * plane_spacing_mm(own, radius)
    position = polar_positions(own, radius)[planes]
    others = [s for s in sections if s.branch != own.branch]
    free = ~inside_others(position.reshape(-1, 3), max(s.branch for s in sections) + 1, others).reshape(position.shape[:-1])
    return sample(volume, position), np.where(free, element[planes], 0.0)


def _note(fai_hu: float, acquisition: Acquisition, volume: Volume) -> str:
    """What the value depends on, and the verdict where the published limit holds (120 kVp)."""
    voltage = acquisition.kvp if acquisition else Unavailable("")
    kernel = (acquisition.kernel if acquisition else "") or "not named"
    kvp = "unknown kVp" if isinstance(voltage, Unavailable) else f"{voltage:.0f} kVp"
    context = f"{kvp}, kernel {kernel}, slice spacing {volume.spacing_mm[2]:.2f} mm"
    if isinstance(voltage, Unavailable) or abs(voltage - 120) > 0.5:
        return f"{context}; no verdict: the limit of {HIGH_RISK_HU} HU holds at 120 kVp"
    verdict = "above" if fai_hu > HIGH_RISK_HU else "not above"
    return f"{context}; {verdict} the high-risk limit of {HIGH_RISK_HU} HU"
