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
        self._missed: dict[Path, float] = {}  # file that waits behind one for which there is no room -> when it was noted last

    def look(self) -> int:
        """One look; gives the number of files taken in. Waits for room or the database without losing a file."""
        now, taken, seen = time.monotonic(), 0, {}
        paths = self._files()
        for number, path in enumerate(paths, 1):
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
                    self._miss(paths[number:], now)
                    break
            else:
                seen[path] = (status.st_size, status.st_mtime_ns, since)
        self._seen, self._missed = seen, {path: at for path, at in self._missed.items() if path in paths}
        return taken

    def _miss(self, paths: list[Path], now: float) -> None:
        """Their studies are not complete. Each file is read once, and again only before its note would be forgotten."""
        again_s = self._intake.settings.intake.refused_wait_s / 2
        due = [path for path in paths if now - self._missed.get(path, -again_s) >= again_s]
        self._intake.miss(data for path in due if (data := self._read(path)))
        self._missed |= dict.fromkeys(due, now)

    def _read(self, path: Path) -> bytes:
        """Nothing for what would not be taken."""
        try:
            fits = not path.is_symlink() and path.is_file() and path.stat().st_size <= self._intake.settings.intake.largest_mb * 1e6
            return path.read_bytes() if fits else b""
        except OSError:
            return b""

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
