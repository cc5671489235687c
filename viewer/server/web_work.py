"""What the web page asks of the intake and the queue."""

from __future__ import annotations

import logging
from pathlib import Path

from ccta.errors import BadInput
from viewer.server.intake import Intake, OutOfRoom
from viewer.server.services import Work
from viewer.server.settings import ServerSettings
from viewer.server.store import Store

log = logging.getLogger(__name__)

UPLOAD = "upload"


def work_of(settings: ServerSettings, store: Store) -> Work:
    """The server's own intake and queue."""
    intake = Intake(store, settings)
    return Work(retry=_no_queue, cancel=_no_queue, set_urgent=_no_queue, take_in=lambda folder: take_in(intake, folder))


def take_in(intake: Intake, folder: Path) -> int:
    """Gives every DICOM file of a folder to the intake; their number. What is no DICOM is passed over. BadInput where nothing is; OutOfRoom as it comes."""
    taken, reason = 0, "it is empty"
    for path in sorted(folder.iterdir()):
        try:
            intake.take(path.read_bytes(), UPLOAD)
            taken += 1
        except OutOfRoom:
            raise
        except BadInput as error:
            reason = str(error)
            log.info("a file of an upload was passed over: %s", error)
    if not taken:
        raise BadInput(f"this upload holds no DICOM image that can be taken in ({reason})")
    return taken


def _no_queue(*_) -> None:
    raise BadInput("no worker runs on this server")
