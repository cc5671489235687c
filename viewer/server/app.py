"""The web server as an application: routes behind the gate, errors as sentences, OpenAPI for who is signed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from viewer.server import api_people, api_studies, pages
from viewer.server.audit import Action
from viewer.server.proxy import tunnel_class
from viewer.server.security import COOKIE, Gate, Limits, sentence
from viewer.server.services import PersonOf, Services

STATIC = Path(__file__).parent / "static"
TITLES = {404: "There is nothing at this address.", 405: "This address takes no such request."}
SWEEP_S = 5.0


def build_app(services: Services, uploads: Path, upload_bytes: int, keep_free_bytes: int = 0, chore: Callable[[], None] | None = None) -> FastAPI:
    """uploads: folder for files on their way in. chore(): called every few seconds, in a thread (a folder of cases that is kept in step)."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(services.launcher.watch(services.accounts.living))]
        if chore is not None:
            tasks.append(asyncio.create_task(_regularly(chore)))
        if services.launcher.rules.spare:
            await services.launcher.warm()
        yield
        for task in tasks:
            task.cancel()
        await services.launcher.close_all()
        await services.client.aclose()

    app = FastAPI(title="Coronary CT workstation", version="1", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan, redirect_slashes=False)
    app.state.services, app.state.uploads, app.state.keep_free_bytes = services, uploads, keep_free_bytes
    app.add_middleware(Gate, accounts=services.accounts, limits=Limits(upload_bytes))
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    for router in (api_studies.router, api_people.router, pages.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.get("/health", tags=["server"])
    def health() -> dict[str, str]:
        """Whether the server answers; nothing else is told without a login."""
        return {"status": "ok"}

    @app.get("/api/openapi.json", include_in_schema=False)
    def openapi(person: PersonOf) -> JSONResponse:
        return JSONResponse(app.openapi())

    return app


def websocket_class(services: Services) -> type[asyncio.Protocol]:
    """What uvicorn takes for websockets: tunnels to viewers, for the login that opened them."""
    accounts, launcher, loop_tasks = services.accounts, services.launcher, set()

    async def gate(key: str, token: str):
        return launcher.of(key, await run_in_threadpool(accounts.person, token))

    last: dict[str, float] = {}

    def used(token: str) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - last.get(token, -1e9) > SWEEP_S * 6:
            last[token] = loop.time()
            task = loop.create_task(run_in_threadpool(accounts.person, token))
            loop_tasks.add(task)
            task.add_done_callback(loop_tasks.discard)

    return tunnel_class(gate, COOKIE, used)


async def _regularly(chore: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        await run_in_threadpool(chore)


async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    response = sentence(error.status_code, TITLES.get(error.status_code) if error.detail in ("Not Found", "Method Not Allowed") else str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """Which field is wrong and why; never what was sent."""
    found = error.errors()[0]
    place = ".".join(str(part) for part in found["loc"][1:] if isinstance(part, str)) or found["loc"][0]
    return sentence(422, f"{place}: {found['msg'].split(', got')[0]}.")


def note_closed(services_audit, session, reason: str) -> None:
    """A viewer's end in the audit log."""
    services_audit.note(session.who, "", Action.CLOSE, session.study, detail=reason)
