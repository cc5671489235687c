"""Plaques: what is asked for, and the lumen and outer wall that follow.

The lumen stays a circle about the branch's centerline; the outer wall is a circle whose centre moves away by `offset_mm`, so that the plaque lies on one
side. Over a lesion of length L around s0, with the bump b(s) = (1 + cos(2 pi (s - s0) / L)) / 2:
lumen radius = r0 (1 - stenosis b), outer radius = (r0 + wall) (1 + (remodelling - 1) b), offset = eccentricity (outer - lumen - wall).
Inside the plaque lie inclusions (calcium, lipid core): ellipsoids in (arc length, angle, relative depth between lumen and outer wall).
"""

from dataclasses import dataclass

import numpy as np

from ccta.curves import rotation_minimising_frames
from ccta.errors import BadSettings
from ccta.model import SEGMENTS, Branch
from ccta.phantom.arteries import WALL_MM

KINDS = ("soft", "mixed", "calcified")
MATRIX_HU = {"soft": 62.0, "mixed": 85.0, "calcified": 110.0}
"""Fibro-fatty to fibrous tissue (Motoyama et al., JACC 2009;54:49; Maurovich-Horvat et al., Nat Rev Cardiol 2014;11:390)."""
LIPID_HU = 12.0
WALL_HU = 45.0


@dataclass(frozen=True)
class PlaqueSpec:
    """One plaque. segment: SCCT id; position: 0-1 along that segment; angle_deg: side of the vessel about its centerline.

    calcium_mg_cm3: hydroxyapatite in the calcified part. remodelling: outer diameter over the healthy one.
    """

    segment: int
    kind: str = "mixed"
    stenosis_pct: float = 50.0
    length_mm: float = 12.0
    position: float = 0.5
    eccentricity: float = 0.7
    remodelling: float = 1.1
    angle_deg: float = 0.0
    calcium_mg_cm3: float = 500.0

    def __post_init__(self):
        if self.segment not in SEGMENTS:
            raise BadSettings(f"a plaque names segment {self.segment}; SCCT segments are 1 to 18")
        if self.kind not in KINDS:
            raise BadSettings(f"a plaque is of kind {self.kind!r}; it must be one of {', '.join(KINDS)}")
        for name, low, high in (
            ("stenosis_pct", 0, 99),
            ("length_mm", 2, 60),
            ("position", 0, 1),
            ("eccentricity", 0, 1),
            ("remodelling", 0.8, 1.6),
            ("calcium_mg_cm3", 100, 1600),
        ):
            if not low <= getattr(self, name) <= high:
                raise BadSettings(f"a plaque has {name} {getattr(self, name)}; it must be {low} to {high}")


@dataclass(frozen=True)
class Inclusion:
    """Calcium (density_mg_cm3 > 0) or lipid (0) inside a plaque. depth: 0 at the lumen, 1 at the outer wall."""

    distance_mm: float
    half_length_mm: float
    angle: float
    half_arc: float
    depth: float
    half_depth: float
    density_mg_cm3: float


@dataclass(frozen=True)
class Plaque:
    """A plaque in its place: arc length of its middle on branch `branch`."""

    spec: PlaqueSpec
    branch: int
    distance_mm: float

    @property
    def entry_mm(self) -> float:
        return self.distance_mm - self.spec.length_mm / 2

    @property
    def exit_mm(self) -> float:
        return self.distance_mm + self.spec.length_mm / 2

    def bump(self, distance_mm: np.ndarray) -> np.ndarray:
        """b(s) of the module's docstring."""
        x = (distance_mm - self.distance_mm) / self.spec.length_mm
        return np.where(np.abs(x) < 0.5, 0.5 * (1 + np.cos(2 * np.pi * x)), 0.0)

    def inclusions(self) -> list[Inclusion]:
        """Calcified: one shell; mixed: a calcification and a lipid core beside it; soft: a lipid core."""
        s, length, angle, density = self.distance_mm, self.spec.length_mm, np.deg2rad(self.spec.angle_deg), self.spec.calcium_mg_cm3
        if self.spec.kind == "calcified":
            return [Inclusion(s, 0.46 * length, angle, np.deg2rad(125), 0.52, 0.48, density)]
        if self.spec.kind == "mixed":
            lipid = Inclusion(s + 0.08 * length, 0.22 * length, angle + 0.3, np.deg2rad(55), 0.45, 0.30, 0.0)
            return [Inclusion(s - 0.15 * length, 0.20 * length, angle - 0.5, np.deg2rad(60), 0.62, 0.34, density), lipid]
        return [Inclusion(s, 0.28 * length, angle, np.deg2rad(65), 0.5, 0.32, 0.0)]


@dataclass(frozen=True, eq=False)
class Vessel:
    """One branch with its wall, (N,) per point of the branch; the frame is rotation-minimising. plaque: index per point, -1 where healthy."""

    branch: Branch
    healthy_radius_mm: np.ndarray
    wall_radius_mm: np.ndarray
    offset_mm: np.ndarray
    angle: np.ndarray
    plaque: np.ndarray
    inclusions: tuple[Inclusion, ...]

    @property
    def frame(self):
        """(tangent, u, v), each (N, 3)."""
        return rotation_minimising_frames(self.branch.points_mm)

    def wall_at(self, theta: np.ndarray) -> np.ndarray:
        """(N, A) outer radius about the lumen's centre at angles (A,): r = e cos(theta - phi) + sqrt(R^2 - e^2 sin^2)."""
        turn = theta[None, :] - self.angle[:, None]
        e, radius = self.offset_mm[:, None], self.wall_radius_mm[:, None]
        return e * np.cos(turn) + np.sqrt(radius**2 - (e * np.sin(turn)) ** 2)


def diseased(branch: Branch, plaques: list[tuple[int, Plaque]]) -> Vessel:
    """A healthy branch with its plaques (index in the patient's list, plaque). Plaques of one branch may not overlap."""
    s, healthy = branch.distance_mm, branch.radius_mm
    lumen, wall, offset, angle = healthy.copy(), healthy + WALL_MM, np.zeros_like(s), np.zeros_like(s)
    index = np.full(len(s), -1)
    inclusions = []
    for number, plaque in plaques:
        inside = (s > plaque.entry_mm) & (s < plaque.exit_mm)
        if (index[inside] >= 0).any():
            raise BadSettings(f"two plaques overlap in segment {plaque.spec.segment}; move one or shorten it")
        bump = plaque.bump(s)
        lumen = lumen * (1 - plaque.spec.stenosis_pct / 100 * bump)
        wall = wall * (1 + (plaque.spec.remodelling - 1) * bump)
        index[inside] = number
        angle[inside] = np.deg2rad(plaque.spec.angle_deg)
        offset = np.where(inside, plaque.spec.eccentricity * np.maximum(wall - lumen - WALL_MM, 0), offset)
        inclusions += plaque.inclusions()
    shaped = Branch(branch.points_mm, lumen, branch.parent, branch.parent_distance_mm, branch.segment, branch.name)
    return Vessel(shaped, healthy, np.maximum(wall, lumen + WALL_MM), offset, angle, index, tuple(inclusions))


def integrals(vessel: Vessel, number: int) -> dict[str, float]:
    """Volumes (mm3) of one plaque by composition and its calcium mass (mg), by quadrature in the vessel's own coordinates.

    dV = (1 - rho (kappa_u cos theta + kappa_v sin theta)) rho drho dtheta ds, kappa = dT/ds.
    """
    nodes = np.flatnonzero(vessel.plaque == number)
    theta = (np.arange(180) + 0.5) * 2 * np.pi / 180
    depth = (np.arange(40) + 0.5) / 40
    tangent, u, v = vessel.frame
    s = vessel.branch.distance_mm
    kappa = np.gradient(tangent, s, axis=0)
    wall, lumen = vessel.wall_at(theta)[nodes], vessel.branch.radius_mm[nodes, None]
    rho = lumen[..., None] + (wall - lumen)[..., None] * depth
    bend = np.sum(kappa * u, 1)[nodes, None] * np.cos(theta) + np.sum(kappa * v, 1)[nodes, None] * np.sin(theta)
    cell = (1 - rho * bend[..., None]) * rho * ((wall - lumen)[..., None] / 40) * (2 * np.pi / 180) * np.gradient(s)[nodes, None, None]
    density = np.full(cell.shape, -1.0)
    for part in sorted(vessel.inclusions, key=lambda part: part.density_mg_cm3):
        density[within(part, s[nodes, None, None], theta[None, :, None], depth[None, None])] = part.density_mg_cm3
    return {
        "total_mm3": float(cell.sum()),
        "calcified_mm3": float(cell[density > 0].sum()),
        "low_attenuation_mm3": float(cell[density == 0].sum()),
        "mass_mg": float((cell * np.maximum(density, 0)).sum() * 1e-3),
    }


def within(part: Inclusion, distance_mm, theta, depth) -> np.ndarray:
    """Whether points in vessel coordinates lie in an inclusion (broadcasts)."""
    turn = np.mod(theta - part.angle + np.pi, 2 * np.pi) - np.pi
    return ((distance_mm - part.distance_mm) / part.half_length_mm) ** 2 + (turn / part.half_arc) ** 2 + ((depth - part.depth) / part.half_depth) ** 2 < 1
