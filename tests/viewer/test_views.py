"""Slabs, turned slices, the curved vessel, plaque colours and the network's maps: places stay patient millimetres, whatever the view."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2lab

from ccta.anatomy.reformat import sampled
from ccta.anatomy.slab import projected
from ccta.anatomy.stretched import stretched, stretched_frame
from ccta.case import Case
from ccta.coordinates import to_patient_mm
from ccta.model import Volume
from tests.viewer.small_case import LESIONS, small_study, write_small_case
from viewer.app import logic, view_state
from viewer.app.pictures import branch_values, cpr_picture, cross_picture, slice_picture, stack_picture
from viewer.app.planes import AXES, bounds_mm, edge_letters, plane_through
from viewer.app.study import Study, load_study
from viewer.app.views import curved, oblique
from viewer.app.views import logic as views
from viewer.app.views.colouring import CLASS_RGB, classes_along, plaque_legend, plaque_map
from viewer.app.views.network_maps import SEEN_PCT, overlaid, seen_part
from viewer.app.views.outlines import outline_paths
from viewer.app.views.state import UPRIGHT, ViewState
from viewer.app.views.volume import half_box, preset_box
from viewer.app.words import NotPossible
from viewer.scenes.volume_scene import LOOKS, Box, VolumeScene, first_seen

STUDY = small_study()
ANGLE = st.floats(-180, 180)


def turned_state(turns) -> object:
    state = logic.opened(STUDY)
    for name, degrees in turns:
        oblique.on_rotate(state, STUDY, name, degrees)
    return state


TURNS = st.lists(st.tuples(st.sampled_from(sorted(AXES)), ANGLE), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(turns=TURNS, x=st.floats(0, 1), y=st.floats(0, 1), name=st.sampled_from(sorted(AXES)))
def test_turned_slices_stay_perpendicular_pass_through_the_cross_hair_and_click_back(turns, x, y, name):
    state = turned_state(turns)
    normals = np.array([oblique.plane_of(state, STUDY, one).normal for one in AXES])
    np.testing.assert_allclose(np.abs(normals @ normals.T), np.eye(3), atol=1e-9)
    for one in AXES:
        plane = oblique.plane_of(state, STUDY, one)
        np.testing.assert_allclose(plane.position_mm(*plane.fraction(state.position_mm)), state.position_mm, atol=1e-9)
    place = oblique.plane_of(state, STUDY, name).position_mm(x, y)
    logic.on_slice(state, STUDY, name, x, y)
    np.testing.assert_allclose(state.position_mm, place, atol=1e-9)


@pytest.mark.parametrize("name", AXES)
def test_a_turned_line_turns_the_others_about_this_slice_which_stays(name):
    state = logic.opened(STUDY)
    before = {one: oblique.plane_of(state, STUDY, one) for one in AXES}
    oblique.on_rotate(state, STUDY, name, 30.0)
    for one in AXES:
        plane, old = oblique.plane_of(state, STUDY, one), before[one]
        turned = np.degrees(np.arccos(np.clip(plane.normal @ old.normal, -1, 1)))
        assert turned == pytest.approx(0.0 if one == name else 30.0, abs=1e-6) and plane.size_mm == old.size_mm
    hair, flat = oblique.cross_hair(state, STUDY, name), before[name]
    for x1, y1, x2, y2, colour in hair["lines"]:
        other = next(one for one in AXES if oblique.LINES[one] == colour)
        for x, y in ((x1, y1), (x2, y2)):
            place = flat.position_mm(x / 100, y / 100)
            assert abs((place - np.array(state.position_mm)) @ oblique.plane_of(state, STUDY, other).normal) < 0.02, "the line is where the other slice cuts"
    assert len(hair["lines"]) == len(hair["grips"]) == 4
    oblique.on_upright(state, STUDY)
    assert not state.views.oblique


def test_a_drag_clockwise_turns_the_line_clockwise():
    state = logic.opened(STUDY)
    state.field_mm = 30.0
    oblique.on_rotate(state, STUDY, "axial", 20.0)
    x1, y1, x2, y2, _ = oblique.cross_hair(state, STUDY, "axial")["lines"][0]
    assert np.degrees(np.arctan2(x1 - x2, y2 - y1)) == pytest.approx(20.0, abs=0.1), "the upper end of the upright line moved to the right"


@pytest.mark.parametrize(
    ("degrees", "letters"),
    [(0, ["R", "L", "A", "P"]), (90, ["P", "A", "R", "L"]), (45, ["PR", "AL", "AR", "LP"]), (10, ["R", "L", "A", "P"]), (-90, ["A", "P", "L", "R"])],
)  # fmt: skip
def test_letters_follow_the_slice(degrees, letters):
    """An axial picture turned in its own plane: what was at the right edge goes to the bottom at -90 degrees."""
    t = np.deg2rad(degrees)
    found = edge_letters((np.cos(t), -np.sin(t), 0), (np.sin(t), np.cos(t), 0))
    assert [sorted(one) for one in found] == [sorted(one) for one in letters]
    assert edge_letters(*UPRIGHT["coronal"]) == ["R", "L", "H", "F"] and edge_letters(*UPRIGHT["sagittal"]) == ["A", "P", "H", "F"]


def test_along_the_artery_the_first_slice_lies_across_it_and_follows_it():
    state = logic.opened(STUDY)
    oblique.on_along(state, STUDY)
    for place in (12.0, 25.0):
        logic.on_distance(state, STUDY, place)
        branch = STUDY.branch(0)
        tangent = branch.point_at(place + 0.5) - branch.point_at(place - 0.5)
        tangent /= np.linalg.norm(tangent)
        axial, coronal, sagittal = (oblique.plane_of(state, STUDY, name) for name in AXES)
        assert abs(axial.normal @ tangent) > 0.995 and abs(coronal.normal @ tangent) < 0.1 and abs(sagittal.normal @ tangent) < 0.1
        assert coronal.down @ tangent < -0.99 and sagittal.down @ tangent < -0.99, "the vessel's end is up"
    before = state.views.axes
    logic.on_position(state, STUDY, np.array(state.position_mm) + 2.0)
    assert state.views.axes == before, "a click into a slice does not turn it under the pointer"
    oblique.on_along(state, STUDY)
    assert not state.views.oblique and not state.views.along


@settings(max_examples=15, deadline=None)
@given(turns=TURNS, name=st.sampled_from(sorted(AXES)), steps=st.integers(-30, 30))
def test_the_wheel_goes_along_the_slices_normal_within_the_image(turns, name, steps):
    state = turned_state(turns)
    place, normal = np.array(state.position_mm), oblique.plane_of(state, STUDY, name).normal
    logic.on_scroll(state, STUDY, name, steps)
    moved = np.array(state.position_mm) - place
    low, high = bounds_mm(STUDY.volume)
    assert (state.position_mm >= low - 1e-9).all() and (state.position_mm <= high + 1e-9).all()
    if np.all(np.abs(place + moved - low) > 1) and np.all(np.abs(place + moved - high) > 1):
        np.testing.assert_allclose(np.linalg.norm(np.cross(moved, normal)), 0, atol=1e-6)
        assert abs(steps) * 0.5 - 1e-6 <= np.linalg.norm(moved) <= abs(steps) * 0.5 * np.sqrt(3) + 1e-6


def test_outlines_are_where_the_contours_are_on_any_slice():
    state = turned_state([("axial", 25.0), ("sagittal", -40.0)])
    logic.on_distance(state, STUDY, 25.0)
    state.field_mm = 30.0
    for name in AXES:
        plane = oblique.plane_of(state, STUDY, name)
        for kind, more in (("lumen", 0.0), ("wall", None)):
            path = outline_paths(STUDY, plane)[kind]
            places = np.array([[float(v) for v in place.split(",")] for place in path.replace("M", " ").replace("L", " ").split()]) / 100
            near = np.abs(places - 0.5).max(axis=1) < 0.2
            assert near.sum() > 10
            for x, y in places[near][::5]:
                position = plane.position_mm(x, y)
                branch, distance, apart = logic.nearest_on_tree(STUDY, position)
                section = STUDY.section(branch)
                row = int(np.abs(section.distance_mm - distance).argmin())
                radius = (section.lumen_radius_mm if more is not None else section.wall_radius_mm)[max(row - 2, 0) : row + 3, 0]
                assert radius.min() - 0.25 < apart < radius.max() + 0.25


# --- slabs ---


def test_a_slab_keeps_the_brightest_the_mean_or_the_darkest():
    from ccta.anatomy.slab import projected

    position = np.array(STUDY.volume.affine[:3, 3]) + np.array([20.0, 20.0, 15.0])
    shape, across, down = (5, 7), np.array([0.5, 0, 0]), np.array([0, 0.5, 0])
    grid = position + np.arange(5)[:, None, None] * down + np.arange(7)[None, :, None] * across
    layers = np.stack([sampled(STUDY.volume, grid + np.array([0, 0, z])) for z in np.linspace(-2.0, 2.0, 9)])
    for kind, expected in (("mip", layers.max(0)), ("mean", layers.mean(0)), ("minip", layers.min(0))):
        np.testing.assert_allclose(projected(STUDY.volume, position, across, down, shape, (kind, 4.0)), expected, atol=0.05)
        thin = projected(STUDY.volume, position, across, down, shape, (kind, 0.0))
        np.testing.assert_allclose(thin, sampled(STUDY.volume, grid), atol=1e-2)
    outside = projected(STUDY.volume, position - np.array([500.0, 0, 0]), across, down, shape, ("mean", 4.0))
    assert (outside == -1024).all()


def test_the_slabs_controls():
    state = logic.opened(STUDY)
    thin = slice_picture(STUDY, state, oblique.plane_of(state, STUDY, "axial"))
    views.on_thickness(state, STUDY, 8)
    assert (state.views.slab, state.views.thickness_mm) == ("mip", 8.0)
    assert slice_picture(STUDY, state, oblique.plane_of(state, STUDY, "axial")) != thin
    views.on_thickness(state, STUDY, 99)
    assert state.views.thickness_mm == 30.0
    seen = []
    for _ in range(4):
        seen.append(state.views.slab)
        views.on_next(state, STUDY, "slab")
    assert seen == ["mip", "mean", "minip", "thin"]
    for handler, *values in ((views.on_thickness, float("nan")), (views.on_choice, "slab", "x"), (views.on_switch, "slab")):
        with pytest.raises(ValueError):
            handler(state, STUDY, *values)


# --- the curved vessel ---


@settings(max_examples=15, deadline=None)
@given(angle=ANGLE, share=st.floats(0.05, 0.95), beside=st.floats(-3, 3), branch=st.integers(0, 2))
def test_a_place_in_the_curved_vessel_and_back(angle, share, beside, branch):
    """From a place beside the centerline along the picture's lines to the picture, and from the picture to the patient."""
    state = dataclasses.replace(logic.opened(STUDY), branch=branch, cpr_angle_deg=angle)
    curve = curved.curve_of(state, STUDY)
    place = curve.place_at(share * STUDY.branch(branch).length_mm)
    truth = curve.center_at(place) + beside * curve.line
    x = place / curve.frame.width_mm
    y = 0.5 + curve.beside_mm(truth) / curve.frame.height_mm
    assert 0 <= x <= 1 and 0 <= y <= 1
    np.testing.assert_allclose(curved.place_in_curve(state, STUDY, x, y), truth, atol=1e-6)
    if np.diff(curve.unrolled_mm).min() > 1e-3:
        assert curved.curved_at(state, STUDY, x) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("angle", [0.0, 1.0, 2.5])
def test_the_stretched_surface_keeps_lengths(angle):
    """Along the surface, a piece of the centerline is as long in the picture as in the patient."""
    surface = stretched(stretched_frame(STUDY.branch(0)), angle)
    beside = surface.beside_mm(surface.frame.points_mm)
    in_picture = np.hypot(np.diff(surface.unrolled_mm), np.diff(beside))
    np.testing.assert_allclose(in_picture, np.linalg.norm(np.diff(surface.frame.points_mm, axis=0), axis=1), atol=1e-9)


def test_a_click_into_the_curved_vessel_goes_to_that_very_place_and_its_edges_lie_on_the_lumen():
    state = logic.opened(STUDY)
    views.on_switch(state, STUDY, "curved")
    image, edges = cpr_picture(STUDY, state)
    assert image.startswith("data:image/jpeg") and len(edges) == 4
    places = [np.array([[float(v) for v in place[1:].split(",")] for place in path.split()]) / 100 for path in edges]
    for path, radii in zip(places, (STUDY.section(0).lumen_radius_mm,) * 2 + (STUDY.section(0).wall_radius_mm,) * 2, strict=True):
        for x, y in path[5:-5:7]:
            position = curved.place_in_curve(state, STUDY, x, y)
            branch = STUDY.branch(0)
            apart = np.linalg.norm(branch.points_mm - position, axis=1)
            row = int(np.abs(STUDY.section(0).distance_mm - branch.distance_mm[apart.argmin()]).argmin())
            near = radii[max(row - 2, 0) : row + 3, 0]
            assert near.min() - 0.3 < apart.min() < near.max() + 0.3
    wanted = curved.place_in_curve(state, STUDY, 0.3, 0.4)
    views.on_cpr(state, STUDY, 0.3, 0.4)
    np.testing.assert_allclose(state.position_mm, wanted)
    views.on_over_cpr(state, STUDY, 0.5)
    assert state.hover_mm == pytest.approx(curved.curved_at(state, STUDY, 0.5) * STUDY.branch(0).length_mm)
    views.on_switch(state, STUDY, "curved")
    views.on_cpr(state, STUDY, 0.25, 0.9)
    assert state.distance_mm == pytest.approx(0.25 * STUDY.branch(0).length_mm)


# --- colours over the pictures ---


def test_plaque_is_coloured_between_lumen_and_wall_of_the_lesion_only():
    plaque = plaque_map(STUDY, 0)
    own, (_, _, at_mm, _, _) = STUDY.section(0), LESIONS[0]
    assert plaque.classes.any(), "the small case's narrowing has a thick wall"
    row = int(np.abs(own.distance_mm - at_mm).argmin())
    lumen, wall = plaque.lumen_mm[row, 0], plaque.wall_mm[row, 0]
    for radius, inside in ((0.5 * lumen, False), ((lumen + wall) / 2, bool(plaque.classes[row, 0, 6])), (wall + 0.2, False)):
        found = classes_along(plaque, np.array([own.distance_mm[row]]), (own.center_mm[row] + radius * own.axis_u[row])[None])
        assert (found[0] > 0) == inside
    state = logic.opened(STUDY)
    plain = [picture(STUDY, state)[0] for picture in (cpr_picture, cross_picture, stack_picture)]
    views.on_switch(state, STUDY, "plaque")
    assert all(picture(STUDY, state)[0] != before for picture, before in zip((cpr_picture, cross_picture, stack_picture), plain, strict=True))
    views.on_switch(state, STUDY, "curved")
    coloured = cpr_picture(STUDY, state)[0]
    views.on_switch(state, STUDY, "plaque")
    assert cpr_picture(STUDY, state)[0] != coloured
    assert len(plaque_legend(STUDY)) == 4 and plaque_legend(Study(STUDY.volume, STUDY.findings, STUDY.tree)) == []


def test_plaque_colours_can_be_told_apart_by_colour_blind_readers():
    protan = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])
    deutan = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    for matrix in (np.eye(3), protan, deutan):
        lab = rgb2lab(np.clip((CLASS_RGB / 255.0) @ matrix.T, 0, 1)[None])[0]
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1e3 * np.eye(4)
        assert apart.min() > 20


@pytest.fixture(scope="module")
def with_maps(tmp_path_factory) -> Study:
    """The small case on disk with a network's map: sure in the left half of the image, 0 elsewhere; heart and arteries about the tubes."""
    root = tmp_path_factory.mktemp("views") / "case"
    study, case = write_small_case(root), Case.open(root)
    left = np.zeros(study.volume.array.shape, np.uint8)
    left[:48] = 80
    case.write_volume("artery_probability", study.volume.with_array(left))
    tubes = (study.volume.array > 250).astype(np.uint8)
    case.write_volume("coronary", study.volume.with_array(tubes))
    heart = np.zeros_like(tubes)
    heart[20:76, 20:76, 10:70] = 8
    case.write_volume("heart", study.volume.with_array(heart))
    return load_study(root)


def test_a_map_is_kept_as_the_box_that_is_seen():
    array = np.zeros((30, 20, 10), np.uint8)
    array[12, 5, 3], array[20, 9, 9], array[1, 1, 1] = 80, int(SEEN_PCT), int(SEEN_PCT) - 1
    whole = Volume(array, np.array([[0.4, 0, 0, -5], [0, 0.4, 0, 7], [0, 0, -0.6, 9], [0, 0, 0, 1]]))
    part = seen_part(whole)
    assert part.array.shape == (11, 7, 8)
    places = to_patient_mm(np.array([[12, 5, 3], [20, 9, 9], [12.5, 5, 3]]), whole.affine)
    np.testing.assert_allclose(sampled(part, places), sampled(whole, places))
    assert seen_part(whole.with_array(np.zeros_like(array))).array.max() == 0


@pytest.mark.parametrize("kind", ["mip", "mean", "minip"])
def test_a_thick_slab_is_what_its_nearest_voxels_say(kind):
    array = np.random.default_rng(1).normal(0, 300, (20, 24, 18)).astype(np.int16)
    volume = Volume(array, np.diag([0.5, 0.5, 0.5, 1.0]))
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    across, down, normal = 0.5 * turn[0], 0.5 * turn[1], np.cross(turn[0], turn[1])
    corner = np.array([4.9, 5.8, 4.3]) - 14.5 * across - 12.5 * down
    depth = np.linspace(-5, 5, 21)[:, None, None, None]
    places = corner + np.arange(26)[:, None, None] * down + np.arange(30)[None, :, None] * across + depth * normal
    index = np.floor(places / 0.5 + 0.5).astype(int)
    inside = ((index >= 0) & (index < array.shape)).all(axis=-1)
    found = np.ma.masked_array(array[tuple(np.clip(index, 0, np.array(array.shape) - 1).reshape(-1, 3).T)].reshape(inside.shape).astype(float), ~inside)
    wanted = {"mip": found.max, "mean": found.mean, "minip": found.min}[kind](axis=0).filled(-1024)
    for stored in (array, np.asfortranarray(array)):
        np.testing.assert_allclose(projected(volume.with_array(stored), corner, across, down, (26, 30), (kind, 10.0)), wanted, rtol=1e-6)


def test_the_plaque_burden_of_the_tree_is_the_walls_share():
    burden = branch_values(small_study(), plaque=True)["burden"]
    assert np.nanmax(burden[0]) > 20 and all(np.nanmin(one) >= 0 and np.nanmax(one) <= 100 for one in burden)
    assert np.isnan(branch_values(small_study())["burden"][0]).all()


def test_the_networks_map_lies_where_it_saw_an_artery(with_maps):
    middle = with_maps.volume.affine[:3, 3] + 0.5 * np.array(with_maps.volume.array.shape) / 2
    places = middle + np.array([[-5.0, 0, 0], [5.0, 0, 0]])
    found = overlaid(np.full(2, 100, np.uint8), with_maps, "probability", lambda: places)
    assert (found[0] != 100).any() and (found[1] == 100).all() and SEEN_PCT < 80
    state = logic.opened(with_maps)
    plain = [slice_picture(with_maps, state, oblique.plane_of(state, with_maps, "axial")), cpr_picture(with_maps, state)[0]]
    views.on_choice(state, with_maps, "network", "probability")
    coloured = [slice_picture(with_maps, state, oblique.plane_of(state, with_maps, "axial")), cpr_picture(with_maps, state)[0]]
    assert plain[0] != coloured[0] and plain[1] != coloured[1]
    with pytest.raises(NotPossible, match="no map of the artery network"):
        views.on_choice(state, with_maps, "network", "uncertainty")
    assert state.views.network == "probability"


def test_kept_views_come_back_and_broken_ones_do_not(with_maps):
    state = logic.opened(with_maps)
    oblique.on_rotate(state, with_maps, "coronal", 33.0)
    views.on_thickness(state, with_maps, 7)
    again, _ = view_state.restored(with_maps, view_state.kept(state, {}))
    assert again.views == state.views
    for broken in ({"axes": [[[1, 0, 0], [1, 0, 0]]] * 3}, {"slab": "x"}, {"thickness_mm": 99}, {"axes": [UPRIGHT["axial"]] * 3}):
        kept = view_state.kept(state, {})
        kept["reading"]["views"].update(broken)
        found = view_state.restored(with_maps, kept)
        assert found is None or found[0].views == ViewState()
    kept["reading"]["views"] = dataclasses.asdict(ViewState(network="uncertainty"))
    assert view_state.restored(with_maps, kept)[0].views.network == "off"


# --- the volume ---


def test_half_the_resolution_keeps_places_and_means():
    box = half_box(STUDY)
    array = STUDY.volume.array.astype(float)
    means = array.reshape(48, 2, 48, 2, 40, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(box.hu, means.transpose(2, 1, 0), atol=1.01)
    np.testing.assert_allclose(box.corner_mm, STUDY.volume.affine[:3, 3] + 0.25)


def test_presets_keep_what_they_name(with_maps):
    kept = {name: (preset_box(with_maps, name).hu > -1024).sum() for name in ("heart", "vessels", "boneless", "all")}
    assert 0 < kept["vessels"] < kept["heart"] < kept["boneless"] <= kept["all"]
    with pytest.raises(NotPossible, match="no heart or arteries"):
        preset_box(STUDY, "heart")


def test_a_click_on_the_volume_finds_the_front_of_what_is_seen():
    hu = np.full((20, 20, 20), -1024, np.int16)
    hu[:, 8:14, :] = 500
    box = Box(hu, np.zeros(3), np.ones(3))
    place = first_seen(box, LOOKS["heart"], np.array([10.0, -30.0, 10.0]), np.array([10.0, 60.0, 10.0]))
    assert place[1] == pytest.approx(8.0, abs=1.0)
    assert first_seen(box, LOOKS["heart"], np.array([10.0, -30.0, 10.0]), np.array([10.0, 5.0, 10.0])) is None


def test_the_volume_is_drawn_turned_and_clicked():
    scene = VolumeScene()
    if not scene.works:
        pytest.skip("libEGL, which draws without a screen, is not here (Debian: apt install libegl1 libgl1-mesa-dri)")
    box = half_box(STUDY)
    scene.show(box, "all", None, "volume")
    first = scene.picture().astype(int)
    assert first.shape[2] == 3 and (first.max(axis=2) > 120).mean() > 0.002
    row, column = np.argwhere(first.max(axis=2) > 150)[0]
    place = scene.place((column + 0.5) / first.shape[1], (row + 0.5) / first.shape[0])
    assert place is not None and logic.nearest_on_tree(STUDY, place)[2] < 4.0
    scene.turn(40, 10)
    assert np.abs(scene.picture(turning=True).astype(int) - first).mean() > 0.3
    assert scene.place(0.01, 0.01) is None


def test_a_plane_outside_the_image_is_clipped_to_it():
    plane = plane_through(STUDY.volume, "axial", (0, -130, 9999.0))
    assert plane.origin_mm[2] <= bounds_mm(STUDY.volume)[1][2]
