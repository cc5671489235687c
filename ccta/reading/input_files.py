"""The files of an input: those of a folder, the members of a zip archive, or one file. No member is unpacked under its name, so no name can lead outside."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ccta.errors import BadInput

IN_MEMORY_BYTES = 64 * 2**20  # a larger member of an archive is read as a stream
DEFLATE_RATIO = 1100  # deflate cannot shrink more than 1032-fold (RFC 1951): a larger claim is false
BOMB_RATIO, BOMB_BYTES = 200, 2**30  # an archive of CT slices shrinks 2-10-fold; one of blank pages 1000-fold


class BoundedReader(io.BufferedReader):
    """A file whose `read(n)` never allocates more than is left of it, whatever length a damaged header claims."""

    def __init__(self, path: Path):
        super().__init__(io.FileIO(path))
        self.size = path.stat().st_size

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self.size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


@dataclass(frozen=True)
class File:
    """A file on disk, or a member of a zip archive."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        return self.member or str(self.path)

    @property
    def size(self) -> int:
        return _archive_of(self.path).getinfo(self.member).file_size if self.member else self.path.stat().st_size

    def open(self):
        """A binary stream; in a large member of an archive seeking back is slow."""
        if not self.member:
            return BoundedReader(self.path)
        stream = _archive_of(self.path).open(self.member)
        return io.BytesIO(stream.read()) if self.size <= IN_MEMORY_BYTES else stream

    def open_whole(self):
        """A stream in which seeking is quick: a large member of an archive is unpacked once, into a temporary file without a name."""
        if not self.member or self.size <= IN_MEMORY_BYTES:
            return self.open()
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115, the caller closes it
        with self.open() as stream:
            shutil.copyfileobj(stream, unpacked, 2**20)
        unpacked.seek(0)
        return unpacked

    def start(self, count: int) -> bytes:
        """The first bytes, without reading the rest."""
        with _archive_of(self.path).open(self.member) if self.member else self.path.open("rb") as stream:
            return stream.read(count)


def files_under(path: Path) -> list[File]:
    """Every file of a folder (recursive, links to folders are not followed), of a zip archive, or the file itself, in a fixed order."""
    if not path.exists():
        raise BadInput(f"{path} does not exist; give a DICOM folder, a zip of one, or a NIfTI, NRRD or MHA image.")
    if path.is_dir():
        return [File(p) for p in sorted(path.rglob("*")) if p.is_file()]
    if not path.is_file():
        raise BadInput(f"{path} is neither a file nor a folder; give a DICOM folder, a zip of one, or a NIfTI, NRRD or MHA image.")
    if zipfile.is_zipfile(path):
        return _members(path)
    return [File(path)]


def _members(path: Path) -> list[File]:
    try:
        infos = [info for info in _archive_of(path).infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        raise BadInput(f"{path} is a damaged zip archive ({error}). Copy it again, or unpack it and give the folder.") from error
    total, packed = sum(info.file_size for info in infos), path.stat().st_size
    if (total > BOMB_BYTES and total > BOMB_RATIO * packed) or any(info.file_size > DEFLATE_RATIO * packed + 1024 for info in infos):
        raise BadInput(f"{path} has {packed / 1e6:.1f} MB and claims to unpack to {total / 1e9:.1f} GB, which no CT study does. Pack the study again.")
    return [File(path, info.filename) for info in infos]


def _archive_of(path: Path) -> zipfile.ZipFile:
    return _archive(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _archive(path: Path, changed_ns: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
