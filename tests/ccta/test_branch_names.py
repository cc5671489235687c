"""Names on hand-built and phantom trees, stripped and cut up at random, and on a real patient's centerlines where they are at hand."""

from pathlib import Path

import numpy as np
import pytest

from ccta.anatomy.branch_names import acute_margin_mm, name_tree, tree_findings
from ccta.anatomy.branch_names_graph import pieces_of
from ccta.curves import resampled_curve
from ccta.model import Branch, CoronaryTree
from ccta.settings import TreeSettings

REAL = Path(__file__).parents[3] / "shared" / "data" / "patient_tree"

COURSES = {  # way points in LPS mm about an aortic root at the origin, after a supine adult; parent; diameter at the origin
    "LAD": ([(10, -8, 8), (18, -12, 10), (36, -34, 0), (50, -52, -25), (60, -60, -55), (62, -50, -75)], None, 3.8),
    "LCx": ([(18, -12, 10), (30, 5, 4), (38, 28, -4), (34, 42, -20), (22, 46, -36)], "LAD", 3.2),
    "D1": ([(36, -34, 0), (55, -38, -6), (76, -40, -30)], "LAD", 2.0),
    "D2": ([(50, -52, -25), (66, -52, -40), (76, -50, -58)], "LAD", 1.8),
    "OM1": ([(38, 28, -4), (58, 22, -18), (76, 2, -42)], "LCx", 2.1),
    "RCA": ([(-8, -14, 6), (-26, -36, 0), (-42, -40, -28), (-38, -20, -58), (-16, 14, -62), (-4, 28, -55)], None, 3.8),
    "R-PDA": ([(-4, 28, -55), (14, 2, -76), (40, -24, -84)], "RCA", 2.0),
    "R-PLB": ([(-4, 28, -55), (18, 36, -64), (42, 22, -74)], "RCA", 2.0),
    "RI": ([(18, -12, 10), (44, -6, 2), (68, -14, -20), (78, -18, -40)], "LAD", 2.0),
    "septal": ([(40, -39, -6), (36, -33, -22), (38, -30, -36)], "LAD", 1.6),
    "RV": ([(-42, -40, -28), (-28, -60, -40), (-8, -72, -50)], "RCA", 1.4),
}
RIGHT = ("LAD", "LCx", "D1", "D2", "OM1", "RCA", "R-PDA", "R-PLB")


def built(names=RIGHT, turn_deg=0.0) -> CoronaryTree:
    """The tree of COURSES as model.Branch describes, turned about the Superior axis, without names."""
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    branches: list[Branch] = []
    for name in names:
        way, parent, width = COURSES[name]
        points = resampled_curve(np.array(way, float) @ turn.T, 0.5)
        at, index = 0.0, None
        if parent is not None:
            index = names.index(parent)
            gap = np.linalg.norm(branches[index].points_mm - points[0], axis=1)
            at = float(branches[index].distance_mm[np.argmin(gap)])
            points = np.vstack([branches[index].points_mm[np.argmin(gap)], points[1:]])
        branches.append(Branch(points, np.linspace(width / 2, width / 3, len(points)), index, at))
    return CoronaryTree(tuple(branches))


def shuffled(tree: CoronaryTree, seed: int) -> CoronaryTree:
    """The same vessels split otherwise: every piece between junctions is a branch of its own, in a random order with parents first."""
    pieces, rng = pieces_of(tree).pieces, np.random.default_rng(seed)
    order: list[int] = []
    while len(order) < len(pieces):
        order.append(rng.choice([i for i, p in enumerate(pieces) if i not in order and (p.parent is None or p.parent in order)]))
    place = {old: new for new, old in enumerate(order)}
    parents = [None if pieces[i].parent is None else place[pieces[i].parent] for i in order]
    lengths = [Branch(pieces[i].points_mm, pieces[i].radius_mm).length_mm for i in order]
    return CoronaryTree(tuple(Branch(pieces[i].points_mm, pieces[i].radius_mm, parent, 0.0 if parent is None else lengths[parent])
                              for i, parent in zip(order, parents, strict=True)))  # fmt: skip


def lengths(tree: CoronaryTree) -> dict[str, float]:
    return {b.name: b.length_mm for b in tree if b.name}


@pytest.mark.parametrize("turn_deg", [-15, 0, 15])
def test_a_right_dominant_tree_gets_all_its_names(turn_deg):
    tree = built(turn_deg=turn_deg)
    found = name_tree(tree, None, TreeSettings())
    assert found.dominance == "right"
    assert lengths(found) == pytest.approx({n: b.length_mm for n, b in zip(RIGHT, tree, strict=True)}, abs=1.5)
    assert found.branches[0].name == "LAD" and set(found.branches[0].segment) == {5, 6, 7, 8}


def test_how_the_tree_was_split_does_not_matter():
    whole = name_tree(built(), None, TreeSettings())
    for seed in range(4):
        cut = name_tree(shuffled(built(), seed), None, TreeSettings())
        assert lengths(cut) == pytest.approx(lengths(whole), abs=0.1) and cut.dominance == "right"


def test_segments_begin_where_the_rules_say():
    found = {b.name: b for b in name_tree(built(), None, TreeSettings())}
    lad, children = found["LAD"], {n: b.parent_distance_mm for n, b in found.items()}
    starts = [lad.distance_mm[np.argmax(lad.segment == s)] for s in (6, 7, 8)]
    assert starts == pytest.approx([children["LCx"], children["D1"], (children["D1"] + lad.length_mm) / 2], abs=0.6)
    rca = found["RCA"]
    margin = acute_margin_mm(rca)
    assert [rca.distance_mm[np.argmax(rca.segment == s)] for s in (2, 3)] == pytest.approx([margin / 2, margin], abs=0.6)
    lcx = found["LCx"]
    assert lcx.distance_mm[np.argmax(lcx.segment == 13)] == pytest.approx(children["OM1"], abs=0.6)


def test_a_ramus_a_septal_and_a_right_ventricular_branch():
    found = name_tree(built((*RIGHT, "RI", "septal", "RV")), None, TreeSettings())
    assert found.dominance == "right" and "RI" in lengths(found)
    assert {17} == {int(s) for b in found if b.name == "RI" for s in b.segment}
    unnamed = [b for b in found if not b.name]
    assert len(unnamed) == 2 and all((b.segment == 0).all() for b in unnamed)
    lad = found.branches[0]
    septal = next(b for b in unnamed if b.parent == 0)
    assert lad.segment_at(septal.parent_distance_mm + 2) == 7  # the first large septal ends the proximal LAD


def test_without_the_posterior_vessels_dominance_is_unknown():
    found = name_tree(built(("LAD", "LCx", "D1", "OM1")), None, TreeSettings())
    assert found.dominance == "unknown" and "RCA" not in lengths(found) and "LCx" in lengths(found)


def test_separate_ostia_leave_no_left_main():
    branches = list(built().branches)
    lcx = branches[1]
    own = np.vstack([[12.0, 0, 7], lcx.points_mm[12:]])
    branches[1] = Branch(own, lcx.radius_mm[11:])
    shift = lcx.length_mm - branches[1].length_mm
    children = [Branch(b.points_mm, b.radius_mm, b.parent, b.parent_distance_mm - shift * (b.parent == 1)) for b in branches]
    children[1] = Branch(own, lcx.radius_mm[11:])
    found = name_tree(CoronaryTree(tuple(children)), None, TreeSettings())
    assert {"LAD", "LCx", "RCA"} <= set(lengths(found)) and 5 not in found.branches[0].segment


def test_findings_add_up():
    found = name_tree(built((*RIGHT, "RV")), None, TreeSettings())
    table = tree_findings(found)
    assert sum(s.length_mm for s in table.segments) + table.unnamed_length_mm == pytest.approx(sum(b.length_mm for b in found), rel=1e-6)
    assert {s.id for s in table.segments} == {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16}
    assert next(s for s in table.segments if s.id == 5).ostium_mm == pytest.approx((10, -8, 8), abs=1e-6)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_phantom_trees_keep_their_true_names(seed):
    from ccta.phantom.patient import make_patient

    truth = make_patient(seed).tree
    bare = CoronaryTree(tuple(Branch(b.points_mm, b.radius_mm, b.parent, b.parent_distance_mm) for b in truth))
    found = name_tree(shuffled(bare, seed), None, TreeSettings())
    assert found.dominance == truth.dominance
    assert lengths(found) == pytest.approx(lengths(truth), abs=5)


@pytest.mark.skipif(not REAL.exists(), reason=f"the real centerlines are absent: {REAL}")
def test_a_real_tree():
    import pyvista

    branches: list[Branch] = []
    for side in ("lca_cl", "rca_cl"):
        lines, first = pyvista.read(REAL / f"{side}.vtp"), len(branches)
        cells = sorted((lines.get_cell(i) for i in range(lines.n_cells)), key=lambda c: -len(c.points))
        for cell in cells:
            points, radius = np.asarray(cell.points, float), np.asarray(lines["MaximumInscribedSphereRadius"], float)[cell.point_ids]
            start = int(np.argmax(radius < 2.8))
            branches.append(_joined_to(branches[first:], first, points[start:], radius[start:]))
    found = name_tree(CoronaryTree(tuple(branches)), None, TreeSettings())
    names = lengths(found)
    print("named", {n: round(v) for n, v in names.items()}, found.dominance)
    assert {"LAD", "LCx", "RCA", "D1"} <= set(names) and "RI" not in names
    by_name = {b.name: b for b in found}
    assert by_name["LAD"].points_mm[-1][1] < -240 and by_name["LCx"].points_mm[:, 1].max() > -170  # anterior to the apex; posterior in the groove
    assert by_name["RCA"].points_mm[0][0] < by_name["LAD"].points_mm[40][0]


def _joined_to(others: list[Branch], first: int, points: np.ndarray, radius: np.ndarray) -> Branch:
    """A centerline from the aorta as a branch of the one it shares its beginning with."""
    best, parent, place = 0, None, 0
    for index, other in enumerate(others):
        gap = np.linalg.norm(other.points_mm[:, None] - points[None], axis=2)
        apart = gap.min(axis=0) > 1.0
        near = np.flatnonzero(~apart)
        if len(near) == 0:
            continue
        rest = np.flatnonzero(apart[near[0] :])  # the lines part for good where they first part after having met
        shared = int(near[0] + rest[0]) if len(rest) else len(points) - 2
        if shared > best:
            best, parent, place = shared, index, int(np.argmin(gap[:, shared]))
    if parent is None:
        return Branch(points, radius)
    other = others[parent]
    way, width = np.vstack([other.points_mm[place], points[best:]]), np.append(other.radius_mm[place], radius[best:])
    return Branch(way, width, first + parent, float(other.distance_mm[place]))
