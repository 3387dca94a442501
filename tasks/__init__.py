"""Tasks: one folder each, with a task.yaml and data. The reference is docs/task-format.md.

``tasks.load("support-intents")`` gives the task that every method shares.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bench.core.errors import UsageError, unknown

if TYPE_CHECKING:
    from bench.core.task import Task
    from tasks.loader.spec import TaskSpec

_FILE = "task.yaml"


def available() -> dict[str, Path]:
    """Name -> folder of every task that comes with adaptbench."""
    return {file.parent.name: file.parent for file in sorted(Path(__file__).parent.glob(f"*/{_FILE}"))}


def find(name_or_path: str | Path) -> Path:
    """The folder of a bundled task's name, or of a path to a folder with a task.yaml.

    Raises UsageError where there is no such task.
    """
    bundled, path = available(), Path(os.path.expanduser(name_or_path))
    if str(name_or_path) in bundled:
        return bundled[str(name_or_path)]
    if path.name == _FILE and os.path.isfile(path):
        return path.parent
    if os.path.isfile(path / _FILE):  # unlike Path.is_file, False for a name that is too long
        return path
    if os.path.isdir(path):
        raise UsageError(f'"{path}" is a folder without a {_FILE}; `adaptbench init DATA` makes one')
    raise UsageError(f"{unknown('task', str(name_or_path), bundled)}, or a folder with a {_FILE}")


def describe(name_or_path: str | Path) -> TaskSpec:
    """What a task's task.yaml says. Reads no data.

    Raises UsageError where there is no such task, TaskError where its task.yaml is wrong.
    """
    from tasks.loader.manifest import read_spec  # pydantic and yaml are imported only where a task is read

    return read_spec(find(name_or_path))


def load(name_or_path: str | Path, limit: int | None = None) -> Task:
    """The task, read and checked; `limit` keeps a fixed part of its test split.

    Raises UsageError where there is no such task or the limit is below 1, TaskError where the task is wrong.
    """
    from tasks.loader.read import read_task

    return read_task(find(name_or_path), limit).task
