"""The scan's blur from the aorta's edge, and the patient's own healthy wall, against images of known blur and wall."""

import numpy as np
import pytest
from scipy import ndimage

from ccta.anatomy.aortic_edge import aortic_blur_mm
from ccta.anatomy.contours_model import ray_model
from ccta.anatomy.contours_optics import measured_wall
from ccta.anatomy.contours_rays import centred_frames, rays_on
from ccta.model import Branch, CoronaryTree, Volume
from ccta.settings import MeasureSettings
from tests.ccta.tubes import Tube, scan_tube

SETTINGS = MeasureSettings()
SPACING_MM = np.array([0.4, 0.4, 0.5])


def root(fwhm_mm, wall_mm=1.8, noise_hu=20.0):
    """An aortic root as a ball of 13 mm with its wall, and an artery's tree that leaves it along x."""
    shape = (90, 84, 68)
    fine = np.stack(np.meshgrid(*[(np.arange(2 * n) * 0.5 - n / 2 + 0.25) * s for n, s in zip(shape, SPACING_MM, strict=True)], indexing="ij"), axis=-1)
    away = np.linalg.norm(fine, axis=-1)
    cover = [np.clip((edge - away) / 0.2 + 0.5, 0, 1) for edge in (13.0 + wall_mm, 13.0)]
    image = -90.0 + cover[0] * 140.0 + cover[1] * 370.0
    image = ndimage.gaussian_filter(image.astype(np.float32), fwhm_mm / 2.3548 / (SPACING_MM / 2))
    image = image.reshape(shape[0], 2, shape[1], 2, shape[2], 2).mean(axis=(1, 3, 5))
    grain = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=shape), 0.8)
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = -SPACING_MM * (np.array(shape) - 1) / 2
    x = np.arange(12.0, 18.0, 0.5)
    branch = Branch(np.stack([x, 0 * x, 0 * x], axis=1), np.full(len(x), 1.5))
    return Volume((image + noise_hu * grain / grain.std()).astype(np.int16), affine), CoronaryTree((branch,))


@pytest.mark.parametrize("fwhm_mm", [0.6, 0.8])
def test_blur_is_that_of_the_aortas_edge(fwhm_mm):
    """Voxels of 0.4 x 0.4 x 0.5 mm add their own width."""
    volume, tree = root(fwhm_mm)
    expected_mm = np.sqrt((fwhm_mm / 2.3548) ** 2 + np.mean(SPACING_MM**2) / 12)
    assert aortic_blur_mm(volume, tree) == pytest.approx(expected_mm, abs=0.02)


def test_no_blur_without_an_aorta():
    volume, tree = root(0.7)
    assert aortic_blur_mm(volume.with_array(np.full_like(volume.array, 60)), tree) is None


@pytest.mark.parametrize("wall_mm", [0.25, 0.5])
def test_healthy_wall_is_the_patients_own(wall_mm):
    """As far as it can be seen: the error of a measured wall is half as large again as people differ, so that it counts for a third."""
    tube = Tube(healthy_mm=(1.8, 1.5), wall_mm=wall_mm)
    volume, branch = scan_tube(tube, 20.0)
    rays = rays_on(volume, centred_frames(volume, branch, 0.25), CoronaryTree((branch,)), 0)
    radius_mm = np.interp(rays.frames.distance_mm, branch.distance_mm, branch.radius_mm)
    lumen = ray_model(0.27, 20.0, SETTINGS)
    model = measured_wall([rays], [radius_mm], 0.303, lumen, SETTINGS)  # 0.7 mm and the tube's shaded edges
    assert model.normal_mm == pytest.approx(0.4 + (wall_mm - 0.4) / 3.25, abs=0.03)
    assert model.blur_mm == 0.303
    assert measured_wall([rays], [radius_mm], None, lumen, SETTINGS).blur_mm == 0.27
