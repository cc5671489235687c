"""Arrays as pictures that a browser shows: JPEG data addresses, contours as SVG point lists, and the tree's values for its colours."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from ccta.anatomy.reformat import CprGrid, Frames, StraightenedCpr, cross_section_stack, cut_along
from ccta.anatomy.stretched import stretched_image
from ccta.model import CrossSections, Volume
from viewer.app.editor import drawn_radius_mm, radii_of
from viewer.app.planes import Plane, plane_image, windowed
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.views.colouring import burden_pct, classes_along, classes_at, painted, plaque_map
from viewer.app.views.curved import curve_of, curved_classes, curved_edges
from viewer.app.views.network_maps import overlaid

CROSS_HALF_MM = 6.0
DRAWN_HALF_MM = 1.5
"""A contour that is being drawn fills about half of the picture, which is at least this much to either side."""
STACK_MM = (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0)
"""Places of the cross-section stack, from where the pointer is."""
STACK_HALF_MM = 4.0
SLICE_PIXELS, SLAB_PIXELS, MOVING_PIXELS = 512, 400, 240
"""Along the longer side of a slice; a slab is drawn coarser, because every pixel takes as many samples as it has layers, and coarser still while it moves."""
FINEST = 0.76
"""Smallest pixel of a slab, as a share of a voxel: just large enough for the quick way (`ccta.anatomy.slab.COARSE_PIXEL`)."""


def jpeg(picture: np.ndarray) -> str:
    """(rows, columns) or (rows, columns, 3) uint8 -> data address."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def slice_picture(study: Study, state: ReadingState, plane: Plane, moving: bool = False) -> str:
    """One slice, thin or as a slab, in the page's window, with the network's map where it is chosen. moving: a slab is drawn coarser, to be drawn again."""
    picture = grey_slice(study.volume, state, plane, moving)
    pixel_mm = _pixel_mm(study.volume, state, plane, moving)
    return jpeg(overlaid(picture, study, state.views.network, lambda: plane.grid_mm(pixel_mm)))


def grey_slice(volume: Volume, state: ReadingState, plane: Plane, moving: bool) -> np.ndarray:
    """(rows, columns) uint8 of a plane through any image, in the page's window."""
    slab = (state.views.slab, state.views.thickness_mm) if is_thick(state) else ("mean", 0.0)
    return windowed(plane_image(volume, plane, _pixel_mm(volume, state, plane, moving), slab), state.level_hu, state.width_hu)


def _pixel_mm(volume: Volume, state: ReadingState, plane: Plane, moving: bool) -> float:
    thick = is_thick(state)
    pixels = SLICE_PIXELS if not thick else MOVING_PIXELS if moving else SLAB_PIXELS
    return max(max(plane.size_mm) / pixels, FINEST * volume.spacing_mm.min() if thick else 0.0)


def is_thick(state: ReadingState) -> bool:
    """True where the slices are slabs."""
    return state.views.slab != "thin" and state.views.thickness_mm > 0


def cpr_picture(study: Study, state: ReadingState) -> tuple[str, list[str]]:
    """The vessel laid out, proximal end left, and the edges of lumen and wall in it as SVG paths in a 0-100 box; ("", []) without a tree."""
    if state.branch < 0:
        return "", []
    return _curved_picture(study, state) if state.views.curved else _straight_picture(study, state)


def _straight_picture(study: Study, state: ReadingState) -> tuple[str, list[str]]:
    grid, frames = study.straight(state.branch)
    cpr = cut_along(study.volume, frames, np.deg2rad(state.cpr_angle_deg), grid)
    picture = windowed(cpr.image, state.level_hu, state.width_hu)
    positions = lambda beside: cpr.center_mm[:, None] + cpr.lateral_mm[beside, None] * cpr.axis[:, None]  # noqa: E731
    picture = overlaid(picture, study, state.views.network, lambda: positions(slice(None)))
    plaque = plaque_map(study, state.branch) if state.views.plaque else None
    if plaque is not None:
        near = np.abs(cpr.lateral_mm) <= plaque.reach_mm
        classes = np.zeros(cpr.image.shape, np.uint8)
        classes[:, near] = classes_along(plaque, cpr.distance_mm[:, None], positions(near))
        picture = painted(picture, classes)
    return jpeg(np.ascontiguousarray(picture.swapaxes(0, 1))), cpr_edges(study.section(state.branch), cpr, grid)


def _curved_picture(study: Study, state: ReadingState) -> tuple[str, list[str]]:
    curve = curve_of(state, study)
    picture = windowed(stretched_image(study.volume, curve), state.level_hu, state.width_hu)
    picture = overlaid(picture, study, state.views.network, curve.grid_mm)
    plaque = plaque_map(study, state.branch) if state.views.plaque else None
    if plaque is not None:
        picture = painted(picture, curved_classes(plaque, curve))
    return jpeg(picture), curved_edges(study.section(state.branch), curve)


def cpr_edges(section: CrossSections | None, cpr: StraightenedCpr, grid: CprGrid) -> list[str]:
    """Paths where a straightened cut meets lumen (two) and wall (two). The cut's direction is turned into each plane's own frame."""
    if section is None:
        return []
    row = np.clip(np.searchsorted(cpr.distance_mm, section.distance_mm), 0, len(cpr.distance_mm) - 1)
    axis = cpr.axis[row]
    beside_mm = ((section.center_mm - cpr.center_mm[row]) * axis).sum(axis=1)
    angle = np.arctan2((axis * section.axis_v).sum(axis=1), (axis * section.axis_u).sum(axis=1))
    along = 100 * section.distance_mm / cpr.distance_mm[-1]
    paths = []
    for radius_mm in (section.lumen_radius_mm, section.wall_radius_mm):
        for side, turned in ((1.0, angle), (-1.0, angle + np.pi)):
            at_mm = beside_mm + side * radius_at(radius_mm, turned)
            across = 50 + 50 * at_mm / grid.half_width_mm
            paths.append("M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in zip(along[::2], across[::2], strict=True)))
    return paths


def radius_at(radius_mm: np.ndarray, angle_rad: np.ndarray) -> np.ndarray:
    """(M, A) polar radii at one angle per plane (M,): linear between the two nearest."""
    count = radius_mm.shape[1]
    place = np.mod(angle_rad / (2 * np.pi) * count, count)
    low = place.astype(int) % count
    rows, share = np.arange(len(radius_mm)), place - np.floor(place)
    return (1 - share) * radius_mm[rows, low] + share * radius_mm[rows, (low + 1) % count]


def cross_picture(study: Study, state: ReadingState) -> tuple[str, list[str]]:
    """The cross-section where the pointer is, and its lumen and wall contours as SVG point lists in a 0-100 box."""
    if state.branch < 0:
        return "", []
    frame, plane = planes_at(study, state.branch, [state.cross_mm])
    half_mm = cross_half_mm(study, state)
    image = windowed(cross_section_stack(study.volume, frame, half_mm, half_mm / 60), state.level_hu, state.width_hu)
    return jpeg(with_plaque(study, state, plane, half_mm, image)[0]), contours_of(study, state, int(plane[0]), half_mm)


def with_plaque(study: Study, state: ReadingState, planes: np.ndarray, half_mm: float, pictures: np.ndarray) -> np.ndarray:
    """Cross-sections (M, n, n) of planes (M,) of the shown branch, with the plaque in their walls where it is to be shown."""
    plaque = plaque_map(study, state.branch) if state.views.plaque and planes[0] >= 0 else None
    if plaque is None:
        return pictures
    offset = np.linspace(-half_mm, half_mm, pictures.shape[1])
    return painted(pictures, classes_at(plaque, planes[:, None, None], offset[None, None, :], offset[None, :, None]))


def cross_half_mm(study: Study, state: ReadingState) -> float:
    """Half the width of the cross-section: nearer while a contour is drawn, by what it was when drawing began, so that nothing jumps."""
    if state.draft is None:
        return CROSS_HALF_MM
    return float(np.clip(2.0 * radii_of(state.draft, study.section(state.draft.branch)).max(), DRAWN_HALF_MM, CROSS_HALF_MM))


def stack_picture(study: Study, state: ReadingState) -> tuple[str, list[dict]]:
    """Cross-sections before and behind the place side by side, and per tile its distance and contours; ("", []) without a tree."""
    if state.branch < 0:
        return "", []
    length_mm = study.branch(state.branch).length_mm
    wanted = np.clip(state.distance_mm + np.array(STACK_MM), 0.0, length_mm)
    frames, planes = planes_at(study, state.branch, wanted)
    images = windowed(cross_section_stack(study.volume, frames, STACK_HALF_MM, 0.125), state.level_hu, state.width_hu)
    images = with_plaque(study, state, planes, STACK_HALF_MM, images)
    tightest = [one.position_mm for one in study.stenoses if one.branch == state.branch]
    tiles = [
        {
            "mm": round(float(at), 1),
            "fraction": float(at / length_mm),
            "mld": any(abs(at - mm) <= 1.0 for mm in tightest),
            "contours": contours_of(study, state, int(plane), STACK_HALF_MM),
        }
        for at, plane in zip(wanted, planes, strict=True)
    ]
    return jpeg(np.concatenate(list(images), axis=1)), tiles


def planes_at(study: Study, branch: int, distances_mm) -> tuple[Frames, np.ndarray]:
    """Planes nearest to places along a branch, and their numbers: those of its contours, or of its centerline where it has none (numbers -1)."""
    section = study.section(branch)
    own = section if section is not None else study.frames(branch)
    nearest = np.abs(own.distance_mm[None] - np.asarray(distances_mm)[:, None]).argmin(axis=1)
    frames = Frames(*(getattr(own, name)[nearest] for name in ("distance_mm", "center_mm", "normal", "axis_u", "axis_v")))
    return frames, nearest if section is not None else np.full(len(nearest), -1)


def contours_of(study: Study, state: ReadingState, plane: int, half_mm: float) -> list[str]:
    """Lumen and wall of one plane, as being drawn where a draft stands on it; [] without contours."""
    if plane < 0:
        return []
    section, draft = study.section(state.branch), state.draft
    here = draft is not None and (draft.branch, draft.plane) == (state.branch, plane)
    radii = {"lumen": section.lumen_radius_mm[plane], "wall": section.wall_radius_mm[plane]}
    if here:
        radii[draft.contour] = drawn_radius_mm(draft, section)
    return [svg_points(radius, half_mm) for radius in radii.values()]


def svg_points(radius_mm: np.ndarray, half_mm: float) -> str:
    """Polar radii (A,) as an SVG point list in a 0-100 box of 2 half_mm: u to the right, v downwards."""
    angle = 2 * np.pi * np.arange(len(radius_mm)) / len(radius_mm)
    box = 50 + 50 / half_mm * radius_mm * np.stack([np.cos(angle), np.sin(angle)])
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in box.T)


def branch_values(study: Study, plaque: bool = False) -> dict[str, list[np.ndarray]]:
    """Per kind of colour, one array per branch at its centerline points; NaN where it was not measured. plaque: its burden too, which takes a moment."""
    kinds: dict[str, list[np.ndarray]] = {"FFR": [], "diameter": [], "stenosis": [], "burden": []}
    for index, branch in enumerate(study.tree):
        s = branch.distance_mm
        curve = study.pullback.branches[index] if study.pullback else None
        kinds["FFR"].append(np.interp(s, curve.distance_mm, curve.ffr) if curve and curve.ffr else np.full(len(s), np.nan))
        section = study.section(index)
        kinds["diameter"].append(np.interp(s, section.distance_mm, section.lumen_diameter_mm) if section is not None else 2 * branch.radius_mm)
        degree = np.zeros(len(s))
        for stenosis in (x for x in study.stenoses if x.branch == index):
            degree[(s >= stenosis.entry_mm) & (s <= stenosis.exit_mm)] = stenosis.diameter_pct
        kinds["stenosis"].append(degree)
        found = plaque_map(study, index) if plaque else None
        kinds["burden"].append(np.interp(s, found.sections.distance_mm, burden_pct(found)) if found is not None else np.full(len(s), np.nan))
    return kinds
