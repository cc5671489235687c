"""`ccta deidentify`: copies of a CT study without the patient's identity."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from ccta.cli.analyse import Input, Json
from ccta.cli.console import print_json, reporting, say


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(epilog="Example: ccta deidentify study/ anonymous/ --keep-age-sex")(deidentify)


def deidentify(
    source: Input,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder for the copies.")],
    keep_age_sex: Annotated[bool, typer.Option("--keep-age-sex", help="Keep the patient's age (90 for all above 89) and sex.")] = False,
    keep_burned_in: Annotated[bool, typer.Option("--keep-burned-in", help="Copy also images with text in their pixels, after looking at them.")] = False,
    as_json: Json = False,
) -> None:
    """Copies of the CT images without the patient's identity (DICOM PS3.15 Annex E, basic profile). What has no copy, and why, is printed."""
    from ccta.reading.deidentify import deidentify as run

    with reporting() as start:
        done = run(source, out, keep_age_sex, keep_burned_in, start("deidentify"))
    for reason, count in Counter(done.left_out.values()).most_common(10):
        say(f"left out {count} file(s): {reason}")
    for warning in done.warnings[:10]:
        say(f"warning  text in the pixels: {warning}")
    if len(done.warnings) > 10:
        say(f"warning  text in the pixels of {len(done.warnings) - 10} more files")
    say(f"written  {done.files} files to {done.folder}. Look at some of them before you pass them on: pixels can show what no header rule removes.")
    if as_json:
        print_json({"folder": str(done.folder), "files": done.files, "left_out": done.left_out, "warnings": list(done.warnings)})
