"""A flow problem cut into parts, one per MPI process: each owns a stretch of the ordered nodes and sees the nodes next to it, which others own.

A cell is assembled by every process that owns one of its nodes, so that owned rows are complete without adding across processes. What must be sent is the
state of the foreign nodes before each product, and sums. One process alone owns everything and sends nothing.
"""

from __future__ import annotations

import numpy as np


class Part:
    """cells: (C, m) of the whole, in the order of nodes 0 ... count. comm: an mpi4py communicator, None where one process solves alone.

    mine: (C,) the cells that touch an owned node. nodes: (n,) their nodes in the whole, ascending; owned: those of this process, as a slice of `nodes`.
    """

    def __init__(self, cells: np.ndarray, count: int, comm=None):
        self.comm = comm
        size, rank = (comm.size, comm.rank) if comm is not None else (1, 0)
        cut = np.linspace(0, count, size + 1).astype(np.int64)
        if size == 1:
            self.mine, self.nodes, self.owned = np.ones(len(cells), bool), np.arange(count), slice(0, count)
        else:
            self.mine = ((cells >= cut[rank]) & (cells < cut[rank + 1])).any(axis=1)
            self.nodes = np.unique(cells[self.mine])
            self.owned = slice(*map(int, np.searchsorted(self.nodes, cut[[rank, rank + 1]])))
        self.first, self.sizes = rank == 0, np.diff(cut)
        self._plan(np.searchsorted(cut, self.nodes, side="right") - 1, size, rank)

    def _plan(self, owner, size, rank):
        """Who has what this process sees, and who sees what it has."""
        self.receive = [(other, np.flatnonzero(owner == other)) for other in np.unique(owner) if other != rank]
        wanted = [self.nodes[:0]] * size
        for other, at in self.receive:
            wanted[other] = self.nodes[at]
        asked = self.comm.alltoall(wanted) if self.comm is not None else []
        self.send = [(other, np.searchsorted(self.nodes, nodes)) for other, nodes in enumerate(asked) if len(nodes)]

    def local(self, cells: np.ndarray) -> np.ndarray:
        """Numbers within this part of nodes of the whole."""
        return cells if self.comm is None else np.searchsorted(self.nodes, cells)

    def fill(self, values: np.ndarray) -> np.ndarray:
        """Sets the rows (n, k) of foreign nodes to what their owners have there; returns the same array."""
        sent = [np.ascontiguousarray(values[at]) for _, at in self.send]
        requests = [self.comm.Isend(buffer, other) for (other, _), buffer in zip(self.send, sent, strict=True)]
        for other, at in self.receive:
            buffer = np.empty((len(at), values.shape[1]))
            self.comm.Recv(buffer, other)
            values[at] = buffer
        for request in requests:
            request.Wait()
        return values

    def sum(self, values):
        """The sum over the processes, the same on all of them."""
        return values if self.comm is None else self.comm.allreduce(values) if np.isscalar(values) else self._summed(np.ascontiguousarray(values, float))

    def _summed(self, values):
        result = np.empty_like(values)
        self.comm.Allreduce(values, result)
        return result

    def inner(self, basis: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """(k,) inner products of (k, n) with (n,), whose last entry is the same on all processes and counts once."""
        return basis @ vector if self.comm is None else self._summed(basis[:, :-1] @ vector[:-1]) + basis[:, -1] * vector[-1]

    def norm(self, vector: np.ndarray) -> float:
        """Of a distributed vector whose last entry is common to all."""
        return float(np.sqrt(self.inner(vector[None], vector)[0]))

    def whole(self, values: np.ndarray) -> np.ndarray:
        """(N, k) of all nodes, on all processes, from the owned rows of (n, k)."""
        if self.comm is None:
            return values
        own = np.ascontiguousarray(values[self.owned], float)
        result = np.empty((self.sizes.sum(), *own.shape[1:]))
        counts = self.sizes * int(np.prod(own.shape[1:]))
        self.comm.Allgatherv(own, [result, (counts, np.concatenate([[0], np.cumsum(counts)[:-1]]))])
        return result
