"""One cell as the job of a cluster: what it says goes into a file of its folder, which a shared disk carries back.

Whoever submitted it may be gone by then. The worker ends by itself where its folder was removed, or where another
attempt at the cell has begun in it.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from bench import __version__
from bench.cell.job import Message
from bench.core.atomic import sync, write_atomically
from bench.model.visible import VARIABLE, visible_device
from bench.store import events
from bench.store.run_folder import JOB, LOG

SAY_EVERY_S = 5.0  # within a phase
_KEPT = (JOB, LOG, events.EVENTS, events.TICKET, events.ATTEMPT)
_ALWAYS = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def measure(folder: Path, version: str, timeout_s: float | None) -> None:
    """Measure the cell of `folder` for a driver of that version; an earlier start of the same job is made up for.

    On SIGTERM, which a scheduler sends to a job that it takes from its node, says so and ends the process; on SIGUSR2,
    which announces the end of the job's time, the cell has failed.
    """
    if not (folder / JOB).exists() or _has_ended(folder):
        return
    attempt = _Attempt(folder)
    attempt.say({"start": {"host": socket.gethostname(), "pid": os.getpid(), "version": __version__}})
    if version != __version__:
        attempt.say({"refused": f"{socket.gethostname()} has adaptbench {__version__}, this run {version}"})
        return
    _print_into(folder / LOG)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: attempt.end({"preempted": True}))
        signal.signal(
            signal.SIGUSR2, lambda *_: attempt.end(_too_long("its job was given, see `time` in cluster.yaml"))
        )
    if timeout_s is not None:
        timer = threading.Timer(timeout_s, attempt.end, [_too_long("cell_timeout_s allows")])
        timer.daemon = True
        timer.start()
    _measure(folder, attempt.say)


def watch_input() -> None:
    """From now on end this process when its standard input ends: with the process that has started it."""
    threading.Thread(target=_end_with_input, daemon=True).start()


def _end_with_input() -> None:
    while os.read(0, 4096):  # not by `sys.stdin`, whose lock a thread must not hold when Python ends
        pass
    os._exit(1)


def _measure(folder: Path, say: Callable[[Message], None]) -> None:
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    visible = visible_device(job["device"], os.environ.get(VARIABLE), job.get("ranks", 1))
    os.environ.update({**_ALWAYS, VARIABLE: visible})
    from bench.cell import worker  # which loads torch
    from bench.model import memory

    memory.keep_freed()
    worker.run(folder / JOB, say)


def _has_ended(folder: Path) -> bool:
    said = events.Tail(folder).new()
    return any(name in message for message in said for name in ("done", "failure"))


def _too_long(limit: str) -> Message:
    return {"failure": {"kind": "timeout", "message": f"the cell ran longer than {limit}"}}


def _print_into(log: Path) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)


@dataclass
class _Attempt:
    """A start of a job, which writes a cell's folder until another one does."""

    folder: Path
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    at: tuple[str, float] = ("", 0.0)  # the phase that was said last, and when
    _one: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        for file in self.folder.rglob("*"):  # what a start before has left
            if file.is_file() and file.name not in _KEPT:
                file.unlink()
        write_atomically(self.folder / events.ATTEMPT, self.token)

    def say(self, message: Message) -> None:
        """Write a message down, a `done` once all that the cell has written is on the disk."""
        with self._one:
            if "progress" in message:
                phase, done, total = message["progress"]
                if phase == self.at[0] and time.monotonic() - self.at[1] < SAY_EVERY_S and done < total:
                    return
                self.at = (phase, time.monotonic())
            self._require()
            if "done" in message:
                (self.folder / events.ATTEMPT).unlink()
                for file in (*self.folder.rglob("*"), self.folder):
                    sync(file)
            self._append(message)

    def end(self, message: Message) -> NoReturn:
        """Say a last word and end the process."""
        self._require()
        self._append(message)
        os._exit(1)

    def _require(self) -> None:
        """Go where nobody waits for the cell, or another start writes it."""
        try:
            mine = (self.folder / events.ATTEMPT).read_text(encoding="utf-8") == self.token
        except OSError:
            mine = False
        if not mine:
            os._exit(0)

    def _append(self, message: Message) -> None:
        try:
            events.append(self.folder, message)
        except FileNotFoundError:
            os._exit(0)
