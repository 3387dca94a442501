"""One cell, in its own process. `python -m bench.cell.worker JOB.json` repeats one by hand.

Says what it does in messages: `{"progress": [phase, done, all]}`, and at the end `{"done": true}` or
`{"failure": {"kind": …, "message": …}}`.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from bench.cell.elsewhere import watch_input
from bench.cell.job import Job, Message
from bench.cell.measure import measure
from bench.cell.setup import Progress
from bench.core.atomic import naming
from bench.core.errors import AdaptbenchError, CrashedError, OutOfMemoryError
from bench.model.memory import is_out_of_memory, prepare_allocator
from bench.model.visible import VARIABLE, visible_device
from bench.store import run_folder


def main(argv: Sequence[str]) -> int:
    """Measure the cell of the job file `argv[0]`, with what it says as JSON lines on standard output.

    With `--until-input-ends` it ends when its standard input does: with the process that has started it.
    """
    if "--until-input-ends" in argv[1:]:
        watch_input()
    job = json.loads(Path(argv[0]).read_text(encoding="utf-8"))  # in a run it sees one device for each rank, or none
    gc.freeze()  # of what the imports made nothing is garbage; a training looks for some, 0.3 s each time
    os.environ[VARIABLE] = visible_device(job["device"], os.environ.get(VARIABLE), job.get("ranks", 1))
    return run(Path(argv[0]), lambda message: print(json.dumps(message), flush=True))


def run(file: Path, say: Callable[[Message], None]) -> int:
    """Measure the cell of a job file and write its folder; 0, or the error's exit code."""
    prepare_allocator()
    job = TypeAdapter(Job).validate_json(file.read_bytes())
    try:
        with naming(Path(job.out)):
            record = measure(job, _say_progress(say))
    except Exception as error:  # whatever it is, the run must learn of it and go on
        traceback.print_exc()
        failure = _classify(error)
        say({"failure": {"kind": failure.kind, "message": str(failure)}})
        return failure.exit_code
    run_folder.write_record(Path(job.out), record)
    say({"done": True})
    return 0


def _classify(error: Exception) -> AdaptbenchError:
    """`error` as one of ours, by what it means for the cell."""
    if isinstance(error, AdaptbenchError):
        return error
    if is_out_of_memory(error):
        return OutOfMemoryError(str(error).strip().splitlines()[0])
    return CrashedError(f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}")


def _say_progress(say: Callable[[Message], None]) -> Progress:
    """Progress at most ten times a second."""
    last = 0.0

    def progress(phase: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 0.1 or done >= total:
            last = now
            say({"progress": [phase, done, total]})

    return progress


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
