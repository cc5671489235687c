"""Pictures, curves and colours of the reading page show what the case holds."""

import base64
import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image

from tests.viewer.small_case import LESIONS, small_study
from viewer.app import logic
from viewer.app.charts import FFR_RANGE, chart
from viewer.app.pictures import branch_values, cpr_picture, cross_picture, slice_picture
from viewer.app.planes import plane_image, plane_through, windowed
from viewer.scenes.tree_scene import TreeScene, colours_of, scale_marks, tree_values

STUDY = small_study()


def pixels(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))), float)


def test_a_window_maps_its_ends_to_black_and_white():
    grey = windowed(np.array([-2000.0, -100.0, 300.0, 700.0, 3000.0]), 300, 800)
    assert grey.tolist() == [0, 0, 127, 255, 255]


def test_an_axial_slice_is_the_volumes_own_slice():
    k = 30
    z_mm = STUDY.volume.affine[2, 3] + 0.5 * k
    plane = plane_through(STUDY.volume, "axial", (0, -130, z_mm))
    np.testing.assert_allclose(plane_image(STUDY.volume, plane, 0.5), STUDY.volume.array[:, :, k].T, atol=1e-3)


@pytest.mark.parametrize("field_mm", [0.0, 30.0])
@pytest.mark.parametrize("name", ["axial", "coronal", "sagittal"])
def test_the_cross_hair_lies_on_the_bright_vessel(name, field_mm):
    state = logic.opened(STUDY)
    logic.on_distance(state, STUDY, 5.0)
    state.field_mm = field_mm
    address, (x, y) = slice_picture(STUDY, state, name)
    image = pixels(address)
    assert image[int(y * image.shape[0]), int(x * image.shape[1])] > 110


def test_the_straightened_vessel_is_bright_in_the_middle_and_turns():
    state = logic.opened(STUDY)
    image = pixels(cpr_picture(STUDY, state))
    rows = image.shape[0]
    assert image[rows // 2].mean() > 100 > image[: rows // 5].mean() + 40
    turned = pixels(cpr_picture(STUDY, dataclasses.replace(state, cpr_angle_deg=90.0)))
    assert np.abs(image - turned).mean() > 3


def test_the_contours_have_the_lumens_size():
    state = logic.opened(STUDY)
    _, (lumen, wall) = cross_picture(STUDY, state)
    x = np.array([[float(v) for v in point.split(",")] for point in lumen.split()])
    diameter_mm = np.ptp(x, axis=0) * 12 / 100
    np.testing.assert_allclose(diameter_mm, STUDY.diameter_at(0, state.distance_mm), atol=0.1)
    assert len(wall.split()) == len(lumen.split()) == 36


def test_the_curve_ends_at_the_pullbacks_last_value():
    drawn = chart(STUDY, 0)
    x, y = map(float, re.findall(r"[\d.]+,[\d.]+", drawn["ffr"])[-1].split(","))
    assert x == pytest.approx(100)
    assert FFR_RANGE[1] - y / 100 * (FFR_RANGE[1] - FFR_RANGE[0]) == pytest.approx(STUDY.pullback.branches[0].ffr[-1], abs=1e-3)
    start, width, text = drawn["lesions"][0]
    assert (start + width / 2) / 100 * drawn["length_mm"] == pytest.approx(LESIONS[0][2])
    assert text == "60 %"


def test_the_tree_is_red_behind_the_lesion_and_grey_without_flow():
    values = branch_values(STUDY)
    red, _, blue = colours_of("FFR", np.array([0.55, 1.0, np.nan])).T.astype(int)
    assert red[0] > blue[0] + 80
    assert blue[1] > red[1] + 80
    assert red[2] == blue[2]
    assert values["FFR"][0][-1] < 0.78 < values["FFR"][0][0]
    assert values["stenosis"][0].max() == 60.0
    unsolved = branch_values(dataclasses.replace(STUDY, pullback=None))
    assert np.isnan(np.concatenate(unsolved["FFR"])).all()


def test_the_scene_colours_every_point_of_the_surface_and_works_without_one():
    places, values = tree_values(STUDY.tree, branch_values(STUDY))
    scene = TreeScene(STUDY.surface, places, values)
    for kind in ("FFR", "diameter", "stenosis"):
        scene.colour(kind)
        assert scale_marks(kind)["marks"]
    empty = TreeScene(None, np.zeros((0, 3)), {})
    empty.colour("FFR")
    empty.mark((1, 2, 3))
    assert scene.has_surface and not empty.has_surface
