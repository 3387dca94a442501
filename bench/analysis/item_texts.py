"""The texts of a task's items, for reports: records hold none, so they are read from where the task lies."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import tasks
from bench.core.errors import AdaptbenchError
from bench.core.item import Item
from bench.core.record import Record, Run
from bench.core.task import Task
from bench.metrics.formats import clean
from bench.store.archive import located
from tasks.loader.digest import question_digest

if TYPE_CHECKING:
    from tasks.loader.spec import TaskSpec


def asked(run: Run, record: Record) -> tuple[Task | None, str]:
    """The task as the cell was asked it, or None and why not: it is gone, or its items are others by now."""
    task, problem = _at_hand(run, record, record.identity.task.limit)
    if task is not None and record.questions != question_digest(task):
        return None, "the task's items or prompt are not those that were asked"
    return task, problem


def fields_of(item: Item, task: Task) -> dict[str, str]:
    """What people are shown of an item's fields: of a picture its file's name, not the digest that stands there."""
    named = {task.picture_field: item.picture.name} if item.picture else {}
    return {**item.fields, **named}


def _at_hand(run: Run, record: Record, limit: int | None) -> tuple[Task | None, str]:
    """The task as it is now, or None and why it cannot be read."""
    written = run.task_paths.get(record.task, record.task)
    place = written if written in tasks.available() else located(run.path, written)
    try:
        return _read(place, limit), ""
    except AdaptbenchError as error:
        return None, clean(str(error).splitlines()[0])
    except Exception as error:  # a hub library's own, for a data set that is not at hand
        return None, clean(f"{place} cannot be read: {type(error).__name__}")


@lru_cache(maxsize=8)
def _read(place: str, limit: int | None) -> Task:
    return tasks.load(place, limit)


def test_items(run: Run, record: Record) -> int | None:
    """How many test items the task of a cell has; None where it is not at hand."""
    task, _ = _at_hand(run, record, None)
    return len(task.test) if task else None


def task_spec(run: Run, task: str) -> TaskSpec | None:
    """What the task.yaml of a run's task says; None where it is not at hand."""
    written = run.task_paths.get(task, task)
    try:
        return tasks.describe(written if written in tasks.available() else located(run.path, written))
    except AdaptbenchError:
        return None
