"""The cheapest thing that would bring what a verdict lacks, with its price in the run's own measured seconds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bench.analysis.decision.across import ALL_MODELS
from bench.analysis.decision.lines import rounded
from bench.analysis.decision.rule import lead
from bench.analysis.decision.verdict import Verdict
from bench.analysis.item_texts import test_items
from bench.config.suite import argument
from bench.core.phases import spent
from bench.core.record import Record, Run
from bench.metrics import NAMES
from bench.metrics.formats import clean

Kind = Literal["cells", "methods", "items", "seeds", "margin", "model"]
_MOST_OF_SCALE = 0.1  # a margin of more is asked of nobody as long as there are items to measure
_PER_ITEM = ("retrieve", "predict")  # phases whose time grows with the items of the test


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do, the command that does it, and how long that takes; a margin takes no measuring."""

    kind: Kind
    amount: float  # cells to measure, test items or seeds in all, or the margin; of methods and models nothing
    command: str
    seconds: float | None  # on the machine of the run; None where nothing tells
    chooses: str = ""  # what a margin would choose
    items_needed: int = 0  # to tell the leaders apart
    items_there: int = 0


def next_step(run: Run, verdict: Verdict, *, useful: bool = True) -> NextStep | None:
    """The next step; None where there is a choice and training again would bear it out, or nothing known helps.

    `useful`: whether what leads is better than what knows nothing; else there is nothing to choose the cheapest of.
    """
    family, again = verdict.family, verdict.again
    missing = missing_cells(run, family.model, family.task)
    if missing is not None:
        return missing
    if verdict.evidence == "one method":
        return NextStep("methods", 0, "", None)
    if verdict.undecided or not useful:
        return _for_a_choice(run, verdict, useful)
    if again.seeds_needed:
        seeds = again.seeds_needed
        return NextStep("seeds", seeds, _run_command(run, seeds=seeds), _price_of_seeds(run, seeds))
    needed = again.items_needed
    more = needed is not None and len(family.answers[0].ids) < needed <= _there(run, verdict)
    return _items(run, needed, needed) if needed and more else None


def missing_cells(run: Run, model: str, task: str) -> NextStep | None:
    """To measure all cells that the run lacks, where some of them are of this model (or all) and task."""
    missing = [cell for cell in run.missing if not cell.elsewhere]
    own = [cell for cell in missing if model in (cell.model, ALL_MODELS)]
    if not any(cell.is_base or cell.task == task for cell in own):
        return None
    seconds = _sum(_typical(run, cell.task, cell.method) for cell in missing)
    return NextStep("cells", len(missing), _run_command(run), seconds)


def _for_a_choice(run: Run, verdict: Verdict, useful: bool) -> NextStep:
    """Enough items where the task has them; else a margin that is not absurd; else all the items there are."""
    needed, there = verdict.items_needed or 0, _there(run, verdict)
    more = there > len(verdict.family.answers[0].ids)
    if verdict.undecided and needed <= there:
        return _items(run, needed, needed)
    if not useful:
        return _items(run, there, needed) if more else NextStep("model", 0, "", None)
    margin = _margin(run, verdict, there)
    absurd = margin.amount > _MOST_OF_SCALE * NAMES[verdict.family.metric].scale
    return _items(run, there, needed) if absurd and more else margin


def _items(run: Run, items: int, needed: int) -> NextStep:
    command, price = _run_command(run, limit=items), _price_of_items(run, items)
    return NextStep("items", items, command, price, items_needed=needed, items_there=items)


def _there(run: Run, verdict: Verdict) -> int:
    """Test items that the task has, of which the run may have used some only."""
    family = verdict.family
    measured = (r for r in run.records if (r.task, r.status) == (family.task, "ok"))
    own = next(r for r in measured if family.model in (r.model, ALL_MODELS))
    used = len(family.answers[0].ids)
    return (test_items(run, own) or used) if own.identity.task.limit == used else used


def _margin(run: Run, verdict: Verdict, there: int) -> NextStep:
    """The margin within which the leaders count as equal, so that the cheapest of them is chosen."""
    tied = [one for one in verdict.standings if one.label in verdict.ties]
    cheapest = min(tied, key=lambda one: one.cost).label
    behind = max(
        -lead(one, cheapest)[1]
        for one in verdict.family.differences
        if cheapest in (one.a.label, one.b.label) and {one.a.label, one.b.label} <= set(verdict.ties)
    )
    margin = rounded(behind)
    if margin < behind:  # two digits, and not less
        margin += 10.0 ** (math.floor(math.log10(behind)) - 1)
    command = f"adaptbench decide {clean(run.path)} --task {clean(verdict.family.task)} --margin {margin:.3g}"
    return NextStep("margin", margin, command, 0.0, cheapest, verdict.items_needed or 0, there)


def _run_command(run: Run, *, limit: int | None = None, seeds: int | None = None) -> str:
    """The command that measured the run, with more items or seeds."""
    first = run.records[0]
    had = first.identity.task.limit
    used = sorted({record.seed for record in run.records})
    asked = list(range(seeds)) if seeds else used if len(used) > 1 else []
    parts = ["adaptbench run", clean(argument(run.suite))]
    parts += [f"--limit {limit or had}"] if limit or had else []
    parts += [f"--seeds {','.join(map(str, asked))}"] if asked else []
    return " ".join(parts)


def _groups(run: Run) -> dict[tuple[str, str, str], list[Record]]:
    """The cells that ended, by model, task and method."""
    found: dict[tuple[str, str, str], list[Record]] = {}
    for record in run.records:
        if record.status == "ok":
            found.setdefault((record.model, record.task, record.method), []).append(record)
    return found


def _seconds(record: Record) -> float:
    return sum(map(spent, record.phases.values()))


def _typical(run: Run, task: str, method: str) -> float | None:
    """Mean time of the cells of a method on a task, else of the method, else of all."""
    ended = [record for record in run.records if record.status == "ok"]
    same = [r for r in ended if r.method == method]
    chosen = [r for r in same if r.task == task] or same or ended
    return statistics.fmean(map(_seconds, chosen)) if chosen else None


def _price_of_seeds(run: Run, seeds: int) -> float:
    """Of every method that is measured with several seeds or trained; what is measured is not measured again."""
    return sum(
        max(0, seeds - len(own)) * statistics.fmean(map(_seconds, own))
        for own in _groups(run).values()
        if len(own) > 1 or own[0].training is not None
    )


def _price_of_items(run: Run, items: int) -> float:
    """Of every cell anew: another number of items is another measurement."""
    total = 0.0
    for record in run.records:
        if record.status == "ok" and record.items:
            growing = sum(spent(phase) for name, phase in record.phases.items() if name in _PER_ITEM)
            total += _seconds(record) + growing * (items / record.items - 1)
    return total


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)
