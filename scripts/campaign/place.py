"""Where one fault happens: a folder with the inputs, the outputs, TMPDIR and the cache, and the command in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.campaign.commands import CACHE, IN, OUT, PRINTED, TMP, Command
from scripts.campaign.forked import Forked, Start, start
from scripts.campaign.prepared import START

NOBODY = 65534
MEBIBYTE = 2**20
_MOST_S = 300.0  # a command that takes longer hangs
_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass
class Process:
    """A command that runs, or ran."""

    process: subprocess.Popen[bytes] | Forked
    log: Path
    printed: Path
    cold: bool

    @property
    def code(self) -> int | None:
        return self.process.poll()

    def wait(self) -> bool:
        """Whether it ended by itself in time."""
        until = time.monotonic() + _MOST_S
        while self.code is None:
            if time.monotonic() > until:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                return False
            time.sleep(0.005)
        return True

    def said(self) -> str:
        """What it said of itself: its standard error, and what it printed before."""
        return "".join(file.read_text(encoding="utf-8", errors="replace") for file in (self.printed, self.log))

    def left(self) -> list[int]:
        """The processes that it started, or they, and that are still there."""
        return [pid for pid in _pids() if _session(pid) == self.process.pid]


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _session(pid: int) -> int | None:
    """The session of a process; None where it has ended."""
    try:
        state, _, _, session, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else int(session)


@dataclass
class Place:
    """A folder of its own for one fault."""

    path: Path
    command: Command
    source: Mapping[str, Any]
    mounted: bool = False
    as_nobody: bool = False
    cold: bool = False  # a fresh interpreter for each process, as users have it
    size_limit: int | None = None  # bytes of a file at most
    clock: tuple[float, float] | None = None
    started: list[Process] = field(default_factory=list)

    @property
    def output(self) -> Path:
        return self.started[-1].printed if self.command.output == PRINTED else self.path / self.command.output

    def start(self) -> Process:
        """The command, in a session of its own."""
        changes: dict[str, Any] = {"clock": self.clock} if self.clock else {}
        changes |= {"source": dict(self.source)} if self.command.name == "fetch" else {}
        environment = {
            **os.environ,
            "HOME": str(self.path),
            "TMPDIR": str(self.path / TMP),
            "ADAPTBENCH_CACHE": str(self.path / CACHE),
            "ADAPTBENCH_CAMPAIGN": json.dumps(changes),
        }
        log, printed = (self.path / f"{what}-{len(self.started)}.txt" for what in ("said", "printed"))
        user = NOBODY if self.as_nobody else None
        how = Start(self.command.arguments, self.path, environment, changes, printed, log, user, self.size_limit)
        self.started.append(Process(_cold(how) if self.cold else start(how), log, printed, self.cold))
        return self.started[-1]

    def fill(self, inputs: Path) -> None:
        """The inputs, in their places."""
        for name in self.command.inputs:
            source, target = inputs / name, self.path / IN / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)

    def cure_inputs(self, inputs: Path) -> None:
        """The inputs as they were."""
        shutil.rmtree(self.path / IN, ignore_errors=True)
        (self.path / IN).mkdir()
        self.fill(inputs)
        self.own()

    def clear_output(self) -> None:
        """Nothing that the command has written."""
        for path in (self.path / OUT).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def own(self) -> None:
        """Have it all belong to the user that the command runs as."""
        if self.as_nobody:
            for path in (self.path, *self.path.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def _cold(how: Start) -> subprocess.Popen[bytes]:
    """The command in an interpreter of its own."""
    call = [sys.executable, str(_LAUNCH if how.changes else START), *how.arguments]
    if how.user is not None:
        call = ["setpriv", f"--reuid={how.user}", f"--regid={how.user}", "--clear-groups", *call]
    if how.size_limit is not None:
        call = ["prlimit", f"--fsize={how.size_limit}", *call]
    with how.said.open("wb") as said, how.printed.open("wb") as printed:
        return subprocess.Popen(
            call, cwd=how.folder, env=dict(how.environment), stdin=subprocess.DEVNULL, stdout=printed, stderr=said,
            start_new_session=True,
        )  # fmt: skip


@contextmanager
def place(
    path: Path,
    command: Command,
    inputs: Path,
    source: Mapping[str, Any],
    mebibytes: int | None = None,
    as_nobody: bool = False,
    cold: bool = False,
) -> Iterator[Place]:
    """A fresh place, with its outputs on a disk of `mebibytes` where asked; gone at the end, and its processes."""
    made = Place(path, command, source, mounted=mebibytes is not None, as_nobody=as_nobody, cold=cold)
    for name in (IN, OUT, TMP, CACHE):
        (path / name).mkdir(parents=True)
    if mebibytes is not None:
        _mount(path / OUT, mebibytes)
    made.fill(inputs)
    made.own()
    try:
        yield made
    finally:
        for process in made.started:
            for pid in process.left():
                os.kill(pid, signal.SIGKILL)
            process.process.wait()
        if made.mounted:
            _unmount(path / OUT)
        shutil.rmtree(path, ignore_errors=True)


def can_mount(folder: Path) -> bool:
    """Whether this user may mount a disk."""
    try:
        _mount(folder, 1)
    except (OSError, subprocess.CalledProcessError):
        return False
    _unmount(folder)
    return True


def _mount(folder: Path, mebibytes: int) -> None:
    options = ["-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs"]
    subprocess.run(["mount", *options, str(folder)], check=True, capture_output=True)


def _unmount(folder: Path) -> None:
    for _ in range(50):
        if subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)
