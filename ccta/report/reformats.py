"""Arrays behind the report's pictures: a vessel laid straight, its cross-section at the minimal lumen, its diameter profile."""

from dataclasses import dataclass

import numpy as np

from ccta.coordinates import sample
from ccta.findings import Stenosis
from ccta.model import SEGMENTS, CoronaryTree, CrossSections, Volume

HALF_WIDTH_MM = 8.0
PIXEL_MM = 0.2


@dataclass(frozen=True, eq=False)
class Straightened:
    """hu: (W, L), rows across -half_width ... half_width, columns along distance_mm (L,). edges_mm: (2, L) of the lumen.

    lesions: (entry mm, exit mm, text) each.
    """

    name: str
    hu: np.ndarray
    distance_mm: np.ndarray
    half_width_mm: float
    edges_mm: np.ndarray
    lesions: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Cross:
    """hu: (W, W), columns along u, rows along v. lumen_mm, wall_mm: (A, 2) in (u, v)."""

    title: str
    hu: np.ndarray
    half_width_mm: float
    lumen_mm: np.ndarray
    wall_mm: np.ndarray


@dataclass(frozen=True, eq=False)
class Profile:
    """distance_mm, diameter_mm and, where known, reference_mm: (M,). lesions: (entry mm, exit mm, reference diameter mm) each."""

    name: str
    distance_mm: np.ndarray
    diameter_mm: np.ndarray
    reference_mm: np.ndarray | None = None
    lesions: tuple[tuple[float, float, float], ...] = ()


def case_reformats(
    volume: Volume, tree: CoronaryTree, sections: list[CrossSections], stenoses: list[Stenosis]
) -> tuple[tuple[Straightened, ...], tuple[Cross, ...], tuple[Profile, ...]]:
    """What the report shows of a case: the main vessels and every vessel with a stenosis; the four tightest stenoses in cross-section."""
    diseased = {s.branch for s in stenoses}
    chosen = [s for s in sections if len(s) > 1 and (tree.branches[s.branch].name in ("LAD", "LCx", "RCA") or s.branch in diseased)]
    by_branch = {s.branch: s for s in sections}
    worst = sorted((s for s in stenoses if s.branch in by_branch), key=lambda s: -s.diameter_pct)[:4]
    names = {s.branch: tree.branches[s.branch].name or f"branch {s.branch}" for s in sections}
    own = {s.branch: [x for x in stenoses if x.branch == s.branch] for s in chosen}
    return (
        tuple(straightened(volume, s, names[s.branch], own[s.branch]) for s in chosen),
        tuple(cross_section(volume, by_branch[s.branch], s) for s in worst),
        tuple(profile(s, names[s.branch], own[s.branch]) for s in chosen if s.branch in diseased),
    )


def straightened(volume: Volume, sections: CrossSections, name: str, stenoses: list[Stenosis]) -> Straightened:
    """The longitudinal cut that contains axis u, which does not twist about the vessel."""
    across = np.arange(-HALF_WIDTH_MM, HALF_WIDTH_MM + 1e-9, PIXEL_MM)
    hu = sample(volume, sections.center_mm[None] + across[:, None, None] * sections.axis_u[None])
    radius = sections.lumen_radius_mm
    edges = np.stack([radius[:, 0], -radius[:, radius.shape[1] // 2]])
    lesions = tuple((s.entry_mm, s.exit_mm, f"{_place(s)} {s.diameter_pct:.0f} %") for s in stenoses)
    return Straightened(name, hu, sections.distance_mm, HALF_WIDTH_MM, edges, lesions)


def cross_section(volume: Volume, sections: CrossSections, stenosis: Stenosis) -> Cross:
    """The plane nearest to the minimal lumen."""
    index = int(np.argmin(np.abs(sections.distance_mm - stenosis.position_mm)))
    half = HALF_WIDTH_MM / 2
    across = np.arange(-half, half + 1e-9, PIXEL_MM / 2)
    u, v = np.meshgrid(across, across)
    hu = sample(volume, sections.center_mm[index] + u[..., None] * sections.axis_u[index] + v[..., None] * sections.axis_v[index])
    angle = 2 * np.pi * np.arange(sections.lumen_radius_mm.shape[1]) / sections.lumen_radius_mm.shape[1]
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    title = f"{_place(stenosis)} {stenosis.diameter_pct:.0f} %, MLA {stenosis.mla_mm2:.1f} mm²"
    return Cross(title, hu, half, circle * sections.lumen_radius_mm[index, :, None], circle * sections.wall_radius_mm[index, :, None])


def profile(sections: CrossSections, name: str, stenoses: list[Stenosis]) -> Profile:
    """Diameter along the branch with the reference diameter of each stenosis."""
    lesions = tuple((s.entry_mm, s.exit_mm, s.reference_diameter_mm) for s in stenoses)
    return Profile(name, sections.distance_mm, sections.lumen_diameter_mm, None, lesions)


def _place(stenosis: Stenosis) -> str:
    return SEGMENTS[stenosis.segment][0] if stenosis.segment in SEGMENTS else stenosis.vessel
