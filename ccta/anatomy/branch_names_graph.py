"""A coronary tree cut into pieces between junctions, and pieces joined into branches again. Independent of how the tree was split."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ccta.model import Branch, CoronaryTree, arc_length_mm

JUNCTION_MM = 0.6  # two junctions nearer than one centerline step are one


@dataclass(frozen=True, eq=False)
class Piece:
    """Vessel between two junctions. points_mm: (N, 3); radius_mm: (N,); parent: index of the piece it continues or leaves, None at an ostium."""

    points_mm: np.ndarray
    radius_mm: np.ndarray
    parent: int | None


@dataclass(frozen=True, eq=False)
class Pieces:
    """All pieces, parents before children."""

    pieces: tuple[Piece, ...]

    def children(self, index: int) -> list[int]:
        return [i for i, piece in enumerate(self.pieces) if piece.parent == index]

    def roots(self) -> list[int]:
        return [i for i, piece in enumerate(self.pieces) if piece.parent is None]

    def leaves(self, root: int) -> list[int]:
        """Pieces below `root` (itself included) that nothing leaves."""
        below = self.children(root)
        return [root] if not below else [leaf for child in below for leaf in self.leaves(child)]

    def chain(self, leaf: int, start: int | None = None) -> list[int]:
        """Pieces from `start` (an ancestor; else the ostium) to `leaf`."""
        way = [leaf]
        while way[-1] != start and self.pieces[way[-1]].parent is not None:
            way.append(self.pieces[way[-1]].parent)
        return way[::-1]

    def joined(self, chain: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """(points_mm, radius_mm) of consecutive pieces as one polyline."""
        points = [self.pieces[chain[0]].points_mm] + [self.pieces[i].points_mm[1:] for i in chain[1:]]
        radius = [self.pieces[chain[0]].radius_mm] + [self.pieces[i].radius_mm[1:] for i in chain[1:]]
        return np.vstack(points), np.concatenate(radius)

    def length_mm(self, chain: list[int]) -> float:
        return float(sum(arc_length_mm(self.pieces[i].points_mm)[-1] for i in chain))

    def longest(self, root: int) -> list[int]:
        """The longest chain from `root` to one of its leaves."""
        return max((self.chain(leaf, root) for leaf in self.leaves(root)), key=self.length_mm)

    def divided(self, chain: list[int], distance_mm: float) -> tuple[Pieces, list[int], list[int]]:
        """(pieces, head, tail): the chain cut at an arc length from its start, moved to a junction where one is within 3 mm. Either part may be empty."""
        ends = np.cumsum([arc_length_mm(self.pieces[i].points_mm)[-1] for i in chain])
        near = int(np.argmin(np.abs(np.append(0.0, ends) - distance_mm)))
        if abs(np.append(0.0, ends)[near] - distance_mm) <= 3.0:
            return self, chain[:near], chain[near:]
        k = int(np.searchsorted(ends, distance_mm))
        whole = self.pieces[chain[k]]
        at = distance_mm - (ends[k - 1] if k else 0.0)
        branch = Branch(whole.points_mm, whole.radius_mm)
        head = _part(branch, 0.0, at, whole.parent)
        tail = _part(branch, at, branch.length_mm, chain[k])
        moved = [Piece(p.points_mm, p.radius_mm, len(self.pieces)) if p.parent == chain[k] else p for p in self.pieces]
        moved[chain[k]] = head
        return Pieces((*moved, tail)), chain[: k + 1], [len(self.pieces), *chain[k + 1 :]]


def pieces_of(tree: CoronaryTree) -> Pieces:
    """Cut every branch where another begins on it."""
    found: list[Piece] = []
    ends: list[list[tuple[float, int]]] = []  # per branch: (distance of the piece's end, index of the piece)
    for index, branch in enumerate(tree.branches):
        length = branch.length_mm
        cuts = sorted(tree.branches[c].parent_distance_mm for c in tree.children(index))
        stops = [JUNCTION_MM / 2]
        stops += [c for k, c in enumerate(cuts) if JUNCTION_MM < c < length - JUNCTION_MM and (k == 0 or c - cuts[k - 1] > JUNCTION_MM)]
        stops = [0.0, *stops[1:], length]
        parent = None if branch.parent is None else _piece_at(ends[branch.parent], branch.parent_distance_mm, found)
        ends.append([])
        for low, high in pairwise(stops):
            found.append(_part(branch, low, high, parent))
            parent = len(found) - 1
            ends[-1].append((high, parent))
    return Pieces(tuple(found))


def _piece_at(ends: list[tuple[float, int]], distance_mm: float, found: list[Piece]) -> int | None:
    """The piece that ends nearest to `distance_mm`; at the branch's very beginning, what the branch itself left."""
    stop, piece = min(ends, key=lambda end: abs(end[0] - distance_mm))
    return found[ends[0][1]].parent if distance_mm < abs(stop - distance_mm) else piece


def _part(branch: Branch, low_mm: float, high_mm: float, parent: int | None) -> Piece:
    """The part of a branch between two arc lengths, with interpolated ends."""
    s = branch.distance_mm
    inside = s[(s > low_mm + 1e-3) & (s < high_mm - 1e-3)]
    at = np.concatenate([[low_mm], inside, [high_mm]])
    return Piece(branch.point_at(at), np.interp(at, s, branch.radius_mm), parent)
