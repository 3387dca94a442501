"""Runs the cells of a suite, each in its own process, and leaves a record of every one of them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from bench.cells import Cell
from bench.errors import AdaptbenchError, CellError, CellTimeoutError, CrashedError
from bench.nouns import Failure, Record
from bench.store import LOG, Store, write_json, write_record
from bench.suite import Suite

_JOB = "job.json"


class Display(Protocol):
    """Shows a run as it goes; see `bench.display`."""

    def start(self, cell: Cell) -> None: ...

    def progress(self, phase: str, done: int, total: int) -> None: ...

    def finish(self, cell: Cell, record: Record, cached: bool) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    ok: int
    failed: int
    cached: int


def run(suite: Suite, cells: Sequence[Cell], store: Store, display: Display) -> Outcome:
    """Measure every cell that has no record yet; a failed one is tried again unless the suite keeps failures."""
    ok = failed = cached = 0
    for cell in cells:
        record = store.record(cell)
        known = record is not None and (record.status == "ok" or suite.failed == "keep")
        if record is None or not known:
            display.start(cell)
            record = _measure(suite, cell, store, display)
        display.finish(cell, record, known)
        cached += known
        ok += record.status == "ok"
        failed += record.status != "ok"
    return Outcome(ok, failed, cached)


def _measure(suite: Suite, cell: Cell, store: Store, display: Display) -> Record:
    """The cell's record, published; a failure of any kind becomes a record with its reason."""
    staging = store.staging(cell)
    write_json(staging / _JOB, _job(suite, cell, staging))
    try:
        _attend(staging, suite, display)
    except CellError as error:
        write_record(staging, _failed(cell, error))
    (staging / _JOB).unlink()
    store.publish(staging, cell)
    record = store.record(cell)
    assert record is not None
    return record


def _job(suite: Suite, cell: Cell, out: Path) -> dict[str, Any]:
    weights, context = cell.method.weights, cell.method.context
    return {
        "key": cell.key,
        "identity": dict(cell.identity),
        "model": {**asdict(cell.model), "folder": str(cell.model.folder)},
        "task": cell.task_path,
        "limit": cell.limit,
        "probes": list(cell.probes),
        "probe_limit": suite.probe_limit,
        "method": cell.method.name,
        "options": {**weights.options.model_dump(mode="json"), **context.options.model_dump(mode="json")},
        "label": cell.label,
        "seed": cell.seed,
        "embedder": suite.embedder,
        "device": suite.engine.device.partition(":")[0],  # the worker sees one device only
        "batch_tokens": suite.engine.batch_tokens,
        "train_tokens": suite.engine.train_tokens,
        "batch_size": suite.engine.batch_size,
        "out": str(out),
    }


def _attend(staging: Path, suite: Suite, display: Display) -> None:
    """Start the worker and follow it to its end.

    Raises:
        CellError: the kind that the worker reported, or a time-out, or a crash.
    """
    deadline = time.monotonic() + suite.cell_timeout_s if suite.cell_timeout_s else None
    with (staging / LOG).open("wb") as log, _worker(staging / _JOB, log, suite) as process:
        for message in _messages(process, deadline):
            if "progress" in message:
                display.progress(*message["progress"])
            elif "failure" in message:
                raise _typed(message["failure"])
            elif "done" in message:
                process.wait()
                return
        raise CrashedError(_how_it_ended(process.wait(), staging / LOG))


def visible_device(asked: str, visible: str | None) -> str:
    """The one device a worker may see, as CUDA_VISIBLE_DEVICES says it: a cell is measured on one device.

    `asked` is the suite's device, `visible` what the variable is now (None: every device).
    """
    if asked == "cpu":
        return ""
    index = int(asked.partition(":")[2] or 0)
    if visible is None:
        return str(index)
    listed = visible.split(",")
    return listed[index] if index < len(listed) else ""


@contextmanager
def _worker(job: Path, log: Any, suite: Suite) -> Iterator[subprocess.Popen[bytes]]:
    """The worker's process; it is gone when the block is left, however that happens."""
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent.parent), environment.get("PYTHONPATH", "")])
    environment["CUDA_VISIBLE_DEVICES"] = visible_device(suite.engine.device, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if suite.engine.threads:
        environment["OMP_NUM_THREADS"] = str(suite.engine.threads)
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.worker", str(job.resolve())],
        stdin=subprocess.PIPE,  # held open: the worker ends when this process does
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment,
        start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the worker
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def _messages(process: subprocess.Popen[bytes], deadline: float | None) -> Iterator[Mapping[str, Any]]:
    """The worker's messages until it closes its output.

    Raises:
        CellTimeoutError: `deadline` (monotonic seconds) passes first.
    """
    lines: queue.Queue[bytes | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        with suppress(ValueError):  # closed under us: the run was interrupted or the worker's time was up
            for line in process.stdout:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise CellTimeoutError("the cell ran longer than cell_timeout_s allows") from None
        if line is None:
            return
        if line.startswith(b"{"):  # a library may print; only our own lines are JSON objects
            yield json.loads(line)


def _typed(failure: Mapping[str, str]) -> CellError:
    """A CellError of the kind a worker named."""
    kinds = {cls.kind: cls for cls in CellError.__subclasses__()}
    return kinds.get(failure["kind"], CellError)(failure["message"])


def _how_it_ended(code: int, log: Path) -> str:
    if code == -9:
        return "the cell's process was killed (signal 9), most often because the machine ran out of memory"
    if code < 0:
        return f"the cell's process died of signal {-code}"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"the cell's process ended with code {code}: {lines[-1] if lines else 'it printed nothing'}"


def _failed(cell: Cell, error: AdaptbenchError) -> Record:
    return Record(
        key=cell.key,
        model=cell.model.name,
        task=cell.task.name,
        method=cell.label,
        seed=cell.seed,
        status="failed",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        failure=Failure(error.kind, str(error)),
        kind=cell.task.kind,
        items=len(cell.task.test),
        identity=cell.identity,
    )
