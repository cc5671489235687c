"""Pictures, curves and colours of the reading page show what the case holds."""

import base64
import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from tests.viewer.small_case import LESIONS, small_study
from viewer.app import logic
from viewer.app.charts import FFR_RANGE, chart
from viewer.app.pictures import branch_values, cpr_picture, cross_picture, radius_at, slice_picture
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
    plane = plane_through(STUDY.volume, name, state.position_mm, field_mm)
    image, (x, y) = pixels(slice_picture(STUDY, state, plane)), plane.fraction(state.position_mm)
    assert image[int(y * image.shape[0]), int(x * image.shape[1])] > 110


def test_the_straightened_vessel_is_bright_in_the_middle_and_turns():
    state = logic.opened(STUDY)
    image = pixels(cpr_picture(STUDY, state)[0])
    rows = image.shape[0]
    assert image[rows // 2].mean() > 100 > image[: rows // 5].mean() + 40
    turned = pixels(cpr_picture(STUDY, dataclasses.replace(state, cpr_angle_deg=90.0))[0])
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


@pytest.mark.parametrize("angle_deg", [0.0, 70.0, 200.0])
def test_the_edges_on_the_straightened_vessel_lie_a_radius_from_its_middle(angle_deg):
    """The small case's contours are circles about the centerline, whatever the angle."""
    state = dataclasses.replace(logic.opened(STUDY), cpr_angle_deg=angle_deg)
    _, paths = cpr_picture(STUDY, state)
    grid, _ = STUDY.straight(0)
    across = [np.array([float(p.split(",")[1]) for p in path[1:].split(" L")]) for path in paths]
    half_mm = (across[0] - across[1]) / 100 * grid.half_width_mm
    section = STUDY.section(0)
    np.testing.assert_allclose(half_mm[1:-1], section.lumen_radius_mm[::2, 0][1:-1], atol=0.1)
    assert (across[2] >= across[0]).all() and (across[3] <= across[1]).all()


def test_radii_between_two_angles():
    radius = np.tile(np.arange(4.0), (2, 1))
    np.testing.assert_allclose(radius_at(radius, np.array([np.pi / 4, -np.pi / 4])), [0.5, 1.5])


def test_ffr_colours_mark_the_grey_zone_and_keep_apart_for_colour_blind_readers():
    """Machado 2009 at full severity: what is positive and what is negative stay far apart, and lightness falls away from the grey zone on both sides."""
    low, zone, high = colours_of("FFR", np.array([0.55, 0.62, 0.70, 0.74, 0.75001, 0.78, 0.7999, 0.81, 0.88, 0.94, 1.0])), slice(4, 7), slice(7, None)
    grey = low[zone].astype(int)
    assert (np.ptp(grey, axis=1) == 0).all()
    protan = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])
    deutan = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    for matrix in (np.eye(3), protan, deutan):
        lab = rgb2lab(np.clip((low / 255.0) @ matrix.T, 0, 1)[None])[0]
        assert (np.diff(lab[:4, 0]) > 1).all() and (np.diff(lab[high, 0]) < -1).all()
        apart = np.linalg.norm(lab[:4, None] - lab[None, high], axis=-1)
        assert apart.min() > 25
    assert scale_marks("FFR")["zone"] == pytest.approx([40.0, 50.0]) and scale_marks("diameter")["zone"] is None


@pytest.mark.parametrize("kind", ["diameter", "stenosis", "burden"])
def test_lightness_orders_the_other_scales(kind):
    from viewer.scenes.tree_scene import RANGES

    lab = rgb2lab(colours_of(kind, np.linspace(*RANGES[kind], 12))[None] / 255.0)[0]
    assert (np.diff(lab[:, 0]) > 0.5).all()
