"""A PACS as the rest of the server sees it: find, ask, store, fetch. By DIMSE (`dimse.py`) or DICOMweb (`dicomweb.py`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from ccta.errors import BadInput, CctaError
from viewer.server.settings import Pacs, ServerSettings

ADDRESS = re.compile(r"(?P<host>[^:/\s]+):(?P<port>\d{1,5}):(?P<title>[^:\\]{1,16})")
STUDY_KEYS = ("StudyInstanceUID", "PatientID", "PatientName", "AccessionNumber", "StudyDate", "StudyDescription", "ModalitiesInStudy")
"""In the order of StudyFound's fields."""


class PeerFailed(CctaError):
    """A PACS cannot be reached or refuses, with what it said."""


@dataclass(frozen=True)
class StudyFound:
    """One answer to a query for studies; empty texts for what the PACS does not say."""

    study_uid: str
    patient_id: str = ""
    patient_name: str = ""
    accession: str = ""
    date: str = ""
    description: str = ""
    modalities: str = ""


def study_found(answer: Dataset) -> StudyFound:
    """One answer of C-FIND or QIDO as texts."""
    values = [answer.get(keyword, "") for keyword in STUDY_KEYS]
    return StudyFound(*("/".join(map(str, value)) if isinstance(value, MultiValue) else str(value or "") for value in values))


class Peer(Protocol):
    """What one association or session with a PACS can do. Every method raises PeerFailed in one sentence."""

    commits: bool
    """Whether it is to be asked for storage commitment."""

    def commit(self, transaction_uid: str, objects: Sequence[tuple[str, str]]) -> None:
        """Asks it to take responsibility for objects as (class UID, instance UID); the answer comes to the listener."""

    def find(self, query: dict[str, str]) -> list[StudyFound]:
        """Studies that match DICOM keywords and their values (wildcards * and ?, dates YYYYMMDD or a range with -)."""

    def has(self, study_uid: str, series_uid: str, sop_uid: str) -> bool:
        """Whether the PACS says that it holds the instance."""

    def store(self, paths: Sequence[Path]) -> dict[Path, str]:
        """Sends files; for each that was refused why."""

    def fetch(self, study_uid: str, keep: Callable[[bytes], object]) -> int:
        """Gives each instance of a study as a file's bytes; the number of them."""


@contextmanager
def connected(pacs: Pacs, settings: ServerSettings) -> Iterator[Peer]:
    """A PACS by the way that its settings name."""
    if pacs.url:
        from viewer.server.dicomweb import web_peer

        with web_peer(pacs, settings) as peer:
            yield peer
    else:
        from viewer.server.dimse import DimsePeer

        yield DimsePeer(pacs, settings)


def pacs_named(text: str, settings: ServerSettings) -> Pacs:
    """The PACS that a person names: a table of server.toml, host:port:AET, or a DICOMweb URL."""
    if text in settings.pacs:
        return settings.pacs[text]
    if text.startswith(("http://", "https://")):
        if "@" in text.split("/")[2]:
            raise BadInput("a password has no place on the command line: make a table [pacs.NAME] with url, user and password_file in server.toml")
        return Pacs(url=text)
    match = ADDRESS.fullmatch(text)
    if match is None:
        known = f"one of server.toml ({', '.join(settings.pacs)})" if settings.pacs else "the name of a [pacs.NAME] table in server.toml"
        raise BadInput(f"{text!r} is no PACS: give {known}, host:port:AETITLE, or the URL of a DICOMweb service")
    return Pacs(host=match["host"], port=int(match["port"]), ae_title=match["title"])
