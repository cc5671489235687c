"""How the views look at the place: slab, orientation, overlays, kind of reformat and of 3-D picture. Neither trame nor vtk."""

from __future__ import annotations

from dataclasses import dataclass

SLABS = ("thin", "mip", "mean", "minip")
MAX_SLAB_MM = 30.0
NETWORK = ("off", "probability", "uncertainty")
"""Maps of the artery network over slices and reformats."""
SCENES = ("tree", "volume", "both")
PRESETS = ("heart", "vessels", "boneless", "all")
"""What of the image the volume rendering shows. The names are keys of `viewer.app.words` with `preset_` before."""

Direction = tuple[float, float, float]
Axes = tuple[Direction, Direction]

UPRIGHT = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}
"""Patient directions (LPS) to the right and downwards in each slice, as radiologists hang them."""


@dataclass(frozen=True)
class ViewState:
    """slab, thickness_mm: of the slices. axes: (right, down) of the three slices in the order of `UPRIGHT`, their normals perpendicular to one another.

    along: the slices turn with the artery. curved: stretched instead of straightened reformat. plaque, outlines, network: overlays. phase: number of the one
    that is compared, -1: none.
    """

    slab: str = "thin"
    thickness_mm: float = 5.0
    axes: tuple[Axes, Axes, Axes] = tuple(UPRIGHT.values())
    along: bool = False
    curved: bool = False
    plaque: bool = False
    outlines: bool = True
    network: str = "off"
    scene: str = "tree"
    preset: str = "heart"
    phase: int = -1

    @property
    def oblique(self) -> bool:
        """True where any slice is turned."""
        return self.axes != tuple(UPRIGHT.values())

    def axes_of(self, name: str) -> tuple:
        """(right, down) of one slice."""
        return self.axes[list(UPRIGHT).index(name)]
