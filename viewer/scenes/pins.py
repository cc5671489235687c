"""Two small balls on the 3-D tree: the places of an FFR drop."""

from __future__ import annotations

import vtk

COLOUR = (1.0, 0.89, 0.48)
RADIUS_MM = 2.4


class Pins:
    """At most two places, drawn in a scene's renderer; hidden where there are none."""

    def __init__(self, renderer):
        self._places: list[tuple] = []
        self._balls = [self._ball(renderer) for _ in range(2)]

    def show(self, places_mm) -> bool:
        """Moves the balls; True where something changed."""
        places = [tuple(map(float, place)) for place in places_mm][:2]
        if places == self._places:
            return False
        self._places = places
        for k, (source, actor) in enumerate(self._balls):
            actor.SetVisibility(k < len(places))
            if k < len(places):
                source.SetCenter(*places[k])
        return True

    @staticmethod
    def _ball(renderer):
        source, mapper, actor = vtk.vtkSphereSource(), vtk.vtkPolyDataMapper(), vtk.vtkActor()
        source.SetRadius(RADIUS_MM)
        mapper.SetInputConnection(source.GetOutputPort())
        actor.SetMapper(mapper)
        actor.GetProperty().SetColor(*COLOUR)
        actor.SetVisibility(False)
        renderer.AddActor(actor)
        return source, actor
