"""The reduced model: Poiseuille exactly, a Y-tree by hand, conservation and monotonicity."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccta.model import Branch, CoronaryTree
from ccta.settings import FlowSettings
from cfd import losses
from cfd.exact import poiseuille_drop_pa
from cfd.network import solve_network
from cfd.outlets import outlet_resistances_pa_s_m3, outlet_shares, with_side_branches
from cfd.physiology import hyperaemic_physiology
from cfd.profiles import branch_profiles
from tests.cfd.trees import left_tree, narrowing, straight

PHYSIOLOGY = hyperaemic_physiology(120.0, "M", FlowSettings())


def solved(tree, physiology=PHYSIOLOGY):
    profiles = branch_profiles(tree)
    resistance = outlet_resistances_pa_s_m3(physiology.total_resistance_pa_s_m3, outlet_shares(tree, profiles, 2.66))
    return solve_network(tree, profiles, resistance, physiology), profiles


def test_straight_tube_is_poiseuille():
    """Static pressure falls by 8 mu L Q / (pi r^4); Q by Newton solves P_a = P_v + (R + R_poiseuille) Q + rho/2 (Q/A)^2."""
    (solution, _) = solved(CoronaryTree((straight(80, 1.5),)))
    flow = solution.inlet_flow_m3_s[0]
    drop = solution.pressure_pa[0][0] - solution.pressure_pa[0][-1]
    assert drop == pytest.approx(poiseuille_drop_pa(flow, 1.5e-3, 0.08, 0.0035), rel=1e-9)
    dynamic = losses.dynamic_pressure_pa(flow, np.pi * 1.5e-3**2, 1060.0)
    total = PHYSIOLOGY.distal_pressure_pa + PHYSIOLOGY.total_resistance_pa_s_m3 * flow + drop + dynamic
    assert total == pytest.approx(PHYSIOLOGY.aortic_pressure_pa, rel=1e-10)


def test_y_tree_by_hand(monkeypatch):
    """Without inertia the tree is resistors: R_1 + 1 / (1 / (R_2 + a) + 1 / (R_3 + b))."""
    still = replace(PHYSIOLOGY, density_kg_m3=1e-9)
    tree = CoronaryTree((straight(70, 1.5), straight(30, 1.0, (0, 0, 40), (0, 1, 0), parent=0, parent_distance_mm=40.0)))
    profiles = branch_profiles(tree)
    ends = np.array([1.5e9, 4.0e9])
    solution = solve_network(tree, profiles, ends, still)

    def resistance(length_m, radius_m):
        return poiseuille_drop_pa(1.0, radius_m, length_m, 0.0035)

    onward = resistance(0.03, 1.5e-3) + ends[0]
    side = resistance(0.03 - 0.0015, 1.0e-3) + ends[1]  # the daughter begins where it leaves the parent's lumen, 1.5 mm from its axis
    whole = resistance(0.04, 1.5e-3) + 1 / (1 / onward + 1 / side)
    flow = (still.aortic_pressure_pa - still.distal_pressure_pa) / whole
    assert solution.inlet_flow_m3_s[0] == pytest.approx(flow, rel=1e-4)
    assert solution.outlet_flow_m3_s[0] == pytest.approx(flow * side / (onward + side), rel=1e-4)


@pytest.mark.parametrize("ahead, static_rises", [(0.98, True), (0.0, False)])
def test_bifurcation_pressures_lie_between_static_and_total_continuity(ahead, static_rises):
    """Where half of the flow goes into an equal branch, the velocity halves. Almost straight on, static pressure rises and total pressure falls; at a right
    angle the parent's dynamic pressure is lost: the daughter's total pressure is the parent's static one."""
    side = (0, np.sqrt(1 - ahead**2), ahead)
    tree = CoronaryTree((straight(70, 1.5), straight(30, 1.5, (0, 0, 40), side, parent=0, parent_distance_mm=40.0)))
    solution, profiles = solved(tree)
    parent, child = profiles
    at = np.argmin(np.abs(parent.distance_m - 0.04))
    before, after = solution.pressure_pa[0][at - 1], solution.pressure_pa[1][0]
    dynamic = [losses.dynamic_pressure_pa(q, child.area_m2[0], 1060.0) for q in (solution.flow_m3_s[0][at - 1], solution.flow_m3_s[1][0])]
    assert (before < after) == static_rises
    assert after + dynamic[1] < before + dynamic[0]
    if not static_rises:
        assert after + dynamic[1] == pytest.approx(before, abs=0.1 * dynamic[0])  # losses are taken at the flows without epicardial resistance


@st.composite
def random_trees(draw):
    """Up to seven branches that begin anywhere on an earlier one, or at an ostium."""
    branches = []
    for index in range(draw(st.integers(1, 7))):
        parent = draw(st.integers(-1, index - 1))
        length, radius = draw(st.floats(3.0, 80.0)), draw(st.floats(0.4, 2.2))
        taper = draw(st.floats(0.0, 0.5))
        at = draw(st.floats(0.0, 1.0)) * branches[parent].length_mm if parent >= 0 else 0.0
        points = np.array([[0.0, 0.0, z] for z in np.linspace(0, length, 20)])
        branches.append(Branch(points, radius * np.linspace(1, 1 - taper, 20), None if parent < 0 else parent, at))
    return CoronaryTree(tuple(branches))


@given(random_trees())
@settings(max_examples=40, deadline=None)
def test_flow_is_conserved_and_pressure_is_between_vein_and_aorta(tree):
    solution, _ = solved(tree)
    assert solution.inlet_flow_m3_s.sum() == pytest.approx(solution.outlet_flow_m3_s.sum(), rel=1e-12)
    assert np.all(solution.outlet_flow_m3_s > 0)
    for index, branch in enumerate(tree):
        leaving = sum(solution.flow_m3_s[child][0] for child in tree.children(index))
        assert solution.flow_m3_s[index][0] == pytest.approx(solution.outlet_flow_m3_s[index] + leaving, rel=1e-10)
        ffr = solution.pressure_pa[index] / PHYSIOLOGY.aortic_pressure_pa
        assert np.all(ffr < 1.0) and ffr[-1] > 0
        assert branch.parent is None or solution.inlet_flow_m3_s[index] == 0


@given(st.lists(st.floats(0.0, 0.85), min_size=2, max_size=2, unique=True))
@settings(max_examples=25, deadline=None)
def test_a_tighter_stenosis_has_a_lower_ffr_and_less_flow(degrees):
    mild, tight = (solved(left_tree(degree))[0] for degree in sorted(degrees))
    if max(degrees) - min(degrees) > 0.01:
        assert tight.pressure_pa[0][-1] < mild.pressure_pa[0][-1]
        assert tight.outlet_flow_m3_s[0] < mild.outlet_flow_m3_s[0]
        assert tight.outlet_flow_m3_s[1] > mild.outlet_flow_m3_s[1] * (1 - 1e-9)  # the neighbour gets no less


def test_an_occluded_branch_has_venous_pressure_and_no_flow():
    tree = CoronaryTree((straight(80, narrowing(1.5, 1.0, 40.0)), straight(60, 1.5, (0, 50, 0))))
    solution, _ = solved(tree)
    assert solution.pressure_pa[0][-1] == pytest.approx(PHYSIOLOGY.distal_pressure_pa, rel=0.3)
    assert solution.outlet_flow_m3_s[0] < 0.02 * solution.outlet_flow_m3_s[1]


def test_hyperaemia_multiplies_flow_by_about_four():
    """0.24 of the resistance: 4.2 times the flow, less what the epicardial arteries take."""
    rest = hyperaemic_physiology(120.0, "M", FlowSettings(hyperaemia_factor=1.0))
    tree = left_tree(0.0)
    ratio = solved(tree)[0].inlet_flow_m3_s.sum() / solved(tree, rest)[0].inlet_flow_m3_s.sum()
    assert 3.7 < ratio < 1 / 0.24


def test_flow_through_invisible_side_branches_leaves_along_the_vessel():
    """With a wide vessel, whose own resistance is nothing, the total resistance sets the flow and the taper what reaches the end."""
    tree = CoronaryTree((straight(80, lambda s: 12.0 - 0.05 * s),))
    still = replace(PHYSIOLOGY, density_kg_m3=1e-9)
    profiles = with_side_branches(tree, branch_profiles(tree), 2.66)
    resistance = outlet_resistances_pa_s_m3(still.total_resistance_pa_s_m3, outlet_shares(tree, profiles, 2.66))
    solution = solve_network(tree, profiles, resistance, still)
    entering = (still.aortic_pressure_pa - still.distal_pressure_pa) / still.total_resistance_pa_s_m3
    assert solution.inlet_flow_m3_s[0] == pytest.approx(entering, rel=1e-3)
    assert solution.outlet_flow_m3_s[0] == pytest.approx(entering * (8 / 12) ** 2.66, rel=0.01)
    assert solution.side_flow_m3_s[0] + solution.outlet_flow_m3_s[0] == pytest.approx(solution.inlet_flow_m3_s[0], rel=1e-9)
    assert solution.flow_m3_s[0][0] > solution.flow_m3_s[0][160] > solution.flow_m3_s[0][-1]


def test_losing_flow_on_the_way_spares_pressure_behind_a_lesion():
    """Less flow passes a distal lesion, so that FFR behind it is higher than with solid walls."""
    tree = CoronaryTree((straight(100, lambda s: narrowing(1.8 - 0.006 * s, 0.6, 60.0)(s)),))
    solid = branch_profiles(tree)
    ends = {}
    for name, profiles in (("solid", solid), ("leaking", with_side_branches(tree, solid, 2.66))):
        resistance = outlet_resistances_pa_s_m3(PHYSIOLOGY.total_resistance_pa_s_m3, outlet_shares(tree, profiles, 2.66))
        ends[name] = solve_network(tree, profiles, resistance, PHYSIOLOGY).pressure_pa[0][-1]
    assert ends["leaking"] > ends["solid"] + 100


@pytest.mark.parametrize("behind_mm", [3.0, 5.0, 7.0, 12.0])
@pytest.mark.parametrize("degree", [0.8, 0.89, 0.93])
def test_no_branch_in_the_jet_of_a_severe_stenosis_gives_blood_back(degree, behind_mm):
    """Pressure that the jet gives back fed a solution with flow out of a branch that leaves within it, and pressure above the aorta's."""
    trunk = straight(120, narrowing(1.7, degree, 20.0))
    children = [straight(60, 1.0, (0, 0, at), (0, 1, 0), parent=0, parent_distance_mm=at) for at in (10.0, 20.0 + behind_mm, 52.0)]
    solution, _ = solved(CoronaryTree((trunk, *children)))
    assert np.all(solution.outlet_flow_m3_s > 0)
    assert max(pressure.max() for pressure in solution.pressure_pa) <= PHYSIOLOGY.aortic_pressure_pa
    assert min(pressure.min() for pressure in solution.pressure_pa) > -5000  # in the throat itself static pressure may be low


def test_a_severe_stenosis_elsewhere_changes_no_other_lesion_by_a_jump():
    """A 50 % lesion in a branch that leaves before the stenosis, as that grows past where its jet gives nothing back any more."""
    found = []
    for degree in (0.80, 0.82, 0.84, 0.86):
        trunk = straight(120, narrowing(1.7, degree, 40.0))
        other = straight(70, narrowing(1.3, 0.5, 30.0), (0, 0, 10.0), (0, 1, 0), parent=0, parent_distance_mm=10.0)
        behind = straight(60, 1.0, (0, 0, 47.0), (0, 1, 0), parent=0, parent_distance_mm=47.0)
        solution, _ = solved(CoronaryTree((trunk, other, behind)))
        found.append(solution.pressure_pa[1][4 * 36] / PHYSIOLOGY.aortic_pressure_pa)
    assert np.abs(np.diff(found)).max() < 0.01
