"""A cell as a task of Ray, on whichever machine: its job comes as a message, its folder goes back as bytes."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from bench import __version__
from bench.core import own_packages
from bench.core.errors import CellError
from bench.executors.content import PIECE, Content, Read, here, placed
from bench.store.run_folder import JOB, LOG

TAUGHT_HERE = "taught"  # in what goes back, beside the cell's folder
CELL_HERE = "cell"
_WORKER = ("-m", "bench.cell.worker")
Said: TypeAlias = "dict[str, Any] | bytes"  # a message of the worker, or a piece of the archive of the cell's folder


@dataclass(frozen=True, slots=True)
class Sent:
    """A cell as it is sent."""

    version: str  # of adaptbench
    job: dict[str, Any]
    contents: tuple[Content, ...]
    timeout_s: float | None
    taught: Content | None = None  # answers of teachers that the run has


def measure(sent: Sent, read: Read) -> Iterator[Said]:
    """Measure a cell; what its worker says, and where it was measured the archive of its folder, and its digest."""
    yield {"start": {"host": socket.gethostname(), "pid": os.getpid(), "version": __version__}}
    if sent.version != __version__:
        yield {"refused": f"{socket.gethostname()} has adaptbench {__version__}, this run {sent.version}"}
        return
    with tempfile.TemporaryDirectory(prefix="adaptbench-") as name:
        folder = Path(name)
        try:
            job = _prepared(sent, folder, read)
        except CellError as error:
            yield {"failure": {"kind": error.kind, "message": str(error)}}
            return
        end = None
        for message in _run(job, folder / CELL_HERE, sent.timeout_s):
            if "progress" in message:
                yield message
            else:
                end = message
        yield from _packed(folder)
        yield end or {"lost": "its process ended without a word"}


def _prepared(sent: Sent, folder: Path, read: Read) -> Path:
    """The job's file, with all paths those of this machine."""
    places = {content.name: str(here(content, read)) for content in sent.contents}
    (folder / CELL_HERE).mkdir()
    if sent.taught:
        shutil.copytree(here(sent.taught, read), folder / TAUGHT_HERE)
    (folder / TAUGHT_HERE).mkdir(exist_ok=True)
    job = placed(sent.job, places)
    # embeddings are made anew: what other cells leave each other is on another machine
    job |= {
        "out": str(folder / CELL_HERE),
        "taught": str(folder / TAUGHT_HERE),
        "vectors": None,
        "answers": None,
        "unfinished": None,
    }
    file = folder / JOB
    file.write_text(json.dumps(job), encoding="utf-8")
    return file


def _run(job: Path, out: Path, timeout_s: float | None) -> Iterator[dict[str, Any]]:
    """What the worker says, in a process that does not outlive this one; its other output goes into the cell's log."""
    path = os.pathsep.join(filter(None, (str(own_packages.ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, *_WORKER, str(job), "--until-input-ends"]
    lines: queue.Queue[str | None] = queue.Queue()
    with (out / LOG).open("ab") as log, subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, text=True
    ) as process:  # fmt: skip
        threading.Thread(target=_read, args=(process, lines), daemon=True).start()
        until = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        try:
            yield from _messages(process, lines, until, log)
        finally:
            process.kill()


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def _messages(
    process: subprocess.Popen[str], lines: queue.Queue[str | None], until: float, log: Any
) -> Iterator[dict[str, Any]]:
    said_at, ended = 0.0, False
    while True:
        try:
            line = lines.get(timeout=min(3600.0, max(0.0, until - time.monotonic())))
        except queue.Empty:
            if time.monotonic() < until:
                continue
            message = "the cell ran longer than cell_timeout_s allows"
            yield {"failure": {"kind": "timeout", "message": message}}
            return
        if line is None:
            break
        message_said = _parsed(line)
        if message_said is None:
            log.write(line.encode())
            log.flush()
        elif "progress" not in message_said or time.monotonic() - said_at >= 1.0:
            said_at, ended = time.monotonic(), "progress" not in message_said
            yield message_said
    code = process.wait()
    if not ended:
        why = f"died of signal {-code}" if code < 0 else f"ended with code {code}"
        yield {"failure": {"kind": "crashed", "message": f"the cell's process {why}"}}


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and message.keys() & {"progress", "done", "failure"} else None


def _packed(folder: Path) -> Iterator[Said]:
    """The archive of what the cell wrote, in pieces, and its digest."""
    file, digest = folder / "folder.tar", hashlib.sha256()
    with tarfile.open(file, "w") as archive:
        for name in (CELL_HERE, TAUGHT_HERE):
            archive.add(folder / name, name)
    with file.open("rb") as stream:
        while piece := stream.read(PIECE):
            digest.update(piece)
            yield piece
    yield {"folder": digest.hexdigest()}
