"""Where studies and results lie: a local folder, or any fsspec address (s3://, sftp://, memory://). Whole folders are fetched to a worker's scratch."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ccta.errors import BadInput, StorageFailed

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs", "sftp": "paramiko", "ssh": "paramiko"}
LAST = "case.json"  # a folder is stored with its record last: killed before, the stage counts as not done


def is_remote(address: str) -> bool:
    """True for `scheme://...`, False for a path of this machine (also as file://)."""
    return bool(re.match(r"[a-z][a-z0-9+]*://", address)) and not address.startswith("file://")


def local_path(address: str) -> Path:
    """The path of a local address."""
    return Path(address.removeprefix("file://"))


@dataclass(frozen=True)
class Place:
    """A folder, local or remote, as a value that travels to workers."""

    address: str

    @property
    def local(self) -> Path | None:
        """The folder on this machine's file system, None for a remote one."""
        return None if is_remote(self.address) else local_path(self.address)

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self.address.rstrip('/')}/{name}")

    def _open(self):
        """(file system, path on it)."""
        import fsspec

        try:
            return fsspec.core.url_to_fs(self.address)
        except ImportError as error:
            scheme = self.address.split(":", 1)[0]
            raise BadInput(f"{self.address}: addresses of {scheme}:// need the package {PACKAGES.get(scheme, str(error))}; install it with pip") from error
        except ValueError as error:
            raise BadInput(f"{self.address} is no address that can be opened ({error}); use a path, s3://, sftp:// or another of fsspec's") from error

    def read_bytes(self) -> bytes | None:
        """The content of a file, None where there is none."""
        files, path = self._open()
        try:
            return files.cat_file(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageFailed(f"{self.address} cannot be read ({error}); check the connection, then run with --resume") from error

    def write_bytes(self, content: bytes) -> None:
        """A file written whole or not at all. On this machine under another name first; an object store does the same itself."""
        if self.local is not None:
            write_whole(self.local, content)
            return
        files, path = self._open()
        try:
            files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            aside = f"{path}.partial" if hasattr(files, "ftp") else path
            files.pipe_file(aside, content)
            if aside != path:
                files.mv(aside, path)
        except OSError as error:
            raise StorageFailed(f"{self.address} could not be written ({error}); free some space or check the connection, then run with --resume") from error

    def names(self) -> list[str]:
        """Names in a folder, [] where there is none."""
        files, path = self._open()
        try:
            return sorted(one.rstrip("/").rsplit("/", 1)[-1] for one in files.ls(path, detail=False))
        except FileNotFoundError:
            return []

    def fetch(self, folder: Path) -> Path:
        """A copy of the file or folder, in or at `folder`. BadInput where the address holds nothing."""
        files, path = self._open()
        try:
            if not files.exists(path):
                raise BadInput(f"{self.address} does not exist; correct the address of the study")
            if files.isfile(path):
                target = folder / path.rsplit("/", 1)[-1]
                files.get_file(path, str(target))
                return target
            for one in files.find(path):
                target = folder / one[len(path) :].lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                files.get_file(one, str(target))
        except OSError as error:
            raise StorageFailed(f"{self.address} could not be fetched ({error}); check the connection, then run with --resume") from error
        return folder

    def store(self, folder: Path, before: dict[str, tuple]) -> None:
        """Copies what has changed in `folder` since `before` (see `stamps`), the case's record last; what is gone there goes here."""
        files, path = self._open()
        now = stamps(folder)
        changed = sorted((name for name, stamp in now.items() if before.get(name) != stamp), key=lambda name: (name == LAST, name))
        try:
            for name in changed:
                files.makedirs(f"{path}/{name}".rsplit("/", 1)[0], exist_ok=True)
                files.put_file(str(folder / name), f"{path}/{name}")
            for name in set(before) - set(now):
                files.rm_file(f"{path}/{name}")
        except OSError as error:
            raise StorageFailed(f"{self.address} could not be written ({error}); free some space or check the connection, then run with --resume") from error


def stamps(folder: Path) -> dict[str, tuple]:
    """{relative name: (bytes, time of change)} of the files of a folder."""
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def write_whole(path: Path, content: bytes) -> None:
    """A local file under a temporary name, renamed. StorageFailed, with nothing half-written left."""
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".partial-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise StorageFailed(
            f"{path} could not be written ({error.strerror or error}); free some space or choose another place, then run with --resume"
        ) from error
