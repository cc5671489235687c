"""Damaged PDUs against the listener: no crash, no thread that ends by an exception, nothing but PDUs in its answers, and it stores afterwards as before.

`python -m tests.benchmarks.fuzz_pdus [PDUS] [SEED]` sends 10,000, made of the recording of a real association: random bytes, truncated, with wrong lengths,
with flipped bits, in another order, twice, and with items that announce more than there is.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from sqlalchemy import select

from ccta.cli.console import print_table
from tests.viewer.server.conftest import free_port
from tests.viewer.server.small_dicom import ct_slice, send
from viewer.server.headers import header_of
from viewer.server.intake import Intake
from viewer.server.scp import start_listener
from viewer.server.settings import IntakeSettings, ListenSettings, ServerSettings
from viewer.server.store import Instance, open_store

PEERS, ANSWER_S = 4, 0.5
KNOWN = {2: "accepted", 3: "rejected", 4: "data", 6: "released", 7: "aborted"}
"""Types of PDU that an SCP may answer with."""


def recorded(port: int) -> list[bytes]:
    """The PDUs that a peer sends in an association with one C-STORE to `port`."""
    with socket.create_server(("127.0.0.1", 0)) as between:
        sender = threading.Thread(target=send, args=(between.getsockname()[1], [ct_slice("1.2.3")]))
        sender.start()
        peer, _ = between.accept()
        with peer, socket.create_connection(("127.0.0.1", port)) as listener:
            back = threading.Thread(target=_pass_on, args=(listener, peer))
            back.start()
            said = _pass_on(peer, listener)
            back.join()
        sender.join()
    return _split(said)


def _pass_on(source: socket.socket, target: socket.socket) -> bytes:
    said = bytearray()
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            said += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    return bytes(said)


def _split(said: bytes) -> list[bytes]:
    """A stream of PDUs one by one. ValueError where it is none."""
    pdus = []
    while said:
        if len(said) < 6 or len(said) < 6 + struct.unpack(">L", said[2:6])[0]:
            raise ValueError("not a whole PDU")
        end = 6 + struct.unpack(">L", said[2:6])[0]
        pdus.append(said[:end])
        said = said[end:]
    return pdus


# --- ways to damage one PDU ---


def _noise(pdu: bytes, dice: random.Random) -> bytes:
    return dice.randbytes(dice.randint(0, 600))


def _noise_with_header(pdu: bytes, dice: random.Random) -> bytes:
    body = dice.randbytes(dice.randint(0, 600))
    return struct.pack(">BBL", dice.randint(0, 8), 0, len(body)) + body


def _truncated(pdu: bytes, dice: random.Random) -> bytes:
    return pdu[: dice.randrange(len(pdu))]


def _wrong_length(pdu: bytes, dice: random.Random) -> bytes:
    length = dice.choice([0, 1, len(pdu) - 7, len(pdu) - 5, dice.randint(0, 2 * len(pdu)), 2**31, 2**32 - 1])
    return pdu[:2] + struct.pack(">L", length) + pdu[6:]


def _wrong_item(pdu: bytes, dice: random.Random) -> bytes:
    """Two or four bytes somewhere as a large number: lengths of items, fragments and elements among them."""
    value = dice.choice([b"\xff\xff", b"\x7f\xff", b"\0\0", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"])
    at = dice.randrange(len(pdu) - len(value) + 1)
    return pdu[:at] + value + pdu[at + len(value) :]


def _flipped(pdu: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(pdu)
    for _ in range(dice.randint(1, 8)):
        damaged[dice.randrange(len(pdu))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def _inserted(pdu: bytes, dice: random.Random) -> bytes:
    """Some bytes more in the middle; the header's length fits."""
    at = dice.randrange(6, len(pdu) + 1)
    longer = pdu[:at] + dice.randbytes(dice.randint(1, 64)) + pdu[at:]
    return longer[:2] + struct.pack(">L", len(longer) - 6) + longer[6:]


WAYS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "random bytes": _noise, "random bytes in a PDU": _noise_with_header, "truncated": _truncated, "wrong length": _wrong_length, "wrong item": _wrong_item,
    "flipped bits": _flipped, "bytes inserted": _inserted, "out of order": lambda pdu, dice: pdu,
}  # fmt: skip


def damaged(pdus: list[bytes], dice: random.Random) -> tuple[str, list[bytes]]:
    """(way, what a peer says): the recording with one damaged PDU, two times of three after the association was accepted."""
    way, index = dice.choice(sorted(WAYS)), dice.choice([0, *range(1, len(pdus)), *range(1, len(pdus))])
    if way == "out of order":
        return way, [*pdus[: min(index, 1)], *dice.choices(pdus, k=dice.randint(1, len(pdus) + 2))]
    return way, [*pdus[:index], WAYS[way](pdus[index], dice), *pdus[index + 1 :]]


# --- against the listener ---


def answer_to(port: int, said: list[bytes]) -> bytes:
    """What the listener answers until it closes the connection, or says nothing more after ours is closed for writing. Its first answer is awaited."""
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", port)) as peer, contextlib.suppress(OSError):
        peer.settimeout(ANSWER_S)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            peer.sendall(said[0])
            answer += peer.recv(65536)
            peer.sendall(b"".join(said[1:]))
            peer.shutdown(socket.SHUT_WR)
        while data := peer.recv(65536):
            answer += data
    return bytes(answer)


def fault_of(answer: bytes) -> str:
    """What is wrong with an answer, "" where nothing is."""
    if any(word in answer for word in (b"Traceback", b".py", b"/home", b"Error")):
        return f"it tells of its inside: {answer[:200]!r}"
    try:
        types = [pdu[0] for pdu in _split(answer)]
    except ValueError:
        return f"it is no PDU: {answer[:60]!r}"
    return "" if set(types) <= set(KNOWN) else f"PDUs of the types {types}"


def fuzz(folder: Path, count: int, seed: int) -> tuple[list[list[str]], list[str]]:
    """(rows of figure, measured, goal; faults) of `count` damaged PDUs."""
    port, faults, ended_threads = free_port(), [], []
    settings = ServerSettings(data=str(folder / "data"), listen=ListenSettings(port=port, callers=("CT1",), associations=50, idle_s=5.0))
    settings = ServerSettings(data=settings.data, listen=settings.listen, intake=IntakeSettings(keep_free_mb=0))
    store = open_store(settings.database_url)
    listener = start_listener(settings.listen, Intake(store, settings))
    threading.excepthook = lambda args: ended_threads.append(f"{args.exc_type.__name__} in {args.thread.name if args.thread else '?'}: {args.exc_value}")
    dice, answers, ways = random.Random(seed), Counter(), Counter()
    pdus = recorded(port)
    process, threads, sizes, begun = psutil.Process(), threading.active_count(), [], time.monotonic()
    with ThreadPoolExecutor(PEERS) as pool:
        for _ in range(10):
            batch = [damaged(pdus, dice) for _ in range(-(-count // 10))]
            for (way, _), answer in zip(batch, pool.map(lambda one: answer_to(port, one[1]), batch), strict=True):
                ways[way] += 1
                fault = fault_of(answer)
                faults += [f"{way}: {fault}"] if fault else []
                answers[KNOWN[_split(answer)[-1][0]] if answer and not fault else "closed"] += 1
            sizes.append(process.memory_info().rss / 1e6)
    seconds = time.monotonic() - begun
    left = _threads_left(threads, settings.listen.idle_s)
    afterwards = send(port, [ct_slice("1.2.4", number=n) for n in (1, 2)])
    listener.shutdown()
    faults += ended_threads + _unsound(settings, store) + ([] if afterwards == [0, 0] else [f"it does not store afterwards: {afterwards}"])
    store.close()
    threading.excepthook = threading.__excepthook__
    rows = [
        ["damaged PDUs sent; of the kinds", f"{sum(ways.values())}; {', '.join(f'{way} {number}' for way, number in sorted(ways.items()))}", f"{count}"],
        ["last answers", ", ".join(f"{kind} {number}" for kind, number in answers.most_common()), ""],
        ["faults (answers, ended threads, files that are not in the database)", f"{len(faults)}", "0"],
        ["statuses of two slices afterwards", f"{afterwards}", "[0, 0]"],
        ["memory after a fifth; at the end, MB", f"{sizes[1]:.0f}; {sizes[-1]:.0f}", "equal"],
        ["threads left; s", f"{left}; {seconds:.0f}", "0"],
    ]
    return rows, faults


def _threads_left(before: int, idle_s: float) -> int:
    """Threads more than before, once those that wait for a silent peer have had their time."""
    for _ in range(int(10 * (2 * idle_s + 5))):
        if threading.active_count() <= before:
            break
        time.sleep(0.1)
    return max(0, threading.active_count() - before)


def _unsound(settings: ServerSettings, store) -> list[str]:
    """Files that are damaged, or not what the database says."""
    with store.session() as session:
        kept = set(session.scalars(select(Instance.path)))
    files = {path.relative_to(settings.data_folder).as_posix(): path for path in (settings.data_folder / "studies").rglob("*") if path.is_file()}
    for path in files.values():
        header_of(path.read_bytes())
    return [f"{name} is not both a file and in the database" for name in kept ^ set(files)]


def main(count: int = 10_000, seed: int = 8) -> int:
    import logging

    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        rows, faults = fuzz(Path(name), count, seed)
    print_table(f"damaged PDUs (seed {seed})", ["figure", "measured", "goal"], rows)
    for fault in faults[:20]:
        print("  " + fault)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
