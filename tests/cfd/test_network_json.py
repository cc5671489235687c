"""0-D networks in svZeroDSolver's format against a hand calculation and against svZeroDSolver itself."""

import copy
import json

import numpy as np
import pytest

from ccta.errors import BadInput
from cfd.network_json import solve_document, solve_network_file


def vessel(number, resistance, stenosis=0.0, **ends):
    values = {"R_poiseuille": resistance, "stenosis_coefficient": stenosis, "C": 1e-6, "L": 0.1}
    return {
        "vessel_id": number,
        "vessel_name": f"branch{number}_seg0",
        "vessel_length": 10.0,
        "zero_d_element_type": "BloodVessel",
        "zero_d_element_values": values,
        "boundary_conditions": ends,
    }


def condition(name, kind, **values):
    return {"bc_name": name, "bc_type": kind, "bc_values": values}


def tree(inflow):
    """One vessel into three, then one of them into two; every kind of outlet."""
    return {
        "simulation_parameters": {"number_of_cardiac_cycles": 30, "number_of_time_pts_per_cardiac_cycle": 11},
        "boundary_conditions": [
            copy.deepcopy(inflow),
            condition("A", "RESISTANCE", R=100.0, Pd=10.0),
            condition("B", "RCR", Rp=10.0, Rd=100.0, C=1e-5, Pd=5.0),
            condition("C", "CORONARY", Ra1=10.0, Ra2=100.0, Rv1=10.0, Ca=1e-5, Cc=1e-5, Pim=[100.0, 100.0], t=[0.0, 1.0], P_v=3.0),
            condition("D", "PRESSURE", P=[20.0, 20.0], t=[0.0, 1.0]),
        ],
        "junctions": [
            {"junction_name": "J0", "junction_type": "NORMAL_JUNCTION", "inlet_vessels": [0], "outlet_vessels": [1, 2, 3]},
            {"junction_name": "J1", "junction_type": "NORMAL_JUNCTION", "inlet_vessels": [3], "outlet_vessels": [4, 5]},
        ],
        "vessels": [
            vessel(0, 10.0, 3.0, inlet="IN"),
            vessel(1, 20.0, 1.0, outlet="A"),
            vessel(2, 30.0, 0.0, outlet="B"),
            vessel(3, 5.0, 2.0),
            vessel(4, 15.0, 8.0, outlet="C"),
            vessel(5, 250.0, 0.0, outlet="D"),
        ],
    }


STEADY_FLOW = condition("IN", "FLOW", Q=[5.0, 5.0], t=[0.0, 1.0])
STEADY_PRESSURE = condition("IN", "PRESSURE", P=[350.0, 350.0], t=[0.0, 1.0])


def test_two_resistors_by_hand():
    """p = 10 + 100 x 2 = 210 at the outlet; the vessel adds 5 x 2 + 3 x 2^2 = 22."""
    network = {
        "boundary_conditions": [condition("IN", "FLOW", Q=2.0), condition("OUT", "RESISTANCE", R=100.0, Pd=10.0)],
        "vessels": [vessel(0, 5.0, 3.0, inlet="IN", outlet="OUT")],
    }
    answer = solve_document(network)
    assert answer["pressure_out"] == pytest.approx([210.0])
    assert answer["pressure_in"] == pytest.approx([232.0])
    assert answer["flow_in"] == answer["flow_out"] == pytest.approx([2.0])


@pytest.mark.parametrize("inflow", [STEADY_FLOW, STEADY_PRESSURE], ids=["flow", "pressure"])
def test_agrees_with_svzerodsolver(inflow):
    svzerod = pytest.importorskip("svzerod")
    network = tree(inflow)
    theirs = svzerod.simulate(copy.deepcopy(network))
    ours = solve_document(network)
    assert list(ours) == list(theirs.columns)
    assert ours["name"] == list(theirs["name"])
    np.testing.assert_allclose(ours["time"], theirs["time"], atol=1e-12)
    for column in ("flow_in", "flow_out", "pressure_in", "pressure_out"):
        np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-6)


def test_parallel_vessels_share_the_flow():
    network = {
        "boundary_conditions": [STEADY_FLOW, condition("OUT", "RESISTANCE", R=1.0, Pd=0.0)],
        "junctions": [
            {"junction_type": "NORMAL_JUNCTION", "inlet_vessels": [0], "outlet_vessels": [1, 2]},
            {"junction_type": "internal_junction", "inlet_vessels": [1, 2], "outlet_vessels": [3]},
        ],
        "vessels": [vessel(0, 1.0, inlet="IN"), vessel(1, 10.0), vessel(2, 40.0), vessel(3, 1.0, outlet="OUT")],
    }
    assert solve_document(network)["flow_in"] == pytest.approx([5.0, 4.0, 1.0, 5.0])


def without(document, key):
    return {name: value for name, value in document.items() if name != key}


def changed(position, **values):
    network = tree(STEADY_FLOW)
    network["boundary_conditions"][position]["bc_values"].update(values)
    return network


def circle():
    network = tree(STEADY_FLOW)
    network["junctions"][1]["outlet_vessels"] = [4, 5, 0]
    return network


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({}, "no vessels"),
        (circle(), "cyclic"),
        (changed(0, Q=[5.0, 6.0]), "varies over time"),
        (changed(4, P=[20.0, float("nan")]), "not finite"),
        (without(tree(STEADY_FLOW), "boundary_conditions"), "does not define"),
        (without(tree(STEADY_FLOW), "junctions"), "neither a junction nor a boundary"),
        (tree(STEADY_FLOW) | {"valves": [1]}, "valves"),
        ({"vessels": [{"name": "no id"}]}, "svZeroDSolver's format"),
        ({"vessels": 3}, "svZeroDSolver's format"),
        ([], "svZeroDSolver's format"),
    ],
    ids=["empty", "circle", "varying", "nan", "undefined", "loose", "valves", "no id", "not a list", "not an object"],
)
def test_what_cannot_be_solved_is_refused_in_one_sentence(network, said):
    with pytest.raises(BadInput, match=said) as refusal:
        solve_document(network)
    assert "\n" not in str(refusal.value)


def test_file_in_file_out(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(tree(STEADY_FLOW)))
    answer = solve_network_file(tmp_path / "in.json", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == answer
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.json", "out.json"]
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(BadInput, match="not a readable JSON"):
        solve_network_file(tmp_path / "bad.json", tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()
