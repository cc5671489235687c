"""The coronary tree in 3-D, coloured by FFR, diameter or stenosis, with a marker at the cross-hair. Sent to the browser as geometry: no GPU on the server."""

from __future__ import annotations

import numpy as np
import vtk
from matplotlib import colormaps
from scipy.spatial import cKDTree
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ccta.model import CoronaryTree, Surface
from ccta.polydata import surface_polydata

RANGES = {"FFR": (0.5, 1.0), "diameter": (1.0, 4.5), "stenosis": (0.0, 100.0)}
"""Ends of the colour scale: FFR, lumen diameter in mm, diameter stenosis in percent."""

MAPS = {"FFR": "RdYlBu", "diameter": "RdYlBu", "stenosis": "RdYlBu_r"}
"""ColorBrewer's diverging map, safe for colour-blind readers: red is worse in all three, yellow is FFR 0.75."""

MARKS = {"FFR": (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0), "diameter": (1.0, 2.0, 3.0, 4.0), "stenosis": (0, 25, 50, 70, 100)}
FORMATS = {"FFR": "{:.2f}", "diameter": "{:.0f} mm", "stenosis": "{:.0f} %"}


MAX_TRIANGLES = 100_000
CELL_MM = 0.45
"""For display only: far below the smallest artery that is traced."""


class TreeScene:
    """A render window with the lumen surface and the marker. `values` per kind: (P,) at the `places_mm` (P, 3) along the centerlines."""

    def __init__(self, surface: Surface | None, places_mm: np.ndarray, values: dict[str, np.ndarray]):
        vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_ERROR)  # the window never draws; a missing display is no warning worth reading
        self.renderer, self.window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
        self.window.SetMultiSamples(0)
        self.window.SetOffScreenRendering(1)
        self.window.AddRenderer(self.renderer)
        self.renderer.SetBackground(0.035, 0.04, 0.05)
        self.values = values
        self._mesh = _light(surface_polydata(surface)) if surface is not None else None
        self._nearest = cKDTree(places_mm).query(vtk_to_numpy(self._mesh.GetPoints().GetData()))[1] if self._mesh is not None and len(places_mm) else None
        self._marker = vtk.vtkSphereSource()
        self._marker.SetRadius(1.7)
        self._marker.SetThetaResolution(16)
        self._marker.SetPhiResolution(16)
        if self._mesh is not None:
            self.renderer.AddActor(self._actor(self._mesh))
            self._look_at_the_front()
        self.renderer.AddActor(self._marker_actor())

    @property
    def has_surface(self) -> bool:
        return self._mesh is not None

    def _actor(self, mesh):
        mapper = vtk.vtkPolyDataMapper()
        mapper.SetInputData(mesh)
        actor = vtk.vtkActor()
        actor.SetMapper(mapper)
        actor.GetProperty().SetSpecular(0.2)
        return actor

    def _marker_actor(self):
        mapper = vtk.vtkPolyDataMapper()
        mapper.SetInputConnection(self._marker.GetOutputPort())
        actor = vtk.vtkActor()
        actor.SetMapper(mapper)
        actor.GetProperty().SetColor(0.25, 1.0, 0.45)
        return actor

    def colour(self, kind: str) -> None:
        """Colours the surface; grey where the quantity is not there."""
        if self._mesh is None or self._nearest is None:
            return
        rgb = colours_of(kind, self.values[kind][self._nearest])
        array = numpy_to_vtk(np.ascontiguousarray(rgb), deep=True)
        array.SetName("colour")
        self._mesh.GetPointData().SetScalars(array)
        self._mesh.Modified()

    def mark(self, position_mm) -> None:
        """Moves the marker."""
        self._marker.SetCenter(*map(float, position_mm))

    def _look_at_the_front(self) -> None:
        """From the patient's left front, head up: the usual view of the left coronary tree."""
        camera = self.renderer.GetActiveCamera()
        camera.SetFocalPoint(0, 0, 0)
        camera.SetPosition(0.5, -1, 0.2)
        camera.SetViewUp(0, 0, 1)
        self.renderer.ResetCamera()
        camera.Zoom(1.4)


def _light(mesh):
    """The surface as it is where a browser without a graphics card can turn it, else with the points in each cube of `CELL_MM` merged."""
    if mesh.GetNumberOfPolys() <= MAX_TRIANGLES:
        return mesh
    merge = vtk.vtkQuadricClustering()
    merge.SetInputData(mesh)
    merge.SetDivisionOrigin(0, 0, 0)
    merge.SetDivisionSpacing(CELL_MM, CELL_MM, CELL_MM)
    merge.Update()
    return merge.GetOutput()


def colours_of(kind: str, values: np.ndarray) -> np.ndarray:
    """(N,) values -> (N, 3) uint8 colours; NaN is grey."""
    low, high = RANGES[kind]
    rgb = colormaps[MAPS[kind]](np.clip((values - low) / (high - low), 0, 1))[:, :3]
    rgb[np.isnan(values)] = 0.6
    return (rgb * 255).astype(np.uint8)


def scale_marks(kind: str) -> dict:
    """The colour scale for the page: CSS gradient from top to bottom, and [percent from the top, text] of each mark."""
    low, high = RANGES[kind]
    steps = colours_of(kind, np.linspace(high, low, 9))
    css = ", ".join(f"rgb({red} {green} {blue})" for red, green, blue in steps)
    return {"css": f"linear-gradient({css})", "marks": [[100 * (high - mark) / (high - low), FORMATS[kind].format(mark)] for mark in MARKS[kind]]}


def tree_values(tree: CoronaryTree, per_branch: dict[str, list[np.ndarray]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Centerline places and, per kind, the values there, from one array per branch."""
    places = np.vstack([branch.points_mm for branch in tree]) if len(tree) else np.zeros((0, 3))
    return places, {kind: np.concatenate(arrays) if arrays else np.zeros(0) for kind, arrays in per_branch.items()}
