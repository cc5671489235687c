"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
