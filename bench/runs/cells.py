"""Cells: the units of work of a suite, each with a key that is hashed from all that decides its predictions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import methods
import tasks
from bench.config.search_space import candidates, grid
from bench.config.suite import Suite, labelled_methods
from bench.core.hashing import canonical, sha256
from bench.core.method import Method
from bench.core.record import CellRef
from bench.core.task import Task
from bench.metrics import refuse_unfit
from bench.model.chat import identity as chat_identity
from bench.model.resolve import ResolvedModel, resolve
from bench.runs.identity import identity_of


@dataclass(frozen=True)
class Cell:
    """One (model, task, method, seed). `label` is how reports name the method."""

    model: ResolvedModel
    task: Task
    task_path: str
    method: Method
    label: str
    seed: int
    identity: Mapping[str, Any]
    limit: int | None = None  # test items at most
    train_size: int | None = None  # training items; None: all
    probes: tuple[str, ...] = ()  # tasks to ask the adapted model afterwards
    is_base: bool = False  # the base model's answers to a probe
    trials: int = 0  # combinations of open options to try
    chooser: str | None = None  # key of the cell whose choice of options this one takes over; None: it has its own

    @property
    def key(self) -> str:
        """sha256 over the canonical JSON of the identity."""
        return sha256(canonical(self.identity))

    @property
    def name(self) -> str:
        """What people read: model, task, method and seed."""
        return self.ref.name

    @cached_property
    def ref(self) -> CellRef:
        """What the store knows of it."""
        named = (self.model.name, self.task.name, self.label, self.seed)
        return CellRef(self.key, *named, is_base=self.is_base, task_path=self.task_path)


def expand(suite: Suite, suite_file: Path, surroundings: Callable[[Suite], Mapping[str, Any]]) -> list[Cell]:
    """All cells of a suite, each key once. Models and tasks are read here, weights are not.

    `surroundings` tells what of the machine decides predictions (see `bench.runs.surroundings`); it is asked only once
    the suite is known to be right, because looking at a device takes seconds. A method that uses no randomness is one
    cell, whatever the number of seeds.

    Raises:
        UsageError: a model or task of the suite does not exist or is wrong.
    """
    here = suite_file.parent
    models = [resolve(spec, here) for spec in suite.models]
    loaded = [(path, tasks.load(path, suite.limit)) for path in (_task_path(t, here) for t in suite.tasks)]
    probes = [(path, tasks.load(path, suite.probe_limit)) for path in (_task_path(t, here) for t in suite.probes)]
    for path, task in (*loaded, *probes):
        refuse_unfit(task.metrics, task.kind, f"{Path(path).name}/task.yaml")
    around = surroundings(suite)
    cells: dict[str, Cell] = {}
    for model in models:
        chat = chat_identity(model)
        near = {**around, "chat": chat} if chat else around  # keys of models that read plain text stay as they were
        for cell in (*_base_cells(suite, model, probes, near), *_cells(suite, model, loaded, probes, near)):
            cells.setdefault(cell.key, cell)
    return list(cells.values())


Loaded = list[tuple[str, Task]]  # path, task


def _base_cells(suite: Suite, model: ResolvedModel, probes: Loaded, around: Mapping[str, Any]) -> Iterator[Cell]:
    """What the base model answers to each probe."""
    method = methods.create("zero-shot", {})
    for path, task in probes:
        identity = {**identity_of(suite, model, task, suite.probe_limit, method, None, around), "is_base": True}
        yield Cell(model, task, path, method, "base", 0, identity, limit=suite.probe_limit, is_base=True)


def _cells(
    suite: Suite, model: ResolvedModel, loaded: Loaded, probes: Loaded, around: Mapping[str, Any]
) -> Iterator[Cell]:
    paths = tuple(path for path, _ in probes)
    asked: dict[str, Any] = {"limit": suite.probe_limit, "digests": [task.digest for _, task in probes]}
    asked |= {"checkpoints": suite.checkpoints} if suite.checkpoints else {}
    asked |= {"adapter_scales": suite.adapter_scales} if suite.adapter_scales else {}
    for reference, (path, task) in zip(suite.tasks, loaded, strict=True):
        for label, asked_for in labelled_methods(suite).items():
            if asked_for.tasks is not None and reference not in asked_for.tasks:
                continue
            method = asked_for.method
            for size in _sizes(suite, method, task):
                named = label if size is None or len(suite.train_sizes) == 1 else f"{label}, {size} items"
                chooser = None
                for seed in suite.seeds if uses_seed(method) or size is not None else suite.seeds[:1]:
                    drawn = seed if uses_seed(method) else None
                    identity = identity_of(suite, model, task, suite.limit, method, drawn, around)
                    if probes:  # of weights that nothing moves it does not matter which probes are asked
                        identity["probes"] = asked if method.weights.learner.moves_weights else {}
                    if size is not None:
                        identity |= {"train_size": size, "seed": seed}
                    if suite.counterfactuals and task.counterfactuals:
                        slots = [asdict(slot) for slot in task.counterfactuals]
                        identity["counterfactuals"] = {"pairs": suite.counterfactuals, "slots": slots}
                    open_ = grid(method)
                    if open_:
                        identity["tuning"] = {"trials": suite.trials, "seed": suite.seeds[0]}
                    tried = len(candidates(open_, suite.trials)) if open_ and chooser is None else 0
                    cell = Cell(
                        model, task, path, method, named, seed, identity, suite.limit, size, paths,
                        trials=tried, chooser=chooser,
                    )  # fmt: skip
                    chooser = (chooser or cell.key) if open_ else None
                    yield cell


def _sizes(suite: Suite, method: Method, task: Task) -> list[int | None]:
    """The sizes of the training split that make a difference to a method; None for all of it."""
    if not (method.weights.learner.reads_train or method.context.reads_train(task)):
        return [None]
    sizes = (None if size == "all" or size >= len(task.train) else size for size in suite.train_sizes)
    return list(dict.fromkeys(sizes))


def uses_seed(method: Method) -> bool:
    """Whether two seeds of `method` can give different predictions."""
    return method.weights.learner.uses_seed or method.context.uses_seed


def _task_path(reference: str, here: Path) -> str:
    """The name of a bundled task as it is; else the folder beside the suite, written so that it reads as a path."""
    beside = here / reference
    if reference in tasks.available() or not os.path.isfile(beside / "task.yaml"):
        return reference
    return str(beside) if len(beside.parts) > 1 else f"./{beside}"  # Path drops "./", which tells folder from name
