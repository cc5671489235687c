"""The image in 3-D as a picture drawn on the server without a graphics card: what a preset keeps of it, the coloured tree, and the marker.

vtkSmartVolumeMapper would take the graphics path on software rendering (seconds a picture); the fixed-point ray caster on half the resolution is quick, and
coarser while it turns (`TURNING`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

PIXELS = 420
TURNING, STILL = 3.0, 1.0
"""Pixels of the picture per ray."""
TURNING_HZ, STILL_HZ = 15.0, 1.0
"""Desired update rates."""
OPAQUE = 0.5
"""A click goes to the first place of its ray behind which less than this share of the light comes through."""
RAY_MM = 0.4

LOOKS = {
    "heart": ((60, 0.0), (130, 0.02), (190, 0.06), (260, 0.35), (420, 0.8), (900, 0.95)),
    "vessels": ((80, 0.0), (160, 0.15), (250, 0.6), (450, 0.9), (900, 1.0)),
}
"""(HU, opacity per millimetre); the other presets look as `heart` does."""
COLOURS = ((-100, 0.35, 0.12, 0.08), (110, 0.62, 0.20, 0.14), (220, 0.86, 0.45, 0.30), (360, 0.98, 0.80, 0.60), (650, 1.0, 0.97, 0.92), (1200, 1.0, 1.0, 1.0))


@dataclass(frozen=True, eq=False)
class Box:
    """hu: (nk, nj, ni) int16 along head, back and left. corner_mm: (3,) LPS of the first voxel's centre. spacing_mm: (3,) to the left, back and head."""

    hu: np.ndarray
    corner_mm: np.ndarray
    spacing_mm: np.ndarray


class VolumeScene:
    """A render window of its own, off the screen."""

    def __init__(self):
        self.renderer, self.window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.SetSize(PIXELS, PIXELS)
        self.window.AddRenderer(self.renderer)
        self.renderer.SetBackground(0.035, 0.04, 0.05)
        self._mapper = vtk.vtkFixedPointVolumeRayCastMapper()
        self._mapper.LockSampleDistanceToInputSpacingOff()
        self._mapper.AutoAdjustSampleDistancesOff()
        self._volume = vtk.vtkVolume()
        self._volume.SetMapper(self._mapper)
        self._tree, self._marker, self._ball = vtk.vtkActor(), vtk.vtkActor(), vtk.vtkSphereSource()
        self._ball.SetRadius(1.7)
        surface = vtk.vtkPolyDataMapper()
        surface.SetInputConnection(self._ball.GetOutputPort())
        self._marker.SetMapper(surface)
        self._marker.GetProperty().SetColor(0.36, 0.95, 0.60)
        self._tree.SetMapper(vtk.vtkPolyDataMapper())
        self._box, self._look = None, LOOKS["heart"]
        self.renderer.AddActor(self._marker)

    @property
    def works(self) -> bool:
        """False on a machine without the libraries that draw (libEGL)."""
        return bool(self.window.SupportsOpenGL())

    def show(self, box: Box, preset: str, mesh, scene: str) -> None:
        """What is drawn: the image as a preset shows it, the coloured tree, or both. mesh: vtkPolyData or None."""
        self._tree.GetMapper().SetInputData(mesh if mesh is not None else vtk.vtkPolyData())
        self.renderer.RemoveActor(self._tree)
        if scene == "both" and mesh is not None:
            self.renderer.AddActor(self._tree)
        if box is self._box:
            return
        first, self._box, self._look = self._box is None, box, LOOKS.get(preset, LOOKS["heart"])
        self._mapper.SetInputData(_image(box))
        self._volume.SetProperty(_property(self._look))
        self.renderer.AddVolume(self._volume)
        if first:
            self._look_at_the_front()

    def mark(self, position_mm) -> None:
        self._ball.SetCenter(*map(float, position_mm))

    def turn(self, right: float, down: float) -> None:
        """The camera goes about the heart, degrees."""
        camera = self.renderer.GetActiveCamera()
        camera.Azimuth(-right)
        camera.Elevation(np.clip(down, -80, 80))
        camera.OrthogonalizeViewUp()
        self.renderer.ResetCameraClippingRange()

    def zoom(self, factor: float) -> None:
        self.renderer.GetActiveCamera().Zoom(factor)

    def picture(self, turning: bool = False) -> np.ndarray:
        """(PIXELS, PIXELS, 3) uint8."""
        finest = float(self._box.spacing_mm.min())
        self._mapper.SetImageSampleDistance(TURNING if turning else STILL)
        self._mapper.SetSampleDistance(finest * (1.5 if turning else 0.75))
        self.window.SetDesiredUpdateRate(TURNING_HZ if turning else STILL_HZ)
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()
        grab.Update()
        pixels = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
        return np.ascontiguousarray(pixels.reshape(PIXELS, PIXELS, -1)[::-1, :, :3])

    def ray(self, x: float, y: float) -> tuple[np.ndarray, np.ndarray]:
        """Start and end, patient mm, of what lies behind a place of the picture (fractions)."""
        ends = []
        for depth in (0.0, 1.0):
            self.renderer.SetDisplayPoint(x * PIXELS, (1 - y) * PIXELS, depth)
            self.renderer.DisplayToWorld()
            world = np.array(self.renderer.GetWorldPoint())
            ends.append(world[:3] / world[3])
        return ends[0], ends[1]

    def place(self, x: float, y: float) -> np.ndarray | None:
        """(3,) patient position that is seen at a place of the picture (fractions); None beside everything."""
        start, end = self.ray(x, y)
        if self.renderer.HasViewProp(self._tree):
            picker = vtk.vtkCellPicker()
            picker.PickFromListOn()
            picker.AddPickList(self._tree)
            if picker.Pick(x * PIXELS, (1 - y) * PIXELS, 0.0, self.renderer):
                return np.array(picker.GetPickPosition())
        return first_seen(self._box, self._look, start, end)

    def _look_at_the_front(self) -> None:
        """From the patient's left front, head up."""
        camera = self.renderer.GetActiveCamera()
        camera.SetFocalPoint(0, 0, 0)
        camera.SetPosition(0.5, -1, 0.2)
        camera.SetViewUp(0, 0, 1)
        self.renderer.ResetCamera(self._volume.GetBounds())
        camera.Zoom(1.6)


def first_seen(box: Box, look, start_mm: np.ndarray, end_mm: np.ndarray) -> np.ndarray | None:
    """(3,) the first place of a ray behind which less than `OPAQUE` of the light comes through; None where the ray meets too little."""
    length_mm = float(np.linalg.norm(end_mm - start_mm))
    along = np.arange(0, length_mm, RAY_MM)
    places = start_mm + along[:, None] / length_mm * (end_mm - start_mm)
    index = np.round((places - box.corner_mm) / box.spacing_mm).astype(int)[:, ::-1]
    inside = ((index >= 0) & (index < box.hu.shape)).all(axis=1)
    opacity = np.zeros(len(along))
    opacity[inside] = np.interp(box.hu[tuple(index[inside].T)], *zip(*look, strict=True))
    hidden = 1 - np.cumprod((1 - opacity) ** RAY_MM)
    return places[int(np.argmax(hidden >= OPAQUE))] if hidden[-1] >= OPAQUE else None


def _image(box: Box):
    """vtkImageData of a box."""
    image = vtk.vtkImageData()
    image.SetDimensions(*box.hu.shape[::-1])
    image.SetSpacing(*map(float, box.spacing_mm))
    image.SetOrigin(*map(float, box.corner_mm))
    image.GetPointData().SetScalars(numpy_to_vtk(box.hu.reshape(-1), deep=False))
    return image


def _property(look):
    """Opacity, colour and shading."""
    opacity, colour, made = vtk.vtkPiecewiseFunction(), vtk.vtkColorTransferFunction(), vtk.vtkVolumeProperty()
    for hu, share in look:
        opacity.AddPoint(hu, share)
    for hu, *rgb in COLOURS:
        colour.AddRGBPoint(hu, *rgb)
    made.SetScalarOpacity(opacity)
    made.SetScalarOpacityUnitDistance(1.0)
    made.SetColor(colour)
    made.SetInterpolationTypeToLinear()
    made.ShadeOn()
    made.SetAmbient(0.25)
    made.SetDiffuse(0.75)
    made.SetSpecular(0.15)
    return made
