"""Chest maps and artery scenes kept in a folder, each made when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ccta.tissues import ArteryScene, ChestMap


@dataclass(frozen=True)
class MapStore:
    """make: seed -> value of `kind`, a function of the seed alone, so that any process may make a missing one."""

    folder: Path
    make: Callable[[int], ChestMap | ArteryScene]
    kind: type = ChestMap

    def __call__(self, seed: int) -> ChestMap | ArteryScene:
        path = self.folder / f"{seed:05d}.npz"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}.npz")
            np.savez_compressed(temporary, **vars(self.make(seed)))
            temporary.replace(path)
        with np.load(path) as kept:
            return self.kind(**kept)
