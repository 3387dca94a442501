"""The texts of a task's items, for reports: records hold none, so they are read from where the task lies."""

from __future__ import annotations

from functools import lru_cache

import tasks
from bench.core.errors import AdaptbenchError
from bench.core.record import Record, Run
from bench.core.task import Task
from bench.metrics.formats import clean
from bench.store.archive import located
from tasks.loader.digest import question_digest


def asked(run: Run, record: Record) -> tuple[Task | None, str]:
    """The task as the cell was asked it, or None and why not: it is gone, or its items are others by now."""
    written = run.task_paths.get(record.task, record.task)
    place = written if written in tasks.available() else located(run.path, written)
    try:
        task = _read(place, record.identity.task.limit)
    except AdaptbenchError as error:
        return None, clean(str(error).splitlines()[0])
    except Exception as error:  # a hub library's own, for a data set that is not at hand
        return None, clean(f"{place} cannot be read: {type(error).__name__}")
    if record.questions != question_digest(task):
        return None, "the task's items or prompt are not those that were asked"
    return task, ""


@lru_cache(maxsize=8)
def _read(place: str, limit: int | None) -> Task:
    return tasks.load(place, limit)
