"""A PACS by DICOMweb: QIDO-RS, WADO-RS and STOW-RS (dicomweb-client)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pydicom
import requests
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import create_session
from pydicom.dataset import Dataset

from ccta.errors import BadInput, BadSettings
from viewer.server.peers import STUDY_KEYS, PeerFailed, StudyFound, study_found
from viewer.server.settings import Pacs, ServerSettings

BATCH_BYTES = 50_000_000
"""Of one STOW request: a PACS holds all of it in memory."""


@contextmanager
def web_peer(pacs: Pacs, settings: ServerSettings) -> Iterator[WebPeer]:
    """A session with a DICOMweb service."""
    with create_session() as session:
        if pacs.user:
            session.auth = (pacs.user, _password(pacs.password_file))
        session.verify = pacs.authority or True
        client = DICOMwebClient(pacs.url.rstrip("/"), session=session, timeout=settings.out.timeout_s)
        client.set_http_retry_params(retry=False)  # whoever calls tries again in its own time
        yield WebPeer(client, pacs.url)


def _password(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise BadSettings(f"the password file {file or '(none given)'} of a PACS cannot be read, or is empty") from error


class WebPeer:
    """A DICOMweb service."""

    commits = False

    def __init__(self, client: DICOMwebClient, name: str):
        self._client, self.name = client, name

    def commit(self, transaction_uid: str, objects: Sequence[tuple[str, str]]) -> None:
        raise PeerFailed(f"{self.name} is a DICOMweb service, which cannot be asked for storage commitment")

    def find(self, query: dict[str, str]) -> list[StudyFound]:
        with self._sentences("did not answer the query"):
            answers = self._client.search_for_studies(search_filters=query, fields=list(STUDY_KEYS))
        return [study_found(Dataset.from_json(answer)) for answer in answers]

    def has(self, study_uid: str, series_uid: str, sop_uid: str) -> bool:
        with self._sentences("did not say whether it has a result"):
            try:
                answers = self._client.search_for_instances(study_uid, series_uid, search_filters={"SOPInstanceUID": sop_uid})
            except requests.HTTPError as error:
                if error.response is not None and error.response.status_code == 404:
                    return False  # some services answer so for a study that they do not know
                raise
        return any(str(Dataset.from_json(answer).get("SOPInstanceUID", "")) == sop_uid for answer in answers)

    def store(self, paths: Sequence[Path]) -> dict[Path, str]:
        refused: dict[Path, str] = {}
        batch: list[Path] = []
        for path in paths:
            batch.append(path)
            if sum(one.stat().st_size for one in batch) > BATCH_BYTES or path == paths[-1]:
                refused |= self._store(batch)
                batch = []
        return refused

    def _store(self, paths: list[Path]) -> dict[Path, str]:
        datasets = {path: _read(path) for path in paths}
        with self._sentences("did not store what was sent"):
            answer = self._client.store_instances(list(datasets.values()))
        failed = {str(item.get("ReferencedSOPInstanceUID", "")): item.get("FailureReason", 0) for item in answer.get("FailedSOPSequence", None) or []}
        return {path: f"failure 0x{failed[d.SOPInstanceUID]:04X}" for path, d in datasets.items() if d.SOPInstanceUID in failed}

    def fetch(self, study_uid: str, keep: Callable[[bytes], object]) -> int:
        count = 0
        with self._sentences("did not send the study"):
            for dataset in self._client.iter_study(study_uid, media_types=(("application/dicom", "*"),)):  # as it was stored
                keep(_bytes_of(dataset))
                count += 1
        return count

    @contextmanager
    def _sentences(self, what: str) -> Iterator[None]:
        """Turns what requests raises into one sentence."""
        try:
            yield
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else "?"
            hint = {401: "user or password is wrong", 403: "it is not allowed", 404: "the address or the study is wrong"}.get(status, "see its log")
            raise PeerFailed(f"{self.name} {what} (HTTP {status}: {hint})") from error
        except requests.ConnectionError as error:
            why = "its certificate is not trusted" if isinstance(error, requests.exceptions.SSLError) else "see that it runs and that the address is right"
            raise PeerFailed(f"{self.name} cannot be reached; {why}") from error
        except (requests.RequestException, ValueError, KeyError) as error:
            raise PeerFailed(f"{self.name} {what}; its answer was not understood or came too late ({type(error).__name__})") from error


def _read(path: Path) -> Dataset:
    try:
        return pydicom.dcmread(path)
    except Exception as error:  # pydicom raises a dozen types for what is no DICOM file
        raise BadInput(f"{path} is no DICOM file; it was not sent") from error


def _bytes_of(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
