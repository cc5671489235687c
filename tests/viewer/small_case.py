"""A small made-up case for the viewer's tests: two contrast-filled arteries, one with a side branch, two stenoses, a pullback. Nothing was measured."""

from pathlib import Path

import numpy as np
from skimage.measure import marching_cubes

from ccta.case import Case
from ccta.coordinates import to_index, to_patient_mm
from ccta.curves import rotation_minimising_frames
from ccta.findings import Acquisition, CadRads, Ffr, Findings, LesionFfr, Plaque, PullbackBranch, PullbackFile, Stenosis, Tree, VesselFfr
from ccta.model import Branch, CoronaryTree, CrossSections, Surface, Unavailable, Volume
from viewer.app.study import Study

SHAPE = (96, 96, 80)
AFFINE = np.array([[0.5, 0, 0, -24.0], [0, 0.5, 0, -150.0], [0, 0, 0.5, 60.0], [0, 0, 0, 1]])
LESIONS = ((0, 7, 16.0, 60.0, 0.76), (2, 2, 20.0, 35.0, 0.93))
"""Branch, SCCT segment, distance mm, diameter stenosis percent, FFR behind it."""
HALF_LENGTH_MM = 4.0


def course(branch: int) -> np.ndarray:
    """(N, 3) centerline in patient mm: LAD, its diagonal, RCA."""
    t = np.linspace(0, 1, 121)[:, None]
    middle = to_patient_mm(np.array([47.5, 47.5, 39.5]), AFFINE)
    lad = np.hstack([2 + 14 * np.sin(2 * t), -2 - 14 * t, 15 - 32 * t])
    ways = [lad, lad[40] + np.hstack([12 * t, 1 + 8 * t, -14 * t]) * [1, 1, 1], np.hstack([-2 - 16 * np.sin(2.4 * t), -2 + 16 * t, 13 - 30 * t])]
    ways[1][0] = lad[40]
    return middle + ways[branch]


def radius_mm(branch: int, distance_mm: np.ndarray) -> np.ndarray:
    """A taper with a raised-cosine narrowing at each lesion."""
    healthy = np.array([1.8, 1.1, 1.7])[branch] - 0.012 * distance_mm
    for on, _, at, percent, _ in LESIONS:
        if on == branch:
            healthy = healthy * (1 - percent / 200 * (1 + np.cos(np.pi * np.clip((distance_mm - at) / HALF_LENGTH_MM, -1, 1))))
    return healthy


def tree() -> CoronaryTree:
    """LAD, D1 (child of LAD), RCA."""
    made = []
    for index, (name, parent, segment) in enumerate((("LAD", None, 7), ("D1", 0, 9), ("RCA", None, 2))):
        points = course(index)
        s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        at = made[parent].distance_mm[40] if parent is not None else 0.0
        made.append(Branch(points, radius_mm(index, s), parent, float(at), np.full(len(s), segment), name))
    return CoronaryTree(tuple(made), "right")


def sections(branch: int, one: Branch) -> CrossSections:
    """Circles every half millimetre; the wall is 0.5 mm thicker than the healthy lumen."""
    s = np.arange(0, one.length_mm, 0.5)
    center = one.point_at(s)
    normal, u, v = rotation_minimising_frames(center)
    lumen = np.repeat(radius_mm(branch, s)[:, None], 36, axis=1)
    return CrossSections(branch, s, center, normal, u, v, lumen, np.full_like(lumen, lumen.max() + 0.5), np.full(len(s), 0.1), np.ones(len(s), bool))


def image(branches: CoronaryTree) -> tuple[Volume, Surface]:
    """HU of tubes in fat over a textured background, and the tubes' closed surface."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1)
    position = to_patient_mm(index, AFFINE)
    inside = np.full(SHAPE, -9.0)
    for branch in branches:
        for point, radius in zip(branch.points_mm[::2], branch.radius_mm[::2], strict=True):
            low = np.maximum(0, np.floor(to_index(point - 4, AFFINE)).astype(int))
            box = tuple(slice(a, a + 18) for a in low)
            inside[box] = np.maximum(inside[box], radius - np.linalg.norm(position[box] - point, axis=-1))
    texture = 40 * np.sin(position[..., 0] / 2.1) * np.cos(position[..., 1] / 2.7) * np.sin(position[..., 2] / 3.3)
    hu = np.clip(inside / 0.4 + 0.5, 0, 1) * 480 - 90 + texture + np.random.default_rng(1).normal(0, 15, SHAPE)
    points, triangles, _, _ = marching_cubes(np.pad(inside, 1, constant_values=-9), 0.0)
    return Volume(hu.astype(np.int16), AFFINE), Surface(to_patient_mm(points - 1, AFFINE), triangles[:, ::-1].astype(np.int64))


def findings(branches: CoronaryTree) -> Findings:
    """Two stenoses with FFR; calcium refused."""
    stenoses = []
    for on, segment, at, percent, _ in LESIONS:
        reference = 2 * (radius_mm(on, np.array([at]))[0] / (1 - percent / 100))
        mld = reference * (1 - percent / 100)
        stenoses.append(
            Stenosis(
                segment=segment, vessel=branches.branches[on].name, branch=on, diameter_pct=percent, area_pct=100 * (1 - (1 - percent / 100) ** 2),
                mld_mm=mld, mla_mm2=np.pi / 4 * mld**2, reference_diameter_mm=reference, position_mm=at, entry_mm=at - HALF_LENGTH_MM,
                exit_mm=at + HALF_LENGTH_MM, length_mm=2 * HALF_LENGTH_MM, center_mm=tuple(branches.branches[on].point_at(at)), plaque_type="mixed",
                high_risk=["PR"] if percent > 50 else [],
            )
        )  # fmt: skip
    volumes = {"total_mm3": 120.0, "calcified_mm3": 40.0, "noncalcified_mm3": 80.0, "low_attenuation_mm3": 5.0, "pav_pct": 21.0}
    return Findings(
        acquisition=Acquisition(spacing_mm=(0.5, 0.5, 0.5), shape=SHAPE, contrast=True),
        calcium=Unavailable("no non-contrast series was found; a contrast image is not scored"),
        tree=Tree(dominance="right"),
        stenoses=stenoses,
        plaque=Plaque(**volumes, stage="mild"),
        cad_rads=CadRads(category="3", plaque_burden="P2", text="3/P2/HRP/I+", because="worst stenosis 60 %"),
        ffr=Ffr(
            model="rom", pa_mmhg=93.3, flow_ml_min=210.0,
            vessels={name: VesselFfr(ffr=ffr, low=ffr - 0.04, high=ffr + 0.04, at_mm=30.0, delta=0.1) for name, ffr in (("LAD", 0.76), ("RCA", 0.93))},
            lesions=[LesionFfr(segment=segment, ffr=ffr, delta=1 - ffr) for _, segment, _, _, ffr in LESIONS],
            assumptions=["aortic pressure 93 mmHg: default, no cuff pressure was given"],
        ),
    )  # fmt: skip


def pullback(branches: CoronaryTree) -> PullbackFile:
    """A fall at each lesion."""
    curves = []
    for index, branch in enumerate(branches):
        s = branch.distance_mm
        ffr = 0.99 - 0.0005 * s
        for on, _, at, _, behind in LESIONS:
            if on == index:
                ffr = ffr - (0.97 - behind) / (1 + np.exp(-(s - at)))
        curves.append(
            PullbackBranch(
                name=branch.name, vessel="RCA" if index == 2 else "LAD", distance_mm=s.tolist(), ffr=ffr.tolist(), flow_ml_min=[80.0] * len(s),
                pressure_mmhg=(93.3 * ffr).tolist(), diameter_mm=(2 * branch.radius_mm).tolist(), points_mm=[tuple(p) for p in branch.points_mm],
            )
        )  # fmt: skip
    return PullbackFile(model="rom", pa_mmhg=93.3, inlets=[], outlets=[], branches=curves, mass_error=1e-9)


def small_study() -> Study:
    """The case in memory."""
    branches = tree()
    volume, surface = image(branches)
    return Study(volume, findings(branches), branches, tuple(sections(i, b) for i, b in enumerate(branches)), surface, pullback(branches))


def write_small_case(root: Path) -> Study:
    """The case on disk."""
    study, case = small_study(), Case.create(root)
    case.write_volume("image", study.volume)
    case.write_tree(study.tree)
    case.write_sections(list(study.sections))
    case.write_surface(study.surface)
    case.write_json("pullback", study.pullback.model_dump_json())
    case.write_json("findings", study.findings.model_dump_json())
    return study


def write_drafted_case(root: Path) -> Case:
    """The small case with a draft of its report, which may be signed."""
    from ccta.cli.stages import pipeline
    from ccta.runner import run_stages, select
    from ccta.settings import Settings

    write_small_case(root)
    run_stages(Case.open(root), select(pipeline(), ["report"]), Settings(), lambda name: lambda message, share=None: None)
    return Case.open(root)
