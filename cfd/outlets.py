"""Outlet resistances: how the hyperaemic total is shared among the ends of the coronary tree. SI."""

from collections.abc import Sequence

import numpy as np

from ccta.model import CoronaryTree
from ccta.units import mm_to_m
from cfd.profiles import Profile


def outlet_shares(tree: CoronaryTree, profiles: Sequence[Profile], exponent: float) -> np.ndarray:
    """(B,) share of the total flow that leaves through each branch's end when the epicardial arteries have no resistance; sums to 1.

    At each bifurcation, the aorta with its ostia being the first, the daughters share in proportion to d^m, d: healthy calibre just beyond the
    bifurcation (Murray 1926: m = 3; Huo and Kassab 2012: 7/3; Doriot 2000 with coronary calibres: 2.66 [check]). A lesion does not reduce its own demand,
    and a branch that was cut short keeps its share, unlike with the calibres of the ends.
    """
    roots = [index for index, branch in enumerate(tree) if branch.parent is None]
    weight = np.array([profiles[index].healthy_m[0] ** exponent for index in roots])
    shares = np.zeros(len(tree))
    arriving = dict(zip(roots, weight / weight.sum(), strict=True))
    for index in range(len(tree)):
        left = arriving[index]
        for position_mm, children in _junctions(tree, index):
            onward = _calibre_beyond(profiles[index], mm_to_m(position_mm)) ** exponent
            side = np.array([profiles[child].at(profiles[child].healthy_m, profiles[child].start_m) ** exponent for child in children])
            for child, part in zip(children, side / (onward + side.sum()), strict=True):
                arriving[child] = left * part
            left *= onward / (onward + side.sum())
        shares[index] = left
    return shares


def outlet_resistances_pa_s_m3(total_resistance_pa_s_m3: float, shares: np.ndarray) -> np.ndarray:
    """(B,) R_i = R_total / share_i, so that sum 1 / R_i = 1 / R_total."""
    return total_resistance_pa_s_m3 / shares


def _junctions(tree, index, together_mm=1.0):
    """[(position, children)]: children that begin within `together_mm` of one another leave at one place (a trifurcation)."""
    groups: list[tuple[float, list[int]]] = []
    for child in tree.children(index):
        position = tree.branches[child].parent_distance_mm
        if groups and position - groups[-1][0] < together_mm:
            groups[-1][1].append(child)
        else:
            groups.append((position, [child]))
    return groups


def _calibre_beyond(profile: Profile, position_m: float) -> float:
    radius = 0.5 * profile.at(profile.healthy_m, position_m)
    return profile.at(profile.healthy_m, min(position_m + radius, profile.distance_m[-1]))
