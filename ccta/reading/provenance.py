"""What identifies the content that was read: digests by which a changed input is noticed, and a UID for images whose files carry none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ccta.errors import BadInput
from ccta.model import Unavailable
from ccta.reading.classify import SeriesInfo
from ccta.reading.dicom_files import Image
from ccta.reading.image_files import data_files, is_image_file


def input_digest(path: Path, series: SeriesInfo | Unavailable | None) -> str:
    """Of one file (image, zip, DICOM; series None): its content. Of a folder: the chosen series' instances, or the reason why there is none."""
    if series is None:
        return content_digest(path)
    return _hash(series.reason.encode()) if isinstance(series, Unavailable) else series_digest(series.images)


def is_one_file(path: Path) -> bool:
    """True where the content of the file decides alone what is read. A DICOMDIR stands for its folder."""
    return path.is_file() and path.name.upper() != "DICOMDIR"


def content_digest(path: Path) -> str:
    """SHA-256 of a file, streamed; of an image with a detached header (MHD, NHDR) its data files are part."""
    digests = []
    try:
        for file in (path, *(data_files(path) if is_image_file(path) else [])):
            with file.open("rb") as stream:
                digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); copy it again, or check who may read it") from error
    return digests[0] if len(digests) == 1 else _hash("".join(digests).encode())


def series_digest(images: Sequence[Image]) -> str:
    """Of a series in a folder: SOP instance UID, frame, size and time of change of each file. The pixels are not read."""
    states = {file: (file.path.stat().st_size, file.path.stat().st_mtime_ns) for file in {image.file for image in images}}
    parts = sorted(f"{image.text('SOPInstanceUID')} {image.frame} {states[image.file]}" for image in images)
    return _hash("\n".join(parts).encode())


def content_uid(path: Path) -> str:
    """A UID derived from the content of an image file (the form of PS3.5 B.2, with 128 bits of its SHA-256)."""
    return f"2.25.{int(content_digest(path)[:32], 16)}"


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
