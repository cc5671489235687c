"""Files that appear whole or not at all, and arrays in their order on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import numpy as np

from ccta.errors import StorageFailed


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it at the end of the block. On any error the temporary file goes and `path` stays as it was."""
    try:
        handle, name = tempfile.mkstemp(prefix=".partial-", suffix="".join(path.suffixes), dir=path.parent)
    except OSError as error:
        raise StorageFailed(f"{path} cannot be written ({error.strerror}); free some space or choose another place, then run with --resume") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise StorageFailed(
            f"{path} could not be written ({error.strerror or error}); free some space or choose another place, then run with --resume"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def first_axis_fastest(array: np.ndarray) -> np.ndarray:
    """The same values in NIfTI's order, copied by blocks that fit the processor's cache (a plain copy of a whole CT takes four times as long)."""
    if array.flags.f_contiguous:
        return array
    out = np.empty(array.shape, array.dtype, order="F")
    for i, k in product(range(0, array.shape[0], 64), range(0, array.shape[2], 64)):
        out[i : i + 64, :, k : k + 64] = array[i : i + 64, :, k : k + 64]
    return out
