"""Whether weights on this disk are still those that the keys of a run's cells were made of.

Told from sizes and times of change, as hashing large weights again for every cell would cost minutes. Tasks need none
of it: a cell compares their digest itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeAlias

from bench.core.errors import CellError
from bench.core.search import NONE
from bench.model.resolve import identity_files
from bench.runs.cells import Cell
from methods.given import Given
from methods.rag import Rag

_List: TypeAlias = Callable[[], Iterable[Path]]  # the files of a folder that are part of a key, as they are now
_State: TypeAlias = frozenset[tuple[str, int, int]]  # name, bytes, time of change in ns of each file


class Weights:
    """The files of weights that cells read, as they were when this was made."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        read = {folder: files for cell in cells for folder, files in _read(cell)}
        self._before = {folder: _state(files) for folder, files in read.items()}

    def require_unchanged(self, cell: Cell) -> None:
        """Raises CellError where weights that the cell reads have changed."""
        for folder, files in _read(cell):
            if folder in self._before and _state(files) != self._before[folder]:
                raise CellError(f"weights have changed since the run began: look at {folder}, and run again")


def _read(cell: Cell) -> Iterator[tuple[Path, _List]]:
    """Folders of weights, with what lists the files in them that the cell's key holds; others may change."""
    models = (cell.model, cell.reflector, cell.teacher.model if cell.teacher else None)
    for folder in (model.folder for model in models if model and model.folder != Path()):  # which served ones have
        yield folder, partial(identity_files, folder)
    weights, context = cell.method.weights, cell.method.context
    if isinstance(weights, Given):
        yield Path(weights.options.path), lambda: weights.files().values()
    if isinstance(context, Rag):
        named = (Path(each) for each in context.options.rerank if each != NONE)
        for folder in (folder for folder in named if folder.is_absolute()):  # others are Hub ids
            yield folder, partial(folder.rglob, "*.safetensors")


def _state(files: _List) -> _State:
    try:
        stats = [(file.name, file.stat()) for file in files()]
    except OSError:  # the folder has gone
        return frozenset()
    return frozenset((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
