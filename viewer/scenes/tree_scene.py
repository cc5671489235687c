"""The coronary tree in 3-D, coloured by FFR, diameter or stenosis, with a marker at the cross-hair. Sent to the browser as geometry: no GPU on the server."""

from __future__ import annotations

import numpy as np
import vtk
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from scipy.spatial import cKDTree
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ccta.model import CoronaryTree, Surface
from ccta.polydata import surface_polydata

RANGES = {"FFR": (0.5, 1.0), "diameter": (1.0, 4.5), "stenosis": (0.0, 100.0), "burden": (0.0, 80.0)}
"""Ends of the colour scale: FFR, lumen diameter in mm, diameter stenosis and plaque burden in percent."""

MAPS = {"diameter": "cividis", "stenosis": "plasma", "burden": "viridis"}
"""Lightness alone orders each, as a colour-blind reader or a grey print sees them: lighter is wider, or worse."""

FFR_COLOURS = ((0.50, "#b2182b"), (0.75, "#fdae61"), (0.75, "#d9d9d9"), (0.80, "#d9d9d9"), (0.80, "#abd9e9"), (1.00, "#2166ac"))
"""Red to orange is positive, blue negative (ColorBrewer's hues that colour-blind readers tell apart); what is between is the grey zone and is grey."""
DARKEST = 0.15
"""Share of these maps that is left out, because it could not be seen on the dark page."""
UNKNOWN = 0.35
"""Of what was not measured: a grey far darker than the grey zone's."""

MARKS = {"FFR": (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0), "diameter": (1.0, 2.0, 3.0, 4.0), "stenosis": (0, 25, 50, 70, 100), "burden": (0, 20, 40, 60, 80)}
FORMATS = {"FFR": "{:.2f}", "diameter": "{:.0f} mm", "stenosis": "{:.0f} %", "burden": "{:.0f} %"}


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
        self._mapper, self._surface, self._mesh = vtk.vtkPolyDataMapper(), None, None
        self.show(surface, places_mm, values)
        self._marker = vtk.vtkSphereSource()
        self._marker.SetRadius(1.7)
        self._marker.SetThetaResolution(16)
        self._marker.SetPhiResolution(16)
        if self._mesh is not None:
            self.renderer.AddActor(self._actor())
            self._look_at_the_front()
        self.renderer.AddActor(self._marker_actor())

    def show(self, surface: Surface | None, places_mm: np.ndarray, values: dict[str, np.ndarray]) -> None:
        """Another surface of the same patient, or other values on it; the camera stays."""
        self.values = values
        if surface is not self._surface:
            self._surface, self._mesh = surface, _light(surface_polydata(surface))
            self._mapper.SetInputData(self._mesh)
        self._nearest = cKDTree(places_mm).query(vtk_to_numpy(self._mesh.GetPoints().GetData()))[1] if self._mesh is not None and len(places_mm) else None

    @property
    def mesh(self):
        """The coloured surface, vtkPolyData; None without one."""
        return self._mesh

    @property
    def has_surface(self) -> bool:
        return self._mesh is not None

    def _actor(self):
        actor = vtk.vtkActor()
        actor.SetMapper(self._mapper)
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
    merge = vtk.vtkBinnedDecimation()  # vtkQuadricClustering takes a gigabyte for the same cubes
    merge.SetInputData(mesh)
    merge.AutoAdjustNumberOfDivisionsOff()
    merge.SetDivisionOrigin(0, 0, 0)
    merge.SetDivisionSpacing(CELL_MM, CELL_MM, CELL_MM)
    merge.SetPointGenerationModeToBinAverages()
    merge.Update()
    return merge.GetOutput()


def colours_of(kind: str, values: np.ndarray) -> np.ndarray:
    """(N,) values -> (N, 3) uint8 colours; NaN is dark grey."""
    low, high = RANGES[kind]
    if kind == "FFR":
        at, colours = [value for value, _ in FFR_COLOURS], np.array([to_rgb(name) for _, name in FFR_COLOURS])
        right = np.searchsorted(at, np.clip(values, low, high), side="left").clip(1, len(at) - 1)
        width = np.maximum(np.diff(at)[right - 1], 1e-9)
        share = np.clip((np.clip(values, low, high) - np.array(at)[right - 1]) / width, 0, 1)[:, None]
        rgb = (1 - share) * colours[right - 1] + share * colours[right]
    else:
        rgb = colormaps[MAPS[kind]](DARKEST + (1 - DARKEST) * np.clip((values - low) / (high - low), 0, 1))[:, :3]
    rgb[np.isnan(values)] = UNKNOWN
    return (rgb * 255).astype(np.uint8)


def scale_marks(kind: str) -> dict:
    """The colour scale for the page: CSS gradient from top to bottom, [percent from the top, text] of each mark, and from-to of the grey zone."""
    low, high = RANGES[kind]
    down = lambda value: 100 * (high - value) / (high - low)  # noqa: E731
    steps = np.linspace(high, low, 101)
    css = ", ".join(f"rgb({r} {g} {b}) {down(value):.0f}%" for value, (r, g, b) in zip(steps, colours_of(kind, steps), strict=True))
    zone = [down(0.80), down(0.75)] if kind == "FFR" else None
    return {"css": f"linear-gradient({css})", "marks": [[down(mark), FORMATS[kind].format(mark)] for mark in MARKS[kind]], "zone": zone}


def tree_values(tree: CoronaryTree, per_branch: dict[str, list[np.ndarray]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Centerline places and, per kind, the values there, from one array per branch."""
    places = np.vstack([branch.points_mm for branch in tree]) if len(tree) else np.zeros((0, 3))
    return places, {kind: np.concatenate(arrays) if arrays else np.zeros(0) for kind, arrays in per_branch.items()}
