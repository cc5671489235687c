"""The shared vocabulary: small frozen values that every stage speaks. numpy only.

Positions are patient LPS millimetres, images are HU, radii and distances millimetres. Arrays inside a value are never modified.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

HEART_LABELS = {"lv": 1, "myocardium": 2, "rv": 3, "la": 4, "ra": 5, "aorta": 6, "pulmonary_artery": 7, "heart": 8}
"""Labels of heart.nii.gz. `heart` (8) is tissue inside the pericardium that belongs to none of the others (fat, veins)."""

CORONARY_LABELS = {"lumen": 1, "calcified": 2}
"""Labels of coronary.nii.gz."""

PLAQUE_LABELS = {"low_attenuation": 1, "fibro_fatty": 2, "fibrous": 3, "calcified": 4}
"""Labels of plaque.nii.gz, by rising HU."""

SEGMENTS = {
    1: ("pRCA", "RCA"), 2: ("mRCA", "RCA"), 3: ("dRCA", "RCA"), 4: ("R-PDA", "RCA"), 5: ("LM", "LM"), 6: ("pLAD", "LAD"),
    7: ("mLAD", "LAD"), 8: ("dLAD", "LAD"), 9: ("D1", "LAD"), 10: ("D2", "LAD"), 11: ("pLCx", "LCx"), 12: ("OM1", "LCx"),
    13: ("dLCx", "LCx"), 14: ("OM2", "LCx"), 15: ("L-PDA", "LCx"), 16: ("R-PLB", "RCA"), 17: ("RI", "LCx"), 18: ("L-PLB", "LCx"),
}  # fmt: skip
"""SCCT 18-segment model (JCCT 2014;8:342): id -> (short name, vessel of LM, LAD, LCx, RCA)."""

VESSELS = ("LM", "LAD", "LCx", "RCA")


@dataclass(frozen=True)
class Unavailable:
    """In the place of a value that could not be measured. Falsy, so that `if value` and `or` read naturally."""

    reason: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, eq=False)
class Volume:
    """An image or label map with its geometry.

    array: (ni, nj, nk), HU or labels. affine: (4, 4), voxel index (i, j, k, 1) -> patient LPS mm. The frame of reference travels along.
    """

    array: np.ndarray
    affine: np.ndarray
    frame_of_reference_uid: str = ""

    def __post_init__(self):
        if self.array.ndim != 3 or 0 in self.array.shape:
            raise ValueError(f"a volume needs three non-empty axes, got shape {self.array.shape}")
        if self.affine.shape != (4, 4) or not abs(np.linalg.det(self.affine[:3, :3])) > 0:
            raise ValueError(f"the affine must be an invertible 4 x 4 matrix, got {self.affine.tolist()}")

    @property
    def spacing_mm(self) -> np.ndarray:
        """(3,) distance between voxel centres along each index axis, mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel, mm3."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def with_array(self, array: np.ndarray) -> Volume:
        """The same geometry with other values; the shape must agree."""
        if array.shape != self.array.shape:
            raise ValueError(f"expected shape {self.array.shape}, got {array.shape}")
        return replace(self, array=array)


def arc_length_mm(points_mm: np.ndarray) -> np.ndarray:
    """(N, 3) -> (N,) distance along the polyline from its first point, mm."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points_mm, axis=0), axis=1))])


@dataclass(frozen=True, eq=False)
class Branch:
    """One artery from its origin to its end: LAD (beginning with the left main), LCx, D1, RCA ...

    points_mm: (N, 3) proximal to distal; the first point lies on the parent's centerline (or is the ostium).
    radius_mm: (N,) radius of the circle with the lumen's area. segment: (N,) SCCT id of each point, 0 where unnamed.
    parent: index of the parent in `CoronaryTree.branches`, None for a branch that starts at an ostium.
    parent_distance_mm: arc length on the parent where this branch begins.
    """

    points_mm: np.ndarray
    radius_mm: np.ndarray
    parent: int | None = None
    parent_distance_mm: float = 0.0
    segment: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    name: str = ""

    def __post_init__(self):
        count = len(self.points_mm)
        if count < 2 or self.points_mm.shape != (count, 3) or self.radius_mm.shape != (count,):
            raise ValueError(f"a branch needs (N, 3) points and (N,) radii, N >= 2; got {self.points_mm.shape}, {self.radius_mm.shape}")
        if len(self.segment) == 0:
            object.__setattr__(self, "segment", np.zeros(count, int))
        if self.segment.shape != (count,):
            raise ValueError(f"a branch needs one segment id per point, got {self.segment.shape} for {count} points")

    @property
    def distance_mm(self) -> np.ndarray:
        """(N,) arc length from the branch's origin, mm."""
        return arc_length_mm(self.points_mm)

    @property
    def length_mm(self) -> float:
        return float(self.distance_mm[-1])

    def point_at(self, distance_mm) -> np.ndarray:
        """Position at an arc length (scalar -> (3,), (M,) -> (M, 3)), mm; clamped to the branch."""
        s = self.distance_mm
        return np.stack([np.interp(distance_mm, s, self.points_mm[:, axis]) for axis in range(3)], axis=-1)

    def segment_at(self, distance_mm: float) -> int:
        """SCCT id at an arc length, 0 where unnamed."""
        return int(self.segment[np.argmin(np.abs(self.distance_mm - distance_mm))])


@dataclass(frozen=True, eq=False)
class CoronaryTree:
    """The coronary arteries of one patient. Parents stand before their children. dominance: right, left, co-dominant or unknown."""

    branches: tuple[Branch, ...]
    dominance: str = "unknown"

    def __post_init__(self):
        for index, branch in enumerate(self.branches):
            if branch.parent is not None and not 0 <= branch.parent < index:
                raise ValueError(f"branch {index} has parent {branch.parent}; parents must stand before their children")

    def __iter__(self) -> Iterator[Branch]:
        return iter(self.branches)

    def __len__(self) -> int:
        return len(self.branches)

    def children(self, index: int) -> list[int]:
        """Indices of the branches that begin on branch `index`, by the place where they begin."""
        found = [i for i, branch in enumerate(self.branches) if branch.parent == index]
        return sorted(found, key=lambda i: self.branches[i].parent_distance_mm)

    def path(self, index: int) -> Branch:
        """The whole way from the ostium to the end of branch `index` as one branch without parent."""
        branch = self.branches[index]
        if branch.parent is None:
            return branch
        above = self.path(branch.parent)
        start_mm = above.length_mm - self.branches[branch.parent].length_mm + branch.parent_distance_mm
        keep = above.distance_mm < start_mm - 1e-6
        return Branch(
            points_mm=np.vstack([above.points_mm[keep], branch.points_mm]),
            radius_mm=np.concatenate([above.radius_mm[keep], branch.radius_mm]),
            segment=np.concatenate([above.segment[keep], branch.segment]),
            name=branch.name,
        )

    def continued(self) -> CoronaryTree:
        """The same arteries, where a branch that ends in a fork goes on as its widest child: only a leaf's end is an end (the RCA goes on at the crux)."""
        for index, branch in enumerate(self.branches):
            at_end = [c for c in self.children(index) if branch.length_mm - self.branches[c].parent_distance_mm <= max(1.0, branch.radius_mm[-1])]
            if at_end:
                return self._merged(index, max(at_end, key=lambda c: self.branches[c].radius_mm.mean())).continued()
        return self

    def _merged(self, index: int, heir: int) -> CoronaryTree:
        """Branch `heir`, a child of `index`, made its continuation."""
        old, new = self.branches[index], self.branches[heir]
        fork_mm = new.parent_distance_mm
        keep = old.distance_mm < fork_mm - 1e-6
        fields = {name: np.concatenate([getattr(old, name)[keep], getattr(new, name)]) for name in ("points_mm", "radius_mm", "segment")}
        merged = replace(old, **fields)
        shift_mm = merged.length_mm - new.length_mm
        branches = list(self.branches)
        branches[index] = merged
        for i, branch in enumerate(branches):
            if branch.parent == heir:
                branches[i] = replace(branch, parent=index, parent_distance_mm=branch.parent_distance_mm + shift_mm)
            elif branch.parent == index and i != heir:
                branches[i] = replace(branch, parent_distance_mm=min(branch.parent_distance_mm, shift_mm))
        del branches[heir]
        number = [i - (i > heir) for i in range(len(self.branches))]
        return replace(self, branches=tuple(b if b.parent is None else replace(b, parent=number[b.parent]) for b in branches))


@dataclass(frozen=True, eq=False)
class CrossSections:
    """Lumen and outer-wall contours along one branch, on M planes perpendicular to the centerline.

    distance_mm: (M,) along the branch. center_mm, normal, axis_u, axis_v: (M, 3), a right-handed orthonormal frame (u, v, normal) per plane.
    lumen_radius_mm, wall_radius_mm: (M, A) polar radii about the center at angles 2 pi a / A from u towards v; wall >= lumen >= 0.
    lumen_sd_mm: (M,) one standard deviation of the lumen radius. reliable: (M,) False where the contour is a guess (motion, step, other vessel).
    """

    branch: int
    distance_mm: np.ndarray
    center_mm: np.ndarray
    normal: np.ndarray
    axis_u: np.ndarray
    axis_v: np.ndarray
    lumen_radius_mm: np.ndarray
    wall_radius_mm: np.ndarray
    lumen_sd_mm: np.ndarray
    reliable: np.ndarray

    def __len__(self) -> int:
        return len(self.distance_mm)

    @property
    def lumen_area_mm2(self) -> np.ndarray:
        """(M,) area inside the lumen contour, mm2."""
        return polar_area_mm2(self.lumen_radius_mm)

    @property
    def wall_area_mm2(self) -> np.ndarray:
        """(M,) area inside the outer-wall contour, mm2."""
        return polar_area_mm2(self.wall_radius_mm)

    @property
    def lumen_diameter_mm(self) -> np.ndarray:
        """(M,) diameter of the circle with the lumen's area, mm."""
        return 2 * np.sqrt(self.lumen_area_mm2 / np.pi)

    def contour_mm(self, index: int, radius_mm: np.ndarray) -> np.ndarray:
        """(A, 3) patient positions of a contour with polar radii (A,) on plane `index`."""
        angle = 2 * np.pi * np.arange(len(radius_mm)) / len(radius_mm)
        offset = np.cos(angle)[:, None] * self.axis_u[index] + np.sin(angle)[:, None] * self.axis_v[index]
        return self.center_mm[index] + radius_mm[:, None] * offset


def polar_area_mm2(radius_mm: np.ndarray) -> np.ndarray:
    """Area of the polygons with polar radii (..., A) at equal angles: sum of r_a r_(a+1) sin(2 pi / A) / 2. Shape (...)."""
    step = 2 * np.pi / radius_mm.shape[-1]
    return 0.5 * np.sin(step) * np.sum(radius_mm * np.roll(radius_mm, -1, axis=-1), axis=-1)


@dataclass(frozen=True, eq=False)
class Surface:
    """A triangle surface. points_mm: (N, 3) patient LPS mm. triangles: (T, 3) point indices, outward by the right-hand rule."""

    points_mm: np.ndarray
    triangles: np.ndarray

    def __post_init__(self):
        if self.points_mm.ndim != 2 or self.points_mm.shape[1] != 3 or self.triangles.ndim != 2 or self.triangles.shape[1] != 3:
            raise ValueError(f"a surface needs (N, 3) points and (T, 3) triangles, got {self.points_mm.shape}, {self.triangles.shape}")


@dataclass(frozen=True, eq=False)
class Annotation:
    """What is known of an image from its readers, or from a phantom's geometry; what is not known is left out.

    structures: (the image's shape) bool by name: lumen, lv, myocardium, rv, la, ra, aorta, pulmonary_artery, heart_union (chambers and muscle).
    branches: (the image's shape) uint8, the lumen's voxels with the number of their artery in `branch_names` from 1; None where no artery is named.
    vessels: centerlines from the ostium to a distal end, with radii.
    """

    structures: dict[str, np.ndarray] = field(default_factory=dict)
    branches: np.ndarray | None = None
    branch_names: tuple[str, ...] = ()
    vessels: tuple[Branch, ...] = ()
