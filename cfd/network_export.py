"""A case's coronary tree as a 0-D network in svZeroDSolver's JSON, cgs: the reduced model's losses, elastic walls, pulsatile aorta and coronary outlets.

Without pulsation the network has the reduced model's flows: its pressures are total pressures inside the tree and static ones at the outlets. The heart's
pressures are idealised curves through the cuff's values; nothing about them was measured but these.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq

from ccta.errors import BadSettings
from ccta.units import mmhg_to_pa
from cfd.network import Pieces, cut_at_bifurcations, piece_laws
from cfd.profiles import Profile
from cfd.pullback import FlowModel

PERIOD_S = 0.8  # 75 beats a minute
CYCLES, POINTS = 15, 401
SAMPLES = 161
CONTRACTION_S, EJECTION_S, PEAK_S = 0.36, 0.05, 0.20  # of the ventricle, from its beginning: its end, when the aortic valve opens, highest aortic pressure
VENTRICLE_DIASTOLE_PA = 1067.0  # 8 mmHg, mid of the normal end-diastolic 4-12
WALL = (2.0e6, -2253.0, 8.65e4)  # E h / r = k1 exp(k2 r) + k3, Pa and m (Olufsen, Am J Physiol 1999;276:H257)
SMALL, MICRO, VENOUS = 0.32, 0.52, 0.16  # of an outlet's resistance (Kim et al., Ann Biomed Eng 2010;38:3195; Sankaran 2012)
ARTERIAL, MUSCLE = 0.11, 0.89  # of an outlet's compliance
COMPLIANCE_M3_PA = {True: 3.6e-10, False: 2.5e-10}  # of all outlets of the left (3.6e-5 cm5/dyn) and of the right coronary artery
MUSCLE_OVER_VENTRICLE = {True: 1.5, False: 0.5}  # intramyocardial over left ventricular pressure: left, right coronary artery

RESISTANCE, QUADRATIC, COMPLIANCE, PRESSURE = 1e-5, 1e-11, 1e5, 10.0  # SI to cgs; inertance converts as a resistance does


def network_document(problem: FlowModel, cuff_mmhg: tuple[float, float] | None) -> dict:
    """svZeroDSolver's input as a dictionary. cuff_mmhg: systolic, diastolic; None: steady at the mean pressure, with the reduced model's flows."""
    tree, profiles = problem.tree, problem.profiles
    if len(profiles[0].side_share):
        raise BadSettings("flow.side_branches works with the steady models; set it to false for a 0-D network or the pulsatile model")
    pieces = cut_at_bifurcations(tree, profiles)
    names = [f"branch{b}_seg{np.count_nonzero(pieces.branch[:k] == b)}" for k, b in enumerate(pieces.branch)]
    left = [root_name(tree, index) != "RCA" for index in range(len(tree))]
    values = _vessel_values(problem, pieces)
    vessels = [_vessel(k, names[k], pieces, values[k]) for k in range(len(names))]
    joints = {int(p): np.flatnonzero(pieces.parent == p).tolist() for p in np.unique(pieces.parent[pieces.parent >= 0])}
    return {
        "description": _description(tree, problem, cuff_mmhg),
        "simulation_parameters": {"number_of_cardiac_cycles": CYCLES, "number_of_time_pts_per_cardiac_cycle": POINTS, "cardiac_period": PERIOD_S},
        "boundary_conditions": _inlets(problem, pieces, cuff_mmhg) + _outlets(problem, left, cuff_mmhg),
        "junctions": [
            {"junction_name": f"J{p}", "junction_type": "NORMAL_JUNCTION", "inlet_vessels": [p], "outlet_vessels": below} for p, below in joints.items()
        ],
        "vessels": vessels,
    }


def _description(tree, problem, cuff_mmhg):
    names = {f"branch{index}": branch.name for index, branch in enumerate(tree) if branch.name}
    if cuff_mmhg is None:
        return {"units": "cgs", "branches": names, "assumptions": list(problem.physiology.assumptions)}
    curves = f"Aortic pressure idealised between {cuff_mmhg[1]:.0f} and {cuff_mmhg[0]:.0f} mmHg at {60 / PERIOD_S:.0f} beats/min, mean as in the steady model."
    return {"units": "cgs", "branches": names, "assumptions": [*problem.physiology.assumptions, curves]}


def root_name(tree, index: int) -> str:
    """Name of the branch at whose ostium the blood of a branch enters."""
    while tree.branches[index].parent is not None:
        index = tree.branches[index].parent
    return tree.branches[index].name


def _vessel_values(problem, pieces: Pieces):
    """(P, 4) resistance, capacitance, inductance, stenosis coefficient of each piece, cgs."""
    profiles, physiology = problem.profiles, problem.physiology
    laws, flow = piece_laws(pieces, profiles, problem.resistance_pa_s_m3, physiology)
    quadratic = _without_gains(pieces, laws.quadratic_pa_s2_m6 + laws.entry + laws.exit, flow)
    rows = []
    for k, (b, i, j) in enumerate(zip(pieces.branch, pieces.first, pieces.last, strict=True)):
        inertance, capacitance = _integrals(profiles[b], slice(i, j + 1), physiology.density_kg_m3)
        rows.append([laws.linear_pa_s_m3[k] * RESISTANCE, capacitance * COMPLIANCE, inertance * RESISTANCE, quadratic[k] * QUADRATIC])
    return rows


def _integrals(profile: Profile, part: slice, density_kg_m3: float) -> tuple[float, float]:
    """Inertance, integral of rho / A, and capacitance, integral of 3 A r / (2 E h), along a stretch."""
    s, area = profile.distance_m[part], profile.area_m2[part]
    stiffness = WALL[0] * np.exp(WALL[1] * np.sqrt(area / np.pi)) + WALL[2]
    return np.trapezoid(density_kg_m3 / area, s), np.trapezoid(1.5 * area / stiffness, s)


def _without_gains(pieces: Pieces, quadratic, flow):
    """A jet that spreads gives pressure back, which would be a negative coefficient: it is taken from the piece before, at the flows of the solution."""
    result = quadratic.copy()
    for k in range(len(result) - 1, -1, -1):
        if result[k] < 0:
            if pieces.parent[k] >= 0:
                result[pieces.parent[k]] += result[k] * (flow[k] / flow[pieces.parent[k]]) ** 2
            result[k] = 0.0
    return result


def _vessel(number, name, pieces: Pieces, values):
    ends = {"inlet": f"AORTA{number}"} if pieces.parent[number] < 0 else {}
    ends |= {"outlet": f"OUT{pieces.outlet[number]}"} if pieces.outlet[number] >= 0 else {}
    return {
        "vessel_id": number,
        "vessel_name": name,
        "zero_d_element_type": "BloodVessel",
        "zero_d_element_values": dict(zip(("R_poiseuille", "C", "L", "stenosis_coefficient"), map(float, values), strict=True)),
        "boundary_conditions": ends,
    }


def _inlets(problem, pieces: Pieces, cuff_mmhg):
    if cuff_mmhg is None:
        times, pressure = np.array([0.0, PERIOD_S]), np.full(2, problem.physiology.aortic_pressure_pa)
    else:
        times, pressure = aortic_pressure_pa(*cuff_mmhg, problem.physiology.aortic_pressure_pa)
    return [_condition(f"AORTA{k}", "PRESSURE", P=(PRESSURE * pressure).tolist(), t=times.tolist()) for k in np.flatnonzero(pieces.parent < 0)]


def _outlets(problem, left: Sequence[bool], cuff_mmhg):
    venous = problem.physiology.distal_pressure_pa
    compliance, parts = outlet_compliance_m3_pa(problem) * COMPLIANCE, resistance_parts(problem.resistance_pa_s_m3) * RESISTANCE
    conditions = []
    for index, resistance in enumerate(problem.resistance_pa_s_m3 * RESISTANCE):
        if cuff_mmhg is None:
            conditions.append(_condition(f"OUT{index}", "RESISTANCE", R=float(resistance), Pd=PRESSURE * venous))
            continue
        times, muscle = ventricular_share_pa(cuff_mmhg[0], left[index])
        values = dict(zip(("Ra1", "Ra2", "Rv1"), parts[:, index], strict=True)) | {"P_v": PRESSURE * venous}
        values |= dict(zip(("Ca", "Cc"), compliance[:, index], strict=True))
        series = {"Pim": (PRESSURE * muscle).tolist(), "t": times.tolist()}
        conditions.append(_condition(f"OUT{index}", "CORONARY", **{key: float(value) for key, value in values.items()}, **series))
    return conditions


def resistance_parts(resistance_pa_s_m3: np.ndarray) -> np.ndarray:
    """(3, B) arterial, micro and venous part of outlets' resistances (B,)."""
    return np.outer((SMALL, MICRO, VENOUS), resistance_pa_s_m3)


def outlet_compliance_m3_pa(problem: FlowModel) -> np.ndarray:
    """(2, B) arterial and intramyocardial compliance behind each branch's end, by its healthy area among those of its coronary artery."""
    left = np.array([root_name(problem.tree, index) != "RCA" for index in range(len(problem.tree))])
    area = np.array([profile.healthy_m[-1] ** 2 for profile in problem.profiles])
    total = np.array([COMPLIANCE_M3_PA[bool(side)] / area[left == side].sum() for side in left])
    return np.outer((ARTERIAL, MUSCLE), area * total)


def ventricular_share_pa(systolic_mmhg: float, left: bool) -> tuple[np.ndarray, np.ndarray]:
    """((N,) s, (N,) Pa) intramyocardial pressure over one cycle behind outlets of the left or of the right coronary artery."""
    times, ventricle = ventricular_pressure_pa(systolic_mmhg)
    return times, MUSCLE_OVER_VENTRICLE[left] * ventricle


def _condition(name, kind, **values):
    return {"bc_name": name, "bc_type": kind, "bc_values": values}


def ventricular_pressure_pa(systolic_mmhg: float) -> tuple[np.ndarray, np.ndarray]:
    """((N,) s, (N,) Pa) left ventricle over one cycle: a squared half sine from the end-diastolic to the systolic aortic pressure while it contracts."""
    t = np.linspace(0.0, PERIOD_S, SAMPLES)
    rise = mmhg_to_pa(systolic_mmhg) - VENTRICLE_DIASTOLE_PA
    return t, VENTRICLE_DIASTOLE_PA + rise * np.where(t < CONTRACTION_S, np.sin(np.pi * t / CONTRACTION_S) ** 2, 0.0)


def aortic_pressure_pa(systolic_mmhg: float, diastolic_mmhg: float, mean_pa: float) -> tuple[np.ndarray, np.ndarray]:
    """((N,) s, (N,) Pa) over one cycle: a squared sine from the valve's opening to the peak, then an exponential fall that gives the mean."""
    t = np.linspace(0.0, PERIOD_S, SAMPLES)
    since = np.mod(t - EJECTION_S, PERIOD_S)
    rise_s = PEAK_S - EJECTION_S

    def shape(constant_s):
        last = np.exp(-(PERIOD_S - rise_s) / constant_s)
        fall = (np.exp(-(since - rise_s) / constant_s) - last) / (1 - last)
        return np.where(since < rise_s, np.sin(np.pi * since / (2 * rise_s)) ** 2, fall)

    low, high = mmhg_to_pa(diastolic_mmhg), mmhg_to_pa(systolic_mmhg)
    wanted = (mean_pa - low) / (high - low)
    constant_s = brentq(lambda c: shape(c)[:-1].mean() - wanted, 0.02, 20.0)
    return t, low + (high - low) * shape(constant_s)
