"""Multiphase studies: the stacks of one acquisition at several phases of the heart beat as a 4-D set, each phase read only when it is asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ccta.model import Volume
from ccta.reading.classify import SeriesInfo
from ccta.reading.dicom_series import affine_of, read_volume
from ccta.reading.upright import upright


@dataclass(frozen=True)
class PhaseSet:
    """Two or more phases on one grid, ascending. unit: "%" of the R-R interval or "ms" after the R wave. Holds headers, no pixels."""

    series: tuple[SeriesInfo, ...]
    phases: tuple[float, ...]
    unit: str

    def __len__(self) -> int:
        return len(self.series)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(columns, rows, slices, phases), from the headers."""
        images = self.series[0].images
        return int(images[0].header.Columns), int(images[0].header.Rows), len(images), len(self)

    @property
    def label(self) -> str:
        return f"{len(self)} phases, {self.phases[0]:g} to {self.phases[-1]:g} {self.unit}"

    def volume(self, index: int) -> Volume:
        """One phase, read now: HU in patient axes. Nothing is kept, so that ten phases need the memory of one."""
        return upright(read_volume(self.series[index].images))[0]

    def __iter__(self) -> Iterator[tuple[float, Volume]]:
        """(phase, volume) of each phase in turn."""
        return ((phase, self.volume(index)) for index, phase in enumerate(self.phases))


def phase_sets(series: Sequence[SeriesInfo]) -> tuple[PhaseSet, ...]:
    """Sound CT stacks of one study, kernel and grid that differ in their phase. A phase that occurs twice leaves its set undecided: none is made."""
    groups = defaultdict(list)
    for one in series:
        if one.images and not one.problem and one.kind in ("ccta", "calcium"):
            groups[_grid_key(one)].append(one)
    found = []
    for members in groups.values():
        for unit, phase_of in (("%", lambda s: s.phase_percent), ("ms", lambda s: s.phase_ms)):
            phases = [phase_of(s) for s in members]
            if len(members) > 1 and None not in phases and len(set(phases)) == len(phases):
                order = np.argsort(phases)
                found.append(PhaseSet(tuple(members[n] for n in order), tuple(float(phases[n]) for n in order), unit))
                break
    return tuple(found)


def _grid_key(series: SeriesInfo) -> tuple:
    """What the phases of one acquisition share: study, frame of reference, kernel, contrast, matrix and place in the patient (to 0.1 mm)."""
    first = series.images[0]
    place = tuple(np.round(affine_of(series.images), 1).ravel() + 0.0)
    return series.study_uid, series.frame_of_reference_uid, series.kernel, series.contrast, first.text("Rows"), first.text("Columns"), series.files, place
