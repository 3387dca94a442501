"""The teacher of a cell: which model it is, what it answers, and what tells its answers from others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import tasks
from bench.config.suite import Asked
from bench.core.errors import UsageError
from bench.core.hashing import canonical, sha256
from bench.core.identity import Surroundings, TeacherSettings
from bench.core.item import Example
from bench.core.model_kind import unfit
from bench.core.task import Task
from bench.model.resolve import ResolvedModel
from bench.runs.identity import beside, model_identity


@dataclass(frozen=True)
class Teacher:
    """Who answers which items before a cell learns."""

    model: ResolvedModel
    settings: TeacherSettings
    file: Path | None  # with the items that it answers; None: those of the training split
    items: tuple[Example, ...]  # of that file


def teacher_of(
    entry: Asked, label: str, task: Task, task_path: str, here: Path, around: Surroundings
) -> Teacher | None:
    """The teacher of a method on a task; None where it has none.

    Raises:
        UsageError: the teacher cannot answer the task, the method learns nothing from items, or the file is wrong.
    """
    model, spec = entry.teaches, entry.teacher
    if model is None or spec is None:
        return None
    if reason := unfit(model.kind, task) or ("it has no answers" if task.kind == "prose" else ""):
        raise UsageError(f"{label}: the teacher {model.name} is not for task {task.name}: {reason}")
    if not (entry.method.weights.learner.reads_train or entry.method.context.reads_train(task)):
        raise UsageError(f"{label}: learns nothing from the training items of task {task.name}; leave teacher out")
    file = here / spec.unlabelled if spec.unlabelled else None
    items = unlabelled(task_path, file) if file else ()
    where = replace(beside(around, model), embedder="")
    digest = sha256("".join(sorted(canonical([item.id, item.choices]) + "\n" for item in items))) if items else ""
    return Teacher(model, TeacherSettings(model_identity(model), where, digest), file, items)


@lru_cache(maxsize=16)
def unlabelled(task_path: str, file: Path) -> tuple[Example, ...]:
    """Items of a task without answers, from a file."""
    from tasks.loader.unlabelled import read_unlabelled  # pydantic and yaml are imported only where a task is read

    return read_unlabelled(tasks.find(task_path), file)
