"""The DICOM store SCP: known senders put studies here (C-ECHO, C-STORE), in plain DICOM or TLS. Statuses after DICOM PS3.4 B.2.3."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence

from pynetdicom import AE, evt
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification
from sqlalchemy.exc import DBAPIError

from ccta.errors import BadInput, BadSettings, StorageFailed
from viewer.server.associations import LARGEST_PDU, GuardedServer, serve_associations
from viewer.server.commitment import on_report
from viewer.server.headers import ACCEPTED, ForeignObject
from viewer.server.intake import MB, Intake, OtherContent, TooLarge
from viewer.server.settings import ListenSettings

log = logging.getLogger(__name__)
SUCCESS, OUT_OF_RESOURCES, NOT_THIS_CLASS, CANNOT_UNDERSTAND, DUPLICATE = 0x0000, 0xA700, 0xA900, 0xC000, 0x0111
SYNTAXES = (
    "1.2.840.10008.1.2.1",  # explicit little endian
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.50",  # JPEG baseline, extended, lossless
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",  # JPEG-LS
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",  # JPEG 2000
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",  # HTJ2K
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.5",  # RLE
)
"""Kept as they come; those that the reader cannot decode make the analysis say so."""


def start_listener(settings: ListenSettings, intake: Intake) -> GuardedServer:
    """The SCP in threads of its own, until its `shutdown()`. BadSettings where nobody may send or the port is taken."""
    if not settings.callers:
        raise BadSettings("nobody may send to this listener: name the senders' AE titles in listen.callers of server.toml")
    entity = receiver_of(settings, settings.ae_title, settings.callers)
    entity.add_supported_context(Verification)
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)  # a PACS that answers to our request
    limit = intake.settings.intake.largest_mb * MB
    report = (evt.EVT_N_EVENT_REPORT, on_report, [intake.store, intake.settings.out.retry_s])
    handlers = [report, (evt.EVT_C_STORE, _on_store, [intake]), (evt.EVT_PDU_RECV, _on_pdu, [limit]), (evt.EVT_REJECTED, _on_rejected)]
    try:
        return serve_associations(entity, (settings.host, settings.port), tls_of(settings), handlers)
    except OSError as error:
        raise BadSettings(f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); choose another listen.host or listen.port") from error


def receiver_of(settings: ListenSettings, title: str, callers: Sequence[str]) -> AE:
    """Who takes images and reports under a title of ours, from these callers alone."""
    entity = AE(title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(callers)
    entity.maximum_associations = settings.associations
    entity.maximum_pdu_size = LARGEST_PDU
    entity.network_timeout = settings.idle_s
    entity.acse_timeout = min(entity.acse_timeout, settings.idle_s)
    for sop_class in ACCEPTED:
        entity.add_supported_context(sop_class, list(SYNTAXES))
    return entity


def tls_of(settings: ListenSettings) -> ssl.SSLContext | None:
    """TLS 1.2 or newer with our certificate; with `client_authority` the sender must show one too. None for plain DICOM."""
    if not settings.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        if settings.client_authority:
            context.load_verify_locations(settings.client_authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError is one
        raise BadSettings(f"the listener's TLS files cannot be used ({error.strerror or error}); they are PEM files of certificate and key") from error
    return context


def _on_store(event: evt.Event, intake: Intake) -> int:
    """One C-STORE: kept, or the status that says why not. The log names the instance, never the patient."""
    event.assoc.received_bytes = 0
    sender, uid = event.assoc.requestor.ae_title, event.request.AffectedSOPInstanceUID
    try:
        header = intake.take(event.encoded_dataset(), sender)
    except TooLarge as error:
        return _refuse(OUT_OF_RESOURCES, uid, sender, error)
    except ForeignObject as error:
        return _refuse(NOT_THIS_CLASS, uid, sender, error)
    except OtherContent as error:
        return _refuse(DUPLICATE, uid, sender, error)
    except BadInput as error:
        return _refuse(CANNOT_UNDERSTAND, uid, sender, error)
    except (StorageFailed, DBAPIError) as error:
        return _refuse(OUT_OF_RESOURCES, uid, sender, error if isinstance(error, StorageFailed) else "the database does not answer")
    if header.sop_uid != uid:
        log.warning("the instance %s of %s was announced as %s; kept under its own UID", header.sop_uid, sender, uid)
    return SUCCESS


def _refuse(status: int, uid: str, sender: str, reason) -> int:
    log.warning("instance %s of %s refused with 0x%04X: %s", uid, sender, status, reason)
    return status


def _on_pdu(event: evt.Event, limit: float) -> None:
    """Ends an association that sends one endless instance, before it fills the memory."""
    if not isinstance(event.pdu, P_DATA_TF):
        return
    event.assoc.received_bytes = getattr(event.assoc, "received_bytes", 0) + event.pdu.pdu_length
    if event.assoc.received_bytes > 2 * limit:
        log.warning("association of %s ended: one instance passed twice intake.largest_mb", event.assoc.requestor.ae_title)
        event.assoc.abort()


def _on_rejected(event: evt.Event) -> None:
    log.warning("association of %r to %r refused", event.assoc.requestor.ae_title, event.assoc.requestor.primitive.called_ae_title)
