"""0-D networks in svZeroDSolver's format against hand calculations, exact solutions in time, and svZeroDSolver itself."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccta.errors import BadInput, SolverFailed
from cfd.network_json import BadJson, solve_document, solve_network_file, solve_text
from tests.cfd.networks import condition, random_tree, vessel
from tests.conftest import run_ccta

COLUMNS = ("flow_in", "flow_out", "pressure_in", "pressure_out")


def solved(network) -> dict[str, np.ndarray]:
    """{column: (vessels, times)}."""
    columns = solve_document(network).columns
    count = len(dict.fromkeys(columns["name"]))
    return {key: np.array(values, float).reshape(count, -1) for key, values in columns.items() if key != "name"}


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


def single(inlet, outlet, values, cycles=3, points=101, **parameters):
    """One vessel between two conditions, IN and OUT."""
    one = vessel(0, 0.0, inlet="IN", outlet="OUT") | {"zero_d_element_values": values}
    timing = {"number_of_cardiac_cycles": cycles, "number_of_time_pts_per_cardiac_cycle": points}
    return {"simulation_parameters": timing | parameters, "boundary_conditions": [inlet, outlet], "vessels": [one]}


def sine(mean, amplitude, period=1.0, samples=401):
    t = np.linspace(0, period, samples)
    return t.tolist(), (mean + amplitude * np.sin(2 * np.pi * t / period)).tolist()


STEADY_FLOW = condition("IN", "FLOW", Q=[5.0, 5.0], t=[0.0, 1.0])
STEADY_PRESSURE = condition("IN", "PRESSURE", P=[350.0, 350.0], t=[0.0, 1.0])
PULSE_FLOW = condition("IN", "FLOW", Q=[1.0, 4.0, 0.5, 1.0], t=[0.0, 0.3, 0.5, 1.0])
PULSE_PRESSURE = condition("IN", "PRESSURE", P=[80.0, 120.0, 90.0, 80.0], t=[0.0, 0.3, 0.5, 1.0])
OUTLETS = {
    "RESISTANCE": {"R": 10.0, "Pd": 2.0},
    "RCR": {"Rp": 2.0, "Rd": 10.0, "C": 0.1, "Pd": 1.0},
    "CORONARY": {"Ra1": 1.0, "Ra2": 2.0, "Rv1": 3.0, "Ca": 0.1, "Cc": 0.2, "Pim": [1.0, 80.0, 1.0], "t": [0.0, 0.3, 1.0], "P_v": 0.5},
    "PRESSURE": {"P": [10.0, 20.0, 10.0], "t": [0.0, 0.2, 1.0]},
}


def test_two_resistors_by_hand():
    """p = 10 + 100 x 2 = 210 at the outlet; the vessel adds 5 x 2 + 3 x 2^2 = 22."""
    network = {
        "boundary_conditions": [condition("IN", "FLOW", Q=2.0), condition("OUT", "RESISTANCE", R=100.0, Pd=10.0)],
        "vessels": [vessel(0, 5.0, 3.0, inlet="IN", outlet="OUT")],
    }
    answer = solve_document(network).columns
    assert answer["pressure_out"] == pytest.approx([210.0])
    assert answer["pressure_in"] == pytest.approx([232.0])
    assert answer["flow_in"] == answer["flow_out"] == pytest.approx([2.0])


def test_a_stenosis_without_resistance_between_two_pressures_by_hand():
    """p = S q^2: 350 - 20 = 3.3 x 10^2; Newton starts where the equation has no slope."""
    network = single(STEADY_PRESSURE, condition("OUT", "PRESSURE", P=20.0), {"R_poiseuille": 0.0, "stenosis_coefficient": 3.3})
    assert solved(network)["flow_in"][0, 0] == pytest.approx(10.0, rel=1e-9)


def agree(network, tolerance):
    """Ours and svZeroDSolver's columns: equal names and layout, values within `tolerance` of each quantity's range (of its size where it is steady)."""
    svzerod = pytest.importorskip("svzerod")
    theirs = svzerod.simulate(copy.deepcopy(network))
    ours = solve_document(network).columns
    assert list(ours) == list(theirs.columns)
    assert ours["name"] == list(theirs["name"])
    np.testing.assert_allclose(np.array(ours["time"], float), theirs["time"].to_numpy(float), atol=1e-9)
    names = np.array(ours["name"])
    for column in list(ours)[2:]:
        for name in dict.fromkeys(ours["name"]):
            a, b = np.array(ours[column])[names == name], theirs[column].to_numpy()[names == name]
            scale = np.ptp(b) if np.ptp(b) > 1e-4 * np.abs(b).max() else np.abs(b).max()
            assert np.abs(a - b).max() <= tolerance * max(scale, 1e-9), (column, name, np.abs(a - b).max() / max(scale, 1e-9))


@pytest.mark.parametrize("inflow", [STEADY_FLOW, STEADY_PRESSURE], ids=["flow", "pressure"])
def test_agrees_with_svzerodsolver_steady(inflow):
    agree(tree(inflow), 1e-6)


@pytest.mark.parametrize("outlet", OUTLETS)
@pytest.mark.parametrize("inflow", [PULSE_FLOW, PULSE_PRESSURE], ids=["flow", "pressure"])
@pytest.mark.parametrize("kind", ["BloodVessel", "BloodVesselCRL"])
def test_agrees_with_svzerodsolver_pulsatile(kind, inflow, outlet):
    """In the transient too, with every output: three cycles from its own steady start. Its CRL takes only a little stenosis before it gives up."""
    values = {"R_poiseuille": 5.0, "C": 0.01, "L": 0.01, "stenosis_coefficient": 1.0 if kind == "BloodVessel" else 0.1}
    network = single(inflow, condition("OUT", outlet, **OUTLETS[outlet]), values)
    network["vessels"][0]["zero_d_element_type"] = kind
    agree(network, 1e-6)
    network["simulation_parameters"] |= {"output_variable_based": True, "output_all_cycles": True, "output_interval": 3}
    agree(network, 1e-6)


@pytest.mark.parametrize(
    "parameters",
    [
        {"output_mean_only": True},
        {"output_derivative": True},
        {"output_variable_based": True, "output_derivative": True, "output_all_cycles": True},
        {"steady_initial": False, "rho_infty": 0.1},
        {"use_cycle_to_cycle_error": True, "sim_cycle_to_cycle_percent_error": 2.0},
    ],
    ids=lambda one: "+".join(one),
)
def test_its_parameters_mean_the_same(parameters):
    agree(single(PULSE_FLOW, condition("OUT", "RCR", **OUTLETS["RCR"]), {"R_poiseuille": 5.0, "C": 0.01, "L": 0.01}, **parameters), 1e-6)


def test_initial_conditions_mean_the_same():
    network = single(PULSE_FLOW, condition("OUT", "RCR", **OUTLETS["RCR"]), {"R_poiseuille": 5.0}, steady_initial=False)
    agree(network | {"initial_condition": {"pressure_all": 50.0, "flow_all": 1.0, "pressure_c:OUT": 30.0}}, 1e-6)


def test_extra_cycles_run_until_the_means_settle():
    """Without an RCR cycles are added until the means at the ends change by less than what was asked for."""
    slow = OUTLETS["CORONARY"] | {"Ra2": 40.0, "Cc": 0.5}
    wanted = {"use_cycle_to_cycle_error": True, "sim_cycle_to_cycle_percent_error": 0.01, "steady_initial": False}
    answer = solve_document(single(PULSE_FLOW, condition("OUT", "CORONARY", **slow), {"R_poiseuille": 5.0}, 2, 51, **wanted))
    assert 4 < answer.cycles < 100
    assert answer.cycle_change < 2e-3
    assert len(answer.columns["time"]) == 51


@pytest.mark.parametrize("kind", ["NORMAL_JUNCTION", "BloodVesselJunction"])
@pytest.mark.parametrize("pulse", [False, True])
def test_junctions_agree_with_svzerodsolver(kind, pulse):
    network = tree(PULSE_PRESSURE if pulse else STEADY_PRESSURE)
    if kind == "BloodVesselJunction":
        values = {"R_poiseuille": [1.0, 2.0, 3.0], "L": [0.1, 0.2, 0.0], "stenosis_coefficient": [0.0, 1.0, 2.0]}
        network["junctions"][0] |= {"junction_type": kind, "junction_values": values}
    agree(network, 1e-6)


def confluence(pulse):
    """Two inlets into one vessel, that into two."""
    network = tree(PULSE_FLOW if pulse else STEADY_FLOW)
    network["boundary_conditions"].append(condition("IN2", "FLOW", Q=[2.0, 2.0], t=[0.0, 1.0]))
    network["vessels"].append(vessel(6, 40.0, 0.5, inlet="IN2"))
    network["junctions"][0]["inlet_vessels"] = [0, 6]
    return network


@pytest.mark.parametrize("pulse", [False, True])
def test_several_inlets_agree_with_svzerodsolver(pulse):
    agree(confluence(pulse), 1e-6)


@pytest.mark.parametrize("outlet", ["RESISTANCE", "RCR", "CORONARY"])
def test_a_coronary_tree_agrees_with_svzerodsolver(outlet):
    agree(random_tree(25, 3, outlet, False, 10, 11), 1e-6)
    agree(random_tree(25, 3, outlet, True, 2, 101), 1e-6)


def test_parallel_vessels_share_the_flow():
    network = {
        "boundary_conditions": [STEADY_FLOW, condition("OUT", "RESISTANCE", R=1.0, Pd=0.0)],
        "junctions": [
            {"junction_type": "NORMAL_JUNCTION", "inlet_vessels": [0], "outlet_vessels": [1, 2]},
            {"junction_type": "internal_junction", "inlet_vessels": [1, 2], "outlet_vessels": [3]},
        ],
        "vessels": [vessel(0, 1.0, inlet="IN"), vessel(1, 10.0), vessel(2, 40.0), vessel(3, 1.0, outlet="OUT")],
    }
    assert solve_document(network).columns["flow_in"] == pytest.approx([5.0, 4.0, 1.0, 5.0])


def test_a_resistive_junction_by_hand():
    """5 = q1 + q2 with 3 q1 = 6 q2 behind a common pressure: 10/3 and 5/3; the inlet adds 7 x 5 before it."""
    network = tree(STEADY_FLOW) | {"junctions": []}
    network["boundary_conditions"] = [STEADY_FLOW, condition("A", "RESISTANCE", R=0.0, Pd=1.0), condition("B", "RESISTANCE", R=0.0, Pd=1.0)]
    network["vessels"] = [vessel(0, 0.0, inlet="IN"), vessel(1, 1.0, outlet="A"), vessel(2, 2.0, outlet="B")]
    values = {"R": [7.0, 2.0, 4.0]}
    network["junctions"] = [{"junction_type": "resistive_junction", "junction_values": values, "inlet_vessels": [0], "outlet_vessels": [1, 2]}]
    answer = solved(network)
    assert answer["flow_in"][:, 0] == pytest.approx([5.0, 10 / 3, 5 / 3])
    assert answer["pressure_in"][0, 0] == pytest.approx(1.0 + 10.0 + 35.0)


def windkessel_error(points):
    """Decay of an RCR's capacitor from 100 with no flow: p = 100 exp(-t / (Rd C)), the largest error over a cycle of one second."""
    decay = condition("OUT", "RCR", Rp=1.0, Rd=10.0, C=0.05, Pd=0.0)
    network = single(condition("IN", "FLOW", Q=[0.0, 0.0], t=[0.0, 1.0]), decay, {"R_poiseuille": 1.0}, 1, points, steady_initial=False)
    start = (
        {"pressure_all": 100.0, "pressure_c:OUT": 100.0},
        {"pressure_c:OUT": -200.0, "pressure:IN:branch0_seg0": -200.0, "pressure:branch0_seg0:OUT": -200.0},
    )
    answer = solved(network | dict(zip(("initial_condition", "initial_condition_d"), start, strict=True)))
    return np.abs(answer["pressure_out"][0] - 100 * np.exp(-answer["time"][0] / 0.5)).max()


def test_a_windkessel_decays_exponentially_at_second_order():
    errors = [windkessel_error(points) for points in (26, 51, 101)]
    order = -np.polyfit(np.log([25, 50, 100]), np.log(errors), 1)[0]
    assert order == pytest.approx(2.0, abs=0.1)
    assert errors[-1] < 0.02


def ladder_impedance(omega, rungs, resistance, capacitance, inductance, end):
    """Of `rungs` BloodVessels in series: p_in = (R + i w L) q + p behind, and C charged by the pressure behind R."""
    below = complex(end)
    for _ in range(rungs):
        behind = below + 1j * omega * inductance  # seen from behind the resistance, beside the capacitor
        below = resistance + 1 / (1 / behind + 1j * omega * capacitance)
    return below


def test_a_ladder_has_its_analytic_impedance():
    """A sine of flow into eight R-L-C rungs before a resistance: amplitude and phase of the pressure are those of the complex impedance."""
    rungs, values, mean, amplitude = 8, {"R_poiseuille": 3.0, "C": 2e-3, "L": 0.05}, 2.0, 1.5
    t, flow = sine(mean, amplitude, 1.0, 1001)
    vessels = [
        vessel(k, 0.0, **({"inlet": "IN"} if k == 0 else {} if k < rungs - 1 else {"outlet": "OUT"})) | {"zero_d_element_values": values} for k in range(rungs)
    ]
    network = {
        "simulation_parameters": {"number_of_cardiac_cycles": 10, "number_of_time_pts_per_cardiac_cycle": 1001},
        "boundary_conditions": [condition("IN", "FLOW", Q=flow, t=t), condition("OUT", "RESISTANCE", R=20.0, Pd=0.0)],
        "junctions": [{"junction_type": "NORMAL_JUNCTION", "inlet_vessels": [k], "outlet_vessels": [k + 1]} for k in range(rungs - 1)],
        "vessels": vessels,
    }
    answer = solve_document(network)
    pressure = np.array(answer.columns["pressure_in"]).reshape(rungs, -1)[0, :-1]
    impedance = ladder_impedance(2 * np.pi, rungs, values["R_poiseuille"], values["C"], values["L"], 20.0)
    harmonic = 2j * np.mean(pressure * np.exp(-2j * np.pi * np.arange(1000) / 1000))  # of a sine
    assert answer.periodic and answer.cycle_change < 1e-6
    assert pressure.mean() == pytest.approx(mean * (20.0 + rungs * 3.0), rel=1e-6)
    assert abs(harmonic / amplitude - impedance) < 1e-4 * abs(impedance)


def test_periodicity_is_checked_and_said():
    slow = condition("OUT", "RCR", Rp=1.0, Rd=10.0, C=1.0, Pd=0.0)
    vessel_values = {"R_poiseuille": 5.0}
    early = solve_document(single(PULSE_FLOW, slow, vessel_values, 2, 51, steady_initial=False))
    late = solve_document(single(PULSE_FLOW, slow, vessel_values, 120, 51, steady_initial=False))
    assert early.periodic is False and "NOT periodic" in early.summary and "number_of_cardiac_cycles" in early.summary
    assert late.periodic is True and late.summary.startswith("periodic")
    assert solve_document(single(PULSE_FLOW, slow, vessel_values, 1, 51)).periodic is None
    assert solve_document(tree(STEADY_FLOW)).summary == "steady state"


@given(st.integers(2, 40), st.integers(0, 10**6), st.sampled_from(["RESISTANCE", "RCR", "CORONARY"]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_flow_is_conserved_at_every_time(segments, seed, outlet, pulsatile):
    network = random_tree(segments, seed, outlet, pulsatile, 2, 21)
    answer = solved(network)
    for junction in network["junctions"]:
        entering = answer["flow_out"][junction["inlet_vessels"]].sum(axis=0)
        leaving = answer["flow_in"][junction["outlet_vessels"]].sum(axis=0)
        np.testing.assert_allclose(leaving, entering, atol=1e-9 * np.abs(answer["flow_in"]).max())
        pressures = np.vstack([answer["pressure_out"][junction["inlet_vessels"]], answer["pressure_in"][junction["outlet_vessels"]]])
        assert np.ptp(pressures, axis=0).max() <= 1e-9 * pressures.max()


@given(st.integers(2, 30), st.integers(0, 10**6), st.floats(0.2, 5.0))
@settings(max_examples=20, deadline=None)
def test_units_do_not_matter(segments, seed, scale):
    """Pressures and resistances times 1e3 `scale`, compliances divided by it: the same flows."""
    network = random_tree(segments, seed, "RCR", True, 2, 21)
    scaled = copy.deepcopy(network)
    up, down = {"R_poiseuille", "L", "stenosis_coefficient", "Rp", "Rd", "Pd", "R"}, {"C"}
    for values in [one["zero_d_element_values"] for one in scaled["vessels"]] + [one["bc_values"] for one in scaled["boundary_conditions"]]:
        for key in values.keys() & (up | down):
            values[key] *= 1e3 * scale if key in up else 1 / (1e3 * scale)
        if "P" in values:
            values["P"] = [1e3 * scale * p for p in values["P"]]
    a, b = solved(network)["flow_in"], solved(scaled)["flow_in"]
    np.testing.assert_allclose(a, b, atol=1e-7 * np.abs(a).max())


def without(document, key):
    return {name: value for name, value in document.items() if name != key}


def changed(position, **values):
    network = tree(STEADY_FLOW)
    network["boundary_conditions"][position]["bc_values"].update(values)
    return network


def altered(part, position, **values):
    network = tree(STEADY_FLOW)
    network[part][position] |= values
    return network


def lacking(position, key):
    network = tree(STEADY_FLOW)
    del network["boundary_conditions"][position]["bc_values"][key]
    return network


def with_values(**values):
    network = tree(STEADY_FLOW)
    network["vessels"][2]["zero_d_element_values"] |= values
    return network


def circle():
    network = tree(STEADY_FLOW)
    network["junctions"][1]["outlet_vessels"] = [4, 5, 0]
    return network


def two_periods():
    network = tree(PULSE_FLOW)
    network["boundary_conditions"][4]["bc_values"] = {"P": [1.0, 2.0, 1.0], "t": [0.0, 0.5, 1.5]}
    return network


REFUSED = {
    "empty": ({}, "no vessels"),
    "circle": (circle(), "cyclic: branch0_seg0 -> branch3_seg0 -> branch0_seg0"),
    "flow of nan": (changed(0, Q=[5.0, float("nan")]), "Q of IN holds a number that is not finite"),
    "pressure of nan": (changed(4, P=[20.0, float("nan")]), "not finite"),
    "constant nan": (changed(1, R=float("nan")), "R of A is nan"),
    "negative resistance": (with_values(R_poiseuille=-1.0), r"R_poiseuille of branch2_seg0 is negative \(-1\)"),
    "negative outlet": (changed(2, Rd=-100.0), "Rd of B is negative"),
    "negative capacitance": (with_values(C=-1.0), "C of branch2_seg0 is negative"),
    "negative pressure": (changed(4, P=[-20.0, -20.0]), "P of D is negative"),
    "negative distal pressure": (changed(1, Pd=-5.0), "Pd of A is negative"),
    "no compliance": (changed(3, Cc=0.0), "Cc of C is 0"),
    "text": (with_values(R_poiseuille="5"), "R_poiseuille of branch2_seg0 is '5'; give a number"),
    "unknown vessel": (altered("vessels", 1, zero_d_element_type="Tube"), "unknown zero_d_element_type 'Tube'"),
    "unknown junction": (altered("junctions", 0, junction_type="Y"), "unknown junction_type 'Y'"),
    "unknown condition": (altered("boundary_conditions", 1, bc_type="IMPEDANCE"), "unknown bc_type 'IMPEDANCE'"),
    "unknown value": (with_values(R=5.0), "unknown value 'R'"),
    "missing value": (lacking(2, "Rd"), r'B \(RCR\) has no "Rd"'),
    "missing times": (lacking(0, "t"), 'IN has no "t"'),
    "missing resistance": (altered("vessels", 0, zero_d_element_values={}), 'branch0_seg0 has no "R_poiseuille"'),
    "missing inlets": (altered("junctions", 0, inlet_vessels=None), "joins the vessels None"),
    "unknown vessels": (altered("junctions", 0, outlet_vessels=[1, 9]), r"joins the vessels \[1, 9\]"),
    "joined twice": (altered("junctions", 1, outlet_vessels=[4, 5, 1]), "the inlet of branch1_seg0 is connected twice"),
    "used twice": (altered("vessels", 1, boundary_conditions={"outlet": "B"}), "B is used at two ends"),
    "undefined": (without(tree(STEADY_FLOW), "boundary_conditions"), "does not define"),
    "outlet at an inlet": (altered("vessels", 0, boundary_conditions={"inlet": "A"}) | {"x": 1}, "A .*at an inlet|used at two ends"),
    "loose": (without(tree(STEADY_FLOW), "junctions"), "neither a junction nor a boundary"),
    "valves": (tree(STEADY_FLOW) | {"valves": [1]}, "valves"),
    "two periods": (two_periods(), r"lasts 1 in IN and 1.5 in D"),
    "falling times": (changed(0, Q=[1.0, 2.0, 1.0], t=[0.0, 1.0, 0.5]), "t of IN must rise"),
    "unequal lists": (changed(0, Q=[1.0, 2.0, 1.0]), "2 times and 3 values"),
    "no points": (tree(PULSE_FLOW) | {"simulation_parameters": {"number_of_cardiac_cycles": 2}}, 'no "number_of_time_pts_per_cardiac_cycle"'),
    "half a cycle": (
        tree(PULSE_FLOW) | {"simulation_parameters": {"number_of_cardiac_cycles": 0.5, "number_of_time_pts_per_cardiac_cycle": 11}},
        "number_of_cardiac_cycles is 0.5",
    ),
    "no id": ({"vessels": [{"name": "no id"}]}, 'a vessel has no "vessel_id"'),
    "not a list": ({"vessels": 3}, '"vessels" is not a list'),
    "not an object": ([], "outermost level is not an object"),
}


@pytest.mark.parametrize(("network", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_solved_is_refused_in_one_sentence(network, said):
    with pytest.raises(BadInput, match=said) as refusal:
        solve_document(network)
    assert "\n" not in str(refusal.value)


def test_only_flows_leave_the_pressure_open():
    network = single(STEADY_FLOW, condition("OUT", "FLOW", Q=5.0), {"R_poiseuille": 1.0})
    with pytest.raises(BadInput, match="pressure is undetermined"):
        solve_document(network)


def test_a_part_without_pressure_has_no_single_solution():
    """Two trees, the second fed by a flow at one end and drained of it at the other."""
    network = single(STEADY_PRESSURE, condition("OUT", "RESISTANCE", R=1.0, Pd=0.0), {"R_poiseuille": 1.0})
    network["boundary_conditions"] += [condition("IN2", "FLOW", Q=5.0), condition("OUT2", "FLOW", Q=5.0)]
    network["vessels"].append(vessel(1, 1.0, inlet="IN2", outlet="OUT2"))
    with pytest.raises(SolverFailed, match="no single solution"):
        solve_document(network)


def test_file_in_file_out(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps(tree(STEADY_FLOW)))
    answer = solve_network_file(tmp_path / "in.json", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == answer.columns
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.json", "out.json"]
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(BadInput, match="not a readable JSON"):
        solve_network_file(tmp_path / "bad.json", tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()


def test_a_text_is_solved_as_its_document_is():
    document = tree(STEADY_FLOW)
    for content in (json.dumps(document), json.dumps(document).encode()):
        assert solve_text(content).columns == solve_document(document).columns
    document["vessels"][0]["zero_d_element_values"]["R_poiseuille"] = float("nan")
    with pytest.raises(BadInput, match="not finite"):
        solve_text(json.dumps(document))
    for broken in ("", "[1, 2", b"\xff", "[" * 100000):
        with pytest.raises(BadJson):
            solve_text(broken)


def test_csv_is_what_svzerodsolver_writes(tmp_path):
    svzerod = pytest.importorskip("svzerod")
    network = single(PULSE_FLOW, condition("OUT", "RESISTANCE", R=10.0, Pd=2.0), {"R_poiseuille": 5.0}, 2, 5, output_mean_only=True)
    (tmp_path / "in.json").write_text(json.dumps(network))
    solve_network_file(tmp_path / "in.json", tmp_path / "out.csv")
    header, row, end = (tmp_path / "out.csv").read_text().split("\n")
    theirs = svzerod.simulate(network)
    assert header.split(",") == list(theirs.columns) and end == ""
    name, time, *values = row.split(",")
    assert (name, time) == ("branch0_seg0", "")
    assert [float(value) for value in values] == pytest.approx(theirs.iloc[0, 2:].tolist(), rel=1e-6)


def test_the_command_says_what_state_was_reached(tmp_path, capsys):
    (tmp_path / "net.json").write_text(json.dumps(single(PULSE_FLOW, condition("OUT", "RCR", **OUTLETS["RCR"]), {"R_poiseuille": 5.0}, 20, 51)))
    assert run_ccta("flow", "--network", tmp_path / "net.json", tmp_path / "out.json", "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out.splitlines()[-1])["periodic"] is True and "periodic: the last of 20 cycles" in printed.err
    (tmp_path / "net.json").write_text(json.dumps(with_values(R_poiseuille=-1.0)))
    assert run_ccta("flow", "--network", tmp_path / "net.json", tmp_path / "other.json") == 2
    said = capsys.readouterr().err
    assert "R_poiseuille of branch2_seg0 is negative" in said and "Traceback" not in said
    assert not (tmp_path / "other.json").exists()
