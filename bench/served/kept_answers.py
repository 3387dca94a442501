"""Every answer of an endpoint in a file, before it is used: nothing that was paid for is asked again.

A line for each answer, only ever appended. Several cells may write one file at once. Killing a process at any moment
loses what was in flight: a line that is cut off is skipped, and the next one begins on a line of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from bench.core.atomic import naming
from bench.core.hashing import canonical, sha256
from bench.core.json_text import parse
from bench.core.measured import TokensUsed
from bench.core.values import Count

_PART = 2**20  # bytes that are read at once
_to_disk = getattr(os, "fdatasync", os.fsync)  # which macOS does not have


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: the end of the address, the content, and which repeat of the same it is."""

    path: str
    body: Mapping[str, Any]
    repeat: int = 0

    def key(self, base_url: str) -> str:
        """sha256 over the address, the whole content and the repeat."""
        return sha256(canonical([base_url, self.path, self.body, self.repeat]))


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it arrived."""

    content: dict[str, Any]
    seconds: float  # from sending to the last byte
    usage: TokensUsed


class _Entry(TypedDict):
    """A line of the file."""

    key: str
    usage: Annotated[tuple[Count, ...], Field(max_length=len(TokensUsed().numbers))]
    seconds: float
    content: dict[str, Any]


_ENTRY = TypeAdapter(_Entry)


class KeptAnswers:
    """The answers of one endpoint in a run. In memory are their places in the file alone.

    Raises:
        OSError: the file cannot be read or written.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._written = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._places: dict[str, tuple[int, int]] = {}
        self._read_to = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._syncing = False
        self.spent = TokensUsed()
        size = os.fstat(self._written).st_size
        if size and os.pread(self._written, 1, size - 1) != b"\n":
            os.write(self._written, b"\n")  # behind a line that a kill has cut off
        self.refresh()

    def close(self) -> None:
        os.close(self._written)

    def __len__(self) -> int:
        return len(self._places)

    def refresh(self) -> None:
        """Learn of the answers that have come since, of this process and of others."""
        size = os.fstat(self._written).st_size
        while self._read_to < size:
            part = os.pread(self._written, max(_PART, size - self._read_to), self._read_to)
            whole, end, _ = part.rpartition(b"\n")
            if not end:
                return
            for line in whole.split(b"\n"):
                self._note(line)
                self._read_to += len(line) + 1

    def get(self, key: str) -> Kept | None:
        """The answer to a request, or None where none has arrived."""
        place = self._places.get(key)
        if place is None:
            return None
        entry = _entry(os.pread(self._written, place[1], place[0]))
        return Kept(entry["content"], entry["seconds"], TokensUsed(*entry["usage"])) if entry else None

    async def keep(self, key: str, answer: Kept) -> None:
        """Write an answer at once; done when it is on the disk. Answers that arrive meanwhile are synced together."""
        entry = {"key": key, "usage": answer.usage.numbers, "seconds": round(answer.seconds, 6)}
        line = json.dumps({**entry, "content": answer.content}).encode() + b"\n"
        with naming(self._file):
            while line:
                line = line[os.write(self._written, line) :]
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        if not self._syncing:
            await self._sync()
        await done

    async def _sync(self) -> None:
        self._syncing = True
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                await asyncio.to_thread(_to_disk, self._written)
                self.refresh()
                for done in waiting:
                    done.set_result(None)
        finally:
            self._syncing = False

    def _note(self, line: bytes) -> None:
        entry = _entry(line)
        if entry is None:
            return
        self._places.setdefault(entry["key"], (self._read_to, len(line)))
        self.spent += TokensUsed(*entry["usage"])


def _entry(line: bytes) -> _Entry | None:
    """An answer in the file; None for a line that a kill has cut off, or that a disk has damaged."""
    try:
        return _ENTRY.validate_python(parse(line))
    except ValueError:
        return None
