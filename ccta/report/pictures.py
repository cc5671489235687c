"""Pictures of the report, drawn off-screen with matplotlib from arrays: FFR tree, pullbacks, plaque, straightened vessels, cross-sections.

They hold names, figures and units, no words: these stand in the captions, in the report's language.
"""

import io
import re

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from ccta.findings import Findings, PullbackFile
from ccta.model import SEGMENTS, Unavailable
from ccta.report.calcium_cuts import Cut, cuts_figure, pages_of
from ccta.report.reformats import Cross, Profile, Straightened

INK, SOFT, YELLOW, BLUE, RED = "#1c2733", "#5b6b7b", "#f2c200", "#4aa3ff", "#b3261e"
FFR_RANGE = (0.5, 1.0)
GREY_ZONE = (0.75, 0.80)
FFR_STOPS = (
    (0.0, "#67000d"),
    (0.25, "#c4161c"),
    (0.4999, "#f4822f"),
    (0.5, "#9a9a9a"),
    (0.6, "#9a9a9a"),
    (0.6001, "#7cc48a"),
    (0.8, "#3f9fc6"),
    (1.0, "#1d4f91"),
)
FFR_COLORS = LinearSegmentedColormap.from_list("ffr", FFR_STOPS)
WINDOW_HU = (-150.0, 750.0)  # centre 300, width 900: lumen, plaque and calcium can be told apart


def make_pictures(
    findings: Findings,
    pullback: PullbackFile | None = None,
    straightened: tuple[Straightened, ...] = (),
    crosses: tuple[Cross, ...] = (),
    profiles: tuple[Profile, ...] = (),
    calcium: tuple[Cut, ...] = (),
) -> dict[str, bytes]:
    """key -> PNG for `content.build`: ffr_tree, pullback, plaque, cross, profile, cpr_<vessel>, calcium_<n>; only what can be drawn."""
    pictures = {}
    if pullback is not None and pullback.branches:
        pictures["ffr_tree"] = _png(ffr_tree_figure(pullback, findings))
        pictures["pullback"] = _png(pullback_figure(pullback, findings))
    for image in straightened:
        pictures[f"cpr_{image.name}"] = _png(straightened_figure(image))
    if crosses:
        pictures["cross"] = _png(cross_figure(crosses))
    if profiles:
        pictures["profile"] = _png(profile_figure(profiles))
    for number, page in enumerate(pages_of(calcium), 1):
        pictures[f"calcium_{number}"] = _png(cuts_figure(page))
    if findings.plaque and findings.plaque.total_mm3 > 0:
        pictures["plaque"] = _png(plaque_figure(findings))
    return pictures


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=170, bbox_inches="tight", pad_inches=0.04)
    return stream.getvalue()


def ffr_tree_figure(pullback: PullbackFile, findings: Findings) -> Figure:
    """The tree as ribbons of the lumen's width, coloured by FFR, from the front and from the left front (45 degrees)."""
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, degrees, title in zip(axes, (0.0, 45.0), ("0°", "LAO 45°"), strict=True):
        _draw_tree(axis, pullback, findings, np.deg2rad(degrees))
        axis.set_title(title, fontsize=9, color=SOFT)
    bar = figure.colorbar(ScalarMappable(Normalize(*FFR_RANGE), FFR_COLORS), ax=axes, shrink=0.75, aspect=28, extend="min")
    bar.set_ticks([0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0])
    bar.set_label("FFR", color=INK)
    bar.outline.set_visible(False)
    return figure


def _draw_tree(axis, pullback: PullbackFile, findings: Findings, turn: float) -> None:
    """Orthographic: screen right is the patient's left turned by `turn` about the body axis, screen up is the head."""
    right, toward = np.array([np.cos(turn), np.sin(turn), 0.0]), np.array([np.sin(turn), -np.cos(turn), 0.0])
    read = _readings(pullback, findings)
    quads, values, depth = [], [], []
    for branch in pullback.branches:
        points, ffr = np.array(branch.points_mm), np.array(branch.ffr)
        flat = np.stack([points @ right, points[:, 2]], axis=1)
        left, other = _ribbon(flat, np.array(branch.diameter_mm))
        quads += list(np.stack([left[:-1], left[1:], other[1:], other[:-1]], axis=1))
        values += list((ffr[:-1] + ffr[1:]) / 2)
        depth += list((points[:-1] @ toward + points[1:] @ toward) / 2)
        away = flat[-1] - flat[-min(len(flat), 10)]
        place = flat[-1] + 3.0 * away / max(np.linalg.norm(away), 1e-6)
        if branch.name not in read:
            axis.text(*place, branch.name, fontsize=7.5, ha="center", va="center", color=SOFT)
    order = np.argsort(depth)
    faces = FFR_COLORS(Normalize(*FFR_RANGE, clip=True)(np.array(values)[order]))
    axis.add_collection(PolyCollection([quads[i] for i in order], facecolors=faces, edgecolors=faces, linewidths=0.6))
    _mark_readings(axis, pullback, read, right)
    axis.autoscale_view()
    axis.margins(0.12)
    axis.set_aspect("equal")
    axis.axis("off")


def _ribbon(flat: np.ndarray, diameter_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both edges (N, 2) of a curve (N, 2) with a width."""
    along = np.gradient(flat, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.stack([-along[:, 1], along[:, 0]], axis=1) * diameter_mm[:, None] / 2
    return flat + side, flat - side


def _readings(pullback: PullbackFile, findings: Findings) -> dict[str, tuple[float, float]]:
    """Branch name -> (mm along it, FFR) where the vessel's FFR was read."""
    vessels = findings.ffr.vessels if findings.ffr else {}
    read = {b.name: vessels[b.name] for b in pullback.branches if b.name in vessels}
    return {name: (v.at_mm, v.ffr) for name, v in read.items() if not isinstance(v.ffr, Unavailable) and not isinstance(v.at_mm, Unavailable)}


def _mark_readings(axis, pullback: PullbackFile, read: dict[str, tuple[float, float]], right: np.ndarray) -> None:
    """The place and value of each vessel's FFR."""
    for branch in (b for b in pullback.branches if b.name in read):
        at_mm, ffr = read[branch.name]
        points = np.array(branch.points_mm)
        place = np.array([np.interp(at_mm, branch.distance_mm, points[:, k]) for k in range(3)])
        x, y = place @ right, place[2]
        axis.plot([x], [y], "o", ms=5, mfc="white", mec=INK, mew=1.2, zorder=5)
        label = axis.annotate(f"{branch.name} {ffr:.2f}", (x, y), (12, 8), textcoords="offset points", fontsize=9, weight="bold", color=INK, zorder=6)
        label.set_bbox({"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85})


def pullback_figure(pullback: PullbackFile, findings: Findings) -> Figure:
    """FFR above, lumen diameter below, for the main vessels (or the longest branches where none has a main vessel's name)."""
    chosen = [b for b in pullback.branches if b.name in ("LAD", "LCx", "RCA")]
    chosen = chosen or sorted(pullback.branches, key=lambda b: -b.distance_mm[-1])[:3]
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots(2, len(chosen), sharex="col", sharey="row", squeeze=False, height_ratios=(3, 2))
    lowest = min(0.5, *(min(b.ffr) for b in chosen))
    read = _readings(pullback, findings)
    for column, branch in enumerate(chosen):
        top, bottom = axes[:, column]
        top.axhspan(*GREY_ZONE, color="#bdbdbd", alpha=0.55, lw=0)
        top.plot(branch.distance_mm, branch.ffr, color=BLUE if min(branch.ffr) > 0.8 else RED, lw=2)
        bottom.plot(branch.distance_mm, branch.diameter_mm, color=INK, lw=1.2)
        _shade_lesions(top, bottom, findings, pullback.branches.index(branch))
        for at_mm, ffr in [read[branch.name]] if branch.name in read else []:
            top.plot([at_mm], [ffr], "o", ms=6, mfc="white", mec=INK, zorder=5)
            top.annotate(f"{ffr:.2f}", (at_mm, ffr), (4, 8), textcoords="offset points", weight="bold")
        top.set(title=branch.name, ylim=(lowest - 0.02, 1.02))
        bottom.set(xlabel="mm", ylim=(0, None))
    axes[0, 0].set_ylabel("FFR")
    axes[1, 0].set_ylabel("Ø mm")
    _plain(axes.ravel())
    return figure


def _shade_lesions(top, bottom, findings: Findings, branch: int) -> None:
    for stenosis in findings.stenoses or ():
        if stenosis.branch == branch:
            for axis in (top, bottom):
                axis.axvspan(stenosis.entry_mm, stenosis.exit_mm, color="#f2c200", alpha=0.25, lw=0)
            text = f"{SEGMENTS.get(stenosis.segment, ('',))[0]} {stenosis.diameter_pct:.0f} %"
            middle = (stenosis.entry_mm + stenosis.exit_mm) / 2
            top.text(middle, 0.03, text, transform=top.get_xaxis_transform(), fontsize=7, ha="center", color=SOFT, rotation=90)


def plaque_figure(findings: Findings) -> Figure:
    """One bar per vessel: low-attenuation, other non-calcified, calcified."""
    vessels = {name: v for name, v in findings.plaque.vessels.items() if v.total_mm3 > 0} or {"": findings.plaque}
    figure = Figure(figsize=(6, 0.55 * len(vessels) + 1.1), layout="constrained")
    axis = figure.subplots()
    start = np.zeros(len(vessels))
    low, high = _limits_hu(findings.plaque.thresholds)
    parts = (
        (f"< {low} HU", "#c0392b", [v.low_attenuation_mm3 for v in vessels.values()]),
        (f"{low}–{high} HU", "#e9b872", [v.noncalcified_mm3 - v.low_attenuation_mm3 for v in vessels.values()]),
        (f"> {high} HU", "#8aa0b5", [v.calcified_mm3 for v in vessels.values()]),
    )
    for name, color, values in parts:
        axis.barh(list(vessels), values, left=start, color=color, label=name, height=0.6)
        start = start + values
    axis.invert_yaxis()
    axis.set_xlabel("mm³")
    axis.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    _plain([axis])
    return figure


def _limits_hu(thresholds: str) -> tuple[str, str]:
    """The lowest and the highest border of the printed HU ranges ("fixed: < 30, 30-130, 131-350, > 350 HU")."""
    numbers = re.findall(r"[<>] (\d+)", thresholds)
    return (numbers[0], numbers[-1]) if len(numbers) == 2 else ("30", "350")


def straightened_figure(image: Straightened) -> Figure:
    """The vessel laid straight, proximal at the left, with the lumen's edges and a bar at each stenosis."""
    figure = Figure(figsize=(9, 1.55), layout="constrained")
    axis = figure.subplots()
    extent = (image.distance_mm[0], image.distance_mm[-1], -image.half_width_mm, image.half_width_mm)
    axis.imshow(image.hu, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], extent=extent, origin="lower", aspect="auto", interpolation="bilinear")
    for edge in image.edges_mm:
        axis.plot(image.distance_mm, edge, color=YELLOW, lw=0.8)
    for entry, end, text in image.lesions:
        axis.plot([entry, end], [0.93 * image.half_width_mm] * 2, color="#ff5b4d", lw=3, solid_capstyle="butt")
        axis.text((entry + end) / 2, 0.84 * image.half_width_mm, text, fontsize=7.5, ha="center", va="top", color="white")
    axis.set(yticks=[])
    axis.set_ylabel(image.name, fontsize=9)
    axis.set_xlabel("mm", fontsize=7, labelpad=1)
    axis.tick_params(labelsize=7)
    return figure


def cross_figure(crosses: tuple[Cross, ...]) -> Figure:
    """Up to four cross-sections side by side."""
    shown = crosses[:4]
    figure = Figure(figsize=(9, 2.5), layout="constrained")
    for axis, cross in zip(figure.subplots(1, 4), [*shown, *[None] * (4 - len(shown))], strict=True):
        axis.axis("off")
        if cross is None:
            continue
        half = cross.half_width_mm
        axis.imshow(cross.hu, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], extent=(-half, half, -half, half), origin="lower", interpolation="bicubic")
        for contour, color in ((cross.wall_mm, BLUE), (cross.lumen_mm, YELLOW)):
            axis.plot(*np.vstack([contour, contour[:1]]).T, color=color, lw=1.2)
        axis.plot([half - 2.5, half - 0.5], [-half + 0.5] * 2, color="white", lw=2)
        axis.text(half - 1.5, -half + 0.7, "2 mm", color="white", fontsize=7, ha="center", va="bottom")
        axis.set(xlim=(-half, half), ylim=(-half, half))
        axis.set_title(cross.title, fontsize=8.5)
    return figure


def profile_figure(profiles: tuple[Profile, ...]) -> Figure:
    """Lumen diameter along up to three vessels with the reference of each stenosis."""
    shown = profiles[:3]
    figure = Figure(figsize=(9, 2.2), layout="constrained")
    axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axis, profile in zip(axes, shown, strict=True):
        axis.plot(profile.distance_mm, profile.diameter_mm, color=INK, lw=1.4)
        if profile.reference_mm is not None:
            axis.plot(profile.distance_mm, profile.reference_mm, color=BLUE, lw=1.2, ls="--")
        for entry, end, reference in profile.lesions:
            axis.axvspan(entry, end, color="#f2c200", alpha=0.25, lw=0)
            axis.plot([entry, end], [reference, reference], color=BLUE, lw=2)
        axis.set(title=profile.name, xlabel="mm", ylim=(0, None))
    axes[0].set_ylabel("Ø mm")
    _plain(axes)
    return figure


def _plain(axes) -> None:
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8, colors=INK)
        axis.title.set_fontsize(10)
