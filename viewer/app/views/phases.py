"""Another phase of the heart beat beside the one that was analysed: its slices through the same place, and each phase small enough to play them all."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

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
    """The image of a phase, whole or at half the resolution; read when it is first asked for (a whole one takes a second). The whole one is let go for a
    small one: phases are being played."""
    file = study.phases.file(index, small)
    made_ns = Case(study.root).path(ITEM, file).stat().st_mtime_ns
    if small:
        _whole.cache_clear()
    return (_small if small else _whole)(study.root, file, made_ns)


def _read(root: Path, file: str, made_ns: int) -> Volume:
    return Case(root).read_volume(ITEM, file=file)


_whole, _small = functools.lru_cache(maxsize=1)(_read), functools.lru_cache(maxsize=MOST_SMALL)(_read)
"""A whole image is as large as the case's own."""


def twin_picture(study: Study, state: ReadingState, name: str, playing: bool) -> str:
    """A slice through the same place of the compared phase; "" where none is compared."""
    if state.views.phase < 0 or study.phases is None:
        return ""
    return jpeg(grey_slice(phase_image(study, state.views.phase, playing), state, plane_of(state, study, name), moving=playing))
