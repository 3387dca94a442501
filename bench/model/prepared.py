"""Folders in adaptbench's cache that are made once: whole or not at all, and made again where they are damaged.

A seal, a JSON file in the folder, holds the recipe and the sha256 of every other file. No torch.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError
from bench.core.hashing import sha256_of

_UNSETTLED_NS = 2 * 10**9  # a file that changed so lately may change again within a tick of the file system's clock


def cache_folder() -> Path:
    """Where adaptbench keeps what it can make again: `ADAPTBENCH_CACHE`, else `~/.cache/adaptbench`."""
    named = os.environ.get("ADAPTBENCH_CACHE")
    return Path(named).expanduser() if named else Path("~/.cache/adaptbench").expanduser()


def prepare(folder: Path, seal: str, recipe: Mapping[str, Any], write: Callable[[Path], None], what: str) -> Path:
    """Return `folder`, filled by `write(staging folder)` unless it is already complete by `recipe`.

    `seal` names the file that tells a complete folder; `what` is how messages call what is made. Of several processes
    that make the same folder at once, the first one's stays.

    Raises:
        UsageError: `folder` holds something else, or cannot be written.
    """
    if is_complete(folder, seal, recipe):
        return folder
    _refuse_foreign(folder, seal, what)
    try:
        with staging_beside(folder) as staging:
            staging.chmod(0o755)  # mkdtemp's 0700 would hide a shared cache from others
            write(staging)
            for file in staging.iterdir():
                file.chmod(0o644)
            write_json(staging / seal, {**recipe, "files": _digests(staging, seal)})
            _publish(staging, folder, seal, recipe)
    except OSError as error:
        hint = "set ADAPTBENCH_CACHE to a folder you may write to, with room"
        raise UsageError(f"cannot write {what} to {folder}: {error.strerror or error}; {hint}") from None
    return folder


def is_complete(folder: Path, seal: str, recipe: Mapping[str, Any]) -> bool:
    """Whether `folder` holds every file that was written by `recipe`, unchanged."""
    try:
        sealed = json.loads((folder / seal).read_text(encoding="utf-8"))
        return bool(sealed == {**recipe, "files": _digests(folder, seal)})
    except (OSError, ValueError):
        return False


@contextmanager
def staging_beside(folder: Path) -> Iterator[Path]:
    """A sibling of `folder` to write into; whatever is left of it goes away."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_json(file: Path, content: object) -> None:
    """JSON with sorted keys and one key a line."""
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def file_digest(file: Path) -> str:
    """sha256 of a file, worked out once while its size and time of change stay as they are."""
    state = file.stat()
    if time.time_ns() - state.st_mtime_ns < _UNSETTLED_NS:
        return sha256_of(file)
    return _digest_of_state(file, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _digest_of_state(file: Path, size: int, changed_ns: int) -> str:
    return sha256_of(file)


def _refuse_foreign(folder: Path, seal: str, what: str) -> None:
    """Never replace what this module did not write."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is no folder; {what} needs a folder of its own")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / seal).is_file():
        raise UsageError(f"{folder} holds something other than {what}; name another folder")


def _publish(staging: Path, folder: Path, seal: str, recipe: Mapping[str, Any]) -> None:
    """Rename `staging` to `folder`; where another process was faster, its folder stays."""
    try:
        staging.rename(folder)
    except OSError:
        if is_complete(folder, seal, recipe):
            return
        with staging_beside(folder) as old:  # an older recipe, or damaged
            folder.rename(old)
            staging.rename(folder)


def _digests(folder: Path, seal: str) -> dict[str, str]:
    return {file.name: file_digest(file) for file in sorted(folder.iterdir()) if file.name != seal}
