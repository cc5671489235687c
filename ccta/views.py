"""How each reader left a case: one file per reader in the case, so that two readers never write the same one. What is in it is the viewer's business."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ccta.case import Case
from ccta.editing import now
from ccta.errors import StorageFailed
from ccta.storage import atomic_path


def view_of(case: Case, reader: str) -> dict | None:
    """The view that a reader left; None where there is none, or where its file is damaged: a view is a convenience, never a reason not to open."""
    try:
        kept = json.loads(_path(case, reader).read_text())
    except (OSError, ValueError):
        return None
    return kept["view"] if isinstance(kept, dict) and kept.get("reader") == reader.strip() and isinstance(kept.get("view"), dict) else None


def keep_view(case: Case, reader: str, view: dict) -> None:
    """Writes a reader's view. StorageFailed where it cannot be written; nothing is written without a name."""
    if not reader.strip():
        return
    path = _path(case, reader)
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"{path.parent} cannot be made ({error.strerror}); free some space or choose another place") from error
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"reader": reader.strip(), "at": now(), "view": view}, indent=1))


def _path(case: Case, reader: str) -> Path:
    """Names may hold anything; file names may not."""
    return case.path("views") / f"{hashlib.sha256(reader.strip().encode()).hexdigest()[:16]}.json"
