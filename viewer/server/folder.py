"""The watched folder: DICOM files put there are taken in and removed; others move into its subfolder `refused` with the reason beside them."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from ccta.errors import BadInput, StorageFailed
from viewer.server.intake import Intake

log = logging.getLogger(__name__)
REFUSED = "refused"


class WatchedFolder:
    """Looked at by polling, which works on network folders too. A file is taken when its size and time have not changed for `settle_s`."""

    def __init__(self, folder: Path, intake: Intake, settle_s: float):
        self.folder, self._intake, self._settle_s = folder, intake, settle_s
        self._seen: dict[Path, tuple[int, int, float]] = {}

    def look(self) -> int:
        """One look; gives the number of files taken in. Waits for room or the database without losing a file."""
        now, taken, seen = time.monotonic(), 0, {}
        for path in self._files():
            try:
                status = path.stat()
            except OSError:
                continue  # gone again
            size, changed_ns, since = self._seen.get(path, (-1, -1, now))
            if (size, changed_ns) != (status.st_size, status.st_mtime_ns):
                since = now
            if now - since >= self._settle_s:
                try:
                    taken += self._take(path)
                except (StorageFailed, DBAPIError) as error:
                    log.warning("the watched folder waits: %s", error if isinstance(error, StorageFailed) else "the database does not answer")
                    break
            else:
                seen[path] = (status.st_size, status.st_mtime_ns, since)
        self._seen = seen
        return taken

    def _files(self) -> list[Path]:
        """Files in their order, hidden ones (as copying programs make) and refused ones left out."""
        found = []
        for folder, names, files in os.walk(self.folder):
            names[:] = [n for n in names if not n.startswith(".") and not (Path(folder) == self.folder and n == REFUSED)]
            found += [Path(folder) / file for file in files if not file.startswith(".")]
        return sorted(found)

    def _take(self, path: Path) -> bool:
        try:
            if path.is_symlink() or not path.is_file():
                raise BadInput("only plain files are taken")
            if path.stat().st_size > self._intake.settings.intake.largest_mb * 1e6:
                raise BadInput("the file is larger than intake.largest_mb")
            self._intake.take(path.read_bytes(), "folder")
            path.unlink()
        except BadInput as error:
            self._set_aside(path, error)
            return False
        except OSError as error:
            log.warning("a file of the watched folder cannot be read or removed (%s)", error.strerror)
            return False
        return True

    def _set_aside(self, path: Path, reason: BadInput) -> None:
        target = self.folder / REFUSED / path.relative_to(self.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        target.with_name(target.name + ".reason.txt").write_text(f"{reason}\n")
