"""Flow studies on a tree by hand: what can be varied, what comes of it, and that the results are those of the flow model itself."""

import json
from dataclasses import replace

import numpy as np
import pandas
import pytest

from ccta.errors import BadInput, BadSettings
from ccta.settings import FlowSettings
from cfd.pipeline import Anatomy, reduced_flow
from cfd.sweep import Range, Sweep, parse_range, samples_of, sobol_indices, sweep_reduced, sweep_three_d
from cfd.sweep_files import banded, new_folder, write_sweep
from tests.ccta.example_findings import stenosis
from tests.cfd.trees import narrowing, straight
from tests.conftest import run_ccta

SETTINGS = FlowSettings(lv_mass_g=60.0)


@pytest.fixture(scope="module")
def anatomy():
    from ccta.model import CoronaryTree

    lad = replace(straight(80, narrowing(1.5, 0.5, 30.0)), name="LAD")
    lad = replace(lad, segment=np.full(len(lad.radius_mm), 7))
    return Anatomy(CoronaryTree((lad,)), stenoses=(stenosis(7, 50.0, branch=0, vessel="LAD", entry_mm=24.0, exit_mm=36.0, position_mm=30.0),))


def test_ranges_are_read_and_unknown_names_listed():
    assert parse_range("hyperaemia=0.2:0.3:11") == Range("hyperaemia_factor", 0.2, 0.3, 11)
    assert parse_range("lumen=0.9:1.1") == Range("lumen", 0.9, 1.1, 11)
    for text, said in (
        ("gravity=1:2:3", "hyperaemia, murray"),
        ("murray=3", "write name=LOW:HIGH:COUNT"),
        ("murray=3:2:5", "LOW < HIGH"),
        ("murray=2:3:1", "LOW"),
    ):
        with pytest.raises(BadInput, match=said):
            parse_range(text)


def test_samples_of_each_method():
    ranges = [Range("hyperaemia_factor", 0.2, 0.3, 3), Range("lumen", 0.9, 1.1, 5)]
    assert samples_of(ranges, "grid", 0).shape == (15, 2)
    cube = samples_of(ranges, "lhs", 20)
    assert len(np.unique(np.floor((cube[:, 0] - 0.2) / 0.1 * 20))) == 20  # one in each twentieth
    assert samples_of(ranges, "sobol", 10).shape == (16 * 4, 2)
    np.testing.assert_array_equal(cube, samples_of(ranges, "lhs", 20))
    with pytest.raises(BadInput, match="twice"):
        samples_of([ranges[0], ranges[0]], "grid", 0)
    with pytest.raises(BadInput, match="too many"):
        samples_of([replace(one, count=2000) for one in ranges], "grid", 0)


def test_a_row_is_what_the_flow_model_itself_says(anatomy):
    found = sweep_reduced(anatomy, SETTINGS, ["hyperaemia_factor", "outlet_exponent"], np.array([[0.24, 2.66], [0.3, 2.2]]))
    for row, settings in zip(found.results, (SETTINGS, replace(SETTINGS, hyperaemia_factor=0.3, outlet_exponent=2.2)), strict=True):
        pullback, ffr = reduced_flow(anatomy, settings)
        assert dict(zip(found.outputs, row, strict=True))["ffr_LAD"] == pytest.approx(ffr.vessels["LAD"].ffr, abs=2e-4)
        assert row[-1] == pytest.approx(sum(port.flow_ml_min for port in pullback.inlets), rel=1e-4)


def test_geometry_moves_ffr_the_right_way(anatomy):
    found = sweep_reduced(anatomy, SETTINGS, ["stenosis", "lumen"], np.array([[1.0, 1.0], [0.0, 1.0], [1.2, 1.0], [1.0, 0.9]]))
    as_measured, opened, tighter, smaller = found.results[:, found.outputs.index("ffr_LAD")]
    assert opened > as_measured > tighter and as_measured > smaller
    with pytest.raises(BadInput, match="no stenosis"):
        sweep_reduced(replace(anatomy, stenoses=()), SETTINGS, ["stenosis"], np.ones((1, 1)))


def test_impossible_boundary_conditions_and_3d_geometry_are_refused(anatomy):
    with pytest.raises(BadSettings, match=r"at hyperaemia_factor = 1\.5"):
        sweep_reduced(anatomy, SETTINGS, ["hyperaemia_factor"], np.array([[1.5]]))
    with pytest.raises(BadInput, match="reduced model only"):
        sweep_three_d(anatomy, SETTINGS, ["lumen"], np.ones((1, 1)))
    with pytest.raises(BadInput, match="at most"):
        sweep_three_d(anatomy, SETTINGS, ["haematocrit"], np.ones((1000, 1)))


def test_sobol_indices_of_a_sum():
    """y = 3 a + b on unit ranges: shares 9 / 10 and 1 / 10, no interactions."""
    ranges = [Range("hyperaemia_factor", 0.0, 1.0), Range("lumen", 0.0, 1.0)]
    values = samples_of(ranges, "sobol", 1024)
    sweep = Sweep(("hyperaemia_factor", "lumen"), values, ("y", "constant"), np.column_stack([3 * values[:, 0] + values[:, 1], np.ones(len(values))]))
    found = sobol_indices(ranges, sweep)
    assert list(found) == ["y"] and found["y"]["hyperaemia_factor"]["first"] == pytest.approx(0.9, abs=0.02)
    assert found["y"]["lumen"]["total"] == pytest.approx(0.1, abs=0.02)


def test_bands_are_of_values_or_of_bins():
    place, low, middle, high = banded(np.array([1.0, 1.0, 2.0, 2.0, 2.0]), np.array([0.0, 1.0, 5.0, 6.0, np.nan]))
    assert place.tolist() == [1, 2] and middle.tolist() == [0.5, 5.5] and np.all(low <= high)
    assert len(banded(np.linspace(0, 1, 500), np.linspace(0, 1, 500))[0]) == 15


def test_files_of_a_study(anatomy, tmp_path):
    ranges = [Range("hyperaemia_factor", 0.2, 0.3, 4), Range("stenosis", 0.8, 1.2, 4)]
    sweep = sweep_reduced(anatomy, SETTINGS, [one.name for one in ranges], samples_of(ranges, "sobol", 16))
    out = new_folder(tmp_path / "study")
    write_sweep(out, ranges, sweep, "sobol", "rom")
    assert {path.name for path in out.iterdir()} == {"sweep.parquet", "sweep.csv", "sweep.json", "response.png", "response.svg", "indices.png", "indices.svg"}
    frame = pandas.read_parquet(out / "sweep.parquet")
    assert list(frame.columns) == ["hyperaemia_factor", "stenosis", *sweep.outputs] and len(frame) == 64
    said = json.loads((out / "sweep.json").read_text())
    assert said["unsettled"] == 0 and said["sobol"]["ffr_LAD"]["stenosis"]["total"] > 0.3
    with pytest.raises(BadInput, match="not empty"):
        new_folder(out)


def test_the_command(phantom_case, tmp_path, capsys):
    assert run_ccta("sweep", phantom_case, tmp_path / "out", "--vary", "hyperaemia=0.2:0.3:3", "--vary", "murray=2:3:3", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["solutions"] == 9
    assert run_ccta("sweep", phantom_case, tmp_path / "no", "--vary", "gravity=1:2:3") == 2 and not (tmp_path / "no").exists()
