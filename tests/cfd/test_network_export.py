"""A coronary tree as a 0-D network: the reduced model's flows when steady, the patient's pressures and a periodic state when pulsatile."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest

from ccta.findings import Patient
from ccta.settings import FlowSettings
from ccta.units import m3_s_to_ml_min, mmhg_to_pa
from cfd.case_stage import write_case_network
from cfd.network import solve_network
from cfd.network_export import aortic_pressure_pa, network_document, ventricular_pressure_pa
from cfd.network_json import solve_document, solve_network_file
from cfd.pipeline import Anatomy, flow_problem
from tests.cfd.trees import left_tree


@pytest.fixture(scope="module")
def problem():
    return flow_problem(Anatomy(left_tree(0.5), lv_mass_g=120.0), FlowSettings())


def series(document):
    answer = solve_document(document)
    count = len(document["vessels"])
    return {key: np.array(answer.columns[key]).reshape(count, -1) for key in ("flow_in", "flow_out", "pressure_in", "pressure_out")}, answer


def outlet_flows(document, columns):
    ends = [(vessel["boundary_conditions"].get("outlet"), k) for k, vessel in enumerate(document["vessels"])]
    return {int(name[3:]): columns["flow_out"][k] for name, k in ends if name}


def test_the_steady_network_has_the_reduced_models_flows(problem):
    document = network_document(problem, None)
    columns, answer = series(document)
    reduced = solve_network(problem.tree, problem.profiles, problem.resistance_pa_s_m3, problem.physiology)
    assert answer.summary == "steady state"
    for branch, flow in outlet_flows(document, columns).items():
        assert flow[0] * 1e-6 == pytest.approx(reduced.outlet_flow_m3_s[branch], rel=2e-3)


def test_the_pulsatile_network_is_periodic_and_its_mean_flow_that_of_the_steady_one(problem):
    """Capacitors carry no mean flow; only the stenosis, quadratic in the flow, costs a little more."""
    steady, _ = series(network_document(problem, None))
    document = network_document(problem, (120.0, 80.0))
    columns, answer = series(document)
    assert answer.periodic
    total = columns["flow_in"][0, :-1].mean()
    assert total == pytest.approx(steady["flow_in"][0, 0], rel=0.03)
    left, right = columns["flow_in"][0], columns["flow_in"][-1]
    t = np.linspace(0, 0.8, left.size)
    systole, diastole = (t > 0.1) & (t < 0.25), (t > 0.4) & (t < 0.75)
    assert left[diastole].mean() > 1.3 * left[systole].mean()  # the left ventricle squeezes its own arteries
    assert right[systole].mean() / right[diastole].mean() > left[systole].mean() / left[diastole].mean()
    assert 100 < m3_s_to_ml_min(1e-6 * total) < 2000


def test_the_peer_gives_the_same(problem):
    svzerod = pytest.importorskip("svzerod")
    document = network_document(problem, (120.0, 80.0))
    document["simulation_parameters"] |= {"number_of_cardiac_cycles": 2, "number_of_time_pts_per_cardiac_cycle": 101}
    theirs = svzerod.simulate(copy.deepcopy(document))
    ours = solve_document(document).columns
    assert ours["name"] == list(theirs["name"])
    for key in ("flow_in", "pressure_out"):
        np.testing.assert_allclose(ours[key], theirs[key], atol=1e-6 * np.ptp(theirs[key]))


def test_pressure_curves_keep_to_the_cuff():
    mean = mmhg_to_pa(80 + 40 / 3)
    t, aorta = aortic_pressure_pa(120.0, 80.0, mean)
    assert aorta.min() == pytest.approx(mmhg_to_pa(80), rel=1e-6) and aorta.max() == pytest.approx(mmhg_to_pa(120), rel=1e-3)
    assert aorta[:-1].mean() == pytest.approx(mean, rel=1e-6)
    assert aorta[0] == pytest.approx(aorta[-1])
    _, ventricle = ventricular_pressure_pa(120.0)
    assert ventricle.max() == pytest.approx(mmhg_to_pa(120), rel=1e-2) and ventricle[0] == ventricle[-1]
    assert len(t) == len(aorta) == len(ventricle)


class _Case:
    """What the flow stage reads of a case."""

    def findings(self):
        return SimpleNamespace(quality=None, stenoses=(), heart=SimpleNamespace(lv_mass_g=120.0), patient=Patient())

    def read_tree(self):
        return left_tree(0.5)

    def read_sections(self):
        return []

    def read_surface(self):
        return None


def test_a_case_is_written_with_its_own_cuff(tmp_path):
    write_case_network(_Case(), FlowSettings(systolic_mmhg=150.0, diastolic_mmhg=90.0), tmp_path / "net.json")
    document = json.loads((tmp_path / "net.json").read_text())
    inlets = [one for one in document["boundary_conditions"] if one["bc_type"] == "PRESSURE"]
    assert len(inlets) == 2  # left and right ostium
    assert max(inlets[0]["bc_values"]["P"]) == pytest.approx(10 * mmhg_to_pa(150.0), rel=1e-3)
    assert min(inlets[0]["bc_values"]["P"]) == pytest.approx(10 * mmhg_to_pa(90.0), rel=1e-3)
    assert document["description"]["branches"]["branch0"] == "LAD"
    answer = solve_network_file(tmp_path / "net.json", tmp_path / "out.json")
    assert answer.periodic and len(answer.columns["time"]) == 401 * len(document["vessels"])
