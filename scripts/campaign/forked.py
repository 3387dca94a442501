"""A command as a copy of this process, which has the libraries loaded: it starts within milliseconds.

So does multiprocessing's fork server, which a run starts for its cells: in place of a fresh interpreter it becomes a
copy as well. From there on everything is as usual: sessions, signals, the server's own watch over the run.
"""

from __future__ import annotations

import atexit
import encodings
import gc
import importlib
import multiprocessing
import os
import pkgutil
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import util
from pathlib import Path
from typing import Any, NoReturn

import bench
from bench.cli import main
from bench.runs import cell_process
from scripts.campaign import launch

_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_MOST_FILES = 1024


def load() -> None:
    """Import what commands import, so that their copies need not."""
    for name in cell_process._PRELOADED[1:]:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(bench.__path__, "bench."):
        if ".script" not in module.name and "child_path" not in module.name and "__main__" not in module.name:
            try:
                importlib.import_module(module.name)
            except ImportError:
                continue  # of a package that is optional
    for package in (encodings, multiprocessing):  # another user may not read Python's folder
        for part in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not part.name.endswith(("mbcs", "oem", "win32")):
                importlib.import_module(part.name)
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class Start:
    """How a command is started."""

    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    changes: dict[str, Any]  # see `launch`
    printed: Path
    said: Path
    user: int | None = None
    size_limit: int | None = None  # bytes of a file at most


@dataclass
class Forked:
    """The process, with what of `subprocess.Popen` is needed."""

    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float = 60.0) -> bool:
        """Whether it has ended within so many seconds."""
        until = time.monotonic() + timeout
        while self.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        return self.returncode is not None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def start(how: Start) -> Forked:
    """The command, in a session of its own; signals reach it as soon as it heeds them."""
    files = os.open(os.devnull, os.O_RDONLY), _opened(how.printed), _opened(how.said)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        pid = os.fork()
        if not pid:
            _become(how, files)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        for file in files:
            os.close(file)
    return Forked(pid)


def _become(how: Start, files: Sequence[int]) -> NoReturn:
    code = 70
    try:
        os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.closerange(3, _MOST_FILES)
        if how.size_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (how.size_limit, how.size_limit))
        if how.user is not None:
            os.setgroups([])
            os.setresgid(how.user, how.user, how.user)
            os.setresuid(how.user, how.user, how.user)
        os.environ.clear()
        os.environ.update(how.environment)
        os.chdir(how.folder)
        tempfile.tempdir, sys.argv = None, ["adaptbench", *how.arguments]
        vars(util)["spawnv_passfds"] = _copy
        launch.change(how.changes)
        code = _ended(lambda: main(list(how.arguments)))
    finally:
        os._exit(code)


def _opened(file: Path) -> int:
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)


def _ended(call: Callable[[], object]) -> int:
    """The exit code of what ends by SystemExit, as the interpreter gives it, and all that it does at its end."""
    code = 0
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        call()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120  # as the interpreter does
    return code


def _copy(path: str, arguments: Sequence[Any], passed: Sequence[int]) -> int:
    """In place of multiprocessing's `spawnv_passfds`: what it starts is `python ... -c CODE`."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for number in set(range(3, _MOST_FILES)) - set(passed):
            try:
                os.close(number)
            except OSError:
                continue
        for each in signal.valid_signals():
            if signal.getsignal(each) not in (signal.SIG_IGN, signal.SIG_DFL, None):
                signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT) or signal.SIG_DFL)
        sys.path[:0] = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
        sys.modules.pop("adaptbench_child", None)
        atexit._clear()
        util._finalizer_registry.clear()  # type: ignore[attr-defined]
        code = _ended(lambda: exec(str(arguments[-1]), {"__name__": "__main__"}))
    finally:
        os._exit(code)
