"""`ccta flow` on surfaces and networks: which inlet it takes, and one sentence for each bad input, with nothing half-written."""

import json
import re

import numpy as np
import pytest
import pyvista as pv

from ccta.errors import BadInput
from ccta.findings import PullbackFile
from ccta.model import Surface
from ccta.polydata import surface_polydata
from cfd.lumen_crossing import crossing
from cfd.lumen_inlet import wanted_inlet
from cfd.lumen_reading import closed_surface
from tests.cfd.lumens import capsule, closed_tube, closed_y
from tests.conftest import run_ccta

SETTINGS = '[flow]\nmodel = "rom"\ninterval_samples = 0\n'


def open_y(scale=1.0):
    """The Y with its trunk cut at z = 0 and 19 mm (3 mm wide) and its side branch (2.2 mm) cut as well."""
    data = surface_polydata(closed_y()[0]).clip("z", origin=(0, 0, 0), invert=False).clip("z", origin=(0, 0, 19.0))
    data = data.clip(normal=(np.sin(0.8), 0, np.cos(0.8)), origin=(8.6, 0, 9 + 8.6 / np.tan(0.8))).triangulate().clean()
    data.points *= scale
    return data


def loop():
    """A tube whose end runs through its beginning."""
    angle = 2 * np.pi * 1.15 * np.linspace(0, 1, 200)
    line = np.stack([15 * np.sin(angle), 15 * np.cos(angle), angle / 3.6], axis=1)
    return pv.MultipleLines(line).tube(radius=1.5, n_sides=24, capping=False).triangulate().clean()


def two_trees():
    y = surface_polydata(closed_y()[0])
    return y.merge(y.translate((30, 0, 0))).extract_surface(algorithm=None)


def occluded(radius_mm=1.1, stub_mm=6.0, trunk_mm=20.0):
    """A trunk whose side branch is interrupted over 2 mm; all ends open."""
    grid = pv.ImageData(dimensions=(120, 31, int((trunk_mm + 8) / 0.2)), spacing=(0.2,) * 3, origin=(-3.0, -3.0, -4.0))
    points = np.asarray(grid.points)
    first, last = 8 + 2 * radius_mm, 8 + 2 * radius_mm + stub_mm
    lines = [((0, 0, -1), (0, 0, trunk_mm + 1), 1.5), ((0, 0, 5), (4, 0, 5), radius_mm), ((first, 0, 5), (last, 0, 5), radius_mm)]
    away = np.min([capsule(points, np.array([a, b], float), r) for a, b, r in lines], axis=0)
    data = grid.contour([0.0], scalars=away).clip("z", origin=(0, 0, 0), invert=False).clip("z", origin=(0, 0, trunk_mm))
    return data.clip("x", origin=(last - 0.5, 0, 0)).triangulate().clean()


def pinched():
    """A straight tube whose wall comes together to a hair's breadth."""
    tube = closed_tube(1.62, 30.0)[0]
    points = tube.points_mm.copy()
    points[:, :2] *= 1 - 0.97 * np.exp(-(((points[:, 2:] - 26) / 1.5) ** 4))
    return surface_polydata(Surface(points, tube.triangles)).clip("z", origin=(0, 0, 0), invert=False).clip("z", origin=(0, 0, 29.5)).triangulate().clean()


def flow(tmp_path, data, *words, settings=SETTINGS):
    """The exit code on a surface (or file text) with the settings of case.toml."""
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    (out / "case.toml").write_text(settings)
    data.save(tmp_path / "surface.stl")
    return run_ccta("flow", "--surface", tmp_path / "surface.stl", out, *words)


def one_sentence(tmp_path, capsys, code):
    said = capsys.readouterr().err
    assert code == 2 and "Traceback" not in said, said
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["case.toml"]
    last = said.strip().splitlines()[-1]
    assert last.startswith("ccta: ") and len(last) > 40
    return last


@pytest.mark.parametrize(
    ("surface", "words"),
    [
        (lambda: pv.Sphere(radius=4.0, theta_resolution=40, phi_resolution=40), "neither openings nor tips"),
        (lambda: surface_polydata(closed_tube()[0]).clip("z", origin=(0, 0, 10.0)).triangulate().clean(), "one opening only"),
        (two_trees, "2 separate parts"),
        (loop, "crosses itself"),
        (occluded, "occlusion"),
        (pinched, r"the opening at \[.*\] mm is not connected|occlusion"),
        (lambda: pv.Plane(i_resolution=20, j_resolution=20).triangulate(), "wide on average|one opening only"),
    ],
    ids=["sphere", "one opening", "two trees", "self-crossing", "occluded", "pinched off", "a sheet"],
)
def test_a_surface_that_is_no_tree_ends_in_one_sentence(tmp_path, capsys, surface, words):
    assert re.search(words, one_sentence(tmp_path, capsys, flow(tmp_path, surface())))


@pytest.mark.parametrize(("systolic", "diastolic"), [(-120, 80), (120, -80), (80, 120)])
def test_an_impossible_pressure_ends_in_one_sentence(tmp_path, capsys, systolic, diastolic):
    settings = SETTINGS + f"systolic_mmhg = {systolic}.0\ndiastolic_mmhg = {diastolic}.0\n"
    assert f"{systolic}/{diastolic} mmHg is not possible" in one_sentence(tmp_path, capsys, flow(tmp_path, open_y(), settings=settings))


@pytest.mark.parametrize(("network", "words"), [({}, "no vessels"), ({"vessels": []}, "no vessels"), ("circle", "cyclic"), ("not json", "not a readable JSON")])
def test_a_network_that_is_none_ends_in_one_sentence(tmp_path, capsys, network, words):
    from tests.cfd.test_network_json import circle

    text = network if network == "not json" else json.dumps(circle() if network == "circle" else network)
    (tmp_path / "net.json").write_text(text)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "case.toml").write_text("")
    code = run_ccta("flow", "--network", tmp_path / "net.json", tmp_path / "out" / "result.json")
    assert words in one_sentence(tmp_path, capsys, code)


def entered(tmp_path) -> PullbackFile:
    return PullbackFile.model_validate_json((tmp_path / "out" / "pullback.json").read_text())


def test_a_surface_in_metres_is_read_in_metres_and_the_widest_end_is_the_inlet(tmp_path, capsys):
    assert flow(tmp_path, open_y(1e-3)) == 0
    said = capsys.readouterr().err
    assert "read in m," in said and re.search(r"Blood enters at end 1: (2\.[6-9]|3\.\d) mm wide", said) and "--inlet" in said
    assert len(entered(tmp_path).outlets) == 2


@pytest.mark.parametrize(("inlet", "place", "scale"), [("3", (8, 0, 17), 1.0), ("0,0,19", (0, 0, 19), 1.0), ("0.0085, 0, 0.017", (8, 0, 17), 1e-3)])
def test_the_inlet_is_where_the_user_says(tmp_path, inlet, place, scale):
    assert flow(tmp_path, open_y(scale), "--inlet", inlet) == 0
    result = entered(tmp_path)
    first = np.array(result.branches[0].points_mm[0])
    assert np.linalg.norm(first - place) < 2.0
    assert any("(as given)" in note for note in result.notes)
    assert result.inlets[0].flow_ml_min == pytest.approx(sum(port.flow_ml_min for port in result.outlets), rel=1e-4)


@pytest.mark.parametrize(
    ("inlet", "words"), [("left", "got 'left'"), ("1,2", "got '1,2'"), ("1,2,nan", "got"), ("7", "no end 7"), ("50,0,0", "mm from the nearest end")]
)
def test_an_inlet_that_is_nowhere_ends_in_one_sentence(tmp_path, capsys, inlet, words):
    assert words in one_sentence(tmp_path, capsys, flow(tmp_path, open_y(), "--inlet", inlet))


def test_given_centerlines_must_begin_at_the_given_inlet(tmp_path, capsys):
    axis = pv.PolyData(np.array([[0.0, 0, z] for z in range(20)]), lines=[20, *range(20)])
    axis.point_data["MaximumInscribedSphereRadius"] = np.full(20, 1.5)
    axis.save(tmp_path / "axis.vtp")
    lines = ("--centerlines", tmp_path / "axis.vtp")
    tube = pv.Cylinder(center=(0, 0, 9.5), direction=(0, 0, 1), radius=1.5, height=19, resolution=40).triangulate().subdivide(2, "linear")
    assert "begin 19 mm from the given inlet" in one_sentence(tmp_path, capsys, flow(tmp_path, tube, *lines, "--inlet", "0,0,19"))
    assert "number of an end means nothing" in one_sentence(tmp_path, capsys, flow(tmp_path, tube, *lines, "--inlet", "1"))
    assert flow(tmp_path, tube, *lines, "--inlet", "0,0,0") == 0
    assert "belong to --surface" in (run_ccta("flow", tmp_path, "--inlet", "1"), capsys.readouterr().err)[1]


def test_points_are_read_in_the_surfaces_unit():
    assert wanted_inlet("auto", 10.0) is None and wanted_inlet(" 2 ", 10.0) == 2
    np.testing.assert_allclose(wanted_inlet("1,-2,3e-1", 10.0), [10, -20, 3])


def test_crossings_are_found_and_small_folds_are_mended():
    tube = closed_tube()[0]
    assert len(crossing(tube.points_mm, tube.triangles)) == 0
    points = tube.points_mm.copy()
    one = int(np.argmin(np.linalg.norm(points - [1.5, 0, 10], axis=1)))
    points[one] = [1.3, 0.0, 10.5]
    points[int(np.argmin(np.linalg.norm(points - [1.5, 0, 10.45], axis=1)))] += [-0.3, 0, -0.3]
    assert len(crossing(points, tube.triangles)) > 0
    mended = closed_surface(Surface(points, tube.triangles))
    assert "cut one another" in mended.changes[0]
    assert len(crossing(np.asarray(mended.data.points), mended.data.faces.reshape(-1, 4)[:, 1:])) == 0
    angle = 2 * np.pi * 1.15 * np.linspace(0, 1, 200)
    assert len(angle) and len(crossing(np.asarray(loop().points), loop().faces.reshape(-1, 4)[:, 1:])) > 100
    with pytest.raises(BadInput, match="crosses itself"):
        closed_surface(Surface(np.asarray(loop().points, float), loop().faces.reshape(-1, 4)[:, 1:]))
