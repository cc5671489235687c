"""What the coronary network sees: HU on a grid of `STEP_MM`, relative to the aorta's blood and absolute. numpy only."""

from __future__ import annotations

import numpy as np

STEP_MM = 0.5
CORONARY_PATCH = (64, 64, 64)
WIDE_HU = 1000.0


def coronary_input(hu: np.ndarray, blood_hu: float) -> np.ndarray:
    """(..., ni, nj, nk) HU -> (..., 2, ni, nj, nk) float32. blood_hu: level of the aorta; an artery is about 1 in the first channel at any enhancement."""
    hu = np.asarray(hu, np.float32)
    return np.stack([np.clip(hu / blood_hu, -0.5, 2), np.clip(hu / WIDE_HU, -1, 2)], axis=-4)
