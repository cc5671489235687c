"""The heart network: a U-Net over the chest at 2 mm that names every voxel's place (PLACES), with and without contrast."""

from __future__ import annotations

import torch
from monai.networks.nets.dynunet import DynUNet
from torch import nn

from ccta.tissues import PLACES

CHANNELS = (32, 64, 96, 128)
"""At 4, 8, 16 and 32 mm. Nothing is computed at 2 mm, where a layer costs eight times as much, but the first and the last, strided by two."""


def heart_network() -> nn.Module:
    """(B, 2, ni, nj, nk) of `network_input` -> (B, classes, ni, nj, nk) logits of PLACES. Axes are multiples of 16 (nnU-Net: Isensee et al. 2021)."""
    count, norm = len(CHANNELS), ("group", {"num_groups": 8})
    body = DynUNet(3, 2, CHANNELS[0], [3] * count, [2] * count, [2] * (count - 1), filters=list(CHANNELS), norm_name=norm)
    network = nn.Sequential(body, nn.ConvTranspose3d(CHANNELS[0], max(PLACES.values()) + 1, 2, 2))
    return network.to(memory_format=torch.channels_last_3d)
