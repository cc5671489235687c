"""`python -m tests.benchmarks.full_disk`: the data folder's disk runs full under the running server: what was accepted stays, what comes is refused, and when
there is room again everything goes on, without a restart.

The disk is a tmpfs of 48 MB, which takes root to mount; the database is SQLite on the same disk, the harder case. Room is kept for nobody
(`intake.keep_free_mb` 0), so that writes fail in the middle.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from ccta.cli.console import print_table, say
from tests.benchmarks.hospital import SLICES, Hospital, Scanner, exactly_one
from viewer.server.store import Instance, Study

BEFORE, DURING, FULL_S, PATIENCE_S, SIZE_MB = 6, 4, 20.0, 300.0, 48


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A mounted tmpfs. PermissionError for who may not mount."""
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(place)], capture_output=True, text=True)
    if done.returncode:
        raise PermissionError(done.stderr.strip())
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all that is free, to the last block."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1_000_000, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return filler


def run(folder: Path, disk: Path) -> list[list[str]]:
    hospital = Hospital(folder, disk / "data", postgres=False)
    before = [Scanner(hospital, f"1.2.7.{number}") for number in range(1, BEFORE + 1)]
    during = [Scanner(hospital, f"1.2.8.{number}") for number in range(1, DURING + 1)]
    for scanner in before:
        scanner.send()
    say("the disk runs full ...")
    filler, kept, statuses, begun = fill(disk), accepted(hospital), [], time.monotonic()
    while time.monotonic() - begun < FULL_S:
        for scanner in during:
            statuses += scanner.once(scanner.slices)
        fill(disk)  # what failed writes gave back
        time.sleep(0.5)
    alive = hospital.server.poll() is None and hospital._healthy()
    same = sum((hospital.data / path).is_file() for path in kept.values())
    filler.unlink()
    say("there is room again ...")
    freed = time.monotonic()
    for scanner in during:
        scanner.send()
    everyone = [*before, *during]
    late = hospital.await_results([one.study_uid for one in everyone], PATIENCE_S)
    seconds = time.monotonic() - freed
    sets = {one.study_uid: hospital.result_sets(one.study_uid) for one in everyone}
    one = sum(exactly_one(found) for found in sets.values())
    failed = failures(hospital)
    hospital.stop()
    for uid in late:
        say(f"study {uid} has {dict(sets[uid])}: {failed.get(uid, 'not done')}")
    refused = {f"0x{status:04X}": statuses.count(status) for status in sorted(set(statuses))}
    return [
        ["slices accepted before; of them there while the disk is full", f"{len(kept)}; {same}", f"{BEFORE * SLICES} each"],
        [f"statuses of new slices during {FULL_S:.0f} s of full disk", f"{refused}", "0xA700 alone"],
        ["the server answers all the while", "yes" if alive else "no", "yes"],
        ["studies with exactly one result set in the PACS in the end", f"{one} of {len(everyone)}", "all"],
        ["s from the first free byte to the last result", f"{seconds:.0f}", ""],
    ]


def accepted(hospital: Hospital) -> dict[str, str]:
    store = hospital.store()
    with store.session() as session:
        found = dict(session.execute(select(Instance.sop_uid, Instance.path)).all())
    store.close()
    return found


def failures(hospital: Hospital) -> dict[str, str]:
    store = hospital.store()
    with store.session() as session:
        found = {uid: f"{state} {error}" for uid, state, error in session.execute(select(Study.study_uid, Study.state, Study.error))}
    store.close()
    return found


def main() -> int:
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="ccta-hospital-") as name:
        Path(name).chmod(0o755)
        try:
            with small_disk(Path(name) / "disk") as disk:
                rows = run(Path(name) / "node", disk)
        except PermissionError as error:
            print(f"full disk: not measured, a small disk cannot be mounted here ({error}); run it as root")
            return 0
    print_table("a full disk under the running server", ["figure", "measured", "goal"], rows)
    good = rows[3][1] == f"{BEFORE + DURING} of {BEFORE + DURING}" and rows[2][1] == "yes"
    return 0 if good else 1


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
