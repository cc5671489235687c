"""Flow on a lumen surface with the reduced model: files, and a real patient's tree."""

from pathlib import Path

import numpy as np
import pytest
import pyvista as pv

from ccta.errors import BadInput
from ccta.findings import PullbackFile
from ccta.settings import FlowSettings
from cfd.pipeline import solve_surface

PATIENT = Path(__file__).parents[3] / "shared/data/patient_tree"


def line(points, radius):
    data = pv.PolyData(np.asarray(points, float), lines=[len(points), *range(len(points))])
    data.point_data["MaximumInscribedSphereRadius"] = np.asarray(radius, float)
    return data


def saved(data, path):
    data.save(path)
    return path


def test_flow_on_a_surface_writes_all_files_or_none(tmp_path):
    tube = pv.Cylinder(center=(0, 0, 20), direction=(0, 0, 1), radius=1.5, height=40, resolution=40).triangulate().subdivide(2, "linear")
    surface = saved(tube, tmp_path / "tube.stl")
    axis = saved(line([[0, 0, z] for z in range(41)], [1.5] * 41), tmp_path / "axis.vtp")
    result = solve_surface(surface, [axis], tmp_path / "out", FlowSettings(model="rom", interval_samples=0))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["pullback.json", "surface.vtp"]
    assert PullbackFile.model_validate_json((tmp_path / "out/pullback.json").read_text()) == result
    painted = pv.read(tmp_path / "out/surface.vtp")["ffr"]
    assert painted.min() == pytest.approx(min(result.branches[0].ffr), abs=5e-3) and painted.max() <= 1.0
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
