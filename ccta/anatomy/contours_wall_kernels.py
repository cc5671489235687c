"""The inner loops of the outer wall's fit: the least cost of a ray over wall thickness (equations: contours_model), and of a plane over circles.

Arrays: profile, weight (M, A, J); lumen (M,); radius in steps (M, A); tables = disc and outer (K, J), the blurred discs of radius k steps and of that
plus the normal wall; constants = (noise HU, wall HU, normal wall in steps, fat HU).
"""

import numba
import numpy as np

from ccta.anatomy.contours_kernels import (
    BACKGROUND_HU_MIN,
    BACKGROUND_OF_LUMEN,
    CALCIUM_EVIDENCE_HU,
    COVER_STEPS,
    RESIDUAL_CAP,
    WALL_CANDIDATES,
    _clip_wall,
)

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
CALCIUM_EVIDENCE_SD = 5.0
"""Calcium is brighter than the lumen by CALCIUM_EVIDENCE_HU and by so many standard deviations of the noise."""


@numba.njit(cache=True, nogil=True)
def _ray_fit(ray, known, discs, lumen, constants, solved):
    """(least cost, wall HU, background HU) of one ray: y = known + wall (outer - middle) + background (1 - beyond), discs = (middle, outer, beyond).

    solved: the wall has the HU of the normal wall (FIXED), is soft tissue with a prior (SOFT), or anything (FREE).
    """
    (y, w), (middle, outer, beyond) = ray, discs
    noise, wall = constants[0], constants[1]
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
            cost += w[j] * min(((y[j] - model) / noise) ** 2, RESIDUAL_CAP)
    return 0.5 * cost, wall, background


@numba.njit(cache=True, nogil=True)
def _wall_fit(ray, known, discs, lumen, constants, kind):
    """`_ray_fit` of a normal wall (kind FIXED), or with the better of soft tissue and, on a ray with calcium (FREE) or else at a price (SOFT), anything."""
    cost, wall, _ = _ray_fit(ray, known, discs, lumen, constants, FIXED if kind == FIXED else SOFT)
    if kind == FREE or (kind == SOFT and abs(wall - TISSUE_HU) > 2 * TISSUE_SD_HU):
        cost = min(cost, _ray_fit(ray, known, discs, lumen, constants, FREE)[0] + (STRANGE_COST if kind == SOFT else 0.0))
    return cost


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
    """Least cost with calcium under a soft cover. rows: discs from the lumen's edge outwards.

    The calcium reaches from the cover to the outer wall, `thickness` steps from the lumen; the cover has the HU of the normal wall.
    """
    best = np.inf
    for cover in COVER_STEPS:
        if cover < thickness:
            known = lumen * rows[0] + constants[1] * (rows[cover] - rows[0])
            cost, wall, _ = _ray_fit(ray, known, (rows[cover], outer, outer), lumen, constants, FREE)
            if wall > lumen:
                best = min(best, cost)
    return best


@numba.njit(cache=True, nogil=True)
def healthy_costs(profile, weight, lumen, tables, constants, candidates):
    """(M, A) least cost over lumen radii with a normal wall, infinite where what lies behind it is no fat."""
    disc, outer = tables
    planes, angles, _ = profile.shape
    out = np.zeros((planes, angles))
    for m in range(planes):
        for a in range(angles):
            best, behind = np.inf, 0.0
            for k in range(candidates):
                cost, _, background = _ray_fit((profile[m, a], weight[m, a]), lumen[m] * disc[k], (disc[k], outer[k], outer[k]), lumen[m], constants, FIXED)
                if cost < best:
                    best, behind = cost, background
            out[m, a] = best if behind < FAT_BELOW_HU else np.inf
    return out


@numba.njit(cache=True, nogil=True)
def _between(table, radius, count):
    """(count, J) rows of a table from a fractional row on."""
    radius = min(radius, len(table) - count - 1.0)
    k = int(radius)
    return (1 - (radius - k)) * table[k : k + count] + (radius - k) * table[k + 1 : k + count + 1]


@numba.njit(cache=True, nogil=True)
def thickness_costs(profile, weight, lumen, radius, tables, constants):
    """(M, A, WALL_CANDIDATES): negative log-likelihood of a wall t steps thicker than normal outside the lumen `radius`."""
    planes, angles, _ = profile.shape
    out = np.zeros((planes, angles, WALL_CANDIDATES), np.float32)
    for m in range(planes):
        for a in range(angles):
            ray, calcium = (profile[m, a], weight[m, a]), _has_calcium(profile[m, a], weight[m, a], lumen[m], constants[0])
            rows, outer = _between(tables[0], radius[m, a], COVER_STEPS[-1] + 1), _between(tables[1], radius[m, a], WALL_CANDIDATES + GAP_STEPS[-1])
            gap = _rises(ray[0], ray[1])
            for t in range(WALL_CANDIDATES):
                kind = FIXED if t < 1 else FREE if calcium else SOFT
                best = _wall_fit(ray, lumen[m] * rows[0], (rows[0], outer[t], outer[t]), lumen[m], constants, kind)
                if gap:
                    for g in GAP_STEPS:
                        known = lumen[m] * rows[0] + constants[3] * (outer[t + g] - outer[t])
                        best = min(best, _wall_fit(ray, known, (rows[0], outer[t], outer[t + g]), lumen[m], constants, kind))
                if calcium:
                    best = min(best, _covered(ray, rows, outer[t], lumen[m], constants[2] + t, constants))
                out[m, a, t] = best
    return out


@numba.njit(cache=True, nogil=True)
def _circle_cost(cost, inner, way, circle, step_mm):
    """Mean over the rays of a plane (A, Q) of the cost at a circle (x, y, radius), nowhere within the rays' `inner` radii. way: (A, 2)."""
    x, y, radius = circle
    total, last = 0.0, cost.shape[1] - 1.001
    for a in range(len(way)):
        along, across = x * way[a, 0] + y * way[a, 1], x * way[a, 1] - y * way[a, 0]
        q = min(max(along + np.sqrt(max(radius * radius - across * across, 0.0)), inner[a]) / step_mm, last)
        k = int(q)
        total += (1 - (q - k)) * cost[a, k] + (q - k) * cost[a, k + 1]
    return total / len(way)


@numba.njit(cache=True, nogil=True)
def _beside(cost, inner, way, circle, steps):
    """Costs of the circles a step narrower and wider. steps: (mm, price of a mm, steps of the circle beyond the least)."""
    (x, y, radius), (step_mm, price, at) = circle, steps
    low = _circle_cost(cost, inner, way, (x, y, radius - step_mm), step_mm) + price * (at - 1) * step_mm
    return low, _circle_cost(cost, inner, way, (x, y, radius + step_mm), step_mm) + price * (at + 1) * step_mm


@numba.njit(cache=True, nogil=True)
def best_circles(cost, inner, middle, steps, price):
    """(M, 3) circle (x, y, radius, mm) of each plane with the least cost, of those that hold the one of `inner`'s mean radius about `middle` (M, 2).

    cost: (M, A, Q) by radius in steps from 0. steps: (of the radius and the cost, of the shift, mm). price: of each mm of radius beyond the least.
    """
    (step_mm, shift_mm), planes, angles = steps, cost.shape[0], cost.shape[1]
    turn = 2 * np.pi * np.arange(angles) / angles
    way = np.stack((np.cos(turn), np.sin(turn)), axis=1)
    out = np.zeros((planes, 3))
    for m in range(planes):
        least, best, at = np.sqrt(np.mean(inner[m] ** 2)), np.inf, 0
        for k in range(WALL_CANDIDATES):
            for e in range(int(k * step_mm / shift_mm + 1e-6) + 1):
                for p in range(angles if e > 0 else 1):
                    circle = (middle[m, 0] + e * shift_mm * way[p, 0], middle[m, 1] + e * shift_mm * way[p, 1], least + k * step_mm)
                    value = _circle_cost(cost[m], inner[m], way, circle, step_mm) + price * k * step_mm
                    if value < best:
                        best, at = value, k
                        out[m, 0], out[m, 1], out[m, 2] = circle
        if at > 0:
            x, y, radius = out[m]
            low, high = _beside(cost[m], inner[m], way, (x, y, radius), (step_mm, price, at))
            if low + high > 2 * best:
                out[m, 2] += min(max((low - high) / (low + high - 2 * best) / 2, -0.5), 0.5) * step_mm
    return out
