"""What the web page asks of the intake and the queue."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from ccta.errors import BadInput, StorageFailed
from viewer.server import orders
from viewer.server.case_folder import SOURCE
from viewer.server.intake import Intake
from viewer.server.services import Work
from viewer.server.settings import ServerSettings
from viewer.server.store import Store, Study

log = logging.getLogger(__name__)

UPLOAD = "upload"


def work_of(settings: ServerSettings, store: Store, analyses: bool) -> Work:
    """The server's own intake and queue. analyses: whether a node runs beside the page that will analyse what is uploaded."""
    intake = Intake(store, settings)
    return Work(
        retry=lambda number: orders.run_again(store, _ours(store, number)),
        cancel=lambda number: orders.cancel(store, _ours(store, number)),
        set_urgent=lambda number, urgent: orders.set_urgent(store, _ours(store, number), urgent),
        take_in=lambda folder: take_in(intake, folder) if analyses else _nobody_works(),
        not_stored=lambda folder: intake.miss(path.read_bytes() for path in sorted(folder.iterdir())),
    )


def take_in(intake: Intake, folder: Path) -> int:
    """Gives every DICOM file of a folder to the intake; their number. What is no DICOM is passed over. BadInput where nothing is.

    Where there is no room or no database, its error as it comes, once: the studies of this file and of those after it wait for them.
    """
    taken, reason, paths = 0, "it is empty", sorted(folder.iterdir())
    for number, path in enumerate(paths, 1):
        try:
            intake.take(path.read_bytes(), UPLOAD)
            taken += 1
        except (StorageFailed, DBAPIError):
            intake.miss(left.read_bytes() for left in paths[number:])
            raise
        except BadInput as error:
            reason = str(error)
            log.info("a file of an upload was passed over: %s", error)
    if not taken:
        raise BadInput(f"this upload holds no DICOM image that can be taken in ({reason})")
    return taken


def _nobody_works() -> int:
    raise BadInput("nothing is analysed on this server: start it with --config and a server.toml that names listen.callers or intake.watched_folder")


def _ours(store: Store, number: int) -> str:
    """The UID of a study by its number. BadInput for one that was put on the worklist as a finished case."""
    with store.session() as session:
        study = session.get(Study, number)
    if study is None:
        raise BadInput("there is no such study here")
    if study.source == SOURCE:
        raise BadInput("this case was analysed outside this server")
    return study.study_uid
