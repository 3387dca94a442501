"""What the cells of a suite wait for, which of them starts next, and how long they take together.

A cell waits for another in three cases only: that one chooses its options, embeds the documents that it searches, or
asks the teacher whose answers it learns from. What a base model answers to the probes is read by reports alone, so that
nothing waits for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import TypeAlias

from bench.runs.cells import Cell

Graph: TypeAlias = Mapping[str, Collection[str]]  # key -> keys of cells, of these too, that have to end before


def waits(cells: Sequence[Cell]) -> dict[str, frozenset[str]]:
    """For every cell the keys, among `cells`, of those that have to end before it starts."""
    keys = {cell.key for cell in cells}
    first: dict[tuple[object, ...], str] = {}
    found: dict[str, frozenset[str]] = {}
    for cell in cells:
        needed = {cell.chooser} & keys
        for shared in filter(None, (_documents(cell), cell.lessons)):
            needed.add(first.setdefault(shared, cell.key))
        found[cell.key] = frozenset(key for key in needed if key and key != cell.key)
    return found


def _documents(cell: Cell) -> tuple[object, ...] | None:
    """What tells the documents that a cell embeds from others; None where it embeds none."""
    context, embedder = cell.method.context, cell.identity.surroundings.embedder
    if not embedder or cell.identity.method[context.name].get("retriever") == "lexical":
        return None
    drawn = (cell.train_size, cell.seed) if cell.train_size and context.reads_train(cell.task) else None
    return embedder, cell.task.digest, context.name, drawn


class Queue:
    """Cells by key that have not started: those that wait for nothing any more, the most urgent first."""

    def __init__(self, after: Graph, urgency: Mapping[str, float]) -> None:
        """`urgency`: the highest starts first; of equals the first in the order of `after`."""
        self._sorter = TopologicalSorter(after)
        self._sorter.prepare()
        self._rank = {key: (-urgency[key], place) for place, key in enumerate(after)}
        self._ready: list[tuple[tuple[float, int], str]] = []
        self._refill()

    def pop(self) -> str | None:
        """The cell to start next; None where all that are left wait, or none is left."""
        return heapq.heappop(self._ready)[1] if self._ready else None

    def done(self, key: str) -> None:
        """A cell has ended, whatever became of it."""
        self._sorter.done(key)
        self._refill()

    def _refill(self) -> None:
        for key in self._sorter.get_ready():
            heapq.heappush(self._ready, (self._rank[key], key))


def chains(after: Graph, seconds: Mapping[str, float]) -> dict[str, float]:
    """How urgent each cell is: what the longest chain that begins with it takes (Hu 1961, Operations Research 9)."""
    behind: dict[str, float] = dict.fromkeys(after, 0.0)
    for key in reversed(tuple(TopologicalSorter(after).static_order())):
        behind[key] += seconds[key]
        for other in after[key]:
            behind[other] = max(behind[other], behind[key])
    return behind


def makespan(after: Graph, seconds: Mapping[str, float], urgency: Mapping[str, float], workers: int) -> float:
    """What all cells take, so many at once, each started as soon as it may be and a worker is free."""
    queue, running, now = Queue(after, urgency), list[tuple[float, str]](), 0.0
    while True:
        while len(running) < workers and (key := queue.pop()) is not None:
            heapq.heappush(running, (now + seconds[key], key))
        if not running:
            return now
        now, ended = heapq.heappop(running)
        queue.done(ended)
