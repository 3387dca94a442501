"""The process of a rank. It ends with its cell's, also while it still loads its libraries: none is imported before."""

from __future__ import annotations

import os
import pickle
import threading
from multiprocessing.connection import Connection


def run(rank: int, work: bytes, line: Connection) -> None:
    """Take part in a pickled `bench.training.ranks.Work`; what becomes of it is said on `line`."""
    threading.Thread(target=_end_with_the_cell, args=(line,), daemon=True).start()
    from bench.training import ranks

    ranks.take_part(rank, pickle.loads(work), line)


def _end_with_the_cell(line: Connection) -> None:
    """Nothing is ever sent down the line: it only ends, when the cell's process has gone."""
    try:
        line.poll(None)
    finally:
        os._exit(1)
