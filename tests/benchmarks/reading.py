"""`python -m tests.benchmarks.reading`: time and memory of reading a 512 x 512 x 512 study, per transfer syntax, and of a ten-phase study read lazily.

Each figure is of a process of its own, imports included; the study lies on disk in the page cache.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pydicom.uid import generate_uid

from ccta.cli.console import print_table
from tests.ccta.dicom_makers import SeriesSpec, chest_hu, slices
from tests.ccta.dicom_syntaxes import encoded

GOAL_S, GOAL_TIMES_SIZE = 10.0, 2.0
SIDE, DIFFERENT = 512, 11  # slices that differ; the others repeat them at other places
READ = """
import json, sys, time
started = time.monotonic()
from ccta.reading.study import open_input, read
imported = time.monotonic()
inventory = open_input(sys.argv[1])
listed = time.monotonic()
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024  # ru_maxrss knows the parent
before = peak()
if sys.argv[2] == "phases":
    phases = inventory.phase_sets[0]
    sizes = [volume.array.nbytes for _, volume in phases]
    assert len(sizes) == 10
else:
    volume = read(inventory.required("ccta")).volume
    sizes = [volume.array.nbytes]
times = {"import_s": imported - started, "list_s": listed - imported, "read_s": time.monotonic() - listed}
print(json.dumps({**times, "list_mib": before, "peak_mib": peak(), "size_mib": sum(sizes) / 2**20}))
"""


def write_study(folder: Path, depth: int, syntax: str = "explicit", **tags) -> Path:
    """`depth` slices of 512 x 512 with the noise of a CCTA, cut off at -1024 HU as scanners do."""
    folder.mkdir(parents=True)
    spec = SeriesSpec(
        np.maximum(chest_hu((SIDE, SIDE, DIFFERENT), noise_hu=22.0), -1024),
        spacing_mm=(0.4, 0.4, 0.3),
        signed=False,
        tags=tags,
        study_uid="1.2.3",
        frame_uid="1.2.4",
    )
    originals = [encoded(dataset, syntax) for dataset in slices(spec)]
    for k in range(depth):
        dataset = copy.copy(originals[k % DIFFERENT])
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.InstanceNumber, dataset.ImagePositionPatient = k + 1, [-100, -100, round(-80 + 0.3 * k, 1)]
        dataset.save_as(folder / f"{k:04d}.dcm", enforce_file_format=True)
    return folder


def measured(folder: Path, what: str = "series") -> dict:
    """Times and memory of one reading process."""
    done = subprocess.run([sys.executable, "-c", READ, folder, what], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def row(name: str, got: dict) -> list[str]:
    total = got["import_s"] + got["list_s"] + got["read_s"]
    parts = f"{total:.1f} s (imports {got['import_s']:.1f}, headers {got['list_s']:.1f}, pixels {got['read_s']:.1f})"
    return [name, parts, f"{GOAL_S:.0f} s", f"{got['peak_mib']:.0f} MiB, {got['peak_mib'] / got['size_mib']:.2f} times its size", f"{GOAL_TIMES_SIZE:g} times"]


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for syntax in ("explicit", "RLE", "JPEG lossless SV1", "JPEG-LS", "JPEG 2000 lossless", "HTJ2K lossless"):
            folder = write_study(Path(name) / syntax, SIDE, syntax)
            rows.append(row(f"512 x 512 x 512, {syntax}", measured(folder)))
            for path in folder.iterdir():
                path.unlink()
        ten = Path(name) / "ten"
        for percent in range(0, 100, 10):
            write_study(ten / str(percent), 240, NominalPercentageOfCardiacPhase=float(percent))
        rows.append(row("ten phases of 512 x 512 x 240, one after the other", measured(ten, "phases")))
        rows[-1][2] = ""
    print_table("reading, two cores", ["study", "time", "goal", "peak memory of the process", "goal"], rows)


if __name__ == "__main__":
    main()
