"""The process of a cell: forked from one that has the heavy libraries loaded already, so that it starts at once.

`multiprocessing`'s fork server imports them once for each run; every cell is a fresh copy of it, which nothing of
another cell has touched. Where forking is not safe, every cell starts from nothing: outside Linux, and with CUDA,
whose driver does not survive a fork once a library has so much as asked it for its devices.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.core import own_packages
from bench.runs.scratch import scratch

# what most cells import; a library that is missing or broken is reported by the cell that needs it
_PRELOADED = [
    "adaptbench_child",  # first: what follows is then our own `bench`
    "bench.cell.worker",
    "peft",
    "evaluate",
    "sklearn.metrics",
    "transformers.trainer",
    "sentence_transformers",
    "faiss",
    "bm25s",
    "rouge_score.rouge_scorer",
]
_CUDA = Path("/dev/nvidiactl")  # there where the driver is, which can be known without torch
# the tracker of shared resources would warn of those that a cell held when it was ended
_QUIET = {"PYTHONWARNINGS": "ignore::UserWarning:multiprocessing.resource_tracker"}
# the folder a run is started in may hold files of any name: it stays off the path, and this folder comes first
_CHILD_PATH = Path(__file__).with_name("child_path")
_PATH = {"PYTHONSAFEPATH": "1"}
_ALWAYS = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}  # read when the libraries are imported


@dataclass(frozen=True)
class Child:
    """A cell's process, and the line on which it sends mappings until it ends."""

    process: Any  # multiprocessing's Process, of whichever context
    line: Connection

    def code(self) -> int:
        """The exit code, once the process has ended; -n where signal n ended it."""
        self.process.join()
        return int(self.process.exitcode)


@contextmanager
def start(job: Path, log: Path, variables: Mapping[str, str], threads: int | None) -> Iterator[Child]:
    """The process that measures `job` and prints into `log`; however the block is left, it is gone then."""
    context = _context()
    ours, theirs = context.Pipe()
    variables = {**variables, "TMPDIR": str(scratch())}
    process = context.Process(target=_measure, args=(str(job), str(log), theirs, variables, threads))  # type: ignore[attr-defined]
    with _own_main():
        process.start()
    theirs.close()  # else this process would keep the line open after the child has died
    try:
        yield Child(process, ours)
    finally:
        process.kill()
        process.join()
        ours.close()


def prepare() -> None:
    """Let the libraries be loaded beside what a run does before its first cell; not where cells cannot be forked."""
    if sys.platform == "linux" and not _CUDA.exists():
        _fork_server()


def _context() -> BaseContext:
    import torch  # loaded already: a run has looked at the device before its first cell

    if sys.platform != "linux" or torch.cuda.is_available():
        return multiprocessing.get_context("spawn")
    return _fork_server()


def _fork_server() -> BaseContext:
    """The context of the fork server, which is started unless it runs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    path = os.pathsep.join(filter(None, (str(_CHILD_PATH), os.environ.get("PYTHONPATH"))))
    place = str(scratch())
    variables = {**_ALWAYS, **_QUIET, **_PATH, "PYTHONPATH": path, "TMPDIR": place, "ADAPTBENCH_SCRATCH": place}
    main = threading.current_thread() is threading.main_thread()  # which alone may say what a signal does
    if main:  # another thread may end before the run does, and Linux would take that for its end
        variables["ADAPTBENCH_RUN"] = str(os.getpid())
    heeded = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None  # inherited: Ctrl-C is for the run to heed
    try:
        with _environment(variables), _own_main():
            forkserver.ensure_running()
    finally:
        if main:
            signal.signal(signal.SIGINT, heeded or signal.SIG_DFL)
    return context


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _own_main() -> Iterator[None]:
    """Processes started meanwhile take `adaptbench.py` for the main module.

    `multiprocessing` would have them run the user's own script again, and look for ours on this process's path.
    """
    main, path = sys.modules["__main__"], sys.path
    ours = ModuleType("__main__")
    ours.__file__ = str(own_packages.ROOT / "adaptbench.py")
    sys.modules["__main__"], sys.path = ours, [str(_CHILD_PATH), *path]
    try:
        yield
    finally:
        sys.modules["__main__"], sys.path = main, path


def _measure(job: str, log: str, line: Connection, variables: Mapping[str, str], threads: int | None) -> None:
    """In the child: measure the cell, and say on `line` what happens."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the fork server's way of ending is not for its copies
    os.setsid()  # Ctrl-C reaches the run alone, which then ends this process
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update({**_ALWAYS, **variables})
    tempfile.tempdir = None  # that of the fork server
    threading.Thread(target=_end_with_the_run, args=(line,), daemon=True).start()
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        import torch
        from threadpoolctl import threadpool_limits

        torch.set_num_threads(threads)
        threadpool_limits(threads)  # other libraries that are loaded already, which read no variable any more
    from bench.cell import worker
    from bench.model import memory

    memory.keep_freed()
    gc.freeze()  # of what the imports made nothing is garbage; a training looks for some, 0.3 s each time
    sys.exit(worker.run(Path(job), line.send))


def _end_with_the_run(line: Connection) -> None:
    """Nothing is ever sent down the line: it only ends, when the run that holds its other end has gone."""
    try:
        line.recv()
    except (EOFError, OSError):
        os._exit(1)
