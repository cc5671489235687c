"""`python -m tests.benchmarks.server [STUDY]`: many senders at once, and a study's whole way from a PACS to its results there.

Senders: 50 studies by 8 senders through the DICOM listener; lost, doubled or changed instances, and MB/s, beside the same files copied by the disk alone.
The way (with STUDY, a folder of DICOM files; needs Orthanc): by STOW into Orthanc, from there by C-STORE, the real analysis with the reduced flow model,
results back with storage commitment and compared.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydicom
from sqlalchemy import func, select

from ccta.cli.console import print_table, say
from tests.viewer.server.conftest import free_port
from tests.viewer.server.orthanc import PASSWORD, USER, Orthanc
from tests.viewer.server.small_dicom import bytes_of, ct_slice, send
from viewer.server.intake import Intake
from viewer.server.node import Node
from viewer.server.peers import connected
from viewer.server.scp import start_listener
from viewer.server.settings import AnalysisSettings, IntakeSettings, ListenSettings, OutSettings, Pacs, ServerSettings
from viewer.server.store import Delivery, Instance, Study, open_store

STUDIES, SENDERS, SLICES, SIZE = 50, 8, 24, 512


def many_senders(folder: Path) -> list[list[str]]:
    """Rows of figure, measured, goal."""
    port = free_port()
    settings = ServerSettings(data=str(folder / "data"), listen=ListenSettings(port=port, callers=("CT1",)), intake=IntakeSettings(keep_free_mb=0))
    store = open_store(settings.database_url)
    listener = start_listener(settings.listen, Intake(store, settings))
    batches = [[ct_slice(f"1.2.{n}", number=k, size=SIZE) for k in range(SLICES)] for n in range(STUDIES)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(SENDERS) as pool:
        statuses = [status for batch in pool.map(lambda one: send(port, one), batches) for status in batch]
    seconds = time.perf_counter() - begun
    listener.shutdown()
    sent = {str(one.SOPInstanceUID): one for batch in batches for one in batch}
    with store.session() as session:
        kept = {one.sop_uid: one.path for one in session.scalars(select(Instance))}
        studies = session.scalar(select(func.count()).select_from(Study))
    changed = sum(pydicom.dcmread(settings.data_folder / path) != sent[uid] for uid, path in kept.items())
    files = sum(path.is_file() for path in (settings.data_folder / "studies").rglob("*.dcm"))
    megabytes = sum((settings.data_folder / path).stat().st_size for path in kept.values()) / 1e6
    copy = copying_mb_s(folder, batches[0][0], len(sent))
    store.close()
    return [
        ["instances accepted; in the database; as files", f"{statuses.count(0)}; {len(kept)}; {files}", f"{len(sent)} each"],
        ["studies; instances changed", f"{studies}; {changed}", f"{STUDIES}; 0"],
        ["MB/s through the listener, senders on the same cores", f"{megabytes / seconds:.1f}", ">= 20"],
        ["MB/s of writing and syncing the same files alone", f"{copy:.1f}", ""],
    ]


def copying_mb_s(folder: Path, one, count: int) -> float:
    """What the disk alone gives for as many files of this size, each synced."""
    data, place = bytes_of(one), folder / "alone"
    place.mkdir()
    begun = time.perf_counter()
    for number in range(count):
        with (place / str(number)).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    return count * len(data) / 1e6 / (time.perf_counter() - begun)


def whole_way(folder: Path, source: Path) -> list[list[str]]:
    """Rows of figure, measured, goal for one study."""
    port = free_port()
    orthanc = Orthanc(folder / "orthanc", port)
    (folder / "password").write_text(PASSWORD)
    web = Pacs(url=f"http://127.0.0.1:{orthanc.port}/dicom-web", user=USER, password_file=str(folder / "password"))
    pacs = {"main": Pacs(host="127.0.0.1", port=orthanc.dicom_port, ae_title="ORTHANC", commitment=True)}
    settings = ServerSettings(
        data=str(folder / "node"), listen=ListenSettings(port=port, callers=("ORTHANC",)), intake=IntakeSettings(quiet_s=5.0, keep_free_mb=100),
        analysis=AnalysisSettings(options=("--flow", "rom")), out=OutSettings(destination="main", retry_s=2.0), pacs=pacs,
    )  # fmt: skip
    with connected(web, settings) as peer:
        peer.store(sorted(source.rglob("*.dcm")))
    node = Node(settings)
    node.start()
    begun = time.perf_counter()
    try:
        orthanc.send_everything()
        study, results = awaited(node)
    finally:
        node.stop()
    made = [settings.data_folder / one.path for one in results]
    same = sum(pydicom.dcmread(path) == pydicom.dcmread(io.BytesIO(orthanc.file_of(one.sop_uid))) for path, one in zip(made, results, strict=True))
    orthanc.stop()
    return [
        ["a study's way from the PACS to its results there, s", f"{time.perf_counter() - begun:.0f}", ""],
        ["its state; CAD-RADS; lowest FFR", f"{study.state} {study.error}; {study.cad_rads}; {study.lowest_ffr}", "done"],
        ["result objects made; the same in the PACS; committed to", f"{len(made)}; {same}; {sum(bool(one.transaction_uid) for one in results)}", "equal"],
    ]


def awaited(node: Node) -> tuple[Study, list[Delivery]]:
    """The study when it has ended and all its results are in the PACS."""
    while True:
        time.sleep(1.0)
        with node.store.session() as session:
            study, results = session.scalar(select(Study)), list(session.scalars(select(Delivery)))
        if study is not None and study.state in ("done", "failed", "cancelled") and all(one.state == "there" for one in results):
            return study, results


def main(source: str = "") -> None:
    with tempfile.TemporaryDirectory() as name:
        say(f"{STUDIES} studies of {SLICES} slices by {SENDERS} senders ...")
        rows = many_senders(Path(name))
        if source:
            say("one study from the PACS and back ...")
            rows += whole_way(Path(name), Path(source))
    print_table("hospital server", ["figure", "measured", "goal"], rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
