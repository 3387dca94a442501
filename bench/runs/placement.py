"""Which cells fit the machines that `--on` names, how long they take there, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.core.errors import UsageError
from bench.metrics.formats import duration
from bench.runs.cells import Cell
from bench.runs.graph import chains, makespan, waits
from bench.runs.plan import Estimate, memory_bytes

_NAMED = 5  # cells in a line


@dataclass(frozen=True, slots=True)
class Place:
    """What a cell gets on a machine."""

    name: str
    memory_gib: float | None  # of the GPU, or of the cell where it has none
    per_hour: float | None
    speed: float = 1.0  # in comparison with the machines that are asked for
    each_rank: bool = False  # whether every rank of a cell gets as much memory

    def of(self, ranks: int) -> Place:
        """What a cell of so many ranks gets."""
        shared = self.each_rank and self.memory_gib is not None
        return replace(self, memory_gib=(self.memory_gib or 0.0) * ranks) if shared else self


def refuse_unfitting(cells: Sequence[Cell], place: Place) -> None:
    """Raise UsageError where cells need more memory than they get, by the estimate of `plan`."""
    if wrong := _unfitting(cells, place):
        raise UsageError(
            f"too large for {place.name}, where a cell gets {place.memory_gib:g} GiB: {_named(wrong)}, up to about "
            f"{max(map(memory_bytes, wrong)) / 2**30:,.1f} GiB; leave them out, or name larger machines"
        )


def lines(estimates: Sequence[Estimate], at_once: int, place: Place, others: Sequence[Place] = ()) -> list[str]:
    """The placement in sentences: what fits, hours in all, the longest chain, money, and the same elsewhere."""
    todo = [each for each in estimates if each.state != "done"]
    if not todo:
        return [f"{place.name}: nothing is left to measure"]
    wrong = _unfitting([each.cell for each in todo], place)
    memory = "memory is not checked" if place.memory_gib is None else _fitting(wrong, place.memory_gib)
    if any(each.seconds is None for each in todo):
        return [f"{place.name}: {memory}", "hours are known once a cell of each model is measured there"]
    seconds = {each.cell.key: each.seconds or 0.0 for each in todo}
    after = waits([each.cell for each in todo])
    urgency = chains(after, seconds)
    wall, total = makespan(after, seconds, urgency, at_once), sum(seconds.values())
    found = [
        f"{place.name}: {memory}",
        f"{duration(total, rough=True)} in all, {duration(wall, rough=True)} with {at_once} at once; "
        f"the longest chain takes {duration(max(urgency.values()), rough=True)}{_cost(total, place)}",
    ]
    for other in others:
        left = _fitting(_unfitting([each.cell for each in todo], other), other.memory_gib or 0.0)
        took = total / other.speed
        found.append(f"on {other.name}: {left}; {duration(took, rough=True)} in all{_cost(took, other)}")
    return found


def _unfitting(cells: Sequence[Cell], place: Place) -> list[Cell]:
    if place.memory_gib is None:
        return []
    return [cell for cell in cells if cell.model.kind != "served" and memory_bytes(cell) > place.memory_gib * 2**30]


def _fitting(wrong: Sequence[Cell], memory_gib: float) -> str:
    return f"too large for {memory_gib:g} GiB: {_named(wrong)}" if wrong else f"all cells to do fit {memory_gib:g} GiB"


def _named(cells: Sequence[Cell]) -> str:
    names = list(dict.fromkeys(f"{cell.label} on {cell.task.name} with {cell.model.name}" for cell in cells))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _cost(seconds: float, place: Place) -> str:
    return "" if place.per_hour is None else f"; {seconds / 3600 * place.per_hour:,.2f} at {place.per_hour:g} an hour"
