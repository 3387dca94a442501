"""Cells: the units of work of a suite, each with a key that is hashed from all that decides its predictions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import methods
import tasks
from bench.bridges import lm_eval_tasks
from bench.config.search_space import candidates, grid
from bench.config.suite import Asked, Suite, labelled_methods
from bench.config.teacher import require_answers, require_writes
from bench.core.errors import UsageError
from bench.core.hashing import canonical, sha256
from bench.core.identity import (
    CounterfactualSettings,
    Identity,
    ProbeSettings,
    ReflectorSettings,
    Surroundings,
    TuningSettings,
)
from bench.core.method import GIVEN, Method
from bench.core.model_kind import DESCRIPTIONS, REMEMBERING, fits, unfit
from bench.core.record import CellRef, Contamination
from bench.core.task import Task
from bench.metrics import refuse_unfit
from bench.model.resolve import ResolvedModel, resolve
from bench.runs.given import located, other_base
from bench.runs.identity import beside, identity_of, model_identity, require_budget
from bench.runs.teaching import Teacher, teacher_of


@dataclass(frozen=True)
class Cell:
    """One (model, task, method, seed). `label` is how reports name the method."""

    model: ResolvedModel
    task: Task
    task_path: str
    method: Method
    label: str
    seed: int
    identity: Identity
    suite_method: str = ""  # as the suite names it: `label` without the size of a learning curve's point
    limit: int | None = None  # test items at most
    train_size: int | None = None  # training items; None: all
    probes: tuple[str, ...] = ()  # tasks to ask the adapted model afterwards
    is_base: bool = False  # the base model's answers to a probe
    trials: int = 0  # combinations of open options to try
    chooser: str | None = None  # key of the cell whose choice of options this one takes over; None: it has its own
    teacher: Teacher | None = None  # whose answers it learns from; None: it learns from labels
    reflector: ResolvedModel | None = None  # who writes instructions for it; None: the model that answers
    asks_teacher: bool = False  # no cell before it learns from the same answers

    @cached_property
    def key(self) -> str:
        """sha256 over the canonical JSON of the identity."""
        return sha256(canonical(self.identity.content()))

    @property
    def name(self) -> str:
        """What people read: model, task, method and seed."""
        return self.ref.name

    @property
    def lessons(self) -> tuple[object, ...] | None:
        """What tells a teacher's answers that it learns from apart from others; None where it has no teacher."""
        if self.teacher is None:
            return None
        drawn = (self.train_size, self.seed) if self.train_size and self.teacher.file is None else None
        return canonical(asdict(self.teacher.settings)), self.task.digest, drawn

    @cached_property
    def ref(self) -> CellRef:
        """What the store knows of it."""
        return CellRef(
            key=self.key,
            model=self.model.name,
            task=self.task.name,
            method=self.label,
            seed=self.seed,
            is_base=self.is_base,
            task_path=self.task_path,
            suite_method=self.suite_method,
            train_size=self.train_size,
        )


def expand(suite: Suite, suite_file: Path, surroundings: Callable[[Suite], Surroundings]) -> list[Cell]:
    """All cells of a suite, each key once. Models and tasks are read here, weights are not.

    `surroundings` tells what of the machine decides predictions (see `bench.runs.surroundings`); it is asked only once
    the suite is known to be right, because looking at a device takes seconds. A method that uses no randomness is one
    cell, whatever the number of seeds.

    Raises:
        UsageError: a model or task of the suite does not exist or is wrong.
    """
    here = suite_file.parent
    models = [resolve(spec, here) for spec in suite.models]
    for model in models:
        _require_method(suite, model)
    loaded = [(path, tasks.load(path, suite.limit)) for path in (_task_path(t, here) for t in suite.tasks)]
    probes = [(path, tasks.load(path, suite.probe_limit)) for path in (_task_path(t, here) for t in suite.probes)]
    for path, task in (*loaded, *probes):
        refuse_unfit(task.metrics, task.kind, f"{Path(path).name}/task.yaml")
    for path, task in probes:
        if task.rules:
            rules = ", ".join(task.rules)
            raise UsageError(f"probes: {Path(path).name} lists several rules of normalise ({rules}); a probe needs one")
    asked = {label: at_hand(label, one, here) for label, one in labelled_methods(suite).items()}
    around = surroundings(suite)
    cells: dict[str, Cell] = {}
    lessons: set[object] = {None}
    for model in models:
        _require_task(model, [task for _, task in loaded])
        near = beside(around, model)
        own = _cells(suite, asked, model, loaded, probes, near, here)
        for cell in (*_base_cells(suite, model, probes, near), *own):
            cells.setdefault(cell.key, replace(cell, asks_teacher=cell.lessons not in lessons))
            lessons.add(cell.lessons)
    _require_base(asked, models)
    return list(cells.values())


def at_hand(label: str, entry: Asked, here: Path) -> Asked:
    """An entry with the files of its weights, its teacher and its reflector found."""
    teaches = None if entry.teacher is None else resolve(entry.teacher, here)
    if teaches is not None:
        require_answers(teaches, label)
    reflects = None if entry.reflector is None else resolve(entry.reflector, here)
    if reflects is not None:
        require_writes(reflects, label)
    return replace(entry, method=located(entry.method, here), teaches=teaches, reflects=reflects)


def _require_method(suite: Suite, model: ResolvedModel) -> None:
    """Refuse a model that no method of the suite is for."""
    asked = labelled_methods(suite).values()
    if not any(entry.is_for(model.name, model.kind) for entry in asked):
        fitting = [name for name in methods.available() if fits(methods.create(name), model.kind)]
        raise UsageError(
            f"no method of the suite is for model {model.name}, which is {DESCRIPTIONS[model.kind]}; "
            f"it can have: {', '.join(fitting) or 'none'}"
        )


def _require_task(model: ResolvedModel, loaded: Sequence[Task]) -> None:
    """Refuse a model that can be used on no task of the suite."""
    reasons = [unfit(model.kind, task) for task in loaded]
    if all(reasons):
        raise UsageError(f"no task of the suite is for model {model.name}, {DESCRIPTIONS[model.kind]}: {reasons[0]}")


def _require_base(asked: Mapping[str, Asked], models: Sequence[ResolvedModel]) -> None:
    """Refuse weights from elsewhere that were trained on none of the models."""
    for one in asked.values():
        reasons = [other_base(one.method, model) for model in models]
        if all(reasons):
            raise UsageError(reasons[0])


def left_out(suite: Suite, cells: Sequence[Cell]) -> tuple[str, ...]:
    """Sentences: methods and tasks that a model is not for, and so has no cells of; who is not asked the probes."""
    asked = labelled_methods(suite).items()
    kinds = {cell.model.name: cell.model.kind for cell in cells}
    every_task = {cell.task.name: cell.task for cell in cells if not cell.is_base}
    sentences = []
    for name, kind in kinds.items():
        wanted = [pair for pair in asked if pair[1].models is None or name in pair[1].models]
        if labels := [label for label, entry in wanted if not fits(entry.method, kind)]:
            sentences.append(f"{', '.join(labels)}: not for {name}, which is {DESCRIPTIONS[kind]}")
        measured = {cell.suite_method for cell in cells if cell.model.name == name}
        brought = [
            label for label, entry in asked if entry.method.weights.learner is GIVEN and fits(entry.method, kind)
        ]
        if labels := [label for label in brought if label not in measured]:
            sentences.append(f"{', '.join(labels)}: not for {name}, which is another base")
        if unfitting := [task_name for task_name, task in every_task.items() if unfit(kind, task)]:
            sentences.append(f"{', '.join(unfitting)}: not for {name}; {unfit(kind, every_task[unfitting[0]])}")
        if suite.probes and kind not in REMEMBERING:
            sentences.append(f"the probes are not asked of {name}: what it forgets is unknown")
    return tuple(sentences)


def contamination(cells: Sequence[Cell]) -> Contamination:
    """What the models and tasks of a suite say of having been seen."""
    models = {cell.model.name: cell.model.contamination for cell in cells}
    seen = {cell.task.name: cell.task.contamination for cell in cells}
    return {
        "model": {name: note for name, note in models.items() if note},
        "task": {name: note for name, note in seen.items() if note},
    }


Loaded = list[tuple[str, Task]]  # path, task


def _base_cells(suite: Suite, model: ResolvedModel, probes: Loaded, around: Surroundings) -> Iterator[Cell]:
    """What the base model answers to each probe."""
    method = methods.create("nearest-answer" if model.kind == "image" else "zero-shot", {})
    for path, task in _probes_of(model, probes):
        identity = replace(identity_of(suite, model, task, suite.probe_limit, method, None, around), is_base=True)
        yield Cell(model, task, path, method, "base", 0, identity, "base", limit=suite.probe_limit, is_base=True)


def _probes_of(model: ResolvedModel, probes: Loaded) -> Loaded:
    """The probes that a model can be asked."""
    return [(path, task) for path, task in probes if model.kind in REMEMBERING and not unfit(model.kind, task)]


def _cells(
    suite: Suite,
    asked: Mapping[str, Asked],
    model: ResolvedModel,
    loaded: Loaded,
    probes: Loaded,
    around: Surroundings,
    here: Path,
) -> Iterator[Cell]:
    probes = _probes_of(model, probes)
    paths = tuple(path for path, _ in probes)
    for reference, (path, task) in zip(suite.tasks, loaded, strict=True):
        for label, asked_for in asked.items():
            if asked_for.tasks is not None and reference not in asked_for.tasks:
                continue
            method = asked_for.method
            if not asked_for.is_for(model.name, model.kind) or unfit(model.kind, task) or other_base(method, model):
                continue
            open_, teacher = grid(method), teacher_of(asked_for, label, task, path, here, around)
            for size in _sizes(suite, method, task):
                named = label if size is None or len(suite.train_sizes) == 1 else f"{label}, {size} items"
                chooser = None
                for seed in suite.seeds if uses_seed(method) or size is not None else suite.seeds[:1]:
                    drawn = seed if uses_seed(method) or size is not None else None  # items are drawn by the seed too
                    identity = replace(
                        identity_of(suite, model, task, suite.limit, method, drawn, around),
                        train_size=size,
                        validation_items=_validation_sample(suite, method, task, size),
                        probes=_probe_settings(suite, method, probes),
                        counterfactuals=_counterfactual_settings(suite, task),
                        tuning=_tuning_settings(suite, method, task) if open_ or method.context.spends_trials else None,
                        teacher=teacher.settings if teacher else None,
                        reflector=_reflector_settings(asked_for.reflects, around),
                    )
                    tried = len(candidates(open_, suite.trials)) if open_ and chooser is None else 0
                    require_budget(named, task, identity, method, tried, len(teacher.items) if teacher else 0)
                    cell = Cell(
                        model, task, path, method, named, seed, identity, label, suite.limit, size, paths,
                        trials=tried, chooser=chooser, teacher=teacher,
                        reflector=asked_for.reflects,
                    )  # fmt: skip
                    chooser = (chooser or cell.key) if open_ else None
                    yield cell


def _probe_settings(suite: Suite, method: Method, probes: Loaded) -> ProbeSettings | None:
    """What is asked of the adapted model; of weights that nothing moves it does not matter which probes."""
    if not probes:
        return None
    if not method.weights.learner.moves_weights:
        return ProbeSettings()
    digests = tuple(task.digest for _, task in probes)
    return ProbeSettings(suite.probe_limit, digests, suite.checkpoints, tuple(suite.adapter_scales))


def _reflector_settings(model: ResolvedModel | None, around: Surroundings) -> ReflectorSettings | None:
    if model is None:
        return None
    return ReflectorSettings(model_identity(model), replace(beside(around, model), embedder=""))


def _tuning_settings(suite: Suite, method: Method, task: Task) -> TuningSettings:
    """How open options are chosen; a budget matters where trials can be cut short."""
    budget = None if method.weights.length(len(task.train)) is None else suite.tuning_budget
    return TuningSettings(suite.trials, suite.seeds[0], suite.folds_of(len(task.validation)), budget)


def _validation_sample(suite: Suite, method: Method, task: Task, size: int | None) -> int | None:
    """The validation items that losses are taken of; None for all, and where nothing is learnt."""
    if not method.weights.learner.reads_train:
        return None
    return suite.measure.validation_sample(len(task.train[:size]), len(task.validation))


def _counterfactual_settings(suite: Suite, task: Task) -> CounterfactualSettings | None:
    if not (suite.counterfactuals and task.counterfactuals):
        return None
    return CounterfactualSettings(suite.counterfactuals, task.counterfactuals)


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
    """The name of a bundled task as it is; else the folder beside the suite, written so that it reads as a path.

    A task of lm-eval is the folder that is made of it.
    """
    if reference.startswith(lm_eval_tasks.PREFIX):
        return str(lm_eval_tasks.task_folder(reference, here))
    beside = here / reference
    if reference in tasks.available() or not os.path.isfile(beside / "task.yaml"):
        return reference
    return str(beside) if len(beside.parts) > 1 else f"./{beside}"  # Path drops "./", which tells folder from name
