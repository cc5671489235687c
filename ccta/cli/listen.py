"""`ccta listen`: the hospital node without the web page."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from ccta.cli.console import print_json, say
from ccta.errors import BadInput
from viewer.server.settings import ServerSettings, load_server_settings

SettingsFile = Annotated[Path | None, typer.Option("--config", help="The server's settings; server.toml of this folder where it is there.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(epilog="Example: ccta listen --config server.toml")(listen)


def settings_of(file: Path | None) -> ServerSettings:
    """Settings of the file given, of ./server.toml, or the defaults."""
    here = Path("server.toml")
    return load_server_settings(file or (here if here.is_file() else None))


def listen(
    settings: SettingsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print where it listens as one JSON line.")] = False,
) -> None:
    """Receives studies by DICOM and from the watched folder, analyses them and sends the results back, until it is stopped (Ctrl-C or SIGTERM)."""
    from viewer.server.node import Node  # the database and the queue load only here

    values = settings_of(settings)
    if not values.listen.callers and not values.intake.watched_folder:
        raise BadInput("nothing can come in: name the senders' AE titles in listen.callers of server.toml, or give intake.watched_folder")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    node = Node(values)
    try:
        node.start()
        rules = values.listen
        where = f"listens on {rules.host}:{rules.port} as {rules.ae_title}" if rules.callers else f"watches {values.intake.watched_folder}"
        if as_json:
            print_json({"host": rules.host, "port": rules.port, "ae_title": rules.ae_title, "data": values.data})
        say(f"ccta: {where}; studies and cases are in {values.data_folder}")
        stopped.wait()
    finally:
        node.stop()
    say("ccta: stopped; what was begun goes on after the next start")
