"""SCCT names for an unnamed coronary tree (18 segments, Leipsic et al., JCCT 2014;8:342), by where each artery runs about the ventricles.

Everything is decided in the heart's own frame (branch_names_frame): apex, lateral and inferior distances in mm. Arteries in the
atrioventricular groove (LCx, RCA) stay near apex = 0; those in the interventricular grooves (LAD, PDA) stay near lateral = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ccta.anatomy.branch_names_frame import Frame, heart_frame
from ccta.anatomy.branch_names_graph import Pieces, pieces_of
from ccta.findings import Segment, Tree
from ccta.model import SEGMENTS, Branch, CoronaryTree, Volume, arc_length_mm
from ccta.settings import TreeSettings

TRIFURCATION_MM = 4.0  # a usual left main's diameter: within it of the division a ramus leaves, or within that of the left main at hand where it is wider
LARGE_DIAGONAL_MM = 1.5  # CLINICAL: the proximal LAD ends at the first diagonal wider than this, or at the first large septal
MIN_RAMUS_MM = 15.0
SIDE = {"D1": 9, "D2": 10, "OM1": 12, "OM2": 14, "RI": 17, "R-PDA": 4, "R-PLB": 16, "L-PDA": 15, "L-PLB": 18}


@dataclass
class _Plan:
    """What is known so far: pieces, the frame, and per first piece of an artery its (name, chain of pieces)."""

    pieces: Pieces
    frame: Frame
    named: dict[int, tuple[str, list[int]]] = field(default_factory=dict)

    def place(self, chain: list[int]) -> np.ndarray:
        """(N, 3) apex, lateral, inferior mm of a chain."""
        return self.frame.place(self.pieces.joined(chain)[0])

    def leaves(self, roots: list[int]) -> list[list[int]]:
        return [self.pieces.chain(leaf) for root in roots for leaf in self.pieces.leaves(root)]

    def sides(self, chain: list[int]) -> list[tuple[float, int]]:
        """(arc length mm, first piece) of what leaves a chain and has no name yet, in order."""
        found = []
        for k, piece in enumerate(chain):
            at = self.pieces.length_mm(chain[: k + 1])
            found += [(at, child) for child in self.pieces.children(piece) if child not in chain and child not in self.named]
        return sorted(found)


def name_tree(tree: CoronaryTree, heart: Volume | None, settings: TreeSettings) -> CoronaryTree:
    """The tree with SCCT ids per point, names and dominance; pieces joined so that LM + LAD is one branch, LCx, RCA ... one each.

    heart: HEART_LABELS; None falls back on the arteries' own geometry. What cannot be named keeps id 0 and an empty name.
    """
    if len(tree) == 0:
        return tree
    pieces = pieces_of(tree)
    plan = _Plan(pieces, heart_frame(heart, pieces))
    left, right = _sides_of_the_heart(plan)
    right_end = _name_right(plan, right)
    left_end = _name_left(plan, left, right_end)
    dominance = _dominance(right_end | left_end)
    return CoronaryTree(tuple(_with_segments(_branches(plan))), dominance)


def _sides_of_the_heart(plan: _Plan) -> tuple[list[int], list[int]]:
    """(left roots, right roots): within 50 mm a left artery has run towards the apex or the lateral wall, a right one away from the left, and down."""
    left, right = [], []
    for root in plan.pieces.roots():
        chain = plan.pieces.longest(root)
        s = arc_length_mm(plan.pieces.joined(chain)[0])
        apex, lateral, inferior = (plan.place(chain) - plan.place(chain)[0])[s <= 50].mean(axis=0)
        (left if apex + lateral > inferior else right).append(root)
    return left, right


def _name_right(plan: _Plan, roots: list[int]) -> set[str]:
    """RCA to the crux, R-PDA and R-PLB beyond it. Returns which of the two were found."""
    chains = plan.leaves(roots)
    if not chains:
        return set()
    main = max(chains, key=lambda c: plan.place(c)[:, 2].max() + plan.place(c)[-1, 1])
    place = plan.place(main)
    start = int(np.argmax(place[:, 2] - place[:, 1]))  # the acute margin: right and inferior
    crux = start + int(np.argmax((place[:, 1] - place[:, 0])[start:]))
    reached = place[crux, 1] - place[start, 1] > 12
    s = arc_length_mm(plan.pieces.joined(main)[0])
    if not reached:
        plan.named[main[0]] = ("RCA", main)
        return set()
    cut = _fork_near(plan, main, s[start], s[crux])
    plan.pieces, rca, _ = plan.pieces.divided(main, cut)
    plan.named[rca[0]] = ("RCA", rca)
    return _name_beyond_crux(plan, plan.pieces.children(rca[-1]), rca)


def _fork_near(plan: _Plan, main: list[int], margin_mm: float, crux_mm: float) -> float:
    """Arc length of the junction within 30 mm of the crux, beyond the acute margin, at which the longest side branch leaves; else the crux itself."""
    sides = [(plan.pieces.length_mm(plan.pieces.longest(child)), at) for at, child in plan.sides(main) if abs(at - crux_mm) < 30 and at > margin_mm + 10]
    sides = [side for side in sides if side[0] > 12]
    return max(sides)[1] if sides else crux_mm


def _name_beyond_crux(plan: _Plan, starts: list[int], rca: list[int]) -> set[str]:
    """R-PDA is what turns back to the septum, R-PLB what goes on to the lateral wall; a single one is told by the same rule."""
    found = set()
    origin = plan.place(rca)[-1, 1]
    ways = sorted((float(plan.place(plan.pieces.longest(c))[:, 1].mean() - origin), c) for c in starts)
    for rank, (turn, child) in enumerate(ways):
        chain = plan.pieces.longest(child)
        if plan.pieces.length_mm(chain) < 8:
            continue
        name = "R-PDA" if (rank == 0 and (len(ways) > 1 or turn < 2)) else "R-PLB"
        plan.named[child] = (name, chain)
        found.add(name)
    return found


def _name_left(plan: _Plan, roots: list[int], right_end: set[str]) -> set[str]:
    """LAD with the left main, LCx, ramus, diagonals, marginals and what the LCx gives to the inferior wall."""
    chains = plan.leaves(roots)
    if not chains:
        return set()
    lad = max(chains, key=lambda c: _lad_score(plan.place(c)))
    lcx = _circumflex(plan, [c for c in chains if c is not lad], lad)
    plan.named[lad[0]] = ("LAD", lad)
    found = set()
    if lcx:
        found = _name_circumflex(plan, lcx, right_end)
        _name_ramus(plan, lad, next(chain for name, chain in plan.named.values() if name == "LCx"))
    diagonals = [child for at, child in plan.sides(lad) if _is_diagonal(plan, lad, child)]
    for number, child in enumerate(diagonals, start=1):
        plan.named[child] = (f"D{number}", plan.pieces.longest(child))
    return found


def _lad_score(place: np.ndarray) -> float:
    """Large for an artery that reaches the apex in the anterior groove."""
    return float(place[:, 0].max() - place[:, 1].mean() - 0.5 * max(0.0, place[:, 2].mean()))


def _circumflex(plan: _Plan, chains: list[list[int]], lad: list[int]) -> list[int]:
    """The chain beyond the LAD that stays at the base and goes farthest lateral; empty where none leaves early or goes lateral."""
    best, best_score = [], 0.0
    for chain in chains:
        shared = [p for p in chain if p in lad]
        own = [p for p in chain if p not in lad]
        if not own or plan.pieces.length_mm(shared) > 40 or plan.pieces.length_mm(own) < 10:
            continue
        place = plan.place(own)
        score = place[:, 1].max() - place[:, 0].mean()
        if score > best_score and place[:, 1].max() > place[0, 1] + 5:
            best, best_score = own, score
    return best


def _name_circumflex(plan: _Plan, own: list[int], right_end: set[str]) -> set[str]:
    """LCx as far as it stays in the groove, marginals, and L-PDA / L-PLB where the right artery does not supply them."""
    place = plan.place(own)
    turn = int(np.argmax(place[:, 2] + 0.5 * place[:, 1] - place[:, 0]))
    s = arc_length_mm(plan.pieces.joined(own)[0])
    plan.pieces, lcx, _ = plan.pieces.divided(own, max(s[turn], min(10.0, s[-1])))
    plan.named[lcx[0]] = ("LCx", lcx)
    found, marginals = set(), 0
    for _, child in plan.sides(lcx):
        chain = plan.pieces.longest(child)
        course = plan.place(chain)
        if course[-1, 0] < course[0, 0] + 3:
            continue  # atrial
        inferior = course[0, 2] > 30 and "R-PLB" not in right_end
        septal = course[:, 1].mean() < 0.6 * place[:, 1].max() and course[-1, 1] < 0.4 * place[:, 1].max()
        if inferior and septal and "R-PDA" not in right_end and "L-PDA" not in found:
            name = "L-PDA"
        elif inferior:
            name = "L-PLB"
        else:
            marginals += 1
            name = f"OM{marginals}"
        plan.named[child] = (name, chain)
        found.add(name)
    return found & {"L-PDA", "L-PLB"}


def _name_ramus(plan: _Plan, lad: list[int], lcx: list[int]) -> None:
    """RI: a long artery that leaves within a diameter of the left main's division, on either side of it."""
    parent = plan.pieces.pieces[lcx[0]].parent
    if parent is None:
        return
    main = lad[: lad.index(parent) + 1]
    division, reach = plan.pieces.length_mm(main), max(TRIFURCATION_MM, 2 * float(np.median(plan.pieces.joined(main)[1])))
    near = [c for at, c in plan.sides(lad) if abs(at - division) <= reach]
    near += [c for c, (name, _) in plan.named.items() if name.startswith("OM") and plan.pieces.pieces[c].parent == lcx[0]
             and plan.pieces.length_mm(lcx[:1]) <= reach]  # fmt: skip
    near = [c for c in near if plan.pieces.length_mm(plan.pieces.longest(c)) >= MIN_RAMUS_MM]
    if not near:
        return
    ramus = max(near, key=lambda c: plan.pieces.length_mm(plan.pieces.longest(c)))
    plan.named[ramus] = ("RI", plan.pieces.longest(ramus))
    marginals = sorted((plan.pieces.length_mm(lcx[: lcx.index(plan.pieces.pieces[c].parent) + 1]), c)
                       for c, (name, _) in plan.named.items() if name.startswith("OM"))  # fmt: skip
    for number, (_, child) in enumerate(marginals, start=1):
        plan.named[child] = (f"OM{number}", plan.named[child][1])


def _is_diagonal(plan: _Plan, lad: list[int], child: int) -> bool:
    """Whether a side branch lies lateral of the LAD 20 mm on; septals dive inferiorly, right ventricular branches go the other way."""
    points, _ = plan.pieces.joined(plan.pieces.longest(child))
    there = plan.frame.place(points[[int(np.argmin(np.abs(arc_length_mm(points) - 20)))]])[0]
    main = plan.place(lad)
    beside = main[np.argmin(np.abs(main[:, 0] - there[0]))]
    return bool(there[1] - beside[1] > max(2.0, there[2] - beside[2]))


def _dominance(found: set[str]) -> str:
    """right, left, co-dominant by who gives the PDA and the posterolateral branches; unknown where nobody is seen to."""
    if "R-PDA" in found:
        return "co-dominant" if "L-PLB" in found and "R-PLB" not in found else "right"
    return "left" if "L-PDA" in found else "unknown"


def _branches(plan: _Plan) -> list[Branch]:
    """All branches, parents first; unnamed side branches are the longest ways that are left."""
    out: list[Branch] = []

    def emit(first: int, parent: int | None, at_mm: float) -> None:
        name, chain = plan.named.get(first) or ("", plan.pieces.longest(first))
        points, radius = plan.pieces.joined(chain)
        index = len(out)
        out.append(Branch(points, radius, parent, at_mm, name=name))
        for k, piece in enumerate(chain):
            for child in plan.pieces.children(piece):
                if child not in chain:
                    emit(child, index, plan.pieces.length_mm(chain[: k + 1]))

    order = {"LAD": 0, "LCx": 1, "": 2, "RCA": 3}
    for root in sorted(plan.pieces.roots(), key=lambda r: order.get(plan.named.get(r, ("",))[0], 2)):
        emit(root, None, 0.0)
    return out


def _with_segments(branches: list[Branch]) -> list[Branch]:
    """The SCCT id of every point from the names and the places where side branches leave."""
    done = []
    for index, branch in enumerate(branches):
        sides = sorted((b.parent_distance_mm, b.name, 2 * float(np.median(b.radius_mm[: max(3, len(b.radius_mm) // 5)])))
                       for b in branches if b.parent == index)  # fmt: skip
        s = branch.distance_mm
        if branch.name == "LAD":
            segment = _lad_segments(s, sides)
        elif branch.name == "LCx":
            first = [at for at, name, _ in sides if name.startswith("OM")]
            segment = np.where(s <= (first[0] if first else branch.length_mm / 2), 11, 13)
        elif branch.name == "RCA":
            margin = acute_margin_mm(branch)
            segment = np.where(s < margin / 2, 1, np.where(s < margin, 2, 3))
        else:
            segment = np.full(len(s), SIDE.get(branch.name, 0))
        done.append(replace(branch, segment=segment))
    return done


def _lad_segments(s: np.ndarray, sides: list[tuple[float, str, float]]) -> np.ndarray:
    """5 to the LCx, 6 to the first large diagonal or septal (else a third of the way), 7 half way to the end, 8."""
    main = next((at for at, name, _ in sides if name == "LCx"), 0.0)
    beyond = [at for at, name, width in sides if at > main + TRIFURCATION_MM and name != "RI" and width > LARGE_DIAGONAL_MM]
    named = [at for at, name, _ in sides if at > main + TRIFURCATION_MM and name.startswith("D")]
    proximal = min(beyond or named or [main + (s[-1] - main) / 3])
    middle = (proximal + s[-1]) / 2
    return np.select([s < main, s < proximal, s < middle], [5, 6, 7], 8)


def acute_margin_mm(rca: Branch) -> float:
    """Arc length where the RCA turns from its way down to its way back: the place farthest right, anterior and inferior."""
    way = rca.points_mm @ np.array([-0.45, -0.45, -0.77])
    return float(np.clip(rca.distance_mm[int(np.argmax(way))], 0.4 * rca.length_mm, 0.8 * rca.length_mm))


def tree_findings(tree: CoronaryTree) -> Tree:
    """Length, mean diameter and beginning of each named segment, and how much of the tree has no name."""
    parts: dict[int, list[tuple[float, float, np.ndarray]]] = {}
    unnamed = 0.0
    for branch in tree:
        steps = np.diff(branch.distance_mm)
        of_step = branch.segment[:-1]
        unnamed += float(steps[of_step == 0].sum())
        for segment in np.unique(of_step[of_step > 0]):
            here = np.flatnonzero(of_step == segment)
            diameter = branch.radius_mm[here] + branch.radius_mm[here + 1]
            parts.setdefault(int(segment), []).append((steps[here].sum(), float(steps[here] @ diameter), branch.points_mm[here[0]]))
    segments = []
    for segment, found in sorted(parts.items()):
        length = float(sum(f[0] for f in found))
        name, vessel = SEGMENTS[segment]
        start = tuple(float(x) for x in found[0][2])
        segments.append(Segment(id=segment, name=name, vessel=vessel, length_mm=length, mean_diameter_mm=sum(f[1] for f in found) / length, ostium_mm=start))
    return Tree(dominance=tree.dominance, segments=segments, unnamed_length_mm=unnamed)
