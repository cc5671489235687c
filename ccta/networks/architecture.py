"""The heart network: a U-Net over the chest at 2 mm that names every voxel's place (PLACES), with and without contrast."""

from __future__ import annotations

import numpy as np
import torch
from monai.networks.nets.dynunet import DynUNet
from torch import nn

from ccta.tissues import PLACES

CHANNELS = (32, 64, 96, 128)
"""At 4, 8, 16 and 32 mm. Nothing is computed at 2 mm, where a layer costs eight times as much, but the first and the last, strided by two."""
NARROW_HU, WIDE_HU = 160.0, 1000.0  # soft tissue, and everything from lung to metal


def heart_network() -> nn.Module:
    """(B, 2, ni, nj, nk) of `network_input` -> (B, classes, ni, nj, nk) logits of PLACES. Axes are multiples of 16 (nnU-Net: Isensee et al. 2021)."""
    count, norm = len(CHANNELS), ("group", {"num_groups": 8})
    body = DynUNet(3, 2, CHANNELS[0], [3] * count, [2] * count, [2] * (count - 1), filters=list(CHANNELS), norm_name=norm)
    network = nn.Sequential(body, nn.ConvTranspose3d(CHANNELS[0], max(PLACES.values()) + 1, 2, 2))
    return network.to(memory_format=torch.channels_last_3d)


def network_input(hu: np.ndarray) -> torch.Tensor:
    """(..., ni, nj, nk) HU -> (..., 2, ni, nj, nk): a narrow window that shows blood, muscle and fat, and a wide one."""
    hu = torch.as_tensor(np.ascontiguousarray(hu, np.float32))
    return torch.stack([(hu / NARROW_HU).clamp(-1, 1), (hu / WIDE_HU).clamp(-1, 1)], dim=-4)
