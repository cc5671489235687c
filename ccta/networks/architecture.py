"""The networks: one U-Net that names every voxel of the chest at 2 mm, with and without contrast, and one for coronary lumen and calcium at 0.5 mm."""

from __future__ import annotations

import torch
from monai.networks.nets.dynunet import DynUNet
from torch import nn

from ccta.tissues import PLACES

CHANNELS = (32, 64, 96, 128)
"""At 2, 4, 8 and 16 voxels. In full resolution, where a layer costs eight times as much, is nothing but the first and the last layer, strided by two."""
FINE = 8  # channels of the coronary network in full resolution


def heart_network() -> nn.Module:
    """(B, 2, ni, nj, nk) of `network_input` -> (B, classes, ni, nj, nk) logits of PLACES. Axes are multiples of 16 (nnU-Net: Isensee et al. 2021)."""
    network = nn.Sequential(_body(), nn.ConvTranspose3d(CHANNELS[0], max(PLACES.values()) + 1, 2, 2))
    return network.to(memory_format=torch.channels_last_3d)


def coronary_network() -> nn.Module:
    """(B, 2, ni, nj, nk) of `coronary_input` -> (B, 3, ni, nj, nk) logits: background and CORONARY_LABELS. Axes are multiples of 16."""
    return CoronaryNetwork().to(memory_format=torch.channels_last_3d)


class CoronaryNetwork(nn.Module):
    """The same body, and a last layer that sees the image itself: a 1 mm artery's edge lies within one step of the body's finest grid."""

    def __init__(self):
        super().__init__()
        self.body = _body()
        self.up = nn.ConvTranspose3d(CHANNELS[0], FINE, 2, 2)
        self.head = nn.Sequential(nn.Conv3d(FINE + 2, FINE, 3, padding=1), nn.LeakyReLU(0.01), nn.Conv3d(FINE, 3, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.up(self.body(image)), image], dim=1))


def _body() -> nn.Module:
    """(B, 2, ni, nj, nk) -> (B, CHANNELS[0], ni / 2, nj / 2, nk / 2)."""
    count, norm = len(CHANNELS), ("group", {"num_groups": 8})
    return DynUNet(3, 2, CHANNELS[0], [3] * count, [2] * count, [2] * (count - 1), filters=list(CHANNELS), norm_name=norm)
