"""Where in the patient the findings of a case are, as the SR says it: lumen outlines, points of the tree, and the outlines of calcium, slice by slice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours

from ccta.case import Case
from ccta.coordinates import to_patient_mm
from ccta.findings import Findings
from ccta.model import CoronaryTree, CrossSections, Volume
from ccta.source_series import SourceSeries

INSIDE = 0.5  # between a pixel of the lesion (1) and one beside it (0): the outline runs midway


@dataclass(frozen=True, eq=False)
class Places:
    """In patient mm. throats: index of a stenosis -> (N, 3) lumen outline at its narrowest. segments: SCCT id -> (3,) a point of it.

    calcium: number of a lesion -> its outlines, (N, 3) each, closed, in planes of the series that was scored, which is calcium_source.
    """

    throats: Mapping[int, np.ndarray] = field(default_factory=dict)
    segments: Mapping[int, np.ndarray] = field(default_factory=dict)
    calcium: Mapping[int, list[np.ndarray]] = field(default_factory=dict)
    calcium_source: SourceSeries | None = None

    def digest(self) -> str:
        """A hash of all coordinates, to a thousandth of a mm."""
        told = hashlib.sha256()
        for kind in (self.throats, self.segments, self.calcium):
            for key, value in sorted(kind.items()):
                told.update(f"{key}:".encode())
                for points in value if isinstance(value, list) else [value]:
                    told.update(np.round(points, 3).astype("<f8").tobytes())
        return told.hexdigest()


def places_of(case: Case, findings: Findings) -> Places:
    """Of everything that the case knows a place of."""
    throats = outlines(findings, case.read_sections()) if case.path("contours").exists() else {}
    segments = segment_points(case.read_tree()) if case.path("tree").exists() else {}
    scored = findings.calcium and case.path("calcium_source").exists() and case.path("calcium_labels").exists()
    if not scored:
        return Places(throats, segments)
    wanted = {lesion.id for lesion in findings.calcium.lesions}
    return Places(throats, segments, label_outlines(case.read_volume("calcium_labels"), wanted), case.read_source("calcium_source"))


def outlines(findings: Findings, sections: list[CrossSections]) -> dict[int, np.ndarray]:
    """Index of a stenosis -> (N, 3) lumen contour of the plane next to its minimal lumen, mm."""
    found = {}
    for index, one in enumerate(findings.stenoses or ()):
        own = next((s for s in sections if s.branch == one.branch and len(s)), None)
        if own is not None:
            plane = int(np.abs(own.distance_mm - one.position_mm).argmin())
            angle = 2 * np.pi * np.arange(own.lumen_radius_mm.shape[1]) / own.lumen_radius_mm.shape[1]
            ring = np.cos(angle)[:, None] * own.axis_u[plane] + np.sin(angle)[:, None] * own.axis_v[plane]
            found[index] = own.center_mm[plane] + own.lumen_radius_mm[plane][:, None] * ring
    return found


def segment_points(tree: CoronaryTree) -> dict[int, np.ndarray]:
    """SCCT id -> (3,) the middle of its longest run of centerline, mm."""
    longest: dict[int, tuple[int, np.ndarray]] = {}
    for branch in tree:
        borders = np.flatnonzero(np.diff(branch.segment)) + 1
        for run in np.split(np.arange(len(branch.segment)), borders):
            segment = int(branch.segment[run[0]])
            if segment > 0 and len(run) > longest.get(segment, (0, None))[0]:
                longest[segment] = len(run), branch.points_mm[run[len(run) // 2]]
    return {segment: point for segment, (_, point) in longest.items()}


def label_outlines(labels: Volume, wanted: set[int]) -> dict[int, list[np.ndarray]]:
    """Label -> its closed outlines (N, 3), mm, midway between its pixels and their neighbours: filled again, they hold just these pixels.

    Pixels that touch by a corner are within one outline. A hole is left out: it is no outline.
    """
    found: dict[int, list[np.ndarray]] = {}
    for label, box in enumerate(ndimage.find_objects(labels.array), 1):
        if label not in wanted or box is None:
            continue
        inside, (i, j, k) = np.pad(labels.array[box] == label, ((1, 1), (1, 1), (0, 0))), (part.start for part in box)
        for slice_ in range(inside.shape[2]):
            for line in find_contours(inside[:, :, slice_].astype(np.uint8), INSIDE, fully_connected="high"):
                if _turns(line) < 0:  # a hole turns the other way
                    index = np.column_stack([np.add(line, (i - 1, j - 1)), np.full(len(line), k + slice_)])
                    found.setdefault(label, []).append(to_patient_mm(index, labels.affine))
    return found


def _turns(line: np.ndarray) -> float:
    """Twice the signed area of a closed line (N, 2)."""
    return float((line[:-1, 0] * line[1:, 1] - line[1:, 0] * line[:-1, 1]).sum())
