"""Paths in a task.yaml: relative to its folder, with environment variables such as ${ADAPTBENCH_DATA}.

A task may come from anywhere. Its files lie in its own folder, in the folder of a variable whose name ends in DATA, or
in a folder that `ADAPTBENCH_ALLOW_OUTSIDE` lists; where a symbolic link leads counts, not where it stands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from bench.core.quoting import listed, quoted
from tasks.loader.problems import Problems

ALLOWED = "ADAPTBENCH_ALLOW_OUTSIDE"  # folders, as PATH lists them, from which every task may read
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_OF_DATA = "DATA"  # how variables end that name folders for tasks; HOME and the like are no folder for a stranger's
OUTSIDE = "outside the task's folder"
REMEDY = f"move it there, name its folder by a variable that ends in {_OF_DATA}, or allow it: --allow-outside FOLDER"


def require_readable(folder: Path, written: Iterable[str], file: str, problems: Problems) -> None:
    """A problem for each variable that is not set, and for each path that leads where the task may not read.

    No message holds what a variable holds, or where a link leads.
    """
    paths = [path for path in written if path]
    unset = _unset(paths)
    for name, files in unset.items():
        what = f"the environment variable {name} is not set"
        remedy = f"set it to the folder that holds {listed(files)}: export {name}=/path/to/folder"
        problems.add(file, what, remedy)
    for path in dict.fromkeys(paths):
        if unset.keys().isdisjoint(_VARIABLE.findall(path)):
            place, _ = resolve(folder, path)
            if is_outside(place, roots(folder, path)):
                problems.add(file, f"{quoted(path)} leads to a file {OUTSIDE}", REMEDY)


def _unset(written: Iterable[str]) -> dict[str, dict[str, None]]:
    """Variables that are not set -> what stands behind them."""
    needed: dict[str, dict[str, None]] = {}
    for path in written:
        for match in _VARIABLE.finditer(path):
            if not os.environ.get(match[1]):
                needed.setdefault(match[1], {})[path[match.end() :].lstrip("/")] = None
    return needed


def resolve(folder: Path, written: str) -> tuple[Path, str]:
    """(the path, its name in messages): inside the task folder `<folder>/<path>`, else the path in full."""
    expanded = Path(os.path.expanduser(_VARIABLE.sub(lambda match: os.environ[match[1]], written)))
    if expanded.is_absolute():
        return expanded, str(expanded)
    return folder / expanded, f"{folder.resolve().name}/{expanded}"


def roots(folder: Path, written: str = "") -> tuple[str, ...]:
    """The folders, links resolved, in which files may lie that the task in `folder` names as `written`."""
    listing = [each for each in os.environ.get(ALLOWED, "").split(os.pathsep) if each]
    first = _VARIABLE.match(written)
    named = [folder / os.environ[first[1]]] if first and first[1].endswith(_OF_DATA) else []
    return tuple(os.path.realpath(each) for each in (str(folder), *map(str, named), *listing))


def is_outside(path: Path, allowed: Iterable[str]) -> bool:
    """Whether `path`, its links followed, lies in none of the folders `allowed`, which are `roots`."""
    try:
        place = Path(os.path.realpath(path))
    except ValueError:  # a zero byte: no file has such a name
        return False
    return not any(place.is_relative_to(root) for root in allowed)
