"""The heart network on one image: the place of every voxel of a CT of the heart or chest, with or without contrast."""

from __future__ import annotations

import numpy as np

from ccta.coordinates import resampled, upright
from ccta.model import Volume
from ccta.networks.cleaning import cleaned
from ccta.networks.shipped import loaded
from ccta.networks.windows import GRID_MM, Network, probabilities
from ccta.tissues import PLACES, PlaceMap


def predict_places(volume: Volume, network: Network | None = None) -> PlaceMap:
    """volume: HU, any axes along the body's. network: the shipped one unless given. The map lies on a grid of `GRID_MM` over the same field of view."""
    grid = resampled(upright(volume), GRID_MM)
    found = probabilities(grid.array, network or loaded())
    if len(found) == 1:  # nothing but air and lung
        found = np.concatenate([found, np.zeros((max(PLACES.values()), *found.shape[1:]), found.dtype)])
    return cleaned(PlaceMap(found.astype(np.float16), grid.affine))
