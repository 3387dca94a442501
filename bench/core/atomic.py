"""Files written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def naming(path: Path, instead_of: Path | None = None) -> Iterator[None]:
    """Have an error of the system name `path` if it names no file, as writing to one that is open does not.

    Also in place of the file `instead_of`. Errors that libraries word themselves stay as they are.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.strerror is None:
            raise
        if error.filename is None:
            error.filename = os.fspath(path)
        elif instead_of is not None and os.fspath(instead_of) == error.filename:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise


@contextmanager
def replacing(file: Path, synced: bool = True) -> Iterator[Path]:
    """A path beside `file` to write to; at the end it is synced and becomes `file`, or is gone after an error.

    Without `synced` a machine that loses its power may lose the file, or what stands in it.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with naming(file, instead_of=temporary):
            yield temporary
            if synced:
                sync(temporary)
            temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(file: Path, text: str, synced: bool = True) -> None:
    """Write `text` to `file`, whole or not at all; see `replacing`."""
    with replacing(file, synced) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_changed(file: Path, text: str) -> None:
    """`write_atomically` unless that is what the file holds: what is there already needs no room on a full disk."""
    try:
        if file.read_bytes() == text.encode():
            return
    except OSError:
        pass  # no file, or one that is not to be read: writing says what is wrong
    write_atomically(file, text)


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
