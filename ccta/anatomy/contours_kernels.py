"""The inner loops of the contour fit: the least cost of a ray over its wall, plaque, calcium and background (equations: contours_model).

Arrays as there: profile, weight (M, A, J); lumen (M,); radius in steps (M, A); tables = disc and outer (K, J), the blurred discs of radius k steps and of that
plus the normal wall; constants = (noise HU, wall HU, normal wall in steps, fat HU).
"""

import numba
import numpy as np

PLAQUE_STEPS = np.array([3, 7, 12, 19])
"""Candidate plaque thicknesses of the lumen fit, in radius steps beyond the normal wall."""
WALL_CANDIDATES = 28
"""Candidate thicknesses of the wall fit: normal wall plus 0 ... 2.7 mm."""
WALL_HU_MIN, WALL_HU_MAX, WALL_GAP_HU = -20.0, 2500.0, 80.0
"""Soft plaque and the densest calcium; a wall within the gap of the lumen's HU could not be told from lumen."""
BACKGROUND_HU_MIN, BACKGROUND_OF_LUMEN = -160.0, 0.7
"""Fat, up to a chamber of the right heart (as a share of the lumen's HU)."""
TISSUE_HU, TISSUE_SD_HU = 70.0, 40.0
"""Soft plaque: 49 +- 22 HU where intravascular ultrasound sees it dark, 91 +- 22 where bright (Leber et al., JACC 2004;43:1241)."""
TISSUE_TRUST = 0.25
"""Of that prior on one ray: its neighbours, in a plaque of some millimetres, have the same tissue."""
STRANGE_COST = 1.0
"""Log-likelihood that a ray without sure calcium must gain before its wall is anything else than soft tissue, such as dim calcium."""
FIXED, SOFT, FREE = 0, 1, 2
GAP_STEPS, RISE_HU = np.array([5, 10, 16]), 40.0
"""Candidate widths of fat between the wall and something brighter, in radius steps; how much brighter that must be than the ray's lowest place."""
FAT_BELOW_HU = -40.0
"""Fat, with some blur of what lies behind it."""
COVER_STEPS = np.array([2, 4, 7, 11, 15])
"""Candidate thicknesses of soft plaque between lumen and calcium, in radius steps."""
CALCIUM_EVIDENCE_HU, CALCIUM_EVIDENCE_SD = 100.0, 5.0
"""Above the lumen by this, and by so many standard deviations of the noise: a noisy lumen is not calcified."""
PLAQUE_COST = 0.15
"""Log-likelihood that a ray must gain before plaque is assumed where a normal wall would do."""
RESIDUAL_CAP = 9.0
"""Squared residual in noise units beyond which a sample says no more (other vessels, veins)."""
LUMEN_CAP, RINGED, RINGED_PLANES = 64.0, 0.4, 3
"""The same inside the lumen on planes within three of one whose calcium takes this share of the circumference: there a fit that takes calcium, or the fat
beside it, for lumen has to pay for it. Less calcium than that leaves edges enough to see, and its blooming would be taken for a narrow lumen."""


@numba.njit(cache=True, nogil=True)
def _clip_wall(wall, lumen):
    """The allowed wall HU nearest to `wall`."""
    wall = min(max(wall, WALL_HU_MIN), WALL_HU_MAX)
    if abs(wall - lumen) < WALL_GAP_HU:
        wall = lumen - WALL_GAP_HU if wall < lumen else lumen + WALL_GAP_HU
    return wall


@numba.njit(cache=True, nogil=True)
def _ray_fit(ray, known, discs, lumen, constants, solved):
    """(least cost, wall HU, background HU) of one ray: y = known + wall (outer - middle) + background (1 - beyond), discs = (inner, middle, outer, beyond).

    solved: the wall has the HU of the normal wall (FIXED), is soft tissue with a prior (SOFT), or anything (FREE).
    The last of the constants is RESIDUAL_CAP inside the lumen.
    """
    (y, w), (inner, middle, outer, beyond) = ray, discs
    noise, wall, lumen_cap = constants[0], constants[1], constants[4]
    saa, sab, sbb, say, sby = 1e-9, 0.0, 1e-9, 0.0, 0.0
    for j in range(y.size):
        if w[j] > 0:
            a, b = outer[j] - middle[j], 1 - beyond[j]
            rest = y[j] - known[j]
            saa += w[j] * a * a
            sab += w[j] * a * b
            sbb += w[j] * b * b
            say += w[j] * a * rest
            sby += w[j] * b * rest
    trust = TISSUE_TRUST * (noise / TISSUE_SD_HU) ** 2 if solved == SOFT else 0.0
    if solved != FIXED:
        saa, say = saa + trust, say + trust * TISSUE_HU
        ridge = 1e-3 * sbb + 1e-6
        determinant = (saa + ridge) * (sbb + 1e-6) - sab * sab
        wall = _clip_wall((say * (sbb + 1e-6) - sab * sby) / determinant, lumen)
    background = min(max((sby - sab * wall) / (sbb + 1e-6), BACKGROUND_HU_MIN), BACKGROUND_OF_LUMEN * lumen)
    cost = trust * ((wall - TISSUE_HU) / noise) ** 2
    for j in range(y.size):
        if w[j] > 0:
            model = known[j] + wall * (outer[j] - middle[j]) + background * (1 - beyond[j])
            cost += w[j] * min(((y[j] - model) / noise) ** 2, lumen_cap if inner[j] > 0.5 else RESIDUAL_CAP)
    return 0.5 * cost, wall, background


@numba.njit(cache=True, nogil=True)
def _wall_fit(ray, known, discs, lumen, constants, kind):
    """`_ray_fit` of a normal wall (kind FIXED), or with the better of soft tissue and, on a ray with calcium (FREE) or else at a price (SOFT), anything."""
    best = _ray_fit(ray, known, discs, lumen, constants, FIXED if kind == FIXED else SOFT)
    if kind == FREE or (kind == SOFT and abs(best[1] - TISSUE_HU) > 2 * TISSUE_SD_HU):
        free = _ray_fit(ray, known, discs, lumen, constants, FREE)
        cost = free[0] + (STRANGE_COST if kind == SOFT else 0.0)
        if cost < best[0]:
            best = (cost, free[1], free[2])
    return best


@numba.njit(cache=True, nogil=True)
def _kind(extra, calcium):
    """What a wall that is `extra` steps thicker than normal may be."""
    return FIXED if extra < 1 else FREE if calcium else SOFT


@numba.njit(cache=True, nogil=True)
def _rises(y, w):
    """True where a ray climbs again by RISE_HU from its lowest: what lies there stands behind fat, and is neither wall nor what the wall borders on."""
    lowest, top = np.inf, 0.0
    for j in range(1, y.size - 1):
        if w[j - 1] > 0 and w[j] > 0 and w[j + 1] > 0:
            value = (y[j - 1] + y[j] + y[j + 1]) / 3
            lowest = min(lowest, value)
            top = max(top, value - lowest)
    return top > RISE_HU


@numba.njit(cache=True, nogil=True)
def _has_calcium(y, w, lumen, noise):
    """True where two neighbouring samples of a ray are brighter than lumen can be."""
    pair = np.minimum(y[:-1], y[1:])
    return np.max(np.where(w[:-1] > 0, pair, -np.inf)) > lumen + max(CALCIUM_EVIDENCE_HU, CALCIUM_EVIDENCE_SD * noise)


@numba.njit(cache=True, nogil=True)
def _covered(ray, rows, outer, lumen, thickness, constants):
    """Best fit with calcium under a soft cover: (cost, wall HU, background HU, cover steps). rows: discs from the lumen's edge outwards.

    The calcium reaches from the cover to the outer wall, `thickness` steps from the lumen; the cover has the HU of the normal wall.
    """
    best = (np.inf, 0.0, 0.0, 0)
    for cover in COVER_STEPS:
        if cover < thickness:
            known = lumen * rows[0] + constants[1] * (rows[cover] - rows[0])
            cost, wall, background = _ray_fit(ray, known, (rows[0], rows[cover], outer, outer), lumen, constants, FREE)
            if wall > lumen and cost < best[0]:
                best = (cost, wall, background, cover)
    return best


@numba.njit(cache=True, nogil=True)
def lumen_costs(profile, weight, lumen, tables, constants, candidates):
    """(M, A, candidates): see contours_model.lumen_cost."""
    disc, outer = tables
    planes, angles, _ = profile.shape
    out = np.zeros((planes, angles, candidates), np.float32)
    calcium, ringed = np.zeros((planes, angles), np.bool_), np.zeros(planes, np.bool_)
    for m in range(planes):
        for a in range(angles):
            calcium[m, a] = _has_calcium(profile[m, a], weight[m, a], lumen[m], constants[0])
        ringed[m] = calcium[m].sum() >= RINGED * angles
    for m in range(planes):
        near = ringed[max(0, m - RINGED_PLANES) : m + RINGED_PLANES + 1].any()
        here = (constants[0], constants[1], constants[2], constants[3], LUMEN_CAP if near else RESIDUAL_CAP)
        for a in range(angles):
            ray = (profile[m, a], weight[m, a])
            for k in range(candidates):
                known = lumen[m] * disc[k]
                best = _ray_fit(ray, known, (disc[k], disc[k], outer[k], outer[k]), lumen[m], here, FIXED)[0]
                for t in PLAQUE_STEPS:
                    best = min(best, PLAQUE_COST + _ray_fit(ray, known, (disc[k], disc[k], outer[k + t], outer[k + t]), lumen[m], here, FREE)[0])
                    if calcium[m, a]:
                        best = min(best, PLAQUE_COST + _covered(ray, disc[k:], outer[k + t], lumen[m], here[2] + t, here)[0])
                out[m, a, k] = best
    return out


@numba.njit(cache=True, nogil=True)
def healthy_costs(profile, weight, lumen, tables, constants, candidates):
    """(2, M, A): least cost over lumen radii with a normal wall, infinite where what lies behind it is no fat, and the HU of that."""
    disc, outer = tables
    here = (constants[0], constants[1], constants[2], constants[3], RESIDUAL_CAP)
    planes, angles, _ = profile.shape
    out = np.zeros((2, planes, angles))
    for m in range(planes):
        for a in range(angles):
            best, behind = np.inf, 0.0
            for k in range(candidates):
                cost, _, background = _ray_fit((profile[m, a], weight[m, a]), lumen[m] * disc[k], (disc[k], disc[k], outer[k], outer[k]), lumen[m], here, FIXED)
                if cost < best:
                    best, behind = cost, background
            out[0, m, a], out[1, m, a] = best if behind < FAT_BELOW_HU else np.inf, behind
    return out


@numba.njit(cache=True, nogil=True)
def _between(table, radius, count):
    """(count, J) rows of a table from a fractional row on."""
    radius = min(radius, len(table) - count - 1.0)
    k = int(radius)
    return (1 - (radius - k)) * table[k : k + count] + (radius - k) * table[k + 1 : k + count + 1]


@numba.njit(cache=True, nogil=True)
def wall_costs(profile, weight, lumen, radius, tables, constants):
    """(M, A, WALL_CANDIDATES): see contours_model.wall_cost."""
    here = (constants[0], constants[1], constants[2], constants[3], RESIDUAL_CAP)
    planes, angles, _ = profile.shape
    out = np.zeros((planes, angles, WALL_CANDIDATES), np.float32)
    for m in range(planes):
        for a in range(angles):
            ray, calcium = (profile[m, a], weight[m, a]), _has_calcium(profile[m, a], weight[m, a], lumen[m], constants[0])
            rows, outer = _between(tables[0], radius[m, a], COVER_STEPS[-1] + 1), _between(tables[1], radius[m, a], WALL_CANDIDATES + GAP_STEPS[-1])
            gap = _rises(ray[0], ray[1])
            for t in range(WALL_CANDIDATES):
                known, discs = lumen[m] * rows[0], (rows[0], rows[0], outer[t], outer[t])
                best = _wall_fit(ray, known, discs, lumen[m], here, _kind(t, calcium))[0]
                if gap:
                    for g in GAP_STEPS:
                        known, discs = lumen[m] * rows[0] + constants[3] * (outer[t + g] - outer[t]), (rows[0], rows[0], outer[t], outer[t + g])
                        best = min(best, _wall_fit(ray, known, discs, lumen[m], here, _kind(t, calcium))[0])
                if calcium:
                    best = min(best, _covered(ray, rows, outer[t], lumen[m], here[2] + t, here)[0])
                out[m, a, t] = best + (PLAQUE_COST if t > 0 else 0.0)
    return out


@numba.njit(cache=True, nogil=True)
def tissues(profile, weight, lumen, radii, tables, constants):
    """(3, M, A) wall HU, background HU and cover steps of the best fit for radii = (lumen, thickness beyond the normal wall), in steps."""
    (radius, extra), here = radii, (constants[0], constants[1], constants[2], constants[3], RESIDUAL_CAP)
    planes, angles, _ = profile.shape
    out = np.zeros((3, planes, angles))
    for m in range(planes):
        for a in range(angles):
            ray, thickness = (profile[m, a], weight[m, a]), int(extra[m, a] + 0.5)
            rows, outer = _between(tables[0], radius[m, a], COVER_STEPS[-1] + 1), _between(tables[1], radius[m, a] + thickness, 1)[0]
            known, discs, calcium = lumen[m] * rows[0], (rows[0], rows[0], outer, outer), _has_calcium(ray[0], ray[1], lumen[m], constants[0])
            (cost, wall, background), cover = _wall_fit(ray, known, discs, lumen[m], here, _kind(extra[m, a], calcium)), 0
            if calcium:
                under = _covered(ray, rows, outer, lumen[m], here[2] + thickness, here)
                if under[0] < cost:
                    _, wall, background, cover = under
            out[0, m, a], out[1, m, a], out[2, m, a] = wall, background, cover
    return out
