"""Who writes a run: one process at a time, also on a disk that several machines share.

A lease is a folder that is filled under a name of its own and then renamed to the next free number. Of several
processes that try, one succeeds, on a disk without locks as well. The highest number holds. Its holder changes a
counter every few seconds; another process takes over only after it saw no change for `SILENCE_S` by its own clock, so
that the clocks of two machines are never compared.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.core.errors import UsageError

FOLDER = ".driver"  # of a run
BEAT_S = 5.0  # between two changes of the counter
SILENCE_S = 60.0  # without a change, after which the holder is taken for dead
_KEPT = 20  # numbers that are left: a slow process must not find one free that was used
_OWNER, _BEAT, _RELEASED, _END = "owner.json", "beat", "released", "end"


class LeaseLostError(UsageError):
    """Another process took a run over, because this one was silent for too long."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a lease."""

    host: str
    place: str  # what tells this machine since its start, and its process ids, from others
    pid: int
    started: float  # of the process, in units of its machine
    token: str  # random

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    @property
    def gone(self) -> bool:
        """Whether it is known to have ended: it was a process of this machine that is not there any more."""
        return self.place == _place() and _started(self.pid) != self.started


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that this process took."""

    folder: Path
    number: int
    owner: Owner

    def check(self) -> None:
        """Raise LeaseLostError where another process has taken over."""
        latest = _latest(self.folder)
        if latest != self.number:
            by = holder(self.folder)
            raise LeaseLostError(
                f"{self.folder.parent} is written by another process now{f' ({by})' if by else ''}, "
                "as this one was silent for too long"
            )

    def asked_to_end(self) -> bool:
        """Whether `ask_to_end` was called, on whichever machine, since this process took the lease."""
        return (_path(self.folder, self.number) / _END).exists()


@contextmanager
def hold(folder: Path, refusal: Callable[[Owner | None], UsageError]) -> Iterator[Lease]:
    """The lease of `folder`, released at the end.

    Raises:
        UsageError: `refusal` of the process that holds it. Where that is on another machine and gone, this is known
            only after `SILENCE_S`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _free(folder)
    lease = None if before is None else _taken(folder, before + 1)
    if lease is None:
        raise refusal(holder(folder))
    stop = threading.Event()
    beats = threading.Thread(target=_beat, args=(lease, stop), daemon=True)
    beats.start()
    try:
        yield lease
    finally:
        stop.set()
        beats.join()
        with contextlib.suppress(OSError):  # of a run whose folder was removed there is nothing to release
            (_path(folder, lease.number) / _RELEASED).touch()


def is_held(folder: Path) -> bool:
    """Whether a process holds the lease of `folder`; may take `SILENCE_S`, see `hold`."""
    return _free(folder) is None


def _free(folder: Path) -> int | None:
    """The latest number, where nobody holds it any more; None where somebody does."""
    number, owner = _latest(folder), holder(folder)
    if owner is None or owner.gone:
        return number
    first, since = _counter(folder, number), time.monotonic()
    while time.monotonic() - since < SILENCE_S:
        time.sleep(min(1.0, SILENCE_S / 10))
        if _latest(folder) != number:
            return None
        if holder(folder) is None:
            return number
        if _counter(folder, number) != first:
            return None
    return number


def holder(folder: Path) -> Owner | None:
    """The process that took the lease of `folder` last and has not released it."""
    number = _latest(folder)
    path = _path(folder, number)
    if not number or (path / _RELEASED).exists():
        return None
    try:
        return Owner(**json.loads((path / _OWNER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def ask_to_end(folder: Path) -> Owner | None:
    """Ask the holder of the lease of `folder`, wherever it runs, to end; None where nobody holds it."""
    owner = holder(folder)
    if owner is not None:
        (_path(folder, _latest(folder)) / _END).touch()
    return owner


def silent_s(folder: Path) -> float | None:
    """Seconds since the holder's last sign of life, by the clock of the disk; None where that cannot be told."""
    probe = folder / f".probe-{secrets.token_hex(4)}"
    try:
        beat = (_path(folder, _latest(folder)) / _BEAT).stat().st_mtime
        probe.touch()
        try:
            return max(0.0, probe.stat().st_mtime - beat)
        finally:
            probe.unlink()
    except OSError:
        return None


def _taken(folder: Path, number: int) -> Lease | None:
    """The lease of a number, None where another process was first."""
    owner = Owner(socket.gethostname(), _place(), os.getpid(), _started(os.getpid()) or 0.0, secrets.token_hex(8))
    prepared = folder / f".{owner.token}"
    prepared.mkdir()
    (prepared / _OWNER).write_text(json.dumps(asdict(owner)), encoding="utf-8")
    (prepared / _BEAT).write_text("0", encoding="utf-8")
    with contextlib.suppress(OSError):  # refused where the name is taken, or told so by a disk that lost its answer
        prepared.rename(_path(folder, number))
    shutil.rmtree(prepared, ignore_errors=True)
    if holder(folder) != owner:
        return None
    for old in range(max(1, number - 2 * _KEPT), number - _KEPT):
        shutil.rmtree(_path(folder, old), ignore_errors=True)
    return Lease(folder, number, owner)


def _beat(lease: Lease, stop: threading.Event) -> None:
    count, file = 0, _path(lease.folder, lease.number) / _BEAT
    while not stop.wait(BEAT_S):
        count += 1
        with contextlib.suppress(OSError):  # a disk that is away for a moment; what is lost meanwhile, `check` tells
            file.write_text(str(count), encoding="utf-8")


def _counter(folder: Path, number: int) -> str | None:
    try:
        return (_path(folder, number) / _BEAT).read_text(encoding="utf-8")
    except OSError:
        return None


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}"


def _latest(folder: Path) -> int:
    """The highest number that was taken, 0 where none was."""
    try:
        return max((int(name) for name in os.listdir(folder) if name.isdecimal()), default=0)
    except OSError:
        return 0


def _place() -> str:
    """This machine since it was started, and the space that its process ids are of: two containers differ."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):  # not Linux
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _started(pid: int) -> float | None:
    """When a process started, None where there is none: ticks since the machine did, or seconds of its clock."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if state == "Z" else float(fields[18])
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    import psutil  # not where it is not needed: readers of a run would load it

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
