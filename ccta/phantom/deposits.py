"""What looks like coronary calcium and is none: calcified aortic wall, valves, mitral annulus, pericardium and nodes, and metal stents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ccta.coordinates import to_index, to_patient_mm
from ccta.curves import resampled_curve
from ccta.phantom.heart import FLOW, ROOT, at
from ccta.phantom.shapes import Shape, gradient

KINDS = ("aortic wall", "aortic valve", "mitral annulus", "descending aorta", "pericardium", "lung node", "stent")


@dataclass(frozen=True, eq=False)
class Deposit:
    """points_mm: (N, 3), N >= 2, a line in the patient; radius_mm about it; wall_mm: of a hollow tube, 0: solid. hu: above its surroundings."""

    kind: str
    points_mm: np.ndarray
    radius_mm: float
    hu: float
    wall_mm: float = 0.0


def add_deposits(image: np.ndarray, deposits: tuple[Deposit, ...], affine: np.ndarray, sub_mm: float) -> None:
    """Adds each deposit's HU by the part of a voxel that it fills, in place."""
    for deposit in deposits:
        line = resampled_curve(deposit.points_mm, 0.2)
        reach = deposit.radius_mm + 0.5 * float(np.linalg.norm(affine[:3, :3], axis=0).sum())
        corners = to_index(np.array([line.min(0) - reach, line.max(0) + reach]), affine)
        low, high = np.maximum(np.floor(corners.min(0)), 0).astype(int), np.minimum(np.ceil(corners.max(0)) + 1, image.shape).astype(int)
        if (high <= low).any():
            continue
        index = np.stack(np.meshgrid(*[np.arange(a, b) for a, b in zip(low, high, strict=True)], indexing="ij"), -1).reshape(-1, 3)
        tree = cKDTree(line)
        index = index[tree.query(to_patient_mm(index, affine), distance_upper_bound=reach)[0] < reach]
        if len(index) == 0:
            continue
        points = to_patient_mm(index, affine)[:, None] + sub_voxels(affine, sub_mm)[None]
        apart = tree.query(points, distance_upper_bound=deposit.radius_mm)[0]
        filled = (apart < deposit.radius_mm) & (apart >= (deposit.radius_mm - deposit.wall_mm if deposit.wall_mm else 0.0))
        image[tuple(index.T)] += np.float32(deposit.hu) * filled.mean(axis=1, dtype=np.float32)


def sub_voxels(affine: np.ndarray, sub_mm: float) -> np.ndarray:
    """(m, 3) centres of the sub-voxels about a voxel's centre, mm."""
    counts = np.ceil(np.linalg.norm(affine[:3, :3], axis=0) / sub_mm).astype(int)
    steps = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    return np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3) @ affine[:3, :3].T


def drawn_deposits(patient, rng: np.random.Generator, chance: dict[str, float]) -> tuple[Deposit, ...]:
    """Deposits of one patient. chance: kind -> probability of having any; each kind then comes in one to four pieces."""
    found: list[Deposit] = []
    for kind in KINDS:
        pieces = int(rng.integers(1, 5)) if rng.random() < chance.get(kind, 0.0) else 0
        for _ in range(pieces if kind != "stent" else min(pieces, 1)):
            found.append(stent(patient, rng) if kind == "stent" else piece(kind, patient, rng))
    return tuple(found)


def piece(kind: str, patient, rng: np.random.Generator) -> Deposit:
    """A short rod of calcium of 2-6 mm in its place."""
    start = place_of(kind, patient, rng)
    along = rng.normal(0, 1, 3)
    end = start + along / np.linalg.norm(along) * rng.uniform(0.5, 4.0)
    if kind in ("aortic wall", "descending aorta"):
        end = on_surface(patient.anatomy.shapes["aorta"] if kind == "aortic wall" else descending(patient), end)
    return Deposit(kind, np.array([start, end]), float(rng.uniform(0.7, 1.8)), float(rng.uniform(350, 1000)))


def place_of(kind: str, patient, rng: np.random.Generator) -> np.ndarray:
    """(3,) patient mm."""
    to_patient, shapes = patient.anatomy.to_patient, patient.anatomy.shapes
    angle = rng.uniform(0, 2 * np.pi)
    side = np.linalg.svd(FLOW[None])[2][1:].T @ [np.cos(angle), np.sin(angle)]
    if kind == "mitral annulus":
        round_ = np.deg2rad(rng.uniform(130, 320))
        reference = at(0, -4 + 16.5 * np.cos(round_), -4 + 16.5 * np.sin(round_))
    elif kind == "aortic valve":
        reference = ROOT + rng.uniform(2, 8) * FLOW + rng.uniform(2, 9) * side
    else:
        reference = ROOT + rng.uniform(26, 60) * FLOW + 14 * side
    point = to_patient_mm(reference, to_patient)
    if kind == "aortic wall":
        return on_surface(shapes["aorta"], point)
    if kind == "descending aorta":
        return on_surface(descending(patient), descending_axis(patient) + np.array([12 * np.cos(angle), 12 * np.sin(angle), rng.uniform(-60, 60)]))
    if kind == "pericardium":
        way = rng.normal(0, 1, 3) * [1, 1, 0.6]
        return on_surface(shapes["pericardium"], to_patient[:3, 3] + [-8, -12, -5] + 60 * way / np.linalg.norm(way))
    if kind == "lung node":
        return to_patient[:3, 3] + [rng.choice([-90, 75]) + rng.normal(0, 8), rng.uniform(-20, 50), rng.uniform(-40, 60)]
    return point


def descending(patient) -> Shape:
    return next(layer.shape for layer in patient.anatomy.layers if layer.name == "aorta_descending")


def descending_axis(patient) -> np.ndarray:
    """(3,) a point near the axis at mid height, by the deepest place behind the heart."""
    grid = np.stack(np.meshgrid(np.arange(-60, 60, 4.0), np.arange(20, 110, 4.0), [0.0], indexing="ij"), -1).reshape(-1, 3)
    return grid[np.argmin(descending(patient)(grid))]


def on_surface(shape: Shape, point: np.ndarray) -> np.ndarray:
    """The point moved to the shape's surface along its gradient."""
    point = np.asarray(point, float)[None]
    for _ in range(20):
        point = point - shape(point)[:, None] * gradient(shape, point)
    return point[0]


def stent(patient, rng: np.random.Generator) -> Deposit:
    """A metal mesh in the proximal LAD, LCx or RCA, as the hollow tube that CT makes of it."""
    name = str(rng.choice(["LAD", "RCA", "LCx"]))
    branch = next(b for b in patient.tree if b.name == name)
    start = rng.uniform(14, 30)
    s = np.arange(start, start + rng.uniform(10, 22), 0.5)
    return Deposit("stent", branch.point_at(s), float(np.interp(start, branch.distance_mm, branch.radius_mm)) + 0.2, float(rng.uniform(5500, 9000)), 0.25)
