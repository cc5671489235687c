"""Outlet resistances: how the hyperaemic total is shared among the ends of the coronary tree. SI."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ccta.model import CoronaryTree
from ccta.units import mm_to_m
from cfd.profiles import Profile


def outlet_shares(tree: CoronaryTree, profiles: Sequence[Profile], exponent: float) -> np.ndarray:
    """(B,) share of the total flow that leaves through each branch's end when the epicardial arteries have no resistance.

    At each bifurcation, the aorta with its ostia being the first, the daughters share in proportion to d^m, d: healthy calibre just beyond the
    bifurcation (Murray 1926: m = 3; Huo and Kassab 2012: 7/3; Doriot 2000 with coronary calibres: 2.66 [check]). A lesion does not reduce its own demand,
    and a branch that was cut short keeps its share, unlike with the calibres of the ends. They sum to 1, but for what profiles with a `side_share` lose.
    """
    return np.array([carried[-1] for carried in _carried(tree, profiles, exponent, len(profiles[0].side_share) > 0)])


def with_side_branches(tree: CoronaryTree, profiles: Sequence[Profile], exponent: float) -> list[Profile]:
    """Profiles that lose flow through branches too small to be seen: between two visible bifurcations a vessel carries what its healthy calibre can, d^m.

    The taper that no visible branch explains is what the invisible ones take (Murray's law read backwards; the same exponent as at the bifurcations).
    """
    whole = _carried(tree, profiles, exponent, True)
    takeoffs = [_lost_to_children(tree, profiles, index, whole) for index in range(len(tree))]
    return [
        replace(profile, side_share=np.maximum.accumulate(np.maximum(carried[0] - carried - taken, 0.0)))
        for profile, carried, taken in zip(profiles, whole, takeoffs, strict=True)
    ]


def _lost_to_children(tree, profiles, index, whole):
    """(N,) share of the total flow that has left through visible branches up to each station."""
    taken = np.zeros(len(profiles[index].distance_m))
    for child in tree.children(index):
        taken[_beyond(profiles[index], mm_to_m(tree.branches[child].parent_distance_mm))] += whole[child][0]
    return taken


def _carried(tree, profiles, exponent, leaking: bool) -> list[np.ndarray]:
    """Per branch (N,) share of the total flow at each station."""
    roots = [index for index, branch in enumerate(tree) if branch.parent is None]
    weight = np.array([profiles[index].healthy_m[0] ** exponent for index in roots])
    arriving = dict(zip(roots, weight / weight.sum(), strict=True))
    carried = []
    for index, profile in enumerate(profiles):
        part, begin = np.full(len(profile.distance_m), arriving[index]), profile.start_m
        junctions = _junctions(tree, index)
        for position_mm, children in [*junctions, (np.inf, [])]:
            if leaking:
                within = (profile.distance_m >= begin) & (profile.distance_m <= mm_to_m(position_mm))
                factor = np.minimum(profile.healthy_m[within] / profile.at(profile.healthy_m, begin), 1.0) ** exponent
                part[within] *= factor
                if children and len(factor):
                    part[profile.distance_m > mm_to_m(position_mm)] *= factor[-1]
            if not children:
                break
            onward = _calibre_beyond(profile, mm_to_m(position_mm)) ** exponent
            side = np.array([profiles[child].at(profiles[child].healthy_m, profiles[child].start_m) ** exponent for child in children])
            left = part[_beyond(profile, mm_to_m(position_mm))][0]
            for child, share in zip(children, side / (onward + side.sum()), strict=True):
                arriving[child] = left * share
            part[_beyond(profile, mm_to_m(position_mm))] *= onward / (onward + side.sum())
            begin = mm_to_m(position_mm) + 0.5 * profile.at(profile.healthy_m, mm_to_m(position_mm))
        carried.append(part)
    return carried


def _beyond(profile, position_m):
    """(N,) stations beyond a place; the last one always is."""
    beyond = profile.distance_m > position_m
    beyond[-1] = True
    return beyond


def outlet_resistances_pa_s_m3(total_resistance_pa_s_m3: float, shares: np.ndarray) -> np.ndarray:
    """(B,) R_i = R_total / share_i, so that 1 / R_i sums to 1 / R_total, with those of the side branches where there are any."""
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
