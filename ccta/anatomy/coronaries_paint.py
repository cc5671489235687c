"""From paths to labels: a local threshold about each path, on the image's own grid."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

from ccta.anatomy.coronaries_growth import Evidence
from ccta.anatomy.distance import distance_to_mask
from ccta.anatomy.ostia import Blood
from ccta.coordinates import cropped, resampled_like, to_index
from ccta.model import CORONARY_LABELS, Unavailable, Volume

ALONG_MM = 3.0  # over which a path's level, radius and trust are averaged
TRUSTED = 0.5  # mean probability of a vessel along a path from which the network has a say on its edge
RIM_MM = 1.0  # beside calcium: so far the scanner's blur carries its brightness
THIN_MM = 0.4  # half of the width below which what lies there is no lumen but that blur
REACH_MM = 0.5  # outside the largest believable lumen: there a border is still drawn
SHARPNESS = 2.5  # of four development phantoms: the words of image and network together are less bold than they are right
NETWORK_WEIGHT = 0.5  # of its word there: its edge holds in motion and blooming, the threshold's in still images


@dataclass(frozen=True, eq=False)
class Coronaries:
    """All on the image's grid, uint8. labels: CORONARY_LABELS. probability: of lumen or calcified plaque as the network sees it, percent, or why it was not
    asked. uncertainty: of the drawn border about the paths that were followed, percent of a bit.
    """

    labels: Volume
    probability: Volume | Unavailable
    uncertainty: Volume


def paint(volume: Volume, evidence: Evidence, affine: np.ndarray, branches: list[np.ndarray], blood: Blood) -> Coronaries:
    """Lumen: near the path, above the middle between the path's level and its surroundings; along paths that the network sees, its probability counts too.
    Calcified: well above the blood, near the path.
    """
    along = np.vstack(branches)
    along = along[~evidence.source[tuple(along.T)]]
    low = np.maximum(along.min(axis=0) - 12, 0)
    box = tuple(slice(a, b + 13) for a, b in zip(low, along.max(axis=0), strict=True))
    local = affine.copy()
    local[:3, 3] += affine[:3, :3] @ low
    threshold, room, trusted = local_threshold(evidence, box, along - low)
    ends = to_index((np.array([[0, 0, 0], threshold.shape]) @ local[:3, :3].T) + local[:3, 3], volume.affine)
    first, last = np.floor(ends.min(axis=0)).astype(int), np.ceil(ends.max(axis=0)).astype(int)
    part = cropped(volume, first, last)
    limit = resampled_like(Volume(threshold, local), part, outside=1e4).array
    near = resampled_like(Volume(room, local), part, outside=-10.0).array
    pools = resampled_like(Volume(evidence.source[box].astype(np.uint8), local), part, order=0).array > 0
    calcium_hu = blood.mean_hu + max(100.0, 4 * blood.sd_hu)
    smooth = ndimage.gaussian_filter(part.array.astype(np.float32), 0.35 / part.spacing_mm)
    bright, seen = np.clip(0.5 + (smooth - limit) / (blood.mean_hu + 50), 0, 1), evidence.seen
    start = np.clip(first, 0, volume.array.shape)
    if not isinstance(seen, Unavailable):
        vessel = resampled_like(Volume(seen[0][box].astype(np.float32) + seen[1][box], local), part).array
        weight = NETWORK_WEIGHT * (resampled_like(Volume(trusted.astype(np.uint8), local), part, order=0).array > 0)
        bright += weight * (vessel - bright)
        seen = _placed(np.rint(100 * vessel).astype(np.uint8), volume, start)
    lumen = (bright > 0.5) & (near > 0) & ~pools
    unsure = np.where((near > -REACH_MM) & ~pools, uncertainty_pct(bright), 0).astype(np.uint8)
    calcified = (smooth > calcium_hu) & (near > -1.0) & ~pools
    calcified |= rim(lumen & ~calcified, calcified, part.spacing_mm)
    label = np.where(calcified, CORONARY_LABELS["calcified"], np.where(lumen, CORONARY_LABELS["lumen"], 0)).astype(np.uint8)
    return Coronaries(_placed(_connected(label, part, along - low, local), volume, start), seen, _placed(unsure, volume, start))


def uncertainty_pct(bright: np.ndarray) -> np.ndarray:
    """Entropy in percent of a bit of the probability that a voxel is vessel: 100 where both are as likely, 0 where it is sure.

    bright: 0 to 1, image's and network's word together. The probability is the logistic of `SHARPNESS` times its logit, calibrated on phantoms.
    """
    kept = np.clip(bright, 0.005, 0.995)
    odds = (kept / (1 - kept)) ** SHARPNESS
    vessel = odds / (1 + odds)
    return np.rint(-100 * (vessel * np.log2(vessel) + (1 - vessel) * np.log2(1 - vessel)))


def rim(lumen: np.ndarray, calcified: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """(ni, nj, nk) bool: the part of `lumen` that is calcium's own fading edge, a shell as bright as blood on its far side.

    Within `RIM_MM` of calcium no ball of `THIN_MM` that lies in the lumen reaches it (an opening).
    """
    edge = np.zeros(lumen.shape, bool)
    found = ndimage.find_objects(calcified.view(np.uint8))
    if not found or found[0] is None:
        return edge
    pad = np.ceil((RIM_MM + 2 * THIN_MM) / np.asarray(spacing_mm)).astype(int) + 1
    box = tuple(slice(max(s.start - p, 0), s.stop + p) for s, p in zip(found[0], pad, strict=True))
    near = distance_to_mask(calcified[box], spacing_mm) < RIM_MM
    core = distance_to_mask(~lumen[box], spacing_mm) > THIN_MM
    edge[box] = lumen[box] & near & (distance_to_mask(core, spacing_mm) > THIN_MM)
    return edge


def _placed(part: np.ndarray, volume: Volume, start: np.ndarray) -> Volume:
    """`part` (uint8) from voxel `start` on in an image of the volume's shape, 0 elsewhere."""
    out = np.zeros(volume.array.shape, np.uint8)
    out[tuple(slice(a, a + n) for a, n in zip(start, part.shape, strict=True))] = part
    return volume.with_array(out)


def local_threshold(evidence: Evidence, box, along: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(threshold HU, room mm, trusted), float32 and bool, within a box of the grid; `along` (N, 3) are path voxels in it.

    Each voxel takes the lumen level of its nearest path voxel and the surroundings of its own side (fat, muscle, a vein).
    room: how far inside the largest believable lumen it lies (negative outside). trusted: whether the network sees its path, and may judge.
    """
    image, spacing = evidence.image_hu[box], evidence.spacing_mm
    along = np.unique(along, axis=0)
    path = np.zeros(image.shape, bool)
    path[tuple(along.T)] = True
    away = distance_to_mask(path, spacing)
    smoothed = _along_mean(along, ALONG_MM / spacing)
    level = smoothed @ largest_about(image, along)
    near = np.argwhere(away < 6.0)
    owner = cKDTree(along).query(near)[1]
    near = tuple(near.T)
    radius = np.zeros(image.shape, np.float32)
    radius[near] = (smoothed @ np.maximum(evidence.radius_mm[box][tuple(along.T)], 0.6))[owner]
    ring = (away > radius + 0.8) & (away < radius + 2.2)
    weight = np.maximum(ndimage.gaussian_filter(ring.astype(np.float32), 1.0 / spacing), 1e-3)
    around = ndimage.gaussian_filter(np.where(ring, image, 0), 1.0 / spacing) / weight
    around = np.clip(around, -100, 0.6 * level.max())
    threshold = np.full(image.shape, 0.5 * level.max(), np.float32)
    threshold[near] = 0.5 * (level[owner] + around[near])
    room, trusted = (1.4 * radius + 0.6 - away).astype(np.float32), np.zeros(image.shape, bool)
    if evidence.judged:
        seen = evidence.seen[0][box].astype(np.float32) + evidence.seen[1][box]
        trusted[near] = (smoothed @ largest_about(seen, along) >= TRUSTED)[owner]
    return ndimage.gaussian_filter(threshold, 0.5 / spacing), room, trusted


def largest_about(image: np.ndarray, along: np.ndarray) -> np.ndarray:
    """(N,) the largest value at each voxel (N, 3) and its 26 neighbours."""
    around = along[:, None] + np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return image[tuple(np.moveaxis(np.clip(around, 0, np.array(image.shape) - 1), -1, 0))].max(axis=1)


def _along_mean(along: np.ndarray, sigma: float) -> sparse.csr_array:
    """(N, N) weights, Gaussian over neighbouring path voxels (N, 3), each row of sum 1."""
    pairs = cKDTree(along).sparse_distance_matrix(cKDTree(along), 4 * sigma, output_type="coo_matrix").tocsr()
    weight = sparse.csr_array((np.exp(-0.5 * (pairs.data / sigma) ** 2), pairs.indices, pairs.indptr), pairs.shape)
    return sparse.diags_array(1 / weight.sum(axis=1)) @ weight


def _connected(label: np.ndarray, part: Volume, along: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Only the pieces that hold a path voxel."""
    pieces, count = ndimage.label(label > 0, np.ones((3, 3, 3)))
    index = np.round(to_index(along @ affine[:3, :3].T + affine[:3, 3], part.affine)).astype(int)
    inside = ((index >= 0) & (index < label.shape)).all(axis=1)
    keep = np.zeros(count + 1, bool)
    keep[pieces[tuple(index[inside].T)]] = True
    keep[0] = False
    return np.where(keep[pieces], label, 0).astype(np.uint8)
