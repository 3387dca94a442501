"""What happens to a command: signals, disks, permissions, files, clocks, and the same command at once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.campaign.commands import IN, OUT, TMP
from scripts.campaign.place import MEBIBYTE, Place, Process

DAY_S = 86400.0
_FILLER = "filler"
_DISK = 8  # MiB: none of the outputs is as large
_CHUNK = 4096


def nothing(place: Place, *_: object) -> str:
    """Do nothing: a fault that is there from the start, or that has no cause to take away."""
    return ""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong. `strike` happens at the moment, and says what it did."""

    name: str
    strike: Callable[[Place, Process, random.Random], str]
    begin: Callable[[Place, random.Random], str] = nothing  # before the command starts
    cure: Callable[[Place], object] = nothing
    codes: frozenset[int] = frozenset()  # exit codes, beside those that any command may end with
    disk_mb: int | None = None
    as_nobody: bool = False
    without: frozenset[str] = frozenset({"forecast", "fetch"})  # commands that it is not for


def _signal(number: signal.Signals) -> Fault:
    def strike(place: Place, process: Process, rng: random.Random) -> str:
        process.process.send_signal(number)
        return number.name

    code = -number if number == signal.SIGKILL else 128 + number
    return Fault(number.name, strike, codes=frozenset({code}), without=frozenset())


def _fill(place: Place, free: int) -> str:
    """Leave so many bytes of the disk of outputs free."""
    with (place.path / OUT / _FILLER).open("ab") as stream:
        while True:
            there = os.statvfs(place.path / OUT)
            room = there.f_bavail * there.f_frsize - free
            if room <= 0:
                return f"{max(0, free)} bytes free"
            try:
                stream.write(b"\0" * min(room, MEBIBYTE))
                stream.flush()
            except OSError:
                return "no byte free"


def _fill_before(place: Place, rng: random.Random) -> str:
    return _fill(place, rng.choice([0, rng.randrange(64) * _CHUNK]))


def _fill_now(place: Place, process: Process, rng: random.Random) -> str:
    return _fill(place, 0)


def _empty(place: Place) -> None:
    (place.path / OUT / _FILLER).unlink(missing_ok=True)


def _limit(place: Place, rng: random.Random) -> str:
    place.size_limit = rng.choice([1000, 2000, 4096, 8192, 20_000])  # what is said goes to a file, too
    return f"no file larger than {place.size_limit} bytes"


def _unlimit(place: Place) -> None:
    place.size_limit = None


def _remount(place: Place, how: str) -> bool:
    command = ["mount", "-o", f"remount,{how}", str(place.path / OUT)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _read_only_now(place: Place, process: Process, rng: random.Random) -> str:
    """As soon as no file is open for writing, which is what the system asks for."""
    while process.code is None:
        if _remount(place, "ro"):
            return "read-only"
        time.sleep(0.002)
    return "it ended before"


def _revoke(place: Place, process: Process, rng: random.Random) -> str:
    """Take the permissions of a folder or file that it reads or writes."""
    there = [place.path / OUT, place.path / IN, *(place.path / OUT).rglob("*"), *(place.path / IN).rglob("*")]
    taken = rng.choice(sorted(there))
    try:
        taken.chmod(0)
    except FileNotFoundError:
        return f"{taken.relative_to(place.path)} is gone"
    return f"{taken.relative_to(place.path)} may not be read or written"


def _grant(place: Place) -> None:
    for root in (place.path / OUT, place.path / IN):
        for path in (root, *root.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IRWXU)


def _some_file(place: Place, rng: random.Random) -> Path | None:
    """A file that the command reads or writes at this moment."""
    found = [path for name in (IN, OUT) for path in (place.path / name).rglob("*") if path.is_file()]
    return rng.choice(sorted(found)) if found else None


def _corrupt(place: Place, process: Process, rng: random.Random) -> str:
    file = _some_file(place, rng)
    if file is None:
        return "no file there"
    try:
        content = bytearray(file.read_bytes())
        if not content:
            return f"{file.relative_to(place.path)} is empty"
        where = rng.randrange(len(content))
        if rng.random() < 0.3:
            del content[where:]
        else:
            content[where] ^= 1 << rng.randrange(8)
        with file.open("r+b") as stream:  # in place, as a disk does it
            stream.write(content)
            stream.truncate(len(content))
    except OSError:
        return f"{file.relative_to(place.path)} is gone"
    return f"byte {where} of {file.relative_to(place.path)}, {len(content)} bytes now"


def _remove(place: Place, process: Process, rng: random.Random) -> str:
    """A file, or a folder with all that is in it."""
    found = [path for name in (IN, OUT, TMP) for path in (place.path / name).rglob("*")]
    if not found:
        return "nothing there"
    path = rng.choice(sorted(found))
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return f"{path.relative_to(place.path)} removed"


def _move_files(place: Place, process: Process, rng: random.Random) -> str:
    """All files are of another day."""
    shift = rng.choice([-1, 1]) * rng.uniform(1, 2000) * DAY_S
    for path in place.path.rglob("*"):
        try:
            os.utime(path, (time.time() + shift,) * 2, follow_symlinks=False)
        except OSError:
            continue
    return f"files moved by {shift / DAY_S:.0f} days"


def _move_clock(place: Place, rng: random.Random) -> str:
    shift = rng.choice([-1, 1]) * rng.uniform(1, 2000) * DAY_S
    place.clock = rng.uniform(0.0, 2.0), shift
    return f"clock moved by {shift / DAY_S:.0f} days"


def _stop_clock(place: Place) -> None:
    place.clock = None


def _again(place: Place, process: Process, rng: random.Random) -> str:
    place.start()
    return "started twice"


DISKS = (
    Fault("full disk", nothing, _fill_before, _empty, disk_mb=_DISK),
    Fault("disk fills", _fill_now, cure=_empty, disk_mb=_DISK),
    Fault("read-only", _read_only_now, cure=lambda place: _remount(place, "rw"), disk_mb=_DISK),
)
FAULTS = (
    *(_signal(number) for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)),
    Fault("file size limit", nothing, _limit, _unlimit),
    Fault("permissions revoked", _revoke, cure=_grant, as_nobody=True),
    Fault("bytes corrupted", _corrupt, without=frozenset()),
    Fault("files removed", _remove, without=frozenset()),
    Fault("files of another day", _move_files, without=frozenset()),
    Fault("clock moved", nothing, _move_clock, _stop_clock, without=frozenset()),
    Fault("started twice", _again, without=frozenset()),
)
