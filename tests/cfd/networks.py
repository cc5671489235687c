"""0-D networks in svZeroDSolver's format, made from a seed or by hand, for tests and benchmarks. cgs."""

import numpy as np

VISCOSITY, DENSITY, PERIOD_S = 0.04, 1.06, 0.8


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


def aortic_pressure(samples=41):
    """(times, dyn/cm2) between 80 and 120 mmHg: a rise in systole, an exponential fall."""
    t = np.linspace(0, PERIOD_S, samples)
    shape = np.where(t < 0.3, np.sin(np.pi * t / 0.6) ** 2, np.exp(-(t - 0.3) / 0.25))
    shape = (shape - shape[-1] * t / PERIOD_S).clip(0)
    return t.tolist(), (1333.22 * (80 + 40 * shape / shape.max())).tolist()


def muscle_pressure(samples=41):
    """(times, dyn/cm2) of a left ventricle: 8 to 120 mmHg."""
    t = np.linspace(0, PERIOD_S, samples)
    return t.tolist(), (1333.22 * (8 + 112 * np.where(t < 0.35, np.sin(np.pi * t / 0.35) ** 2, 0.0))).tolist()


def random_tree(segments, seed, outlet, pulsatile, cycles=10, points=1001):
    """A coronary tree of bifurcations by Murray's law from a 0.4 cm trunk, lesions on a tenth of its segments, 3 mL/s in all.

    outlet: RESISTANCE, RCR or CORONARY. Resistance, inductance, capacitance of each segment from its radius (Poiseuille, rho L / A, 3 A L / (2 E h / r)).
    """
    rng = np.random.default_rng(seed)
    radius, parent, tips = [0.2], [-1], [0]
    while len(radius) < segments:
        tip = tips.pop(int(rng.integers(len(tips))))
        daughters = [0.97] if segments - len(radius) == 1 else np.array([(share := rng.uniform(0.25, 0.75)), 1 - share]) ** (1 / 3)
        for factor in daughters:
            tips.append(len(radius))
            radius.append(radius[tip] * factor)
            parent.append(tip)
    children = {p: [k for k, q in enumerate(parent) if q == p] for p in set(parent) - {-1}}
    flow = np.array([radius[tip] ** 3 for tip in tips])
    names = {tip: f"OUT{k}" for k, tip in enumerate(tips)}
    vessels = []
    for k, r in enumerate(radius):
        ends = {"inlet": "AORTA"} if k == 0 else {}
        ends |= {"outlet": names[k]} if k in names else {}
        length, area = rng.uniform(0.5, 2.0), np.pi * r**2
        one = vessel(k, 8 * VISCOSITY * length * np.pi / area**2, **ends)
        narrowed = 1.52 * DENSITY / 2 / area**2 * (1 / 0.4 - 1) ** 2 if rng.random() < 0.1 else 0.0
        one["zero_d_element_values"] |= {"L": DENSITY * length / area, "C": 1.5 * area * length / 2e6, "stenosis_coefficient": narrowed}
        vessels.append(one)
    times, pressure = aortic_pressure()
    inlet = condition("AORTA", "PRESSURE", P=pressure, t=times) if pulsatile else condition("AORTA", "PRESSURE", P=2 * [124000.0], t=[0.0, PERIOD_S])
    outlets = [_outlet(names[tip], outlet, 118000.0 / (3.0 * share), pulsatile) for tip, share in zip(tips, flow / flow.sum(), strict=True)]
    return {
        "simulation_parameters": {"number_of_cardiac_cycles": cycles, "number_of_time_pts_per_cardiac_cycle": points},
        "boundary_conditions": [inlet, *outlets],
        "junctions": [
            {"junction_name": f"J{k}", "junction_type": "NORMAL_JUNCTION", "inlet_vessels": [p], "outlet_vessels": below}
            for k, (p, below) in enumerate(children.items())
        ],
        "vessels": vessels,
    }


def _outlet(name, kind, resistance, pulsatile):
    venous = 6666.0
    if kind == "RESISTANCE":
        return condition(name, kind, R=resistance, Pd=venous)
    if kind == "RCR":
        return condition(name, kind, Rp=0.1 * resistance, Rd=0.9 * resistance, C=0.3 / resistance, Pd=venous)
    times, pressure = muscle_pressure() if pulsatile else ([0.0, PERIOD_S], [53000.0, 53000.0])
    parts = {"Ra1": 0.32 * resistance, "Ra2": 0.52 * resistance, "Rv1": 0.16 * resistance, "P_v": venous}
    return condition(name, kind, **parts, Ca=0.1 / resistance, Cc=0.8 / resistance, Pim=pressure, t=times)
