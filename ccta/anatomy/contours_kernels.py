"""The inner loops of the contour fit: the least cost of a ray over its wall, plaque, calcium and background (equations: contours_model).

Arrays as there: profile, weight (M, A, J); lumen (M,); radius in steps (M, A); disc (K, J); constants = (noise HU, wall HU, normal wall steps).
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
COVER_STEPS = np.array([2, 4, 7, 11, 15])
"""Candidate thicknesses of soft plaque between lumen and calcium, in radius steps."""
CALCIUM_EVIDENCE_HU = 100.0
"""Above the lumen by four standard deviations of a usual noise."""
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
    """(least cost, wall HU, background HU) of one ray: y = known + wall (outer - middle) + background (1 - outer), discs = (inner, middle, outer).

    The wall's HU is solved, or that of the normal wall. The last of the constants is RESIDUAL_CAP inside the lumen.
    """
    (y, w), (inner, middle, outer) = ray, discs
    noise, wall, _, lumen_cap = constants
    saa, sab, sbb, say, sby = 1e-9, 0.0, 1e-9, 0.0, 0.0
    for j in range(y.size):
        if w[j] > 0:
            a, b = outer[j] - middle[j], 1 - outer[j]
            rest = y[j] - known[j]
            saa += w[j] * a * a
            sab += w[j] * a * b
            sbb += w[j] * b * b
            say += w[j] * a * rest
            sby += w[j] * b * rest
    if solved:
        ridge = 1e-3 * sbb + 1e-6
        determinant = (saa + ridge) * (sbb + 1e-6) - sab * sab
        wall = _clip_wall((say * (sbb + 1e-6) - sab * sby) / determinant, lumen)
    background = min(max((sby - sab * wall) / (sbb + 1e-6), BACKGROUND_HU_MIN), BACKGROUND_OF_LUMEN * lumen)
    cost = 0.0
    for j in range(y.size):
        if w[j] > 0:
            model = known[j] + wall * (outer[j] - middle[j]) + background * (1 - outer[j])
            cost += w[j] * min(((y[j] - model) / noise) ** 2, lumen_cap if inner[j] > 0.5 else RESIDUAL_CAP)
    return 0.5 * cost, wall, background


@numba.njit(cache=True, nogil=True)
def _has_calcium(y, w, lumen):
    """True where two neighbouring samples of a ray are brighter than lumen can be."""
    pair = np.minimum(y[:-1], y[1:])
    return np.max(np.where(w[:-1] > 0, pair, -np.inf)) > lumen + CALCIUM_EVIDENCE_HU


@numba.njit(cache=True, nogil=True)
def _covered(y, w, inner, rows, lumen, constants):
    """Best fit with calcium under a soft cover: (cost, wall HU, background HU, cover steps). rows: discs from the lumen's edge outwards.

    The calcium reaches from the cover to the outer wall, rows[-1]; the cover has the HU of the normal wall.
    """
    best = (np.inf, 0.0, 0.0, 0)
    for cover in COVER_STEPS:
        if cover < len(rows) - 1:
            known = lumen * inner + constants[1] * (rows[cover] - inner)
            cost, wall, background = _ray_fit((y, w), known, (inner, rows[cover], rows[-1]), lumen, constants, True)
            if wall > lumen and cost < best[0]:
                best = (cost, wall, background, cover)
    return best


@numba.njit(cache=True, nogil=True)
def lumen_costs(profile, weight, lumen, disc, constants, candidates):
    """(M, A, candidates): see contours_model.lumen_cost."""
    normal = constants[2]
    planes, angles, _ = profile.shape
    out = np.zeros((planes, angles, candidates), np.float32)
    calcium, ringed = np.zeros((planes, angles), np.bool_), np.zeros(planes, np.bool_)
    for m in range(planes):
        for a in range(angles):
            calcium[m, a] = _has_calcium(profile[m, a], weight[m, a], lumen[m])
        ringed[m] = calcium[m].sum() >= RINGED * angles
    for m in range(planes):
        near = ringed[max(0, m - RINGED_PLANES) : m + RINGED_PLANES + 1].any()
        here = (constants[0], constants[1], constants[2], LUMEN_CAP if near else RESIDUAL_CAP)
        for a in range(angles):
            ray = (profile[m, a], weight[m, a])
            for k in range(candidates):
                known, rows = lumen[m] * disc[k], disc[k : k + normal + PLAQUE_STEPS[-1] + 1]
                best = _ray_fit(ray, known, (disc[k], disc[k], rows[normal]), lumen[m], here, False)[0]
                for t in PLAQUE_STEPS:
                    best = min(best, PLAQUE_COST + _ray_fit(ray, known, (disc[k], disc[k], rows[normal + t]), lumen[m], here, True)[0])
                    if calcium[m, a]:
                        best = min(best, PLAQUE_COST + _covered(ray[0], ray[1], disc[k], rows[: normal + t + 1], lumen[m], here)[0])
                out[m, a, k] = best
    return out


@numba.njit(cache=True, nogil=True)
def wall_costs(profile, weight, lumen, radius, disc, constants):
    """(M, A, WALL_CANDIDATES): see contours_model.wall_cost."""
    normal, here = constants[2], (constants[0], constants[1], constants[2], RESIDUAL_CAP)
    planes, angles, _ = profile.shape
    out = np.zeros((planes, angles, WALL_CANDIDATES), np.float32)
    for m in range(planes):
        for a in range(angles):
            y, w, calcium = profile[m, a], weight[m, a], _has_calcium(profile[m, a], weight[m, a], lumen[m])
            k = int(radius[m, a])
            f = radius[m, a] - k
            rows = (1 - f) * disc[k : k + normal + WALL_CANDIDATES] + f * disc[k + 1 : k + normal + WALL_CANDIDATES + 1]
            for t in range(WALL_CANDIDATES):
                best = _ray_fit((y, w), lumen[m] * rows[0], (rows[0], rows[0], rows[normal + t]), lumen[m], here, t > 0)[0]
                if calcium:
                    best = min(best, _covered(y, w, rows[0], rows[: normal + t + 1], lumen[m], here)[0])
                out[m, a, t] = best + (PLAQUE_COST if t > 0 else 0.0)
    return out


@numba.njit(cache=True, nogil=True)
def tissues(profile, weight, lumen, radii, disc, constants):
    """(3, M, A) wall HU, background HU and cover steps of the best fit for radii = (lumen, thickness beyond the normal wall), in steps."""
    (radius, extra), normal, here = radii, constants[2], (constants[0], constants[1], constants[2], RESIDUAL_CAP)
    planes, angles, _ = profile.shape
    out = np.zeros((3, planes, angles))
    for m in range(planes):
        for a in range(angles):
            y, w = profile[m, a], weight[m, a]
            k, steps = int(radius[m, a]), normal + int(extra[m, a] + 0.5)
            f = radius[m, a] - k
            rows = (1 - f) * disc[k : k + steps + 1] + f * disc[k + 1 : k + steps + 2]
            cost, wall, background = _ray_fit((y, w), lumen[m] * rows[0], (rows[0], rows[0], rows[-1]), lumen[m], here, extra[m, a] >= 1)
            cover = 0
            if _has_calcium(y, w, lumen[m]):
                found = _covered(y, w, rows[0], rows, lumen[m], here)
                if found[0] < cost:
                    _, wall, background, cover = found
            out[0, m, a], out[1, m, a], out[2, m, a] = wall, background, cover
    return out
