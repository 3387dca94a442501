"""A task as a reader of choices needs it: the choices in the prompt, and the metrics that its answers can have."""

from __future__ import annotations

from dataclasses import replace

from bench.core.errors import NotApplicableError
from bench.core.task import Task
from bench.engine.told_choices import telling
from bench.metrics import NAMES

_WRITTEN = ("schema", "generation")  # readers that are told the choices in the prompt, and give no numbers
_RANKED = ("", "echo")  # readers that rank choices by their log-likelihoods, so that rules apply


def as_read(task: Task, reader: str) -> Task:
    """`task` for choices that are read by `reader`; "" for log-likelihoods of a model on this disk.

    Raises:
        NotApplicableError: no metric of the task can be had from its answers.
    """
    if task.kind != "choice" or not reader:
        return task
    if reader not in _RANKED:
        task = replace(task, normalise="none")
    task = replace(task, rules=())
    if reader not in _WRITTEN:
        return task
    metrics = tuple(name for name in task.metrics if NAMES[name].scores in ("answer", "ranking"))
    if not metrics:
        raise NotApplicableError(
            f"{', '.join(task.metrics)} of task {task.name} need numbers, which {reader} has none of"
        )
    return replace(task, metrics=metrics, prompt=telling(task.prompt, task.test))
