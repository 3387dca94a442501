"""Which measured cell is exported, and everything that it was measured with, found again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import methods
import tasks
from bench.analysis.decision.rule import Standing
from bench.analysis.decision.verdict import Verdict
from bench.config import suite as suites
from bench.config.search_space import settle
from bench.config.suite import Suite
from bench.core.errors import AdaptbenchError, UsageError, unknown
from bench.core.hashing import canonical, sha256
from bench.core.method import NEAREST_ANSWER, Method
from bench.core.prompt_search import FoundPrompt
from bench.core.quoting import quoted
from bench.core.record import Record, Run
from bench.core.task import Task
from bench.model.resolve import ModelSpec, ResolvedModel, resolve, without_key
from bench.runs.cells import Cell, at_hand
from bench.runs.given import located
from bench.runs.teaching import Teacher, teacher_of
from bench.runs.winners import able, verdicts_of
from bench.store.listing import read_listing
from bench.store.run_folder import read_run, weights_folders
from methods.frozen import Frozen
from methods.zero_shot import ZeroShot


@dataclass(frozen=True)
class Chosen:
    """A measured cell and what it was measured with.

    `method` has one value for each option; `chosen` are the values of those that were chosen from, None where none was.
    """

    run: Run
    suite: Suite
    record: Record
    verdict: Verdict | None  # None where there is nothing to compare it with
    spec: ModelSpec
    model: ResolvedModel
    task: Task
    task_path: str
    method: Method
    chosen: dict[str, Any] | None
    teacher: Teacher | None = None  # whose answers it learnt from

    @property
    def standing(self) -> Standing | None:
        """Where the method stands under the suite's assumptions; None for one that cannot be chosen."""
        standings = self.verdict.standings if self.verdict else ()
        return next((one for one in standings if one.label == self.record.method), None)

    @property
    def found(self) -> FoundPrompt | None:
        """The prompt that its context part found with the model."""
        return self.record.prompt_search.found if self.record.prompt_search else None

    @property
    def weights(self) -> Path | None:
        """The folder of its trained weights; None where the run keeps none."""
        return weights_folders(self.run.path).get(self.record.key[:12])

    @property
    def cell_model(self) -> ResolvedModel:
        """The model in the precision that it was measured in."""
        auto = self.record.identity.surroundings.auto_dtype
        return replace(self.model, dtype=auto) if auto and self.model.dtype == "auto" else self.model

    @property
    def cell(self) -> Cell:
        """The cell as a run measures it."""
        record = self.record
        opened = methods.create(self.method.name, _options(record))
        return Cell(
            self.model, self.task, self.task_path, located(opened, Path()), record.method, record.seed, record.identity,
            record.suite_method, record.identity.task.limit, record.train_size, teacher=self.teacher,
        )  # fmt: skip


def find(path: Path, task: str, model: str | None, method: str | None, seed: int | None, base: Path | None) -> Chosen:
    """The cell of a run that the verdict on `task` chooses, or that `method` names; its first seed or `seed`.

    `base`: where the base model lies, if not where the run was measured.

    Raises:
        UsageError: there is no such cell, nothing is chosen, or what it was measured with is not there any more.
    """
    run = read_run(path)
    own = [record for record in run.records if record.task == task]
    if not own:
        raise UsageError(unknown(f"task of {path}:", task, {record.task for record in run.records}))
    name = model or _only_model(task, own)
    own = [record for record in own if record.model == name]
    if not own:
        raise UsageError(unknown(f"model of task {task}:", name, {r.model for r in run.records if r.task == task}))
    verdict = _verdict(run, task, name)
    label = method or _winner(task, verdict)
    record = _record([one for one in own if one.method == label], label, seed, own)
    suite = suites.load(path / "suite.yaml")
    spec = _spec(suite, record)
    if spec.endpoint is None:
        found = resolve(spec.model_copy(update={"path": str(base)}) if base else spec, _suite_folder(path))
    else:
        found = resolve(without_key(spec))  # nothing is sent
    _require_same(f"model {name}", found.digest, record.identity.model.digest, "name its folder with --base")
    place = run.task_paths[task]
    place = place if place in tasks.available() else str(path / place)
    loaded = tasks.load(place, record.identity.task.limit)
    _require_same(f"task {task}", loaded.digest, record.identity.task.digest, "measure it again")
    tuned = (one.tuning for one in own if one.method == label and one.tuning)
    chosen = next((dict(tuning.chosen) for tuning in tuned), None)
    made = settle(methods.create(_method_name(record), _options(record)), chosen or {})
    teacher = _teacher(suite, record, loaded, place, _suite_folder(path))
    if teacher and (made.context.reads_train(loaded) or made.weights.learner is NEAREST_ANSWER):
        raise UsageError(f"{label} shows examples with a teacher's answers, which an export does not hold")
    return Chosen(run, suite, record, verdict, spec, found, loaded, place, located(made, Path()), chosen, teacher)


def _only_model(task: str, records: list[Record]) -> str:
    names = list(dict.fromkeys(record.model for record in records))
    if len(names) > 1:
        raise UsageError(f"{task} was measured with several models; name one with --model: {', '.join(names)}")
    return names[0]


def _verdict(run: Run, task: str, model: str) -> Verdict | None:
    try:
        return next(one for one in verdicts_of(run, task) if one.family.model == model)
    except (AdaptbenchError, StopIteration):
        return None


def _winner(task: str, verdict: Verdict | None) -> str:
    """The method that the verdict chooses; raises UsageError where it chooses none."""
    names = able(verdict) if verdict else ()
    if verdict is None or verdict.choice is None:
        raise UsageError(f"{task}: no method is chosen; name one with --method NAME")
    if verdict.undecided:
        others = f", {', '.join(verdict.rivals)} may be better" if verdict.rivals else ""
        raise UsageError(
            f"{task} is undecided: {verdict.choice} leads{others}; name one, such as --method {shlex.quote(names[0])}"
        )
    return verdict.choice


def _record(found: list[Record], label: str, seed: int | None, every: list[Record]) -> Record:
    """The record of a method's first seed, or of `seed`."""
    if not found:
        raise UsageError(unknown("method", label, {record.method for record in every}))
    measured = [record for record in found if record.status == "ok" and seed in (None, record.seed)]
    if not measured:
        seeds = ", ".join(str(record.seed) for record in found if record.status == "ok") or "none"
        raise UsageError(f"{label} has no measured cell of this seed; there are: {seeds}")
    record = measured[0]
    if record.parts.is_control:
        raise UsageError(f"{label} is a control: it is shown what no user could give it, and cannot be served")
    if record.kind == "prose":
        raise UsageError(f"task {record.task} is of kind prose: likelihoods of given texts are measured, no answers")
    return record


def _spec(suite: Suite, record: Record) -> ModelSpec:
    for spec in suite.models:
        if record.model in (spec.called, Path(spec.path).name.removesuffix(".gguf")):
            return spec
    raise UsageError(f"the run's suite.yaml has no model {quoted(record.model)}; run its suite again")


def _teacher(suite: Suite, record: Record, task: Task, place: str, here: Path) -> Teacher | None:
    """The teacher of a measured cell, found again."""
    entry, before = suites.labelled_methods(suite).get(record.suite_method), record.identity.teacher
    if entry is None or before is None:
        return None
    found = teacher_of(
        at_hand(record.method, entry, here), record.method, task, place, here, record.identity.surroundings
    )
    now, then = (sha256(canonical(asdict(of))) for of in (found.settings if found else before, before))
    _require_same(f"the teacher of {record.method}", now, then, "measure it again")
    return found


def _suite_folder(run: Path) -> Path:
    return run / read_listing(run).suite_folder


def _require_same(what: str, now: str, then: str, remedy: str) -> None:
    if now != then:
        raise UsageError(
            f"{what} is not what was measured: its digest is {now[:12]}, measured was {then[:12]}; {remedy}"
        )


def _method_name(record: Record) -> str:
    parts = (record.parts.weights.name, record.parts.context.name)
    return "+".join(name for name in parts if name not in (Frozen.name, ZeroShot.name)) or ZeroShot.name


def _options(record: Record) -> dict[str, Any]:
    return dict(_each(record))


def _each(record: Record) -> Iterator[tuple[str, Any]]:
    for part in (record.parts.weights, record.parts.context):
        yield from part.options.items()
