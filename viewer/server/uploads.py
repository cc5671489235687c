"""An upload as a folder of numbered files: what a sender calls its files, and where an archive wants to put them, is never used.

A zip archive may hold many files but not be a bomb: files, bytes in all and the ratio of each file are limited, and counted while unpacking, not believed.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException as StarletteHTTPException

from ccta.errors import BadInput, StorageFailed
from viewer.server.services import services_of

CHUNK = 1 << 20


@dataclass(frozen=True)
class UploadLimits:
    """files: a study of four phases has 2000. unpacked_bytes: of one upload. ratio: of a file of more than a MiB; CT compresses two- to fivefold, air more."""

    files: int = 20_000
    unpacked_bytes: int = 8 << 30
    ratio: float = 100.0


@asynccontextmanager
async def received(request: Request, limits: UploadLimits = UploadLimits()) -> AsyncIterator[Path]:
    """A temporary folder with the files of a multipart form (field `files`), removed at the end. HTTP errors in one sentence."""
    parent: Path = request.app.state.uploads
    if shutil.disk_usage(parent).free < 2 * int(request.headers.get("content-length", "0")) + request.app.state.keep_free_bytes:
        raise HTTPException(507, "The server's disk is too full for this upload.")
    try:
        form = await request.form(max_files=limits.files, max_fields=20)
    except StarletteHTTPException as error:
        raise HTTPException(400, "An upload is a form with the field files: one zip archive, or DICOM files.") from error
    with tempfile.TemporaryDirectory(dir=parent, prefix="upload-") as name:
        try:
            files = [one for one in form.getlist("files") if isinstance(one, UploadFile) and one.size]
            if not files:
                raise HTTPException(400, "An upload is a form with the field files: one zip archive, or DICOM files.")
            try:
                await run_in_threadpool(_stored, [one.file for one in files], Path(name), limits)
            except BadInput as error:
                raise HTTPException(400, str(error)) from error
            except (StorageFailed, OSError) as error:
                await run_in_threadpool(services_of(request).work.not_stored, Path(name))
                raise HTTPException(507, "The server could not store this upload; its disk may be full.") from error
        finally:
            await form.close()
        yield Path(name)


def _stored(files: list[BinaryIO], folder: Path, limits: UploadLimits) -> None:
    number, left = 0, limits.unpacked_bytes
    for file in files:
        sources = members(file, limits) if _is_zip(file) else iter([file])
        for source in sources:
            number += 1
            if number > limits.files:
                raise BadInput(f"An upload holds at most {limits.files} files.")
            left -= _copied(source, folder / f"{number:06d}", left)


def _is_zip(file: BinaryIO) -> bool:
    start = file.read(4)
    file.seek(0)
    return start == b"PK\x03\x04"


def members(file: BinaryIO, limits: UploadLimits) -> Iterator[BinaryIO]:
    """The files of an archive, one after another. BadInput for damage, a password, or an archive that swells too much."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > limits.files or sum(entry.file_size for entry in entries) > limits.unpacked_bytes:
                raise BadInput("This archive holds more than the server takes.")
            for entry in entries:
                if entry.flag_bits & 1:
                    raise BadInput("This archive is protected by a password; upload one without.")
                if entry.file_size > CHUNK and entry.file_size > limits.ratio * max(entry.compress_size, 1):
                    raise BadInput("A file of this archive swells more than any image does; it is not taken.")
                with archive.open(entry) as source:
                    yield _Counted(source, entry.file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise BadInput("This zip archive is damaged, or packed in a way that the server does not know.") from error


class _Counted:
    """A member that may not be longer than the archive says."""

    def __init__(self, source: BinaryIO, announced: int):
        self._source, self._left = source, announced

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise BadInput("A file of this archive is longer than the archive says; it is not taken.")
        return data


def _copied(source, path: Path, most: int) -> int:
    """Copies a file, gives its length. BadInput beyond `most` bytes."""
    total = 0
    with path.open("xb") as target:
        while chunk := source.read(CHUNK):
            total += len(chunk)
            if total > most:
                raise BadInput("This upload holds more than the server takes.")
            target.write(chunk)
    return total
