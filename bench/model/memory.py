"""Memory that runs out: how it shows on each device, and the halving that answers it; memory that is freed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from bench.core.errors import OutOfMemoryError

Work = TypeVar("Work")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_LARGEST = 2**30  # bytes: blocks and holes below this are kept


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


def keep_freed() -> None:
    """Let glibc keep memory that is freed, for the next tensors: pages that are new have to be zeroed by the kernel.

    It gives large blocks back at once, which is a sixth of the time of small models (decision 20). What is kept
    is given back by `give_back`. Does nothing with another C library.
    """
    library = _glibc()
    if library is not None:
        for name, value in ((_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _LARGEST)):
            library.mallopt(name, value)


def give_back() -> None:
    """Give freed memory back to the system, so that what is resident is what is in use."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:  # another system, or another C library
        return None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def free_cached() -> None:
    """Give memory that torch holds but does not use back to the device."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
