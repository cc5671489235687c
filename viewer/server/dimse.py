"""A PACS by DIMSE: C-FIND, C-GET, C-MOVE and C-STORE, each in an association of its own (pynetdicom). Files are sent as they are on disk."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, Association, _config, build_role, evt
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind as Find,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelGet as Get,
)
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelMove as Move,
)

from ccta.errors import BadInput, BadSettings
from viewer.server.associations import LARGEST_PDU, serve_associations
from viewer.server.commitment import ASK, request_of
from viewer.server.headers import ACCEPTED, CT_IMAGES
from viewer.server.peers import STUDY_KEYS, PeerFailed, StudyFound, study_found
from viewer.server.scp import SYNTAXES, receiver_of, tls_of
from viewer.server.settings import Pacs, ServerSettings

log = logging.getLogger(__name__)
_config.STORE_SEND_CHUNKED_DATASET = True  # a file's own bytes, not decoded and encoded again
PENDING, WARNINGS = (0xFF00, 0xFF01), (0xB000, 0xB006, 0xB007)
NOT_ASKED_FOR = 0x0124
"""Refused: not authorized (PS3.7, C.5.21)."""
CONTEXTS = 120
"""Of the 128 that an association may propose."""


class DimsePeer:
    """A PACS by host, port and AE title."""

    def __init__(self, pacs: Pacs, settings: ServerSettings):
        self._pacs, self._settings, self.commits = pacs, settings, pacs.commitment
        self._own = pacs.own_ae_title or settings.listen.ae_title
        self.name = f"{pacs.ae_title} at {pacs.host}:{pacs.port}"

    def find(self, query: dict[str, str]) -> list[StudyFound]:
        identifier = _identifier("STUDY", dict.fromkeys(STUDY_KEYS, "") | query)
        return [study_found(answer) for answer in self._find(identifier)]

    def has(self, study_uid: str, series_uid: str, sop_uid: str) -> bool:
        keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, "SOPInstanceUID": sop_uid}
        return any(str(answer.get("SOPInstanceUID", "")) == sop_uid for answer in self._find(_identifier("IMAGE", keys)))

    def store(self, paths: Sequence[Path]) -> dict[Path, str]:
        refused, kinds = {}, {path: _kind(path) for path in paths}
        for wanted in _groups(sorted(set(kinds.values())), CONTEXTS):
            with self._association([(sop_class, [syntax]) for sop_class, syntax in wanted]) as association:
                for path in (path for path in paths if kinds[path] in wanted):
                    reason = self._store(association, path, kinds[path])
                    if reason:
                        refused[path] = reason
        return refused

    def commit(self, transaction_uid: str, objects: Sequence[tuple[str, str]]) -> None:
        with self._association([(StorageCommitmentPushModel, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])]) as association:
            asked = request_of(transaction_uid, objects)
            status, _ = association.send_n_action(asked, ASK, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
        if status.get("Status") != 0:
            raise PeerFailed(f"{self.name} does not take a request for storage commitment ({_said(status)})")

    def fetch(self, study_uid: str, keep: Callable[[bytes], object]) -> int:
        identifier = _identifier("STUDY", {"StudyInstanceUID": study_uid})
        return self._move(identifier, keep) if self._pacs.retrieve == "move" else self._get(identifier, keep)

    # --- associations ---

    @contextmanager
    def _association(self, contexts: list[tuple[str, list[str]]], **more) -> Iterator[Association]:
        entity = AE(self._own)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = self._settings.out.timeout_s
        entity.connection_timeout = min(10.0, self._settings.out.timeout_s)
        for sop_class, syntaxes in contexts:
            entity.add_requested_context(sop_class, syntaxes)
        tls = (self._tls(), self._pacs.host) if self._pacs.tls else None
        association = entity.associate(self._pacs.host, self._pacs.port, ae_title=self._pacs.ae_title, max_pdu=LARGEST_PDU, tls_args=tls, **more)
        if not association.is_established:
            raise PeerFailed(self._why_not(association))
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def _why_not(self, association: Association) -> str:
        if association.is_rejected:
            reason = f"{association.acceptor.primitive.reason_str}" if association.acceptor.primitive else "no reason given"
            return f"{self.name} refuses {self._own} ({reason}); both sides have to know the other's AE title"
        if association.acceptor.primitive is not None:
            return f"{self.name} accepts none of what was asked for; it may not offer this service"
        return f"{self.name} cannot be reached; see that it runs, and that host, port and TLS are right"

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._pacs.authority or None)
            if self._pacs.certificate:
                context.load_cert_chain(self._pacs.certificate, self._pacs.key)
        except OSError as error:
            raise BadSettings(f"the TLS files for {self.name} cannot be used ({error.strerror or error})") from error
        return context

    # --- services ---

    def _find(self, identifier: Dataset) -> list[Dataset]:
        with self._association([(Find, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])]) as association:
            answers = []
            for status, answer in association.send_c_find(identifier, Find):
                code = status.get("Status")
                if code in PENDING:
                    answers.append(answer)
                elif code != 0:
                    raise PeerFailed(f"{self.name} did not answer the query ({_said(status)})")
        return answers

    def _store(self, association: Association, path: Path, kind: tuple[str, str]) -> str:
        """Why a file was refused; empty where it was not."""
        try:
            status = association.send_c_store(path)
        except (ValueError, RuntimeError):
            if not association.is_established:
                raise PeerFailed(f"{self.name} ended the association while it was sent to") from None
            return f"it does not take objects of the class {pydicom.uid.UID(kind[0]).name} in {pydicom.uid.UID(kind[1]).name}"
        if "Status" not in status:
            raise PeerFailed(f"{self.name} stopped answering while it was sent to")
        return "" if status.Status == 0 or status.Status in WARNINGS else _said(status)

    def _get(self, identifier: Dataset, keep: Callable[[bytes], object]) -> int:
        images = [(sop_class, [syntax]) for sop_class in CT_IMAGES for syntax in SYNTAXES]
        others = [(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]) for sop_class in ACCEPTED if sop_class not in CT_IMAGES]
        roles = [build_role(sop_class, scp_role=True) for sop_class in ACCEPTED]
        count: list[str] = []
        handler = _keeper(keep, count, identifier.StudyInstanceUID)
        contexts = [(Get, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]), *images, *others]
        with self._association(contexts, ext_neg=roles, evt_handlers=[handler]) as association:
            self._check(association.send_c_get(identifier, Get))
        return self._all(count)

    def _move(self, identifier: Dataset, keep: Callable[[bytes], object]) -> int:
        """The PACS sends to our own AE title; a listener on its port takes this study from it for as long as this lasts."""
        listen, count = self._settings.listen, []
        port = self._pacs.own_port or listen.port
        receiver, handler = receiver_of(listen, self._own, [self._pacs.ae_title]), _keeper(keep, count, identifier.StudyInstanceUID)
        try:
            server = serve_associations(receiver, (listen.host, port), tls_of(listen), [handler])
        except OSError as error:
            beside = "give the PACS's table an own_ae_title and own_port that the PACS knows too, or retrieve = get"
            raise BadSettings(f"port {port} is taken ({error.strerror}); where a node listens on it, {beside}") from error
        try:
            with self._association([(Move, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])]) as association:
                self._check(association.send_c_move(identifier, self._own, Move))
        finally:
            server.shutdown()
        return self._all(count)

    def _check(self, answers: Iterator[tuple[Dataset, Dataset | None]]) -> None:
        for status, _ in answers:
            code = status.get("Status")
            if code not in (0, *PENDING):
                raise PeerFailed(f"{self.name} did not send everything ({_said(status)})")

    def _all(self, count: list[str]) -> int:
        """The number of instances kept; PeerFailed with the first reason where one could not be."""
        failed = [reason for reason in count if reason]
        if failed:
            raise PeerFailed(f"{len(failed)} instances that {self.name} sent could not be kept: {failed[0]}")
        return len(count)


def _keeper(keep: Callable[[bytes], object], outcomes: list[str], study_uid: str) -> tuple:
    """A handler of C-STORE that takes one study. outcomes: grows by an empty text for each of its instances, or by why it was not kept."""

    def on_store(event: evt.Event) -> int:
        try:
            if event.dataset.get("StudyInstanceUID") != study_uid:
                log.warning("an instance of another study than was asked for was refused")
                return NOT_ASKED_FOR
            keep(event.encoded_dataset())
        except Exception as error:  # in a thread of the association: the reason goes to the caller
            outcomes.append(str(error))
            return 0xA700
        outcomes.append("")
        return 0

    return evt.EVT_C_STORE, on_store


def _identifier(level: str, keys: dict[str, str]) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = level
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def _kind(path: Path) -> tuple[str, str]:
    try:
        meta = pydicom.filereader.read_file_meta_info(path)
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except Exception as error:  # pydicom raises a dozen types for what is no DICOM file
        raise BadInput(f"{path} is no DICOM file; nothing was sent") from error


def _groups(items: list, size: int) -> list[list]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _said(status: Dataset) -> str:
    if "Status" not in status:
        return "it stopped answering"
    return f"status 0x{status.Status:04X}" + (f", {status.ErrorComment}" if status.get("ErrorComment") else "")
