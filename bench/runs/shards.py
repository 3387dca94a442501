"""A suite in n parts that are measured apart, as in a matrix of jobs, and joined by `bench.store.merge`.

Which cells a shard measures depends on the suite alone: not on what is measured already, nor on the machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.core.errors import UsageError
from bench.runs.cells import Cell
from bench.runs.plan import work

_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Shard:
    """The i-th of n parts, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse(text: str) -> Shard:
    """A shard as the command line names it: "2/3".

    Raises:
        UsageError: not two whole numbers with a stroke between them, or the first not from 1 to the second.
    """
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    number, of = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= of <= _MOST:
        raise UsageError(f'--shard takes i/n with 1 <= i <= n <= {_MOST:,}, such as 2/3; got "{text}"')
    return Shard(number, of)


def part(cells: Sequence[Cell], shard: Shard) -> list[Cell]:
    """The cells of one shard, in the suite's order."""
    return divide(cells, shard.of)[shard.number - 1]


def divide(cells: Sequence[Cell], of: int, weigh: Callable[[Cell], float] = work) -> list[list[Cell]]:
    """All cells of a suite in `of` parts of about the same work, each in the suite's order.

    Each unit goes to the part that then has the least work, the largest unit first; of equals, in the suite's order
    (Graham 1969, Bounds on Multiprocessing Timing Anomalies, SIAM Journal on Applied Mathematics 17, 416-429). A unit
    is a cell with those that take over its choice of options. What a base model answers to the probes is in every part
    that trains this model, and in no other; where nothing trains it, each answer is a unit of its own. Parts may be
    empty.
    """
    trained = {cell.model.name for cell in cells if cell.method.weights.learner.moves_weights}
    probes: dict[str, list[Cell]] = {}
    units: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.is_base and cell.model.name in trained:
            probes.setdefault(cell.model.name, []).append(cell)
        else:
            units.setdefault(cell.chooser or cell.key, []).append(cell)
    sized = sorted(((sum(map(weigh, unit)), unit) for unit in units.values()), key=lambda pair: -pair[0])
    asked = {model: sum(map(weigh, own)) for model, own in probes.items()}
    parts: list[set[str]] = [set() for _ in range(of)]
    loads, holding = [0.0] * of, [set[str]() for _ in range(of)]
    for amount, unit in sized:
        needed = {cell.model.name for cell in unit if cell.method.weights.learner.moves_weights} & probes.keys()
        costs = [amount + sum(asked[model] for model in sorted(needed - held)) for held in holding]
        place = min(range(of), key=lambda i: (loads[i] + costs[i], len(parts[i]), i))
        loads[place] += costs[place]
        parts[place] |= {cell.key for cell in unit}
        parts[place] |= {cell.key for model in needed for cell in probes[model]}
        holding[place] |= needed
    return [[cell for cell in cells if cell.key in keys] for keys in parts]
