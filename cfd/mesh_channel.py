"""The channel with a cylinder of the DFG benchmark as a slab of tetrahedra one cell thick, by gmsh. The benchmark's metres are the mesh's millimetres."""

from __future__ import annotations

import gmsh
import numpy as np

from cfd.mesh import FlowMesh

LENGTH, HEIGHT, DIAMETER, CENTER = 2.2, 0.41, 0.1, (0.2, 0.2)


def cylinder_in_channel(size: float) -> FlowMesh:
    """size: of the elements at the cylinder; they grow away from it. Boundaries "wall" (all others) and "body", the cylinder, whose edges are arcs."""
    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.option.setNumber("General.NumThreads", 1)
        points, triangles = _plane(size)
    finally:
        gmsh.finalize()
    return _slab(points, triangles, size)


def _plane(size):
    """((P, 2) points, (T, 3) triangles) of the channel in its plane."""
    occ = gmsh.model.occ
    disk = occ.addDisk(*CENTER, 0, DIAMETER / 2, DIAMETER / 2)
    occ.cut([(2, occ.addRectangle(0, 0, 0, LENGTH, HEIGHT))], [(2, disk)])
    occ.synchronize()
    field = gmsh.model.mesh.field
    field.add("MathEval", 1)
    away = f"Sqrt((x-{CENTER[0]})^2+(y-{CENTER[1]})^2)-{DIAMETER / 2}"
    wake = f"Sqrt(((x-{CENTER[0]})/5)^2+(y-{CENTER[1]})^2)"
    field.setString(1, "F", f"{size}+0.15*({away})+0.1*({wake})*({away})")
    field.setAsBackgroundMesh(1)
    for option in ("MeshSizeFromPoints", "MeshSizeExtendFromBoundary", "MeshSizeFromCurvature"):
        gmsh.option.setNumber(f"Mesh.{option}", 0)
    gmsh.model.mesh.generate(2)
    tag, coordinates, _ = gmsh.model.mesh.getNodes()
    where = np.zeros(int(tag.max()) + 1, int)
    where[tag.astype(int)] = np.arange(len(tag))
    triangles = where[gmsh.model.mesh.getElementsByType(2)[1].astype(int)].reshape(-1, 3)
    used, triangles = np.unique(triangles, return_inverse=True)
    return coordinates.reshape(-1, 3)[used, :2], triangles.reshape(-1, 3)


def _slab(points, triangles, thick):
    """Prisms over the triangles, three tetrahedra each; a prism's quadrilaterals are cut at their lowest node, the same from both sides."""
    count = len(points)
    solid = np.vstack([np.column_stack([points, np.full(count, z)]) for z in (0.0, thick)])
    a, b, c = np.sort(triangles, axis=1).T
    cells = np.vstack([np.stack(four, axis=1) for four in ((a, b, c, c + count), (a, b, b + count, c + count), (a, a + count, b + count, c + count))])
    faces = np.sort(np.vstack([cells[:, [0, 1, 2]], cells[:, [0, 1, 3]], cells[:, [0, 2, 3]], cells[:, [1, 2, 3]]]), axis=1)
    unique, times = np.unique(faces, axis=0, return_counts=True)
    outside = unique[times == 1]
    round_ = np.abs(np.linalg.norm(solid[:, :2] - CENTER, axis=1) - DIAMETER / 2) < 1e-6
    body = round_[outside].all(axis=1)
    edges = np.unique(np.sort(outside[body][:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    middle = solid[edges].mean(axis=1)
    out = middle[:, :2] - CENTER
    middle[:, :2] = CENTER + out / np.linalg.norm(out, axis=1, keepdims=True) * DIAMETER / 2
    return FlowMesh(solid * 1e-3, cells, outside, body.astype(int), ("wall", "body"), curved_edges=edges, middle_m=middle * 1e-3)
