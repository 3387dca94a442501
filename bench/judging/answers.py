"""What a run's methods answered to one task, as texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.analysis.item_texts import asked
from bench.analysis.summary import by_method
from bench.core.errors import UsageError, unknown
from bench.core.record import Record, Run
from bench.core.task import Task
from bench.store.run_folder import read_predictions


@dataclass(frozen=True)
class Answers:
    """What a method answered with one seed."""

    record: Record
    texts: Mapping[str, str]  # by item

    @property
    def method(self) -> tuple[str, str]:
        """The model and the method."""
        return self.record.model, self.record.method


def answers_to(run: Run, name: str) -> tuple[Task, list[Answers]]:
    """The task `name` as it was asked, and what every cell of it answered that ended, seeds of one method together.

    Raises:
        UsageError: no such task, none with texts, no cell that ended, or a run that is packed.
    """
    if run.path.is_file():
        raise UsageError(f"{run.path} is packed; unpack it first, as judgements are written into the run's folder")
    known = list(dict.fromkeys(record.task for record in run.records))
    if name not in known:
        raise UsageError(unknown("task of the run:", name, known))
    cells = [
        record
        for model in dict.fromkeys(record.model for record in run.records)
        for records in by_method(run, model, lambda record: record.task == name).values()
        for record in records
    ]
    if not cells:
        raise UsageError(f"task {name}: no cell of it ended, so that there are no answers to judge")
    task, problem = asked(run, cells[0])
    if task is None:
        raise UsageError(f"task {name}: {problem}")
    if task.kind != "text":
        raise UsageError(f"task {name} has no texts to judge: its answers are scored without a judge")
    read = [
        Answers(each, {line["id"]: line["output"] for line in read_predictions(run.path, each.key)}) for each in cells
    ]
    return task, read
