"""A bundle's network run by torch: on a GPU in bfloat16, which is what it was trained in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ccta.errors import BadInput
from ccta.networks.bundle import metadata_of
from ccta.networks.published import PRODUCTS, trainable
from ccta.networks.windows import Network


def torch_network(bundle: Path, device: str) -> Network:
    """device: "cuda" or "cpu", as torch names them. Raises as `checked`, and BadInput where the bundle is of no network that this version knows."""
    title = metadata_of(bundle).get("name")
    name = next((name for name, product in PRODUCTS.items() if product.about.title == title), None)
    if name is None:
        raise BadInput(f'the weights {bundle} are of "{title}", which this version does not know; take the version that made them')
    network = trainable(bundle, name).eval().to(device, memory_format=torch.channels_last_3d)

    @torch.inference_mode()
    def answer(image: np.ndarray) -> np.ndarray:
        given = torch.from_numpy(image).to(device, memory_format=torch.channels_last_3d)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            return network(given).float().cpu().numpy()

    return answer
