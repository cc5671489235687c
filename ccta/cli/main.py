"""The command `ccta`: collects the commands, and turns errors into one sentence and an exit code (0 done, 2 bad input, 1 our own fault)."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

import typer

from ccta.cli import (
    analyse,
    batch,
    cohort,
    deidentify,
    demo,
    edits,
    evaluate,
    export,
    flow,
    inspect,
    lesions,
    listen,
    phantom,
    phases,
    serve,
    show,
    sign,
    stage_commands,
    sweep,
    train,
    transfer,
)
from ccta.cli.console import say
from ccta.errors import CctaError

app = typer.Typer(
    name="ccta",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Coronary CT angiography: from a CT study to findings, FFR-CT and a report. Research use only, not for diagnosis.",
)
COMMANDS = (
    *(analyse, inspect, phases, stage_commands, lesions, edits, flow, sign, export, show, serve, listen, transfer),
    *(batch, cohort, sweep, deidentify, phantom, evaluate, train, demo),
)
for module in COMMANDS:
    module.register(app)


def main() -> None:
    """Entry point of the console script."""
    try:
        code = app(standalone_mode=False)
    except (typer.Exit, typer.Abort) as stop:
        code = getattr(stop, "exit_code", 1)
    except CctaError as error:
        say(f"ccta: {error}")
        code = 2
    except KeyboardInterrupt:
        say("ccta: stopped; what was finished is kept, run again with --resume to go on")
        code = 130
    except Exception as error:
        code = _report(error)
    sys.exit(code or 0)


def _report(error: Exception) -> int:
    """Usage errors are the user's (2); anything else is our own fault (1), with the details in a file."""
    if hasattr(error, "format_message"):  # click's usage errors
        say(f"ccta: {error.format_message()} See `ccta --help`.")
        return 2
    if os.environ.get("CCTA_DEBUG"):
        traceback.print_exc()
        return 1
    with tempfile.NamedTemporaryFile("w", prefix="ccta-error-", suffix=".log", delete=False) as log:
        traceback.print_exc(file=log)
    say(f"ccta: an error of the program itself ({type(error).__name__}: {error}); please report it with the file {log.name}")
    return 1


if __name__ == "__main__":
    main()
