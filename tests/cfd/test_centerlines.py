"""Centerline files -> trees, and flow on surfaces with the reduced model."""

from pathlib import Path

import numpy as np
import pytest
import pyvista as pv

from ccta.errors import BadInput
from ccta.findings import PullbackFile
from ccta.settings import FlowSettings
from cfd.centerlines import read_lines, read_tree
from cfd.pipeline import solve_surface

PATIENT = Path(__file__).parents[3] / "shared/data/patient_tree"


def line(points, radius):
    data = pv.PolyData(np.asarray(points, float), lines=[len(points), *range(len(points))])
    data.point_data["MaximumInscribedSphereRadius"] = np.asarray(radius, float)
    return data


def way(to_mm, bend_mm):
    """From the aorta along x (radius 14 mm for 20 mm, then 2 mm), straight to `bend_mm`, then towards +y or -y."""
    s = np.arange(0, 100, 0.5)
    points = np.column_stack([np.minimum(s, bend_mm), np.sign(to_mm) * np.maximum(s - bend_mm, 0), 0 * s])
    return line(points, np.where(s < 20, 14.0, 2.0))


def saved(data, path):
    data.save(path)
    return path


def test_lines_that_share_their_beginning_become_one_tree(tmp_path):
    both = pv.merge([way(1, 60.0), way(-1, 60.0)], merge_points=False)
    tree = read_tree([saved(both, tmp_path / "both.vtp")])
    assert len(tree) == 2
    main, side = tree
    assert main.parent is None and side.parent == 0
    assert main.points_mm[0] == pytest.approx([20.0, 0, 0], abs=0.8)
    assert main.length_mm == pytest.approx(80.0, abs=1.0)
    assert side.parent_distance_mm == pytest.approx(40.0, abs=1.5)
    assert side.points_mm[0] == pytest.approx(main.point_at(side.parent_distance_mm))


def test_two_files_are_two_trees(tmp_path):
    far = way(1, 60.0)
    far.points = far.points + np.array([0.0, 0.0, 30.0])
    tree = read_tree([saved(way(1, 60.0), tmp_path / "a.vtp"), saved(far, tmp_path / "b.vtp")])
    assert [branch.parent for branch in tree] == [None, None]


def test_what_is_no_centerline_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no polylines"):
        read_lines(saved(pv.Sphere(), tmp_path / "sphere.vtp"))
    with pytest.raises(BadInput, match="no centerlines were given"):
        read_tree([])
    aorta = line([[0, 0, z] for z in range(100)], [14.0] * 10 + [3.0] * 80 + [14.0] * 10)
    with pytest.raises(BadInput, match="does not leave the aorta"):
        read_tree([saved(aorta, tmp_path / "aorta.vtp")])


def test_flow_on_a_surface_writes_all_files_or_none(tmp_path):
    tube = pv.Cylinder(center=(0, 0, 20), direction=(0, 0, 1), radius=1.5, height=40, resolution=40).triangulate().subdivide(2, "linear")
    surface = saved(tube, tmp_path / "tube.stl")
    axis = saved(line([[0, 0, z] for z in range(41)], [1.5] * 41), tmp_path / "axis.vtp")
    result = solve_surface(surface, [axis], tmp_path / "out", FlowSettings(model="rom", interval_samples=0))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["pullback.json", "surface.vtp"]
    assert PullbackFile.model_validate_json((tmp_path / "out/pullback.json").read_text()) == result
    painted = pv.read(tmp_path / "out/surface.vtp")["ffr"]
    assert painted.min() == pytest.approx(min(result.branches[0].ffr)) and painted.max() <= 1.0
    with pytest.raises(BadInput, match="does not exist"):
        solve_surface(tmp_path / "absent.stl", [axis], tmp_path / "other", FlowSettings(model="rom"))
    assert not (tmp_path / "other").exists()


@pytest.mark.skipif(not PATIENT.exists(), reason=f"the patient tree is not at {PATIENT}")
def test_a_patient_tree_with_the_reduced_model(tmp_path):
    lines = [PATIENT / "lca_cl.vtp", PATIENT / "rca_cl.vtp"]
    result = solve_surface(PATIENT / "NARCO_119.stl", lines, tmp_path, FlowSettings(model="rom", interval_samples=0))
    assert len(result.inlets) == 2 and len(result.outlets) == 9
    assert result.mass_error < 1e-12
    assert 500 < sum(port.flow_ml_min for port in result.inlets) < 900
    for branch in result.branches:
        assert 0.6 < min(branch.ffr) <= max(branch.ffr) <= 1.0
