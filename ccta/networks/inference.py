"""The heart network on one image: the place of every voxel of a CT of the heart or chest, with or without contrast."""

from __future__ import annotations

import numpy as np
import torch
from monai.inferers import sliding_window_inference

from ccta.coordinates import resampled, upright
from ccta.model import Volume
from ccta.networks.architecture import network_input
from ccta.networks.published import loaded
from ccta.networks.synthesis import GRID_MM, PATCH
from ccta.tissues import PlaceMap

OVERLAP = 0.4  # of neighbouring windows, weighted to their middles


def predict_places(volume: Volume, network: torch.nn.Module | None = None) -> PlaceMap:
    """volume: HU, any axes along the body's. network: the shipped one unless given. The map lies on a grid of `GRID_MM` over the same field of view."""
    grid = resampled(upright(volume), GRID_MM)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = (network or loaded()).to(device)
    with torch.inference_mode():
        logits = sliding_window_inference(
            network_input(grid.array)[None],
            PATCH,
            1,
            network,
            overlap=OVERLAP,
            mode="gaussian",
            padding_mode="constant",
            cval=-1.0,
            device="cpu",
            sw_device=device,
        )
    return PlaceMap(torch.softmax(logits[0], dim=0).numpy().astype(np.float16), grid.affine)
