"""Tasks: one folder each, with a task.yaml and data. The reference is docs/task-format.md.

``tasks.load("support-intents")`` gives the task that every method shares. Other distributions bring tasks by entry
points of the group `adaptbench.tasks`, whose value is a package with the folders.
"""

from __future__ import annotations

import os
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bench.core.errors import UsageError, unknown
from bench.core.plugins import Plugin, installed

if TYPE_CHECKING:
    from bench.core.task import Task
    from tasks.loader.spec import TaskSpec

GROUP = "adaptbench.tasks"
_FILE = "task.yaml"


def own() -> dict[str, Path]:
    """Name -> folder of every task that comes with adaptbench."""
    return _below(Path(__file__).parent)


def available() -> dict[str, Path]:
    """Name -> folder of every task that can be named: adaptbench's, then those of other distributions."""
    found: dict[str, Path] = {}
    for folders in plugins().values():
        found |= {} if isinstance(folders, UsageError) else folders
    return found | own()


@cache
def plugins() -> dict[Plugin, dict[str, Path] | UsageError]:
    """The tasks that each entry point of another distribution brings, or why they cannot be used."""
    found: dict[Plugin, dict[str, Path] | UsageError] = {}
    taken = dict.fromkeys(own(), "adaptbench")
    for plugin in installed(GROUP):
        try:
            folders = _below(plugin.guarded(partial(_package_folder, plugin.entry.value)))
            if not folders:
                raise plugin.refused(f"no folder with a {_FILE} in it")
            for name in sorted(folders.keys() & taken.keys()):
                raise plugin.refused(f'a task "{name}" is in {taken[name]} already; choose another name')
            found[plugin] = folders
            taken |= dict.fromkeys(folders, plugin.origin)
        except UsageError as error:
            found[plugin] = error
    return found


def _below(folder: Path) -> dict[str, Path]:
    """Name -> folder of the tasks in a folder, or of the one task that it is."""
    files = [folder / _FILE] if (folder / _FILE).is_file() else sorted(folder.glob(f"*/{_FILE}"))
    return {file.parent.name: file.parent for file in files}


def _package_folder(name: str) -> Path:
    """The folder of an installed package; only packages around it are imported."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"no package named {name}")
    return Path(next(iter(spec.submodule_search_locations)))


def find(name_or_path: str | Path) -> Path:
    """The folder of a task by its name, or of a path to a folder with a task.yaml.

    Raises UsageError where there is no such task.
    """
    named, path = available(), Path(os.path.expanduser(name_or_path))
    if str(name_or_path) in named:
        return named[str(name_or_path)]
    if path.name == _FILE and os.path.isfile(path):
        return path.parent
    if os.path.isfile(path / _FILE):  # unlike Path.is_file, False for a name that is too long
        return path
    if os.path.isdir(path):
        raise UsageError(f'"{path}" is a folder without a {_FILE}; `adaptbench init DATA` makes one')
    broken = [str(error) for error in plugins().values() if isinstance(error, UsageError)]
    raise UsageError("\n".join((f"{unknown('task', str(name_or_path), named)}, or a folder with a {_FILE}", *broken)))


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
