"""The folder for the temporary files of this process's cells, gone when the process is, however that ends.

`multiprocessing` and the libraries leave folders of their own in TMPDIR when their process is killed. TMPDIR of cells
is therefore a folder that this process removes at its end. After a kill the fork server does (see `child_path`), and
where that was killed as well the next run on this machine.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from functools import lru_cache
from multiprocessing import util
from pathlib import Path
from typing import IO, Any

from bench.store.staging import LOCK, take

_PREFIX = "ab-"  # short: sockets lie in the folder
_UNLOCKED = "new-" + _PREFIX  # until its lock is held, so that who sweeps need not wonder
_LONGEST = 103  # characters of a socket's path on macOS, some more on Linux
_SOCKET = len("/pymp-12345678/listener-12345678")
_LAST = -110  # behind multiprocessing's own folder, which lies in it
_YOUNG_S = 60.0
_locks: list[IO[Any]] = []  # held as long as the process lasts


@lru_cache(maxsize=1)
def scratch() -> Path:
    """The folder; made at the first call, when those of processes that were killed are removed."""
    usual = tempfile.gettempdir()
    _sweep(Path(usual))
    unlocked = Path(tempfile.mkdtemp(prefix=_UNLOCKED))
    lock = (unlocked / LOCK).open("w")
    take(lock, without_locks=True)
    _locks.append(lock)
    folder = str(unlocked.rename(unlocked.with_name(unlocked.name.removeprefix("new-"))))
    util.Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=_LAST)
    if len(folder) + _SOCKET <= _LONGEST:
        _take_sockets(folder, usual)
    return Path(folder)


def _take_sockets(folder: str, usual: str) -> None:
    """Have multiprocessing's folder, where the fork server is found, lie in `folder`."""
    tempfile.tempdir = folder
    try:
        util.get_temp_dir()
    finally:
        tempfile.tempdir = usual


def _sweep(usual: Path) -> None:
    """Remove the folders whose lock nobody holds any more."""
    for folder in usual.glob(f"{_PREFIX}*"):
        try:
            with (folder / LOCK).open("rb") as lock:
                left = take(lock)
        except OSError:
            continue  # another user's, or none of ours
        if left:
            shutil.rmtree(folder, ignore_errors=True)
    for folder in usual.glob(f"{_UNLOCKED}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _YOUNG_S:  # its process was killed before it took the lock
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()
