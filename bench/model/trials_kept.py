"""Results of short timed trials, kept in the cache folder: a rerun on the same machine takes the same way."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.core.hashing import canonical, sha256
from bench.model.prepared import cache_folder, write_json


def kept(kind: str, of: Mapping[str, Any], trial: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], bool]:
    """What the trial `kind` of `of` came to, and whether that was known; both are JSON values.

    Where the cache cannot be written, every process tries anew.
    """
    file = cache_folder() / "trials" / f"{kind}-{sha256(canonical(dict(of)))[:16]}.json"
    known = _read(file, of)
    if known is not None:
        return known, True
    with _alone(file):  # of cells that are measured at once, one tries and the others take what it found
        known = _read(file, of)
        if known is not None:
            return known, True
        result = trial()
        _write(file, {"of": dict(of), "result": result})
    return result, False


def _read(file: Path, of: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is kept of a trial; None where it was never made, or is damaged."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        return dict(known["result"]) if known["of"] == dict(of) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Keep other processes from the same trial meanwhile, where the cache can be written."""
    from filelock import FileLock

    with ExitStack() as held:
        with suppress(OSError, NotImplementedError):
            lock = cache_folder() / "locks" / file.stem
            lock.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(FileLock(lock))
        yield


def _write(file: Path, content: dict[str, Any]) -> None:
    """Whole or not at all; of several processes the last one's stays."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
        os.close(handle)
        write_json(Path(name), content)
        os.replace(name, file)
    except OSError:
        return
