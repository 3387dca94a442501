"""What a run would do: its cells, which are done, and an estimate of time and memory with its basis.

Work is counted in tokens passed through the model: a prompt token once, a training token three times (forward, and
twice that backward; Kaplan et al. 2020, appendix B), times the repetitions the method asks for. Seconds for each token
come from cells of the same run that are already measured; before there are any, from a timed pass of the model.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench.config.prices import Prices
from bench.core.item import Example
from bench.core.method import ContextCost, LearningCost
from bench.core.model_kind import LABELLING
from bench.core.phases import TEACHING, PhaseName, spent
from bench.core.record import Record
from bench.core.task import Task
from bench.metrics.formats import duration
from bench.runs.bill import CHARS_PER_TOKEN, Bill, bills, summed, told
from bench.runs.cells import Cell
from bench.runs.timed_pass import timed_rate
from bench.store.run_folder import Store
from tasks.loader.splits import TRIAL_ITEMS

_PASSES_TRAINED = 3.0
_BYTES_TRAINED, _BYTES_READ = 65536, 8192  # of activations, for each layer and unit of its width
_OVERHEAD_S = 12.0  # a cell's process: imports, loading, metrics; replaced by what finished cells took
_OVERHEAD_BYTES = 900 * 2**20  # torch, transformers and evaluate in one process


@dataclass(frozen=True)
class Estimate:
    """One line of a plan. `seconds` is None where nothing could be timed."""

    cell: Cell
    state: str  # "done", "failed" or "to do"
    work: float  # tokens through the model
    seconds: float | None
    memory_bytes: int
    bills: tuple[Bill, ...] = ()  # of endpoints that it is yet to ask


def plan(
    cells: Sequence[Cell],
    store: Store | None,
    *,
    device: str = "auto",
    pilot: bool = True,
    prices: Prices | None = None,
) -> list[Estimate]:
    """Estimates for all cells; `pilot` allows a timed pass of a model that has no measured cell yet.

    `prices`: of endpoints' tokens; None: nothing is said of money.
    """
    found = store.records([cell.ref for cell in cells]) if store else {}
    records = {cell.key: found.get(cell.key) for cell in cells}
    rates = _measured_rates(cells, records)
    if pilot:
        todo = {
            c.model.digest: c
            for c in cells
            if c.model.digest not in rates and records[c.key] is None and not c.model.endpoint
        }
        rates |= {digest: timed_rate(cell, device, _tokens_of(cell)) for digest, cell in todo.items()}
    return [_estimate(cell, records[cell.key], rates.get(cell.model.digest), prices) for cell in cells]


def work(cell: Cell) -> float:
    """Tokens through the model for one cell, a training token counted three times."""
    return sum(work_by_phase(cell).values())


def relative_seconds(cell: Cell) -> float:
    """How long a cell takes in comparison with others: its work, by the size of its model."""
    return work(cell) * cell.model.parameters


def work_by_phase(cell: Cell) -> dict[PhaseName, float]:
    """The same in each phase that grows with it."""
    weights, train = cell.method.weights, len(cell.task.train[: cell.train_size])
    once, whole = (_tokens(cell, weights.cost(train, trials)) for trials in (0, cell.trials))
    test = _tokens(cell, LearningCost(), 1.0)
    taught: dict[PhaseName, float] = {TEACHING: _teaching(cell)} if cell.asks_teacher else {}
    tuned = _searched(cell, once, whole - once) + _prompt_search(cell, test)
    return {**taught, "tune": tuned, "train": once, "predict": test}


def _prompt_search(cell: Cell, test: float) -> float:
    """Tokens of a search for a prompt, whose items are taken for such as those of the test; reflections aside."""
    trials = cell.identity.tuning.trials if cell.identity.tuning else 0
    train, judged = len(cell.task.train[: cell.train_size]), min(len(cell.task.validation), TRIAL_ITEMS)
    return cell.method.context.searched(train, judged, trials) * test / max(1, len(cell.task.test))


def _teaching(cell: Cell) -> float:
    """Tokens through a teacher on this machine, in those of the cell's model that take as long."""
    teacher, task = cell.teacher, cell.task
    if teacher is None or teacher.model.endpoint:
        return 0.0
    asked = teacher.items or task.train[: cell.train_size]
    larger = teacher.model.parameters / max(1, cell.model.parameters)
    return larger * sum(_item_tokens(task, item) for item in asked)


def _searched(cell: Cell, training: float, trials: float) -> float:
    """Work of a search: of trials of the method's own length, in every fold, or what a budget in trainings allows."""
    tuning = cell.identity.tuning
    if tuning is None or not cell.trials:
        return trials
    whole = trials * max(1, tuning.folds) if tuning.budget is None else training * tuning.budget
    return float(whole)


def _tokens(cell: Cell, cost: LearningCost, answered: float = 0.0) -> float:
    """Tokens through the model of learning at this cost, and of so many times the test items."""
    task, found = cell.task, _lengths(_ByIdentity(cell.task), cell.train_size, cell.model.kind in LABELLING)
    trains = cell.method.weights.learner.moves_weights
    context = _context_tokens(cell.method.context.cost(task), trains)
    train, validation, test = (of_split.with_context(context) for of_split in found)
    trial = test.items * min(len(task.validation), TRIAL_ITEMS) / max(1, len(task.test))
    sampled = cell.identity.validation_items
    share = 1.0 if sampled is None else sampled / len(task.validation)
    passed = [
        (answered, test.items),
        (cost.trained * _PASSES_TRAINED, train.examples),
        (cost.judged * share, validation.examples),
        (cost.read, train.items + share * validation.items),
        (cost.answered, trial),
    ]
    return sum(times * amount for times, amount in passed)


@dataclass(frozen=True, slots=True)
class _SplitTokens:
    """Tokens of all prompts of a split: with their answers, and with what is ranked or written behind them."""

    count: int
    examples: float
    items: float

    def with_context(self, tokens: float) -> _SplitTokens:
        """The same with so many tokens more in each prompt."""
        return replace(self, examples=self.examples + self.count * tokens, items=self.items + self.count * tokens)


class _ByIdentity:
    """A task as a key: all cells of a suite share one object, whose rows need not be hashed."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and self.task is other.task

    def __hash__(self) -> int:
        return id(self.task)


@lru_cache(maxsize=64)
def _lengths(
    of: _ByIdentity, train_size: int | None, labelling: bool
) -> tuple[_SplitTokens, _SplitTokens, _SplitTokens]:
    """Of train, validation and test, without context. Of the training split others are taken, about as long."""
    item = _asked_tokens if labelling else _item_tokens

    def sums(split: Sequence[Example]) -> _SplitTokens:
        examples = sum(_example_tokens(of.task, example) for example in split)
        return _SplitTokens(len(split), examples, sum(item(of.task, example) for example in split))

    return sums(of.task.train[:train_size]), sums(of.task.validation), sums(of.task.test)


def _context_tokens(cost: ContextCost, trains: bool) -> float:
    """Mean tokens that the context part adds to each prompt."""
    if cost.shared and not trains:
        return 0.0  # a shared prefix is computed once for all items, examples found for each item are not
    tokens = cost.characters / CHARS_PER_TOKEN
    return tokens if cost.most_tokens is None else min(tokens, float(cost.most_tokens))


def _example_tokens(task: Task, example: Example) -> float:
    return len(task.prompt.solved(example)) / CHARS_PER_TOKEN


def _tokens_of(cell: Cell) -> Callable[[Task, Example], float]:
    """What an item of a cell counts as."""
    return _asked_tokens if cell.model.kind in LABELLING else _item_tokens


def _asked_tokens(task: Task, example: Example) -> float:
    """Of what is read where a label is the number of a row, whatever its name."""
    return len(task.prompt.ask(example)) / CHARS_PER_TOKEN


def _item_tokens(task: Task, example: Example) -> float:
    asked = _asked_tokens(task, example)
    if task.kind == "text":
        return asked + task.max_new_tokens
    return asked + sum(map(len, example.choices)) / CHARS_PER_TOKEN


def _measured_rates(cells: Sequence[Cell], records: Mapping[str, Record | None]) -> dict[str, float]:
    """Seconds for each token of work, by model digest: the median over its finished cells."""
    rates: dict[str, list[float]] = {}
    for cell in cells:
        record = records[cell.key]
        if record and record.status == "ok":
            seconds = sum(spent(phase) for phase in record.phases.values())
            rates.setdefault(cell.model.digest, []).append(seconds / max(1.0, work(cell)))
    return {digest: statistics.median(measured) for digest, measured in rates.items()}


def _estimate(cell: Cell, record: Record | None, rate: float | None, prices: Prices | None) -> Estimate:
    amount = work(cell)
    state = "to do" if record is None else "done" if record.status == "ok" else "failed"
    seconds = 0.0 if state == "done" else None if rate is None else rate * amount + _OVERHEAD_S
    billed = tuple(bills(cell, prices)) if prices is not None and state != "done" else ()
    return Estimate(cell, state, amount, seconds, memory_bytes(cell), billed)


def memory_bytes(cell: Cell) -> int:
    """Host and device bytes together: weights, what training keeps beside them, and the process itself."""
    model = cell.model
    cost = cell.method.weights.cost(len(cell.task.train), cell.trials)
    activations = _BYTES_TRAINED if cost.trained else _BYTES_READ
    learning = model.parameters * cost.bytes_per_weight + activations * model.layers * model.width
    return _OVERHEAD_BYTES + max(learning, _teacher_bytes(cell))


def _teacher_bytes(cell: Cell) -> int:
    """Of a teacher on this machine, which is gone before the cell's model is trained."""
    if cell.teacher is None:
        return 0
    model = cell.teacher.model
    return model.parameters * LearningCost().bytes_per_weight + _BYTES_READ * model.layers * model.width


def table(estimates: Sequence[Estimate], currency: str = "") -> Group:
    """The plan for people."""
    every = [bill for estimate in estimates for bill in estimate.bills]
    shown = Table("cell", "state", "time", "memory", *(["endpoint"] if every else []), box=SIMPLE)
    for one in estimates:
        rough = "?" if one.seconds is None else f"~{duration(one.seconds, rough=True)}"
        paid = [summed(one.bills, currency) if one.bills else ""] if every else []
        memory = f"~{one.memory_bytes / 2**30:.1f} GiB"
        shown.add_row(Text(one.cell.name), one.state, "" if one.state == "done" else rough, memory, *paid)
    todo = [e for e in estimates if e.state != "done"]
    known = [e.seconds for e in todo if e.seconds is not None]
    total = f"about {duration(sum(known), rough=True)}" if len(known) == len(todo) else "time not estimated"
    lines = [f"{len(todo)} of {len(estimates)} cells to do, {total}. Estimates; the basis is in bench/runs/plan.py."]
    return Group(shown, *map(Text, [*lines, *(told(every, currency) if every else [])]))


def as_json(estimates: Sequence[Estimate]) -> list[dict[str, Any]]:
    """The plan for scripts."""
    return [
        {
            "cell": e.cell.name,
            "key": e.cell.key,
            "state": e.state,
            "seconds": e.seconds,
            "memory_bytes": e.memory_bytes,
            "endpoints": [
                {
                    "model": bill.model,
                    "prompt_tokens": bill.tokens.prompt,
                    "output_tokens": bill.tokens.output,
                    "requests": bill.tokens.requests,
                    "money": bill.money,
                }
                for bill in e.bills
            ],
        }
        for e in estimates
    ]
