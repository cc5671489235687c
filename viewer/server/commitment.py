"""Storage commitment (DICOM PS3.4, annex J) as its user: a PACS that was asked takes responsibility for results and says so later, to our listener."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from pydicom.dataset import Dataset
from pynetdicom import evt
from sqlalchemy import select

from viewer.server.store import Delivery, DeliveryState, Store

log = logging.getLogger(__name__)
ASK = 1
"""Action type of the request."""
SUCCESS, NO_SUCH_ARGUMENT = 0x0000, 0x0114


def request_of(transaction_uid: str, objects: Sequence[tuple[str, str]]) -> Dataset:
    """The information of an N-ACTION for objects as (class UID, instance UID)."""
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = [_reference(*one) for one in objects]
    return request


def _reference(class_uid: str, instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = class_uid, instance_uid
    return item


def on_report(event: evt.Event, store: Store, retry_s: float) -> tuple[int, None]:
    """N-EVENT-REPORT of a PACS: what it commits to is delivered, what it does not is sent again after `retry_s`."""
    try:
        report = event.event_information
        transaction = str(report.TransactionUID)
        kept = {str(item.ReferencedSOPInstanceUID) for item in report.get("ReferencedSOPSequence") or []}
        lost = {str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason", 0)) for item in report.get("FailedSOPSequence") or []}
    except Exception as error:  # pydicom raises a dozen types for what a peer may send
        log.warning("a commitment report of %s was not understood (%s)", event.assoc.requestor.ae_title, type(error).__name__)
        return NO_SUCH_ARGUMENT, None
    if not note_report(store, transaction, kept, lost, retry_s):
        log.warning("%s reported on a commitment that nobody asked for", event.assoc.requestor.ae_title)
    return SUCCESS, None


def note_report(store: Store, transaction_uid: str, kept: set[str], lost: dict[str, int], retry_s: float) -> int:
    """Notes a report; the number of deliveries that it was about. kept: instance UIDs; lost: with the reason's code."""
    with store.writing() as session:
        asked = list(session.scalars(select(Delivery).where(Delivery.transaction_uid == transaction_uid))) if transaction_uid else []
        for one in asked:
            if one.sop_uid in kept:
                one.state, one.there_s, one.error = DeliveryState.THERE.value, time.time(), ""
            elif one.sop_uid in lost:
                one.state, one.next_try_s = DeliveryState.LOST.value, time.time() + retry_s
                one.error = f"the PACS does not commit to it (reason 0x{lost[one.sop_uid]:04X})"
                log.warning("the result %s: %s", one.sop_uid, one.error)
    return len(asked)
