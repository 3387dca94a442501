"""SIGTERM and SIGHUP end a command as Ctrl-C does: what it has started is ended and cleared away, and it says so."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

_NAMES = ("SIGTERM", "SIGHUP")  # Windows knows no SIGHUP


class TerminatedError(KeyboardInterrupt):
    """The process was asked to end by a signal."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


def heed() -> None:
    """Raise TerminatedError in the main thread when such a signal comes; one that is ignored, as by nohup, stays so."""
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def said(error: KeyboardInterrupt) -> tuple[str, int]:
    """What to say of an interruption, and the exit code that shells give it: 128 and the signal's number."""
    if isinstance(error, TerminatedError):
        return str(error), 128 + error.number
    return "interrupted", 128 + signal.SIGINT


def _end(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # once: a second one must not break off the clearing away
    raise TerminatedError(number)
