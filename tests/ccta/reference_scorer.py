"""Agatston scoring in plain Python, written from Agatston 1990 without the code under test: contours by ray casting, areas by flood fill."""

from collections import deque

import numpy as np


def inside_polygon(x: float, y: float, corners: list[tuple[float, float]]) -> bool:
    """Even-odd rule: a ray to the right crosses the outline an odd number of times."""
    odd = False
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            odd = not odd
    return odd


def reference_agatston(hu, inside, spacing, threshold=130.0):
    """Flood fill in pure Python, written from Agatston 1990 without the code under test."""
    total, seen = 0.0, np.zeros(hu.shape, bool)
    for start in zip(*np.nonzero(inside & (hu >= threshold)), strict=True):
        if seen[start]:
            continue
        queue, members = deque([start]), []
        seen[start] = True
        while queue:
            i, j, k = queue.popleft()
            members.append((i, j, k))
            for a in (i - 1, i, i + 1):
                for b in (j - 1, j, j + 1):
                    if 0 <= a < hu.shape[0] and 0 <= b < hu.shape[1] and not seen[a, b, k] and inside[a, b, k] and hu[a, b, k] >= threshold:
                        seen[a, b, k] = True
                        queue.append((a, b, k))
        area = len(members) * spacing[0] * spacing[1]
        if area >= 1.0 - 1e-9:  # round-off of pixel areas such as 0.3 x 0.3333 mm
            peak = max(hu[m] for m in members) * 130.0 / threshold
            total += area * (4 if peak >= 400 else 3 if peak >= 300 else 2 if peak >= 200 else 1) * spacing[2] / 3.0
    return total
