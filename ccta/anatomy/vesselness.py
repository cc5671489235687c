"""Optimally oriented flux, expressed as the contrast of an equivalent bright tube. Knows arrays and millimetres, no anatomy.

Law and Chung, ECCV 2008: the flux of the image gradient through a sphere of radius r, projected on directions, is the Hessian of the image
averaged over the ball of that radius. Unlike a Gaussian second derivative, the sphere does not see a bright chamber that it does not touch.
"""

import numba
import numpy as np
from scipy import fft, special

from ccta.threads import in_slabs, thread_count


def tube_contrast(image_hu: np.ndarray, spacing_mm: float, radii_mm: tuple[float, ...], where: np.ndarray, blur_mm: float = 0.5):
    """(contrast_hu, radius_mm), both float32 of the image's shape, zero outside `where`.

    contrast_hu: the second strongest inward flux, divided by that of an ideal tube of contrast 1 HU and the probed radius: about the
    difference between lumen and surroundings on a tube's axis, near 0 on a wall, on a plane and inside a large chamber.
    radius_mm: the probed radius with the strongest answer. image_hu: (ni, nj, nk) on an isotropic grid of `spacing_mm`.
    """
    shape = [fft.next_fast_len(n + int(np.ceil(2 * max(radii_mm) / spacing_mm)), real=True) for n in image_hu.shape]
    offset = float(np.median(image_hu))
    spectrum = fft.rfftn(image_hu.astype(np.float32) - offset, shape, workers=thread_count())
    wave = _wave_number(shape, spacing_mm)
    best = np.zeros(image_hu.shape, np.float32)
    radius = np.zeros(image_hu.shape, np.float32)
    core = tuple(slice(0, n) for n in image_hu.shape)
    for r in radii_mm:
        ball = _averaged(spectrum, wave, shape, (r, blur_mm))[core]
        probe = (1.0 / (spacing_mm**2 * tube_flux(r, r, blur_mm)), np.float32(r))
        in_slabs(lambda slab, ball=ball, probe=probe: _keep_strongest(ball, where, probe, (best, radius), slab.start, slab.stop), len(ball))
    return best, radius


def tube_flux(probe_mm: float, tube_mm: float, blur_mm: float) -> float:
    """Transverse second derivative of the ball average on the axis of a tube of contrast 1 (negative).

    -(1 / 4 pi) Int k^3 B(k) D(k) exp(-k^2 blur^2 / 2) dk with B the ball's and D(k) = 2 pi R J1(kR) / k the disc's transform.
    """
    k = np.linspace(1e-4, 7.0 / blur_mm, 4000)
    disc = 2 * np.pi * tube_mm * special.j1(k * tube_mm) / k
    return float(-np.trapezoid(k**3 * disc * _ball(k, probe_mm, blur_mm), k) / (4 * np.pi))


def _averaged(spectrum: np.ndarray, wave: np.ndarray, shape: list[int], ball_mm: tuple[float, float]) -> np.ndarray:
    """The image of this spectrum averaged over a ball; ball_mm: its radius and blur."""
    product = np.empty_like(spectrum)
    in_slabs(lambda slab: np.multiply(spectrum[slab], _ball(wave[slab], *ball_mm), out=product[slab]), len(spectrum))
    return fft.irfftn(product, shape, overwrite_x=True, workers=thread_count())


def _ball(k: np.ndarray, radius_mm: float, blur_mm: float) -> np.ndarray:
    """Fourier transform of the ball's indicator times a Gaussian, over the ball's surface; k in 1/mm."""
    x = np.maximum(k * radius_mm, 1e-2)
    return (radius_mm * (np.sin(x) - x * np.cos(x)) / x**3 * np.exp(-0.5 * (k * blur_mm) ** 2)).astype(k.dtype)


def _wave_number(shape, spacing_mm: float) -> np.ndarray:
    """|k| in 1/mm on the grid of a real transform, float32."""
    squared = np.float32(0)
    for axis, n in enumerate(shape):
        k = (fft.rfftfreq if axis == 2 else fft.fftfreq)(n, spacing_mm) * 2 * np.pi
        squared = squared + (k**2).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    return np.sqrt(squared)


@numba.njit(cache=True)
def middle_eigenvalue(a, b, c, d, e, f):
    """Second smallest eigenvalue of [[a, d, e], [d, b, f], [e, f, c]] (Smith, Commun ACM 1961;4:168)."""
    mean = (a + b + c) / 3
    p2 = (a - mean) ** 2 + (b - mean) ** 2 + (c - mean) ** 2 + 2 * (d * d + e * e + f * f)
    if p2 < 1e-20:
        return mean
    p = np.sqrt(p2 / 6)
    a, b, c, d, e, f = (a - mean) / p, (b - mean) / p, (c - mean) / p, d / p, e / p, f / p
    half_det = 0.5 * (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e))
    angle = np.arccos(min(1.0, max(-1.0, half_det))) / 3
    return 3 * mean - (mean + 2 * p * np.cos(angle)) - (mean + 2 * p * np.cos(angle + 2 * np.pi / 3))


@numba.njit(cache=True, nogil=True)
def _keep_strongest(ball, where, probe, strongest, start, stop):
    """Updates planes start to stop of the strongest answer and its radius, where the second strongest inward flux times the probe's scale is larger."""
    (best, radius), (scale, probe_mm) = strongest, probe
    ni, nj, nk = ball.shape
    for i in range(max(start, 1), min(stop, ni - 1)):
        for j in range(1, nj - 1):
            for k in range(1, nk - 1):
                if not where[i, j, k]:
                    continue
                two = 2 * ball[i, j, k]
                xx = ball[i + 1, j, k] + ball[i - 1, j, k] - two
                yy = ball[i, j + 1, k] + ball[i, j - 1, k] - two
                zz = ball[i, j, k + 1] + ball[i, j, k - 1] - two
                xy = (ball[i + 1, j + 1, k] + ball[i - 1, j - 1, k] - ball[i + 1, j - 1, k] - ball[i - 1, j + 1, k]) / 4
                xz = (ball[i + 1, j, k + 1] + ball[i - 1, j, k - 1] - ball[i + 1, j, k - 1] - ball[i - 1, j, k + 1]) / 4
                yz = (ball[i, j + 1, k + 1] + ball[i, j - 1, k - 1] - ball[i, j + 1, k - 1] - ball[i, j - 1, k + 1]) / 4
                value = scale * middle_eigenvalue(xx, yy, zz, xy, xz, yz)
                if value > best[i, j, k]:
                    best[i, j, k] = value
                    radius[i, j, k] = probe_mm
