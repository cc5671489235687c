"""Further phases of the heart beat in a case: images of the acquisition that was analysed, for looking at beside it. No stage reads them.

The item `phases` is a folder: two NIfTI per phase, whole and at half the resolution (`-half`, for playing them), and index.json, written last, which says what
there is; without it there is none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from typing import Protocol

import numpy as np
from pydantic import FiniteFloat, ValidationError

from ccta.case import Case
from ccta.errors import BadInput, StorageFailed
from ccta.findings import Value
from ccta.model import Volume

ITEM, INDEX = "phases", "index.json"


class PhaseImages(Protocol):
    """What phases are read from (`ccta.reading.phases.PhaseSet`). unit: "%" of the R-R interval or "ms" after the R wave."""

    phases: tuple[float, ...]
    unit: str

    def volume(self, index: int) -> Volume: ...


class Phases(Value):
    """The phases of a case, ascending. analysed: which of them the case's own image is. files: their names in the folder."""

    unit: str
    phases: list[FiniteFloat]
    analysed: int
    files: list[str]

    def __len__(self) -> int:
        return len(self.phases)

    def file(self, index: int, small: bool) -> str:
        """Of a phase's image, whole or at half the resolution."""
        return self.files[index].replace(".", "-half.", 1) if small else self.files[index]

    def name(self, index: int) -> str:
        """Such as 75 %."""
        return f"{self.phases[index]:g} {self.unit}"


def keep_phases(case: Case, images: PhaseImages, analysed: int, progress: Callable[[str, float], None]) -> Phases:
    """Copies every phase into the case, in the place of those that it held. StorageFailed where there is no room."""
    folder = case.path(ITEM)
    try:
        folder.mkdir(exist_ok=True)
        case.path(ITEM, INDEX).unlink(missing_ok=True)  # first: what is left by a kill names no image that is gone
        for left in folder.iterdir():
            left.unlink()
    except OSError as error:
        raise StorageFailed(f"{folder} cannot be written ({error.strerror}); free some space or choose another place") from error
    kept = Phases(unit=images.unit, phases=list(images.phases), analysed=analysed, files=[f"{k:02d}.nii.gz" for k in range(len(images.phases))])
    for index, file in enumerate(kept.files):
        progress(f"phase {kept.name(index)}", index / len(kept))
        volume = images.volume(index)
        case.write_volume(ITEM, volume, file)
        case.write_volume(ITEM, halved(volume), kept.file(index, small=True))
    with case.writing(ITEM, INDEX) as path:
        path.write_text(kept.model_dump_json(indent=1))
    return kept


def phases_of(case: Case) -> Phases | None:
    """What a case holds of phases, None where it holds none. BadInput where its index is damaged."""
    path = case.path(ITEM, INDEX)
    if not path.exists():
        return None
    try:
        return Phases.model_validate(json.loads(path.read_text()))
    except (ValidationError, ValueError) as error:
        raise BadInput(f"{path} is no list of phases ({str(error).splitlines()[0]}); make it again with `ccta phases`, or delete its folder") from error


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
