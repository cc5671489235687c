"""How large the elements should be: a fraction of the local calibre that changes gently along the tree."""

import numpy as np
from scipy.spatial import cKDTree

from ccta.curves import resampled_curve
from ccta.model import CoronaryTree, arc_length_mm


def element_size_mm(points_mm: np.ndarray, tree: CoronaryTree, settings) -> np.ndarray:
    """(N,) wanted edge length at surface points, mm: that of the nearest centerline point. settings: cfd.mesh.MeshSettings."""
    centers_mm, diameter_mm = centerline_diameters_mm(tree)
    size_mm = np.clip(diameter_mm / settings.elements_per_diameter, settings.smallest_mm, settings.largest_mm)
    size_mm = gently_growing(centers_mm, size_mm, settings.growth)
    _, nearest = cKDTree(centers_mm).query(points_mm)
    return size_mm[nearest]


def centerline_diameters_mm(tree: CoronaryTree, step_mm: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """((K, 3), (K,)) points along all branches at about `step_mm` and the lumen's diameter there, mm.

    A branch's first points inside its parent carry the branch's own calibre: the junction is meshed for the smaller of the two.
    """
    centers, diameters = [], []
    for branch in tree:
        points_mm = resampled_curve(branch.points_mm, step_mm)
        wanted = np.linspace(0, branch.length_mm, len(points_mm))
        centers.append(points_mm)
        diameters.append(2 * np.interp(wanted, arc_length_mm(branch.points_mm), branch.radius_mm))
    return np.vstack(centers), np.concatenate(diameters)


def gently_growing(centers_mm: np.ndarray, size_mm: np.ndarray, growth: float) -> np.ndarray:
    """(K,) the largest sizes below `size_mm` that change by at most `growth` per distance: h_i = min_j (h_j + growth |x_i - x_j|)."""
    limited = size_mm.copy()
    for start in range(0, len(size_mm), 512):
        block = slice(start, start + 512)
        distance = np.linalg.norm(centers_mm[block, None] - centers_mm[None], axis=2)
        limited[block] = np.min(size_mm[None] + growth * distance, axis=1)
    return limited
