"""`ccta serve`: the web server of one machine, its first account, and the processes beside it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from ccta.errors import BadSettings
from viewer.server.accounts import ROLES, Accounts
from viewer.server.app import build_app, note_closed, websocket_class
from viewer.server.audit import Audit
from viewer.server.case_folder import CaseFolder
from viewer.server.services import Services, Work
from viewer.server.sessions import Launcher
from viewer.server.settings import ServerSettings
from viewer.server.store import Store
from viewer.server.supervisor import Part, Supervisor
from viewer.server.worklist import Worklist

log = logging.getLogger(__name__)

FIRST_LOGIN = "admin"


@dataclass(frozen=True)
class WebServer:
    """What `start` needs: the application, what uvicorn takes for websockets, and the services behind both."""

    app: object
    websockets: type
    services: Services


def build(settings: ServerSettings, store: Store, work: Work, folder: Path | None = None) -> WebServer:
    """The web server over an open database. folder: a folder of cases that stands on the worklist."""
    audit = Audit(store)
    launcher = Launcher(settings.viewer, lambda session, reason: note_closed(audit, session, reason))
    services = Services(Accounts(store, settings.login), audit, Worklist(store, settings.data_folder), launcher, httpx.AsyncClient(timeout=60.0), work)
    uploads = settings.data_folder / "uploads"
    uploads.mkdir(parents=True, exist_ok=True)
    chore = None
    if folder is not None:
        cases = CaseFolder(folder, store, settings.data_folder)
        cases.sync()
        chore = cases.sync
    app = build_app(services, uploads, int(settings.web.upload_mb * 1e6), int(settings.intake.keep_free_mb * 1e6), chore)
    return WebServer(app, websocket_class(services), services)


def parts_of(settings: ServerSettings, config: Path | None) -> list[Part]:
    """The processes beside the web page that these settings ask for."""
    comes_in = settings.listen.callers or settings.intake.watched_folder
    return [Part("node", ("listen", "--config", str(config)))] if config and comes_in else []


def first_account(accounts: Accounts) -> str:
    """Makes the first account where there is none, with every role; gives its one-time password, "" where accounts exist."""
    return "" if accounts.any() else accounts.add(FIRST_LOGIN, "First administrator", ROLES)


def start(server: WebServer, settings: ServerSettings, parts: Sequence[Part] = ()) -> None:
    """Serves until it is interrupted. BadSettings when the port is taken."""
    config = uvicorn.Config(
        server.app, ws=server.websockets, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5, lifespan="on",
        forwarded_allow_ips=",".join(settings.web.trusted_proxies), limit_concurrency=500, timeout_keep_alive=15,
    )  # fmt: skip
    try:
        listening = socket.create_server((settings.web.host, settings.web.port), backlog=200)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadSettings(f"the web page cannot listen on {settings.web.host}:{settings.web.port} ({reason}); choose another with --port") from error
    host, port = listening.getsockname()[:2]
    print(f"worklist {settings.web.external_url or f'http://{host}:{port}/'}", flush=True)
    asyncio.run(_serve(uvicorn.Server(config), listening, Supervisor(parts)))


async def _serve(server: uvicorn.Server, listening: socket.socket, supervisor: Supervisor) -> None:
    beside = asyncio.create_task(supervisor.run())
    try:
        await server.serve([listening])
    finally:
        beside.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beside
        listening.close()
