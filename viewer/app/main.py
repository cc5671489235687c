"""The viewer of one case: a server on the loopback address that only its own page reaches, and that ends when nobody uses it."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import webbrowser
from pathlib import Path

from trame.app import get_server

from viewer.app.editing_desk import EditingDesk
from viewer.app.guard import IdleWatch, new_secret, offer_report, protect
from viewer.app.room import ReadingRoom
from viewer.app.study import load_study


def free_port() -> int:
    """A port of the loopback address that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(root: Path, port: int = 0, open_browser: bool = True, idle_minutes: float = 60.0, author: str = "", attached: bool = False) -> None:
    """The viewer on one case until it is interrupted, or nobody has used it for `idle_minutes` (0: no limit).

    Listens on this machine only. Nothing is answered without the secret in the address, made anew at each start, or the cookie that it becomes: other
    users of the machine, and other pages in the same browser, cannot connect (`viewer.app.guard`). author: the name that stands beside every correction, not
    to be changed on the page; attached: ends when the standard input closes, because the server that started it is gone.
    """
    port, secret = port or free_port(), new_secret()
    server = get_server()
    server.cli.set_defaults(authKey=secret)
    desk = EditingDesk(root, author)
    watch = IdleWatch(idle_minutes, busy=lambda: desk.job.running)
    desk.sit(ReadingRoom(desk.opened(load_study(root)), f"{root.resolve().name} · coronary CT", server, secret, desk, watch))
    address = f"http://127.0.0.1:{port}/index.html?secret={secret}"

    async def end_when_idle() -> None:
        await watch.wait()
        with desk.room.state as state:
            state.ended = desk.room.say["idle"]
        print("viewer   closed: nobody used it", flush=True)
        await asyncio.sleep(1.0)  # so that the page still gets the sentence
        await server.stop()

    async def end_alone() -> None:
        await desk.job.cancel()
        await server.stop()

    def wait_for_the_end(loop: asyncio.AbstractEventLoop) -> None:
        sys.stdin.buffer.read()
        asyncio.run_coroutine_threadsafe(end_alone(), loop)

    def ready(**_) -> None:
        print(f"viewer   {address}", flush=True)
        server.context.idle_task = asyncio.create_task(end_when_idle())
        if attached:
            threading.Thread(target=wait_for_the_end, args=[asyncio.get_running_loop()], daemon=True).start()
        if open_browser:
            webbrowser.open(address)

    server.controller.on_server_bind.add(lambda webserver: (protect(webserver, secret), offer_report(webserver, root)))
    server.controller.on_server_ready.add(ready)
    server.start(host="127.0.0.1", port=port, open_browser=False, show_connection_info=False, disable_logging=True, timeout=0)
