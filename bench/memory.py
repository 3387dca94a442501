"""Out of memory: how it shows on each device, and the halving that answers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from bench.errors import OutOfMemoryError

Work = TypeVar("Work")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that host or device memory ran out."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in text or "not enough memory" in text)


def halving(batch: Sequence[Work], work: Callable[[Sequence[Work]], Any]) -> None:
    """Run `work(batch)`; where memory runs out, run it on each half instead, down to one.

    Raises:
        OutOfMemoryError: a batch of one does not fit.
    """
    try:
        work(batch)
        return
    except Exception as error:  # the library's own errors differ by device: is_out_of_memory tells
        if not is_out_of_memory(error):
            raise
        if len(batch) == 1:
            raise OutOfMemoryError("one item alone does not fit into memory") from error
    free_cached()  # outside the except block, whose traceback would keep the tensors alive
    middle = len(batch) // 2
    halving(batch[:middle], work)
    halving(batch[middle:], work)


def free_cached() -> None:
    """Give memory that torch holds but does not use back to the device."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
