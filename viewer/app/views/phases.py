"""Another phase of the heart beat beside the one that was analysed: its slices through the same place, and each phase small enough to play them all."""

from __future__ import annotations

import functools
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from ccta.case import Case
from ccta.model import Volume
from ccta.phases import ITEM
from viewer.app.pictures import grey_slice, jpeg
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.views.oblique import plane_of
from viewer.app.words import NotPossible

TWINS = ("axial", "coronal")
"""Slices that are shown twice, the analysed phase left."""
MOST_SMALL = 24
"""Phases at half the resolution that are kept: an eighth of the image's memory each."""


def on_phase(state: ReadingState, study: Study, index: int) -> None:
    """The phase that is compared, by its number; below 0: none. NotPossible where the case holds no phases."""
    if study.phases is None and int(index) >= 0:
        raise NotPossible("no_phases")
    state.views = replace(state.views, phase=min(int(index), len(study.phases) - 1) if int(index) >= 0 else -1)


def next_phase(state: ReadingState, study: Study) -> int:
    """The one after the compared phase, round and round. NotPossible where the case holds no phases."""
    if study.phases is None:
        raise NotPossible("no_phases")
    return (state.views.phase + 1) % len(study.phases)


def phase_image(study: Study, index: int, small: bool) -> Volume:
    """The image of a phase, whole or at half the resolution; read when it is first asked for (a second)."""
    made_ns = Case(study.root).path(ITEM, study.phases.files[index]).stat().st_mtime_ns
    return (_small if small else _whole)(study.root, study.phases.files[index], made_ns)


@functools.lru_cache(maxsize=1)  # as large as the image itself
def _whole(root: Path, file: str, made_ns: int) -> Volume:
    return Case(root).read_volume(ITEM, file=file)


@functools.lru_cache(maxsize=MOST_SMALL)
def _small(root: Path, file: str, made_ns: int) -> Volume:
    return halved(Case(root).read_volume(ITEM, file=file))


def halved(volume: Volume) -> Volume:
    """The mean of every eight voxels; an odd last layer is left out, a single one kept."""
    step = [2 if count > 1 else 1 for count in volume.array.shape]
    ends = [count // size * size for count, size in zip(volume.array.shape, step, strict=True)]
    total = sum(
        volume.array[tuple(slice(a, end, size) for a, end, size in zip(start, ends, step, strict=True))].astype(np.int32)
        for start in product(*map(range, step))
    )
    turn = np.diag([*step, 1.0])
    turn[:3, 3] = (np.array(step) - 1) / 2
    return Volume((total // np.prod(step)).astype(volume.array.dtype), volume.affine @ turn, volume.frame_of_reference_uid)


def twin_picture(study: Study, state: ReadingState, name: str, playing: bool) -> str:
    """A slice through the same place of the compared phase; "" where none is compared."""
    if state.views.phase < 0 or study.phases is None:
        return ""
    return jpeg(grey_slice(phase_image(study, state.views.phase, playing), state, plane_of(state, study, name), moving=playing))
