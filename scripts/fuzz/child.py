"""The process that gives inputs to a reader, one after the other, and says what became of each.

It is replaced when an input ends it, or keeps it from answering; so it is told where to begin.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from bench.core.errors import AdaptbenchError
from bench.store import archive, run_folder
from scripts.fuzz.mutate import damaged
from scripts.fuzz.readers import Reader, WrongError, check_message, fresh

LONGEST_S = 10.0  # of CPU time
MOST_BYTES = 2**30  # of memory, beside what was held before
_ADDRESSES = 2**36  # that a process may have at most: it is refused more, so that the machine goes on
_PEAK = "VmHWM:"


class HangError(BaseException):
    """An input took too long; nothing that a reader catches."""


def serve(reader: Reader, seed: int, first: int, last: int, told: Any) -> None:
    """The outcomes of inputs `first` up to `last`, a line of JSON each."""
    gc.freeze = lambda: None  # a command freezes what it leaves behind, for ever
    warnings.simplefilter("ignore")
    os.environ["ADAPTBENCH_CACHE"] = ""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
    signal.signal(signal.SIGPROF, _hang)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        os.environ["ADAPTBENCH_CACHE"] = str(folder / "cache")
        os.chdir(folder)
        reader.make(folder)
        reader.read(folder, 0)  # the undamaged one; what is imported for it is no part of an input's time or memory
        fresh(folder, reader.rewritten)
        victims = sorted({path for pattern in reader.damaged for path in folder.glob(pattern) if path.is_file()})
        contents = {path: path.read_bytes() for path in victims}
        print("ready", file=told, flush=True)
        for number in range(first, last):
            rng = random.Random(f"{reader.name} {seed} {number}")
            victim = rng.choice(victims)
            data, what = contents[victim], ""
            while data == contents[victim]:
                data, what = damaged(victim.name, contents[victim], rng)
            name = str(victim.relative_to(folder))
            with _replaced(victim, data, contents[victim]):
                (folder / "spoiled").write_text(json.dumps(name))
                became, why = outcome(reader, folder, number)
            fresh(folder, reader.rewritten)
            print(json.dumps([number, became, why, f"{name}: {what}"]), file=told, flush=True)


@contextmanager
def _replaced(file: Path, data: bytes, before: bytes) -> Iterator[None]:
    """Another content while an input is read; a new file, as what is kept of files goes by their inode."""
    for content in (data, None):
        file.unlink(missing_ok=True)
        file.write_bytes(before if content is None else content)
        archive._opened.cache_clear()
        run_folder._folders.cache_clear()
        if content is not None:
            try:
                yield
            except BaseException:
                file.write_bytes(before)
                raise


def outcome(reader: Reader, folder: Path, number: int) -> tuple[str, str]:
    """("read", ""), ("refused", "") or ("defect", what it is)."""
    before = _memory("VmRSS:")
    Path("/proc/self/clear_refs").write_text("5")
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        code = reader.read(folder, number)
        became = "refused" if code in (2, 4, 5) and isinstance(code, int) else "read"
    except AdaptbenchError as error:
        try:
            check_message(str(error), folder)
        except WrongError as wrong:
            return "defect", str(wrong)
        became = "refused" if error.exit_code != AdaptbenchError.exit_code else "defect"
    except WrongError as error:
        return "defect", str(error)
    except HangError as error:
        return "defect", f"hangs: {_frames(error)}"
    except BaseException as error:
        return "defect", f"{type(error).__name__}: {error!s:.100} {_frames(error)}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    taken = _memory(_PEAK) - before
    return ("defect", f"takes {taken / 2**20:.0f} MiB") if taken > MOST_BYTES else (became, "")


def _hang(number: int, frame: FrameType | None) -> NoReturn:
    raise HangError


def _memory(name: str) -> int:
    """Bytes, of a line of `/proc/self/status`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _frames(error: BaseException) -> str:
    """The last frames of ours, and the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/bench/" in frame.filename or "/tasks/" in frame.filename]
    return " | ".join(
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in [*ours[-2:], *frames[-1:]]
    )


def main(arguments: list[str]) -> None:
    from scripts.fuzz.readers import READERS

    name, seed, first, last = arguments
    told = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    serve(READERS[name], int(seed), int(first), int(last), told)


if __name__ == "__main__":
    main(sys.argv[1:])
