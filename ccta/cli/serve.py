"""`ccta serve`: the worklist server. `ccta user`: who may log in."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ccta.cli.console import print_json, print_table, say
from ccta.errors import BadInput

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings of the server (server.toml); without it the defaults.")]
DataFolder = Annotated[Path | None, typer.Option("--data", help="Where the server keeps its database and what it receives.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(epilog="Example: ccta serve cases/")(serve)
    users = typer.Typer(no_args_is_help=True, help="Who may log in to the worklist server.")
    for command, example in ((add, "anna 'Anna Wang' --role reader"), (show, ""), (lock, "anna"), (password, "anna"), (audit, "")):
        users.command("list" if command is show else command.__name__, epilog=f"Example: ccta user {command.__name__} {example}")(command)
    app.add_typer(users, name="user")


def serve(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of cases that stands on the worklist, for evaluation without a PACS.", show_default=False)
    ] = None,
    config: ConfigFile = None,
    data: DataFolder = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Of the web page; 0 takes a free one.")] = None,
) -> None:
    """The worklist in the browser: accounts, cases, reports, viewers; with a configuration also DICOM in, analysis, and results back to the PACS."""
    from viewer.server import web
    from viewer.server.store import open_store
    from viewer.server.web_work import work_of

    settings = _settings(config, data or (folder / ".ccta-server" if folder and not config else None))
    if port is not None:
        settings = replace(settings, web=replace(settings.web, port=port))
    if folder is not None and not folder.is_dir():
        raise BadInput(f"{folder} is no folder; give the folder that holds your cases")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for quiet in ("httpx", "alembic"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    store = open_store(settings.database_url)
    parts = web.parts_of(settings, config)
    server = web.build(settings, store, work_of(settings, store, bool(parts)), folder)
    given = web.first_account(server.services.accounts)
    if given:
        say(f"account  {web.FIRST_LOGIN} with the one-time password {given} (shown once; choose your own at the first login)")
    web.start(server, settings, parts)


def add(
    login: Annotated[str, typer.Argument(help="Name of the account.")],
    full_name: Annotated[str, typer.Argument(help="Name of the person; it stands beside corrections and signatures.")],
    role: Annotated[list[str], typer.Option(help="reader, operator or admin; may be given several times.")],
    config: ConfigFile = None,
    data: DataFolder = None,
    json: Annotated[bool, typer.Option(help="One machine-readable line.")] = False,
) -> None:
    """Makes an account and prints its one-time password."""
    _told(login, _accounts(config, data).add(login, full_name, tuple(role)), json)


def show(config: ConfigFile = None, data: DataFolder = None, json: Annotated[bool, typer.Option(help="One machine-readable line.")] = False) -> None:
    """Lists the accounts."""
    everyone = _accounts(config, data).everyone()
    if json:
        return print_json({"users": everyone})
    rows = [[one["login"], one["full_name"], ", ".join(one["roles"]), "locked" if one["locked"] else ""] for one in everyone]
    print_table("accounts", ["account", "name", "roles", ""], rows)


def lock(
    login: Annotated[str, typer.Argument(help="Name of the account.")],
    unlock: Annotated[bool, typer.Option("--unlock", help="Unlock it, and forget its failed tries.")] = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Locks an account and ends its sessions, or unlocks it."""
    _accounts(config, data).lock(login, not unlock)
    say(f"account {login} {'unlocked' if unlock else 'locked'}")


def password(
    login: Annotated[str, typer.Argument(help="Name of the account.")],
    config: ConfigFile = None,
    data: DataFolder = None,
    json: Annotated[bool, typer.Option(help="One machine-readable line.")] = False,
) -> None:
    """Gives an account a new one-time password, and ends its sessions."""
    _told(login, _accounts(config, data).set_password(login), json)


def audit(config: ConfigFile = None, data: DataFolder = None, json: Annotated[bool, typer.Option(help="One machine-readable line.")] = False) -> None:
    """Reads the whole audit log and says whether it is as it was written. Exit code 2 when it is not."""
    from viewer.server.audit import Audit
    from viewer.server.store import open_store

    verdict = Audit(open_store(_settings(config, data).database_url)).verified()
    if json:
        print_json(vars(verdict))
    if verdict.broken_at:
        raise BadInput(f"the audit log does not fit at entry {verdict.broken_at}: it, or one before it, was changed, added or taken out")
    if not json:
        say(f"the audit log is whole: {verdict.entries} entries, last hash {verdict.last_hash}")


def _settings(config: Path | None, data: Path | None):
    from viewer.server.settings import load_server_settings

    settings = load_server_settings(config)
    return replace(settings, data=str(data)) if data else settings


def _accounts(config: Path | None, data: Path | None):
    from viewer.server.accounts import Accounts
    from viewer.server.store import open_store

    settings = _settings(config, data)
    return Accounts(open_store(settings.database_url), settings.login)


def _told(login: str, given: str, json: bool) -> None:
    if json:
        print_json({"login": login, "one_time_password": given})
    else:
        say(f"account  {login} with the one-time password {given} (shown once; to be changed at the first login)")
