"""`ccta batch`: a table of studies on one machine or a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ccta.cli.analyse import Json
from ccta.cli.console import ERRORS, print_json, say
from ccta.cli.stages import NAMES, names_of
from ccta.errors import BadInput


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Examples: ccta batch cohort.csv out/ --workers 2 --set flow.model=rom | ccta batch cohort.csv out/ --resume")(batch)


def batch(
    table: Annotated[
        Path,
        typer.Argument(metavar="COHORT.csv", help="A row per study: path or pacs:NAME?accession=N; id, systolic, haematocrit ... and any table.key."),
    ],
    out: Annotated[str, typer.Argument(metavar="OUT", help="A new folder for the cohort, or an address such as s3://bucket/cohort.")],
    where: Annotated[
        str, typer.Option("--scheduler", "--cluster", metavar="ADDRESS|FILE", help="A running Dask scheduler or its JSON file, or a YAML file of a cluster.")
    ] = "",
    workers: Annotated[int, typer.Option(min=1, help="Worker processes on this machine, where no other cluster is named.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the cohort in OUT.")] = False,
    time_limit: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Of each step of a case; 0: none.")] = 0.0,
    memory_limit: Annotated[float, typer.Option(min=0, metavar="GIB", help="Of each step of a case; 0: none.")] = 0.0,
    given: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="For all rows: table.key, stages=read,..., retry=yes (failed ones too).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Analyses a cohort: a table of studies in; a case each, a live page and tidy tables out. What ends early goes on with --resume."""
    from ccta.cohort.limits import Limits
    from ccta.cohort.record import check_free, start_cohort
    from ccta.cohort.run import Cohort, left_of, records_of, run_cohort
    from ccta.cohort.steps import steps_for
    from ccta.cohort.storage import Place, is_remote
    from ccta.cohort.table import TRUE_FALSE, read_table, settings_of_words
    from ccta.cohort.tables import write_tables
    from ccta.settings import Settings

    words = dict(_pair(word) for word in given or [])
    stages, retry = names_of(words.pop("stages", ",".join(NAMES))), TRUE_FALSE.get(words.pop("retry", "no").lower(), False)
    studies = read_table(table, settings_of_words(words))
    models = {study.settings.get("flow", {}).get("model", Settings().flow.model) for study in studies}
    steps = steps_for(stages, max(models, key=lambda model: model.startswith("3d")))
    root, started = Place(out if is_remote(out) else str(Path(out).resolve())), time.monotonic()
    limits = Limits(time_limit, memory_limit)
    cohort = Cohort(root, studies, steps, limits, retry)
    check_free(root, resume)
    records = records_of(cohort)
    idle = not left_of(cohort, records)
    with nullcontext() if idle else _client(where, workers, steps) as client, watching(root, client, len(studies)) as watcher:
        start_cohort(root, studies, {"stages": stages, "steps": [asdict(step) for step in steps]}, resume)
        records = run_cohort(cohort, client, watcher, records=records)
        watcher.write(records, [], False)
    counted = write_tables(root)
    failed = [record for record in records.values() if record["status"] == "failed"]
    say(f"cohort   {len(studies)} studies, {len(studies) - len(failed)} finished, {len(failed)} failed  ({time.monotonic() - started:.0f} s)")
    for record in failed[:20]:
        say(f"failed   {record['id']}: {record['reason']}")
    say(f"page     {out.rstrip('/')}/index.html\ntables   {out.rstrip('/')}/tables  ({', '.join(f'{n} rows of {level}' for level, n in counted.items())})")
    if as_json:
        print_json({"out": out, "cases": [{key: record[key] for key in ("id", "status", "reason")} for record in records.values()], "rows": counted})


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals:
        raise BadInput(f"--set {word}: write it as KEY=VALUE, for example --set flow.model=rom")
    return key.strip(), value.strip()


def _client(where: str, workers: int, steps) -> AbstractContextManager:
    from ccta.cohort.cluster import address_in, cluster_client, local_client, remote_client

    if not where:
        return local_client(workers, steps)
    if where.endswith((".yaml", ".yml")):
        return cluster_client(Path(where), say)
    return remote_client(address_in(Path(where)) if where.endswith(".json") else where)


@contextmanager
def watching(root, client: Callable | None, total: int) -> Iterator:
    """Bars on a terminal, plain lines elsewhere; the page at both. client: None where nothing is left to do."""
    from ccta.cohort.cluster import dashboard_of
    from ccta.cohort.watching import Watcher

    dashboard = dashboard_of(client()) if client is not None else "nothing is left to do, no workers were started"
    say(f"dask     {dashboard}")
    columns = (TextColumn("{task.description}"), BarColumn(40), MofNCompleteColumn(), TextColumn("{task.fields[what]}"), TimeElapsedColumn())
    with Progress(*columns, console=ERRORS, disable=not ERRORS.is_terminal) as bars:
        bar = bars.add_task("studies", total=total, what="")

        def show(counts: dict, flying: list[str]) -> None:
            shown = ", ".join(flying[:4]) + (" ..." if len(flying) > 4 else "")
            bars.update(bar, completed=sum(counts.values()), what=f"{counts['failed']} failed; {shown}")

        yield Watcher(root, dashboard, lambda text: bars.console.print(text, markup=False), show)
