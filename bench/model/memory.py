"""Memory that runs out: how it shows on each device, and the smaller batches that answer it; memory that is freed."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

from bench.core.errors import OutOfMemoryError

Work = TypeVar("Work")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_LARGEST = 2**30  # bytes: blocks and holes below this are kept
# What libraries write where memory ran out, in lower case: of the CPU, of CUDA itself, of cuBLAS, cuDNN and cuSOLVER.
_SAID = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc", "status_alloc_failed")
# Pieces of one size reuse the pages of another, so that batches of many lengths do not fragment a GPU's memory.
_ALLOCATOR = ("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that host or device memory ran out."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID)


def in_batches(
    items: Sequence[Work],
    size: Callable[[int], int],
    work: Callable[[Sequence[Work]], None],
    shrink: Callable[[int, int], None],
) -> None:
    """Run `work` on the items, `size(start)` of them at once from the one at `start` on.

    Where memory runs out for a batch, `shrink(start, half)` is told the half of its size, which `size` is to heed
    from then on, and the batch is tried again.

    Raises:
        OutOfMemoryError: one item alone does not fit.
    """
    start = 0
    while start < len(items):
        batch = items[start : start + size(start)]
        if _fits(batch, work):
            start += len(batch)
        else:
            shrink(start, len(batch) // 2)


def _fits(batch: Sequence[Work], work: Callable[[Sequence[Work]], None]) -> bool:
    try:
        work(batch)
        return True
    except Exception as error:  # the library's own errors differ by device: is_out_of_memory tells
        if not is_out_of_memory(error):
            raise
        if len(batch) == 1:
            raise OutOfMemoryError("one item alone does not fit into memory") from error
    free_cached()  # outside the except block, whose traceback would keep the tensors alive
    return False


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


def prepare_allocator() -> None:
    """Have torch's CUDA allocator use expandable segments unless the user set it up; before CUDA is first used."""
    os.environ.setdefault(*_ALLOCATOR)


def free_cached() -> None:
    """Give memory that torch holds but does not use back to the device, that of a failed training's model too."""
    import torch

    gc.collect()  # a Trainer and its model refer to each other in circles
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
