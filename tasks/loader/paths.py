"""Paths in a task.yaml: relative to its folder, with environment variables such as ${ADAPTBENCH_DATA}."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from bench.core.quoting import listed
from tasks.loader.problems import Problems

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def require_variables(written: Iterable[str], file: str, problems: Problems) -> None:
    """A problem for each variable that is not set: which one, and what to set it to."""
    needed: dict[str, dict[str, None]] = {}
    for path in written:
        for match in _VARIABLE.finditer(path):
            if not os.environ.get(match[1]):
                needed.setdefault(match[1], {})[path[match.end() :].lstrip("/")] = None
    for name, files in needed.items():
        what = f"the environment variable {name} is not set"
        remedy = f"set it to the folder that holds {listed(files)}: export {name}=/path/to/folder"
        problems.add(file, what, remedy)


def resolve(folder: Path, written: str) -> tuple[Path, str]:
    """(the path, its name in messages): inside the task folder `<folder>/<path>`, else the path in full."""
    expanded = Path(os.path.expanduser(_VARIABLE.sub(lambda match: os.environ[match[1]], written)))
    if expanded.is_absolute():
        return expanded, str(expanded)
    return folder / expanded, f"{folder.resolve().name}/{expanded}"
