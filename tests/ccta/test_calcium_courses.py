"""The reference tree placed in a patient without contrast: where nothing shows, and where arteries of another lean do."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from ccta.coordinates import to_index
from ccta.curves import resampled_curve
from ccta.disease.calcium_aorta import AorticTube
from ccta.disease.calcium_courses import NORMAL_HALF_MM, REFERENCE, FatTubes, placed
from ccta.model import Volume

ROOT_MM = np.array([-8.0, -170.0, -40.0])
AORTA = AorticTube(ROOT_MM + np.array([[0.0, 0, 0], [0, 0, 40.0]]), np.array([16.0, 16.0]))


def tubes(lines) -> FatTubes:
    """Only the tubes, and fat everywhere."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = ROOT_MM - [90, 110, 150]
    outside = np.ones((90, 110, 110), bool)
    for line in lines:
        index = np.rint(to_index(resampled_curve(line, 1.0), affine)).astype(int)
        outside[tuple(index.T)] = False
    tube = (ndimage.distance_transform_edt(outside) <= 1.5).astype(np.float32)
    return FatTubes(Volume(np.full(tube.shape, -100, np.float32), affine), tube, np.ones_like(tube), np.zeros(tube.shape, bool))


def test_where_nothing_shows_the_reference_stands_as_it_is():
    course = placed(tubes([]), AORTA, NORMAL_HALF_MM)
    for name, line in REFERENCE.items():
        np.testing.assert_allclose(course[name][[0, -1]], ROOT_MM + np.array(line, float)[[0, -1]], atol=0.5, err_msg=name)


@pytest.mark.parametrize("turn_deg", [(12, 2, 0), (-12, -2, 0), (0, 10, 14), (-14, 10, -14)])
@pytest.mark.parametrize("shift_mm", [(0, -5, 5), (0, 5, -5)])
def test_a_heart_leaning_either_way_is_followed(turn_deg, shift_mm):
    true = {name: ROOT_MM + shift_mm + Rotation.from_rotvec(turn_deg, degrees=True).apply(np.array(line, float)) for name, line in REFERENCE.items()}
    course = placed(tubes(true.values()), AORTA, NORMAL_HALF_MM)
    for name in ("LAD", "LCx", "RCA"):
        assert cKDTree(resampled_curve(true[name], 1.0)).query(course[name])[0].mean() < 4.0, name
