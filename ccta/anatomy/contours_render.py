"""What the ray model leaves out: a vessel that is not round, and calcium that shines into the rays beside it.

The fitted tissues are painted into each plane and blurred as an image; the difference from what the rays alone predict is a correction of
the measured profiles, after which the ray fit is repeated (a fixed point is a fit of the true two-dimensional image model).
"""

import numpy as np
from scipy import ndimage

from ccta.anatomy.contours_model import ANGLES, RayModel, blurred_disc, ray_distance_mm

PIXEL_MM, HALF_PIXELS = 0.15, 36


def neglected_hu(lumen_hu, radii_mm, tissues_hu, model: RayModel) -> np.ndarray:
    """(M, A, J) HU by which the blurred plane differs from the ray model along each ray.

    lumen_hu (M,); radii_mm (lumen, outer wall) and tissues_hu (wall, background), each (M, A).
    """
    (radius, outer), (wall, background) = radii_mm, tissues_hu
    r = ray_distance_mm()
    inner = blurred_disc(r, radius[..., None], model.blur_mm)
    whole = blurred_disc(r, outer[..., None], model.blur_mm)
    alone = lumen_hu[:, None, None] * inner + wall[..., None] * (whole - inner) + background[..., None] * (1 - whole)
    return np.stack([_along_rays(_painted(*plane, model.blur_mm)) for plane in zip(lumen_hu, radius, outer, wall, background, strict=True)]) - alone


def _painted(lumen_hu, radius, outer, wall, background, blur_mm):
    """One plane as a blurred image; edges are shaded over a pixel."""
    axis = np.arange(-HALF_PIXELS, HALF_PIXELS + 1) * PIXEL_MM
    y, x = np.meshgrid(axis, axis, indexing="ij")
    rho = np.hypot(x, y)
    place = np.arctan2(y, x) / (2 * np.pi) * len(radius) % len(radius)
    low = place.astype(int) % len(radius)
    high, f = (low + 1) % len(radius), place - place.astype(int)
    at = [(1 - f) * values[low] + f * values[high] for values in (radius, outer, wall, background)]
    in_lumen, in_wall = (np.clip((edge - rho) / PIXEL_MM + 0.5, 0, 1) for edge in at[:2])
    image = lumen_hu * in_lumen + at[2] * (in_wall - in_lumen) + at[3] * (1 - in_wall)
    return ndimage.gaussian_filter(image, blur_mm / PIXEL_MM, mode="nearest")


def _along_rays(image):
    """(A, J) samples of a painted plane along the rays."""
    angle = 2 * np.pi * np.arange(ANGLES)[:, None] / ANGLES
    position = [ray_distance_mm() * f(angle) / PIXEL_MM + HALF_PIXELS for f in (np.sin, np.cos)]
    return ndimage.map_coordinates(image, position, order=1, mode="nearest")
