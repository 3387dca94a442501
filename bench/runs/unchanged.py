"""Whether weights on this disk are still those that the keys of a run's cells were made of.

Told from sizes and times of change, as hashing large weights again for every cell would cost minutes. Tasks need none
of it: a cell compares their digest itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from bench.core.errors import CellError
from bench.core.search import NONE
from bench.runs.cells import Cell
from methods.given import Given
from methods.rag import Rag

_State: TypeAlias = frozenset[tuple[str, int, int]]  # name, bytes, time of change in ns of each file


class Weights:
    """The folders of weights that cells read, as they were when this was made."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        read = {folder for cell in cells for folder in _folders(cell)}
        self._before = {folder: _state(folder) for folder in read}

    def require_unchanged(self, cell: Cell) -> None:
        """Raises CellError where a folder that the cell reads has changed."""
        for folder in _folders(cell):
            if folder in self._before and _state(folder) != self._before[folder]:
                raise CellError(f"weights have changed since the run began: look at {folder}, and run again")


def _folders(cell: Cell) -> Iterator[Path]:
    models = (cell.model, cell.reflector, cell.teacher.model if cell.teacher else None)
    yield from (model.folder for model in models if model and model.folder != Path())  # which served ones have
    if isinstance(cell.method.weights, Given):
        yield Path(cell.method.weights.options.path)
    if isinstance(cell.method.context, Rag):
        named = (Path(each) for each in cell.method.context.options.rerank if each != NONE)
        yield from (folder for folder in named if folder.is_absolute())  # others are Hub ids


def _state(folder: Path) -> _State:
    try:
        stats = [(file.name, file.stat()) for file in folder.iterdir() if file.is_file()]
    except OSError:  # it has gone
        return frozenset()
    return frozenset((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
