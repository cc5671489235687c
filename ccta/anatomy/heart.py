"""Heart chambers, great vessels and myocardium in contrast-enhanced coronary CT.

Where a network's map is given and holds a contrast-filled left heart, it names the blood and the image draws it (heart_places). Otherwise from the image
alone: ascending aorta by circles (heart_aorta), blood pools by threshold and watershed with anatomical seeds (heart_chambers). LV wall by rays
(heart_wall). All at 1.5 mm on a patient-aligned grid, then redrawn on the image's own grid at half-height edges (heart_grid).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ccta.anatomy.heart_aorta import Tube, bright_tubes
from ccta.anatomy.heart_chambers import OTHER, Pools, aortic_valve, chambers, find_pools, left_ventricle, wall_hu, with_dim_blood
from ccta.anatomy.heart_grid import coarse, fine
from ccta.anatomy.heart_places import POOLS, named, placed_pools, placed_wall
from ccta.anatomy.heart_wall import closed, heart_region, myocardium
from ccta.errors import Refusal
from ccta.findings import Heart
from ccta.model import HEART_LABELS, Unavailable, Volume
from ccta.settings import SegmentSettings
from ccta.tissues import PlaceMap

MUSCLE_DENSITY_G_ML = 1.05  # CLINICAL: LV mass
DIM_HU = 120.0  # four times the noise of a thin coronary CT slice
NO_PHASE = Unavailable("the cardiac phase was not given")


def segment_heart(volume: Volume, settings: SegmentSettings, places: PlaceMap | None = None) -> Volume:
    """uint8 HEART_LABELS on the grid of `volume` (HU). places: what a network says of this image. Raises Refusal where the image holds no
    contrast-filled heart.
    """
    grid = coarse(volume, settings.heart_step_mm)
    hu = ndimage.gaussian_filter(grid.array, 0.5)
    tissue = soft_tissue_hu(hu)
    found = named(places, grid, hu) if places else None
    if found:
        wall, pools = found.wall_hu, placed_pools(found)
        labels = _with_wall(pools, placed_wall(found, pools), hu, found.step_mm)
    else:
        wall, pools = _pools_of_image(hu, tissue, settings)
        labels = _with_wall(pools, myocardium(hu, pools, settings.heart_step_mm), hu, settings.heart_step_mm)
    return fine(Volume(labels, grid.affine, volume.frame_of_reference_uid), volume, _edges(labels, hu, wall))


def _pools_of_image(hu: np.ndarray, tissue_hu: float, settings: SegmentSettings) -> tuple[float, np.ndarray]:
    """(HU of the wall, label map of the blood pools) without a network."""
    tubes = bright_tubes(hu, settings.heart_step_mm, max(settings.heart_min_blood_hu, tissue_hu + 80))
    pools, aorta, lv_peak, valve = _left_heart(tubes, hu, tissue_hu, settings)
    wall = wall_hu(pools, lv_peak)
    pools = with_dim_blood(pools, wall, float(np.median(aorta.hu)))
    return wall, chambers(pools, aorta, [tube for tube in tubes if tube is not aorta], lv_peak, valve)


def soft_tissue_hu(hu: np.ndarray) -> float:
    """Most frequent HU of muscle-like tissue (0 to 160 HU). Raises Refusal where there is hardly any."""
    soft = hu[(hu > -20) & (hu < 180)]
    if soft.size < 2000:
        raise Refusal(f"only {soft.size} voxels of the image are soft tissue: this is not a CT of the chest in Hounsfield units")
    count, edge = np.histogram(soft, bins=50, range=(-20, 180))
    count = ndimage.gaussian_filter1d(count.astype(float), 1.5)
    return float(edge[np.argmax(count)] + 2)


def _left_heart(tubes: list[Tube], hu: np.ndarray, tissue_hu: float, settings: SegmentSettings) -> tuple[Pools, Tube, np.ndarray, np.ndarray]:
    """(pools, ascending aorta, index of the LV's centre, index of the valve): the tube that opens most widely into a pool with a muscular wall.

    Raises the Refusal of the last tube tried where none does.
    """
    refusal = Refusal("no contrast-filled ascending aorta was found: a coronary CT angiogram that holds the aortic root is needed")
    best, best_width = None, 0.0
    for tube in tubes:
        if np.median(tube.radius_mm) < 9 or len(tube.slice) * settings.heart_step_mm < 20:
            continue
        contrast = float(np.median(tube.hu)) - tissue_hu
        pools = find_pools(hu, hu > tissue_hu + max(settings.heart_blood_fraction * contrast, 60), contrast, settings.heart_step_mm)
        try:
            lv_peak = pools.peaks[left_ventricle(pools, tube)]
            valve, width_mm = aortic_valve(pools, tube, lv_peak)
        except Refusal as why:
            refusal = why
            continue
        if width_mm > best_width:
            best, best_width = (pools, tube, lv_peak, valve), width_mm
    if best is None:
        raise refusal
    return best


def _with_wall(pools: np.ndarray, wall: np.ndarray, hu: np.ndarray, step_mm: float) -> np.ndarray:
    """Pools with the LV's papillary muscles filled, the wall and the sac added; other blood removed."""
    labels = np.where(pools == OTHER, 0, pools).astype(np.uint8)
    for name in POOLS:
        pool = labels == HEART_LABELS[name]
        labels[closed(pool, 4.0 if name in ("lv", "rv", "ra") else 2.5, step_mm) & (labels == 0) & ~wall] = HEART_LABELS[name]
    labels[wall & (labels == 0)] = HEART_LABELS["myocardium"]
    labels[heart_region(labels, hu, step_mm) & (labels == 0) & (pools != OTHER)] = HEART_LABELS["heart"]
    return labels


def _edges(labels: np.ndarray, hu: np.ndarray, wall: float) -> np.ndarray:
    """(9,) HU half way between each pool and muscle; NaN for labels that are no pool, and for pools too dim to be told from muscle in one voxel."""
    edge = np.full(9, np.nan)
    for name in POOLS:
        inside = hu[labels == HEART_LABELS[name]]
        if inside.size and np.median(inside) - wall > DIM_HU:
            edge[HEART_LABELS[name]] = (np.median(inside) + wall) / 2
    return edge


def measure_heart(heart: Volume, volume: Volume, phase_percent: float | Unavailable = NO_PHASE) -> Heart:
    """LV mass and end-diastolic volume from the labels; what is implausible or not in this image is Unavailable with the reason.

    phase_percent: of the R-R interval; mid to late diastole (60-100 %) counts as end-diastolic. heart and volume share one grid.
    """
    if heart.array.shape != volume.array.shape:
        raise ValueError(f"the labels have shape {heart.array.shape}, the image {volume.array.shape}")
    ml = heart.voxel_mm3 / 1000
    count = np.bincount(heart.array.ravel(), minlength=9)
    lv_ml = count[HEART_LABELS["lv"]] * ml
    edv = _plausible(lv_ml, 30, 400, "left ventricular volume", "mL")
    if isinstance(phase_percent, Unavailable):
        edv = Unavailable(f"the cavity holds {lv_ml:.0f} mL, but whether that is end-diastole is not known: {phase_percent.reason}")
    elif not 60 <= phase_percent <= 100:
        edv = Unavailable(f"the image was taken at {phase_percent:.0f} % of the heart cycle, which is not diastole; the cavity holds {lv_ml:.0f} mL there")
    mass_g = count[HEART_LABELS["myocardium"]] * ml * MUSCLE_DENSITY_G_ML
    return Heart(
        lv_mass_g=_plausible(mass_g, 40, 400, "left ventricular mass", "g"),
        lv_edv_ml=edv,
        lv_ef_pct=Unavailable("the ejection fraction needs a systolic and a diastolic phase; one phase was read"),
        eat_ml=Unavailable("epicardial fat needs the pericardium, which is not traced yet; the labelled heart leaves part of the fat outside"),
    )


def _plausible(value: float, low: float, high: float, what: str, unit: str):
    """The value, or why it is not believed."""
    if low <= value <= high:
        return round(float(value), 1)
    return Unavailable(f"the {what} came out as {value:.0f} {unit}, outside {low}-{high} {unit}: the heart is cut off or was not segmented well")
