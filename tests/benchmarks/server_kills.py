"""`python -m tests.benchmarks.server_kills [KILLS] [SEED]`: kill -9 at random moments, while studies come in: every study ends with exactly one result set.

Killed are the server (page, with everything below it), the node, a worker, Orthanc and PostgreSQL; each is started again within two seconds.
"""

from __future__ import annotations

import logging
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from sqlalchemy import func, select

from ccta.cli.console import print_table, say
from tests.benchmarks.hospital import SLICES, Hospital, Scanner, exactly_one
from viewer.server.store import Instance, Job, Study

STUDIES, SENDERS, PATIENCE_S = 40, 3, 600.0
TARGETS = ("server", "node", "worker", "Orthanc", "PostgreSQL")


def kill(hospital: Hospital, target: str, dice: random.Random) -> bool:
    """Kills one target; it is started again after up to two seconds, and nobody waits until it answers. False where there was nothing to kill."""
    if target == "server":
        if hospital.server.poll() is not None:
            return False
        hospital.server.kill()
    elif target in ("node", "worker"):  # the server and the node start them again
        found = hospital.children("listen" if target == "node" else "viewer.server.worker")
        if not found:
            return False
        try:
            dice.choice(found).kill()
        except psutil.NoSuchProcess:
            return False
    elif target == "Orthanc":
        hospital.orthanc.kill()
        time.sleep(dice.uniform(0, 2))
        hospital.orthanc.launch()
    else:
        hospital.postgres.kill()
        time.sleep(dice.uniform(0, 2))
        hospital.postgres.start_again()
    return True


def kills_at_random(hospital: Hospital, count: int, seed: int) -> Counter:
    """So many kills, each target equally often, in random order; how often each was killed."""
    dice, done = random.Random(seed), Counter()
    order = [TARGETS[n % len(TARGETS)] for n in range(count)]
    dice.shuffle(order)
    for number, target in enumerate(order):
        time.sleep(dice.uniform(0.5, 5.0))
        while not kill(hospital, target, dice):
            time.sleep(0.2)
        done[target] += 1
        say(f"kill {number + 1} of {count}: {target}")
    return done


def measured(hospital: Hospital, scanners: list[Scanner], late: list[str]) -> list[list[str]]:
    """Rows of figure, measured, goal."""
    uids = [one.study_uid for one in scanners]
    sets = {uid: hospital.result_sets(uid) for uid in uids}
    one = sum(exactly_one(found) for found in sets.values())
    store = hospital.store()
    with store.session() as session:
        instances = session.scalar(select(func.count()).select_from(Instance))
        again = session.scalar(select(func.count()).select_from(Study).where(Study.generation > 1))
        jobs = session.scalar(select(func.count()).select_from(Job))
    store.close()
    files = len(list((hospital.data / "studies").rglob("*.dcm")))
    for uid, found in sets.items():
        if not exactly_one(found):
            say(f"study {uid}: {dict(found)}")
    return [
        ["studies with exactly one result set in the PACS", f"{one} of {len(uids)}", "all"],
        ["studies without all results in the end", f"{len(late)}", "0"],
        ["slices in the database; as files", f"{instances}; {files}", f"{len(uids) * SLICES} each"],
        ["studies that were reopened; jobs", f"{again}; {jobs}", ""],
        ["tries of the scanner that were not accepted", f"{dict(sum((one.refusals for one in scanners), Counter()))}", ""],
    ]


def run(folder: Path, count: int, seed: int) -> list[list[str]]:
    hospital = Hospital(folder, folder / "data", postgres=True)
    scanners, begun = [Scanner(hospital, f"1.2.{seed}.{number}") for number in range(1, STUDIES + 1)], time.monotonic()
    pool = ThreadPoolExecutor(SENDERS)
    pause_s = 4.0 * count / STUDIES * SENDERS  # so that studies come in as long as something is killed

    def send_one(scanner: Scanner) -> None:
        time.sleep(random.Random(scanner.study_uid).uniform(0, 2 * pause_s))
        scanner.send()

    sending = [pool.submit(send_one, scanner) for scanner in scanners]
    killed = kills_at_random(hospital, count, seed)
    killing_s = time.monotonic() - begun
    for one in sending:
        one.result()
    sent_s = time.monotonic() - begun
    hospital.orthanc.await_start()
    late = hospital.await_results([one.study_uid for one in scanners], PATIENCE_S)
    rows = [["killed", ", ".join(f"{name} {number}" for name, number in sorted(killed.items())), f"{count} moments"]]
    rows += measured(hospital, scanners, late)
    rows += [["s of killing; until all was sent; until all results were there", f"{killing_s:.0f}; {sent_s:.0f}; {time.monotonic() - begun:.0f}", ""]]
    hospital.stop()
    return rows


def main(kills: int = 30, seed: int = 8) -> int:
    logging.disable(logging.ERROR)  # what pynetdicom says of associations that died
    with tempfile.TemporaryDirectory(prefix="ccta-hospital-") as name:
        Path(name).chmod(0o755)  # PostgreSQL's own user must come through
        rows = run(Path(name), kills, seed)
    print_table(f"kill -9 at {kills} random moments (seed {seed})", ["figure", "measured", "goal"], rows)
    return 0 if rows[1][1].startswith(f"{STUDIES} ") else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
