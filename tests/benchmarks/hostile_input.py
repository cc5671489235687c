"""`python -m tests.benchmarks.hostile_input --count 20000`: damaged files through the reader, half of them by hypothesis, half by atheris.

Every file has to end in a result or in one of our errors: no other exception, no crash of a decoder, no hang over 10 s, no more than 1 GiB, nothing written
outside. Each batch runs in a process of its own under these limits; what breaks them is kept in --keep with its traceback.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from ccta.cli.console import print_table

HANG_S, MEMORY_GIB = 10.0, 1.0
BATCH = 1000
TOOLS = "tests.benchmarks.hostile_seeds"  # imported late, so that atheris can instrument what it imports


class Batch:
    """One process's work: counts, findings and the file in hand, written down before it is opened so that a crash can be traced to it."""

    def __init__(self, folder: Path, tools):
        self.folder, self.tools, self.outcomes, self.findings, self.slowest_s = folder, tools, Counter(), {}, 0.0
        tools.make_room(folder / "room")

    def try_one(self, suffix: str, content: bytes) -> None:
        (self.folder / "in_hand").write_bytes(suffix.encode().ljust(16) + content)
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        started = time.monotonic()
        try:
            self.outcomes[self.tools.examine(self.folder / "room", suffix, content, thorough=sum(self.outcomes.values()) % 4 == 0)] += 1
        except Exception as error:  # the findings of this harness
            where = traceback.extract_tb(error.__traceback__)
            ours = next((f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in reversed(where) if "/ccta/" in f.filename), "?")
            key = f"{type(error).__name__} at {ours}"
            if key not in self.findings:
                (self.folder / f"finding-{len(self.findings)}{suffix}").write_bytes(content)
                self.findings[key] = traceback.format_exc()[-3000:]
            self.outcomes["FINDING"] += 1
        self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        faulthandler.cancel_dump_traceback_later()
        if sum(self.outcomes.values()) % 50 == 0:
            self.note()

    def note(self) -> None:
        report = {
            "outcomes": self.outcomes, "findings": self.findings, "slowest_s": self.slowest_s, "escaped": self.tools.escaped(self.folder / "room"),
            "peak_gib": int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 2**20,
        }  # fmt: skip
        (self.folder / "report.json").write_text(json.dumps(report))


def by_hypothesis(batch: Batch, count: int, number: int) -> None:
    """`count` files from the strategy `damaged`."""
    left = [count]

    @seed(number)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(batch.tools.damaged(batch.tools.seeds()))
    def run(drawn):
        if left[0] > 0:  # hypothesis may draw a few more
            left[0] -= 1
            batch.try_one(*drawn)

    run()


def by_atheris(batch: Batch, count: int, number: int) -> None:
    """`count` files from libFuzzer's mutations, led by the coverage of pydicom and of our reader. Does not return: libFuzzer ends the process."""
    import atheris

    corpus = batch.folder / "corpus"
    corpus.mkdir()
    for index, content in enumerate(batch.tools.seeds().values()):
        (corpus / f"{index}").write_bytes(content)
    limits = ["-max_len=65536", "-timeout=15", "-rss_limit_mb=0", f"-artifact_prefix={batch.folder}/", "-verbosity=0"]
    atheris.Setup(
        [sys.argv[0], str(corpus), f"-runs={count}", f"-seed={number}", *limits], lambda content: batch.try_one(batch.tools.suffix_of(content), content)
    )
    atheris.Fuzz()


def work(folder: Path, engine: str, count: int, number: int) -> None:
    """The child process: limits, one batch, its report."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tools = instrumented() if engine == "atheris" else importlib.import_module(TOOLS)
    tools.quiet()
    batch = Batch(folder, tools)
    (by_atheris if engine == "atheris" else by_hypothesis)(batch, count, number)
    batch.note()


def instrumented():
    """The tools, with pydicom and our reader instrumented for coverage."""
    import atheris

    with atheris.instrument_imports(include=["pydicom", "ccta.reading"]):
        return importlib.import_module(TOOLS)


def run_batch(engine: str, count: int, number: int, keep: Path) -> dict:
    """One child; {'outcomes', 'findings', ...}; what it died of is a finding too, with the file that was in hand."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [
            sys.executable,
            "-m",
            "tests.benchmarks.hostile_input",
            "--worker",
            engine,
            "--count",
            str(count),
            "--first",
            str(number),
            "--keep",
            str(folder),
        ]
        done = subprocess.run(words, capture_output=True, text=True)
        report = json.loads((folder / "report.json").read_text()) if (folder / "report.json").exists() else {"outcomes": {}, "findings": {}}
        if done.returncode != 0:
            report["findings"][f"process ended with {done.returncode}"] = done.stderr[-3000:]
            report["outcomes"]["FINDING"] = report["outcomes"].get("FINDING", 0) + 1
        if report["findings"]:
            target = keep / f"{engine}-{number}"
            target.mkdir(parents=True, exist_ok=True)
            (target / "report.json").write_text(json.dumps(report, indent=1))
            for path in [*folder.glob("finding-*"), *([folder / "in_hand"] if done.returncode else [])]:
                (target / path.name).write_bytes(path.read_bytes())
    return report


def has_atheris() -> bool:
    try:
        import atheris  # noqa: F401
    except ImportError:
        return False
    return True


def campaign(count: int, first: int, keep: Path) -> dict:
    """All batches; the sums. A batch whose process died is followed by one that does what it left."""
    engines = ("hypothesis", "atheris") if has_atheris() else ("hypothesis",)
    total = {"outcomes": Counter(), "engines": Counter(), "findings": {}, "slowest_s": 0.0, "peak_gib": {}, "escaped": set()}
    number = first
    for engine in engines:
        wanted = count // len(engines)
        while total["engines"][engine] < wanted and len(total["findings"]) < 50:
            report = run_batch(engine, min(BATCH, wanted - total["engines"][engine]), number, keep)
            number += 1
            total["outcomes"].update(report["outcomes"])
            total["engines"][engine] += max(1, sum(report["outcomes"].values()))
            total["findings"].update(report["findings"])
            total["slowest_s"] = max(total["slowest_s"], report.get("slowest_s", 0.0))
            total["peak_gib"][engine] = max(total["peak_gib"].get(engine, 0.0), report.get("peak_gib", 0.0))
            total["escaped"].update(report.get("escaped", ()))
            print(f"{engine}: {total['engines'][engine]} files, {len(total['findings'])} findings", file=sys.stderr, flush=True)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--first", type=int, default=1, help="number of the first batch: another one gives other files")
    parser.add_argument("--keep", type=Path, default=Path("hostile"), help="where files that break a rule are kept")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.keep, options.worker, options.count, options.first)
        return 0
    started = time.monotonic()
    total = campaign(options.count, options.first, options.keep)
    rows = [
        ["files", f"{sum(total['engines'].values())} ({', '.join(f'{n} {e}' for e, n in total['engines'].items())})", "20000"],
        ["results", str(total["outcomes"].pop("result", 0)), ""],
        ["other exceptions, crashes, hangs", str(total["outcomes"].pop("FINDING", 0)), "0"],
        ["our errors", ", ".join(f"{n} {kind}" for kind, n in total["outcomes"].most_common()), ""],
        ["slowest file", f"{total['slowest_s']:.2f} s", f"{HANG_S:.0f} s"],
        ["peak memory of a process", ", ".join(f"{gib:.2f} GiB {engine}" for engine, gib in total["peak_gib"].items()), f"{MEMORY_GIB:.0f} GiB"],
        ["paths written outside", str(len(total["escaped"])), "0"],
        ["took", f"{time.monotonic() - started:.0f} s", ""],
    ]
    print_table("hostile input", ["figure", "measured", "goal"], rows)
    for key, trace in total["findings"].items():
        print(f"\n{key}\n{trace}")
    sound = not total["findings"] and not total["escaped"] and max(total["peak_gib"].values()) <= MEMORY_GIB and total["slowest_s"] <= HANG_S
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
