"""What the ray model leaves out: a vessel that is not round, calcium that shines into the rays beside it, and planes that shine into their neighbours.

The fitted tissues are painted into each plane, the stack of planes is blurred as an image, as if the vessel were straight, and the difference from what the
rays alone predict is a correction of the measured profiles, after which the ray fit is repeated (a fixed point is a fit of the image model).
"""

import numpy as np
from scipy import ndimage

from ccta.anatomy.contours_model import ANGLES, RayModel, blurred_disc, ray_distance_mm

PIXEL_MM, HALF_PIXELS = 0.15, 36


def neglected_hu(lumen_hu, radii_mm, tissues, model: RayModel, step_mm: float) -> np.ndarray:
    """(M, A, J) HU by which the blurred stack of planes, `step_mm` apart, differs from the ray model along each ray.

    lumen_hu (M,); radii_mm (lumen, outer wall) and tissues (wall HU, background HU, cover mm; see ray_tissues), each (M, A).
    """
    (radius, outer), (wall, background, cover) = radii_mm, tissues
    middle = np.minimum(radius + cover, outer)
    r = ray_distance_mm()
    inner = blurred_disc(r, radius[..., None], model.blur_mm)
    whole = blurred_disc(r, outer[..., None], model.blur_mm)
    between = blurred_disc(r, middle[..., None], model.blur_mm)
    alone = lumen_hu[:, None, None] * inner + model.wall_hu * (between - inner) + wall[..., None] * (whole - between) + background[..., None] * (1 - whole)
    polar = np.stack([radius, middle, outer, np.broadcast_to(lumen_hu[:, None], radius.shape), np.full(radius.shape, model.wall_hu), wall, background], axis=1)
    painted = np.stack([_painted(plane) for plane in polar])
    blurred = ndimage.gaussian_filter(painted, model.blur_mm / np.array([step_mm, PIXEL_MM, PIXEL_MM]), mode="nearest")
    return np.stack([_along_rays(plane) for plane in blurred]) - alone


def _painted(polar):
    """One plane as an image without blur; polar (7, A): three radii from inside out, then the HU of the four tissues that they part.

    Edges are shaded over a pixel.
    """
    axis = np.arange(-HALF_PIXELS, HALF_PIXELS + 1) * PIXEL_MM
    y, x = np.meshgrid(axis, axis, indexing="ij")
    place = np.arctan2(y, x) / (2 * np.pi) * ANGLES % ANGLES
    low, f = place.astype(int) % ANGLES, place - place.astype(int)
    at = (1 - f) * polar[:, low] + f * polar[:, (low + 1) % ANGLES]
    inside = np.clip((at[:3] - np.hypot(x, y)) / PIXEL_MM + 0.5, 0, 1)
    return (at[6] + sum((at[3 + n] - at[4 + n]) * inside[n] for n in range(3))).astype(np.float32)


def _along_rays(image):
    """(A, J) samples of a painted plane along the rays."""
    angle = 2 * np.pi * np.arange(ANGLES)[:, None] / ANGLES
    position = [ray_distance_mm() * f(angle) / PIXEL_MM + HALF_PIXELS for f in (np.sin, np.cos)]
    return ndimage.map_coordinates(image, position, order=1, mode="nearest")
