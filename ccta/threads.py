"""Work on slabs of an array by as many threads as the process may use. The slabs do not depend on their number, so neither does any result."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def thread_count() -> int:
    """What OMP_NUM_THREADS says; without it, the processors that this process may use."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdigit() and int(said) > 0 else len(os.sched_getaffinity(0))


def in_slabs(work: Callable[[slice], object], length: int, step: int = 16) -> None:
    """work(slice) for each slab of `step` planes of an axis of this length. It must release the interpreter's lock (numpy, scipy.ndimage, numba's nogil)."""
    slabs = [slice(start, min(start + step, length)) for start in range(0, length, step)]
    if thread_count() == 1 or len(slabs) < 2:
        for slab in slabs:
            work(slab)
        return
    with ThreadPoolExecutor(thread_count()) as threads:
        for _ in threads.map(work, slabs):  # raises what a thread raised
            pass
