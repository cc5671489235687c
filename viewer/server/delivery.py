"""Results back to the PACS: asked for, sent, asked for again, until they are there; exactly once by instance UID.

An object counts as delivered when the PACS, asked by C-FIND or QIDO, says that it holds it; with `commitment`, when it has committed to it besides. Before
anything is sent the PACS is asked, so that what arrived before a death of this server, or of the PACS after it had stored, is not sent twice. What it was asked
to commit to and did not is sent once more without asking: the PACS may show what it does not keep.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby

from pydicom.uid import generate_uid
from sqlalchemy import select

from ccta.errors import CctaError
from viewer.server.peers import Peer, connected
from viewer.server.settings import Pacs, ServerSettings
from viewer.server.store import Delivery, DeliveryState, Store, Study

log = logging.getLogger(__name__)
NOT_SEEN = "the PACS accepted it but does not show it yet"
NOT_COMMITTED = "the PACS has it and was asked to commit to it"


@dataclass(frozen=True)
class Parcel:
    """One object on its way, as the database has it."""

    delivery: Delivery
    study_uid: str


@dataclass(frozen=True)
class Courier:
    """Sends what is due. connect and clock (seconds since 1970) can be replaced."""

    store: Store
    settings: ServerSettings
    connect: Callable[[Pacs, ServerSettings], AbstractContextManager[Peer]] = connected
    clock: Callable[[], float] = time.time

    def round(self) -> int:
        """One round over all that is due; gives the number of objects that the PACS has now."""
        wanted = select(Delivery, Study.study_uid).join(Study, Study.id == Delivery.study_id)
        due = wanted.where(Delivery.state != DeliveryState.THERE.value, Delivery.next_try_s <= self.clock())
        with self.store.session() as session:
            parcels = [Parcel(*row) for row in session.execute(due.order_by(Delivery.destination, Delivery.study_id, Delivery.id))]
        return sum(self._send(name, list(group)) for (name, _), group in groupby(parcels, lambda p: (p.delivery.destination, p.study_uid)))

    def _send(self, name: str, parcels: Sequence[Parcel]) -> int:
        """The objects of one study to one PACS."""
        pacs = self.settings.pacs.get(name)
        if pacs is None:
            return self._later(parcels, f"there is no table [pacs.{name}] in server.toml any more")
        try:
            with self.connect(pacs, self.settings) as peer:
                return self._hand_over(peer, parcels)
        except CctaError as error:
            return self._later(parcels, str(error))

    def _hand_over(self, peer: Peer, parcels: Sequence[Parcel]) -> int:
        there = self._note_there(peer, [p for p in parcels if p.delivery.state != DeliveryState.LOST])
        missing = [p for p in parcels if p not in there]
        files = {p: self.settings.data_folder / p.delivery.path for p in missing}
        gone = [p for p in missing if not files[p].is_file()]
        self._later(gone, "the file of this result is gone from the case", DeliveryState.PENDING)
        to_send = [p for p in missing if p not in gone]
        refused = peer.store([files[p] for p in to_send]) if to_send else {}
        for parcel in to_send:
            if files[parcel] in refused:
                self._later([parcel], f"the PACS refused it: {refused[files[parcel]]}", DeliveryState.PENDING)
        accepted = [p for p in to_send if files[p] not in refused]
        self._note(accepted, state=DeliveryState.SENT.value)
        arrived = self._note_there(peer, accepted)
        self._later([p for p in accepted if p not in arrived], NOT_SEEN, DeliveryState.SENT)
        return len(there) + len(arrived)

    def _note_there(self, peer: Peer, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Those that the PACS says it holds, noted as such; or it is asked to commit to them, where it does that."""
        there = [p for p in parcels if peer.has(p.study_uid, p.delivery.series_uid, p.delivery.sop_uid)]
        if there and peer.commits:
            transaction = str(generate_uid())
            self._note(there, transaction_uid=transaction)  # first, for the answer may come at once
            self._later(there, NOT_COMMITTED, DeliveryState.SENT)
            try:
                peer.commit(transaction, [(p.delivery.sop_class_uid, p.delivery.sop_uid) for p in there])
            except CctaError as error:  # what is not there yet is sent all the same
                self._later(there, str(error), DeliveryState.SENT)
        else:
            self._note(there, state=DeliveryState.THERE.value, there_s=self.clock(), error="")
        return there

    def _later(self, parcels: Sequence[Parcel], reason: str, state: DeliveryState | None = None) -> int:
        """Back-off: twice as long after each try, up to the longest. state: None leaves it. Gives 0, the number delivered."""
        for parcel in parcels:
            tries = parcel.delivery.tries + 1
            kept = {"state": state.value} if state else {}
            self._note([parcel], tries=tries, next_try_s=self.clock() + self.settings.out.wait_s(tries), error=reason, **kept)
        if parcels:
            log.warning("%d results of study %s are not delivered yet: %s", len(parcels), parcels[0].study_uid, reason)
        return 0

    def _note(self, parcels: Sequence[Parcel], **values) -> None:
        with self.store.writing() as session:
            for parcel in parcels:
                stored = session.get(Delivery, parcel.delivery.id)
                for name, value in values.items() if stored is not None and stored.state != DeliveryState.THERE else ():
                    setattr(stored, name, value)
