"""What the commands print: a progress bar on a terminal, plain lines elsewhere, tables, and one JSON line last when asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

ERRORS = Console(stderr=True, highlight=False, soft_wrap=True)
OUT = Console(highlight=False, soft_wrap=True)


def say(sentence: str) -> None:
    """A plain line for the user (stderr, so that stdout can be piped)."""
    ERRORS.print(sentence, markup=False)


@contextmanager
def reporting() -> Iterator:
    """Gives `start(stage_name) -> progress(message, share=None)`."""
    if not ERRORS.is_terminal:
        yield _plain_lines
        return
    columns = (SpinnerColumn(), TextColumn("{task.fields[stage]:<12}"), BarColumn(20), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=ERRORS) as bars:
        yield lambda stage: _bar(bars, stage)
        for task in bars.task_ids:
            bars.update(task, total=1, completed=1)


def _bar(bars: Progress, stage: str):
    for task in bars.tasks:
        bars.update(task.id, total=1, completed=1, visible=True)
        bars.stop_task(task.id)
    task = bars.add_task("", stage=stage, total=None)

    def progress(message: str, share: float | None = None) -> None:
        bars.update(task, description=message, total=1 if share is not None else None, completed=share or 0)

    return progress


def _plain_lines(stage: str):
    last = [""]

    def progress(message: str, share: float | None = None) -> None:
        if message != last[0]:
            last[0] = message
            print(f"{stage}: {message}", file=sys.stderr, flush=True)

    return progress


def print_json(value: dict) -> None:
    """The machine-readable last line of `--json`."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))  # text of a header is no markup
    (OUT if OUT.is_terminal else Console(width=200, highlight=False)).print(table)
