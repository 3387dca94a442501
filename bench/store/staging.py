"""Folders that are written whole or not at all, and runs that nobody writes while they are read."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench.core.atomic import naming, sync
from bench.core.errors import UsageError
from bench.store import lease

LOCK = ".lock"


def take(lock: IO[Any], without_locks: bool = False) -> bool:
    """Lock an open file until it is closed; False where another process holds it.

    `without_locks` is the answer on a disk that knows no locks.
    """
    from filelock import lock_descriptor  # a tenth of a second to import, which readers do not need

    try:
        return lock_descriptor(lock.fileno(), blocking=False)
    except OSError:
        return without_locks


@contextmanager
def unwritten(run: Path) -> Iterator[None]:
    """Keep other processes from writing a run while it is read; one that came without its lock file has no writer."""
    try:
        lock = (run / LOCK).open("rb")
    except OSError:
        yield
        return
    with lock:
        if not take(lock, without_locks=True) or lease.is_held(run / lease.FOLDER):
            raise UsageError(f"another process is writing {run}; try again when it has ended")
        yield


def refuse_taken(out: Path) -> None:
    """Raise UsageError where something is at `out` that a new folder would replace."""
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise UsageError(f"{out} is there already; name a new folder with --out")


@contextmanager
def staging(out: Path, doing: str) -> Iterator[Path]:
    """A hidden folder that becomes `out` at the end; gone where that is not reached. Leftovers of kills are removed.

    `doing` stands in its name, such as "merging".
    """
    folder = out.parent / f".{doing}-{out.name}-{os.getpid()}"
    for other in out.parent.glob(f".{doing}-{glob.escape(out.name)}-*"):
        if _abandoned(other):
            shutil.rmtree(other, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise UsageError(f"cannot write to {out.parent}: {error.strerror}; choose another folder with --out") from None
    with lock:
        take(lock)
        try:
            with naming(out):
                yield folder
            (folder / LOCK).unlink()
            folder.rename(out)  # refused where another process has filled it meanwhile
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    sync(out.parent)


def _abandoned(folder: Path) -> bool:
    """Whether no process holds the lock of a staging folder."""
    try:
        with (folder / LOCK).open("rb") as lock:
            return take(lock)
    except OSError:
        return False
