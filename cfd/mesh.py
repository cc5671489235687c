"""Lumen -> tetrahedral mesh with named boundaries. The only home of gmsh and mmg.

The surface is remeshed by mmgs, twice, to a size map that follows the local calibre and filled with tetrahedra by gmsh, whose wall edges are then bent onto
the lumen (cfd.curved_walls). An attempt that fails, or makes a bad cell, is repeated with another algorithm, then repaired and coarser; the best is taken.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import gmsh
import mmgpy
import numpy as np
import pymeshfix

from ccta.errors import SolverFailed
from ccta.units import m_to_mm, mm_to_m
from cfd.curved_walls import LumenWall, curved_edges, on_wall, worst_quality
from cfd.lumen import Lumen
from cfd.mesh_size import element_size_mm

SHARP_DEGREES, SMOOTH = 80.0, 180.0
"""mmgs keeps edges across which the wall turns by more, with all their points: crotches stay where they are. At its own 45 they hold needles of triangles;
where even at 80 one is left, no edge is sharp, and the crotch is rounded by the size of an element."""
DEVIATION = 0.1  # of the median calibre, from the surface: less, and mmgs makes crowds of triangles in crotches; points are put back on the wall anyway
GOOD_QUALITY = 0.1
DELAUNAY, HXT = 1, 10  # gmsh's numbers of its two algorithms


@dataclass(frozen=True)
class MeshSettings:
    """How fine the mesh is."""

    elements_per_diameter: float = 4.5  # of the local lumen (a stenosis as well as a healthy vessel); elements of degree 2 make nine intervals of it
    growth: float = 0.15  # largest change of the element size per distance: keeps the jet behind a throat resolved for several diameters
    smallest_mm: float = 0.05  # a subtotal stenosis must not take all the memory
    largest_mm: float = 1.2  # a left main of 5 mm and more
    most_tetrahedra: int = 1_500_000  # about 8 GiB in the solver


@dataclass(frozen=True, eq=False)
class FlowMesh:
    """A tetrahedral mesh of the lumen, SI.

    points_m: (N, 3). tetrahedra: (M, 4). triangles: (B, 3) boundary, outward. label: (B,) index into `names`, names[0] = "wall".
    curved_edges: (E, 2) ends, ascending and sorted, of the edges that are arcs through middle_m: (E, 3); all others are straight.
    worst_quality: smallest signed inverse condition number (1 = regular, 0 = flat), of curved cells as they are. attempts: what was tried before, in words.
    """

    points_m: np.ndarray
    tetrahedra: np.ndarray
    triangles: np.ndarray
    label: np.ndarray
    names: tuple[str, ...]
    worst_quality: float = 1.0
    attempts: tuple[str, ...] = field(default=())
    curved_edges: np.ndarray = field(default_factory=lambda: np.empty((0, 2), np.int64))
    middle_m: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))

    def boundary(self, name: str) -> np.ndarray:
        """(b, 3) triangles of one named boundary."""
        return self.triangles[self.label == self.names.index(name)]


def joined(meshes: Sequence[FlowMesh]) -> FlowMesh:
    """Several meshes as one (for one file); their port names differ."""
    names = ("wall", *(name for mesh in meshes for name in mesh.names[1:]))
    first = np.cumsum([0, *(len(mesh.points_m) for mesh in meshes)])
    return FlowMesh(
        points_m=np.vstack([mesh.points_m for mesh in meshes]),
        tetrahedra=np.vstack([mesh.tetrahedra + k for mesh, k in zip(meshes, first, strict=False)]),
        triangles=np.vstack([mesh.triangles + k for mesh, k in zip(meshes, first, strict=False)]),
        label=np.concatenate([np.array([names.index(name) for name in mesh.names])[mesh.label] for mesh in meshes]),
        names=names,
        worst_quality=min(mesh.worst_quality for mesh in meshes),
        curved_edges=np.vstack([mesh.curved_edges + k for mesh, k in zip(meshes, first, strict=False)]),
        middle_m=np.vstack([mesh.middle_m for mesh in meshes]),
    )


def build_mesh(lumen: Lumen, settings: MeshSettings | None = None, progress: Callable[[str], None] | None = None) -> FlowMesh:
    """The mesh of a lumen. Raises SolverFailed with everything that was tried."""
    settings = settings or MeshSettings()
    tell = progress or (lambda text: None)
    coarser = replace(settings, elements_per_diameter=0.8 * settings.elements_per_diameter)
    plans = [_Plan(settings, HXT), _Plan(settings, HXT, SMOOTH), _Plan(settings, DELAUNAY, SMOOTH), _Plan(coarser, DELAUNAY, SMOOTH, repair=True)]
    wall, failures, made = LumenWall(m_to_mm(lumen.points_m), lumen.triangles, lumen.label), [], []
    for plan in plans:
        try:
            mesh = replace(_attempt(lumen, wall, plan, tell), attempts=tuple(failures))
        except Exception as error:  # gmsh raises bare Exceptions
            failures.append(f"{plan}: {error}")
            continue
        if mesh.worst_quality >= GOOD_QUALITY:
            return mesh
        failures.append(f"{plan}: worst quality {mesh.worst_quality:.3f}")
        made.append(mesh)
    if made:
        return max(made, key=lambda mesh: mesh.worst_quality)
    raise SolverFailed("the lumen could not be meshed; tried " + "; ".join(failures) + ". Look at surface.vtp for folds or touching vessels.")


@dataclass(frozen=True)
class _Plan:
    """How one attempt is made. sharp_degrees: see `SHARP_DEGREES`."""

    settings: MeshSettings
    algorithm: int
    sharp_degrees: float = SHARP_DEGREES
    repair: bool = False

    def __str__(self) -> str:
        name, fine = "Delaunay" if self.algorithm == DELAUNAY else "HXT", self.settings.elements_per_diameter
        return f"{name} at {fine:.3g} elements per diameter{', no sharp edges' if self.sharp_degrees == SMOOTH else ''}{', repaired' if self.repair else ''}"


def _attempt(lumen, wall, plan, tell):
    tell("surface")
    points_mm, triangles, label = remeshed_surface(lumen, plan.settings, plan.sharp_degrees, plan.repair)
    points_mm = on_wall(points_mm, triangles, label, wall)
    tell("volume")
    mesh = filled(points_mm, triangles, label, plan.algorithm)
    corners_mm = m_to_mm(mesh.points_m)
    edges, middle_mm = curved_edges(corners_mm, mesh.tetrahedra, mesh.triangles, mesh.label, wall)
    worst, names = worst_quality(corners_mm, mesh.tetrahedra, edges, middle_mm), ("wall", *(port.name for port in lumen.ports))
    return replace(mesh, names=names, worst_quality=worst, curved_edges=edges, middle_m=mm_to_m(middle_mm))


def remeshed_surface(
    lumen: Lumen, settings: MeshSettings, sharp_degrees: float = SHARP_DEGREES, repair: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(points mm, triangles, label) of the remeshed closed surface; caps stay flat and keep their label (0 wall, k + 1 port k)."""
    points_mm, triangles, label = m_to_mm(lumen.points_m), lumen.triangles, lumen.label
    if repair:
        points_mm, triangles, label = _repaired(points_mm, triangles, label)
    for _ in range(2):  # the first pass leaves needles where its own large triangles were cut
        size_mm = element_size_mm(points_mm, lumen.tree, settings)
        deviation_mm = DEVIATION * float(np.median(size_mm)) * settings.elements_per_diameter
        options = {"hgrad": 1.0 + 2 * settings.growth, "hausd": deviation_mm, "hmin": 0.5 * float(size_mm.min()), "ar": sharp_degrees}
        points_mm, triangles, label = _remeshed(points_mm, triangles, label, size_mm, options)
    if set(np.unique(label)) != set(range(len(lumen.ports) + 1)):
        raise SolverFailed("a port was lost while the surface was remeshed")
    return points_mm, triangles, label


def _remeshed(points_mm, triangles, label, size_mm, options):
    """One pass of mmgs towards edges of size_mm (N,) at the points. options: mmgs's own."""
    mesh = mmgpy.MmgMeshS()
    mesh.set_mesh_size(vertices=len(points_mm), triangles=len(triangles))
    mesh.set_vertices(points_mm)
    mesh.set_triangles(triangles.astype(np.int32), label.astype(np.int64) + 1)
    mesh["metric"] = size_mm[:, None]
    mesh.remesh(**options, verbose=-1)
    new_triangles, reference = mesh.get_triangles_with_refs()
    return np.asarray(mesh.get_vertices()), np.asarray(new_triangles).astype(np.int64), np.asarray(reference) - 1


def _repaired(points, triangles, label):
    """The surface after pymeshfix (self-intersections, degenerate triangles); labels carried over from the nearest old triangle centre."""
    from scipy.spatial import cKDTree

    fixer = pymeshfix.MeshFix(points, triangles)
    fixer.repair()
    new_points, new_triangles = np.asarray(fixer.points), np.asarray(fixer.faces)
    _, nearest = cKDTree(points[triangles].mean(axis=1)).query(new_points[new_triangles].mean(axis=1))
    return new_points, new_triangles, label[nearest]


def filled(points_mm: np.ndarray, triangles: np.ndarray, label: np.ndarray, algorithm: int = HXT) -> FlowMesh:
    """Tetrahedra inside a closed labelled surface (gmsh). Raises RuntimeError with gmsh's own words when it cannot."""
    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.option.setNumber("General.NumThreads", 1)
        gmsh.option.setNumber("Mesh.Algorithm3D", algorithm)
        gmsh.option.setNumber("Mesh.Optimize", 1)
        gmsh.model.add("lumen")
        _add_surfaces(points_mm, triangles, label)
        with _printing_to_errors():
            gmsh.model.mesh.generate(3)
        return _read_back(np.unique(label))
    except Exception as error:  # gmsh raises nothing more specific
        raise RuntimeError(str(error).strip() or "gmsh stopped without a message") from error
    finally:
        gmsh.finalize()


@contextlib.contextmanager
def _printing_to_errors() -> Iterator[None]:
    """What gmsh's libraries print in spite of `General.Terminal` goes to standard error: standard output belongs to whoever reads the answer."""
    flush, kept = ctypes.CDLL(None).fflush, os.dup(1)
    sys.stdout.flush()
    flush(None)
    os.dup2(2, 1)
    try:
        yield
    finally:
        flush(None)  # what C has kept back
        os.dup2(kept, 1)
        os.close(kept)


def _add_surfaces(points_mm, triangles, label):
    """One discrete gmsh surface per label, and the volume inside them."""
    tags = [int(value) + 1 for value in np.unique(label)]
    for tag in tags:
        gmsh.model.addDiscreteEntity(2, tag)
    gmsh.model.mesh.addNodes(2, tags[0], np.arange(1, len(points_mm) + 1), points_mm.ravel())
    for tag in tags:
        gmsh.model.mesh.addElementsByType(tag, 2, [], (triangles[label == tag - 1] + 1).ravel())
    gmsh.model.mesh.reclassifyNodes()
    loop = gmsh.model.geo.addSurfaceLoop(tags)
    gmsh.model.geo.addVolume([loop])
    gmsh.model.geo.synchronize()


def _read_back(labels) -> FlowMesh:
    """Points (SI), tetrahedra, boundary and the worst quality of the current gmsh model; names are set by the caller."""
    tag, coordinates, _ = gmsh.model.mesh.getNodes()
    elements, corners = gmsh.model.mesh.getElementsByType(4)
    if len(elements) == 0:
        raise RuntimeError(f"gmsh made no tetrahedra ({gmsh.logger.getLastError() or 'no message'})")
    quality = np.asarray(gmsh.model.mesh.getElementQualities(elements, "minSICN"))
    if quality.min() <= 1e-4:
        raise RuntimeError(f"{int((quality <= 1e-4).sum())} flat or inverted tetrahedra")
    where = np.full(int(tag.max()) + 1, -1)
    where[tag.astype(np.int64)] = np.arange(len(tag))
    faces = [where[gmsh.model.mesh.getElementsByType(2, int(label) + 1)[1].astype(np.int64).reshape(-1, 3)] for label in labels]
    return FlowMesh(
        points_m=mm_to_m(coordinates.reshape(-1, 3)),
        tetrahedra=where[corners.astype(np.int64).reshape(-1, 4)],
        triangles=np.vstack(faces),
        label=np.repeat(labels, [len(face) for face in faces]),
        names=(),
        worst_quality=float(quality.min()),
    )


def save_mesh(mesh: FlowMesh, path: Path) -> None:
    """Write gmsh's .msh (version 4.1, millimetres, physical groups by name: "lumen", "wall", "inlet_0", "outlet_3" ...)."""
    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.model.add("lumen")
        present = [int(value) for value in np.unique(mesh.label)]
        for index in present:
            gmsh.model.addDiscreteEntity(2, index + 1)
        gmsh.model.addDiscreteEntity(3, 1, [index + 1 for index in present])
        gmsh.model.mesh.addNodes(3, 1, np.arange(1, len(mesh.points_m) + 1), m_to_mm(mesh.points_m).ravel())
        gmsh.model.mesh.addElementsByType(1, 4, [], (mesh.tetrahedra + 1).ravel())
        for index in present:
            gmsh.model.mesh.addElementsByType(index + 1, 2, [], (mesh.triangles[mesh.label == index] + 1).ravel())
            gmsh.model.addPhysicalGroup(2, [index + 1], index + 1, mesh.names[index])
        gmsh.model.addPhysicalGroup(3, [1], 1, "lumen")
        gmsh.model.mesh.reclassifyNodes()
        gmsh.write(str(path))
    finally:
        gmsh.finalize()
