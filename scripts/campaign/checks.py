"""What has to hold after a fault, and after the same command has run again. Each problem is a sentence."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator

from bench.core.errors import AdaptbenchError
from bench.store import lease
from bench.store.lines import lines_of
from bench.store.run_folder import PREDICTIONS, RECORD, WRITING, read_record
from bench.store.staging import LOCK
from scripts.campaign.commands import OUT, TMP, is_begun, run_outcome
from scripts.campaign.faults import Fault
from scripts.campaign.place import Place, Process

GONE_S = 2.0
_OWN_CODES = frozenset({0, 2, 3, 4, 5})
_PATH = re.compile(r"\b(in|out|paint0)\b|[\w.\-]+/[\w.\-/]*|[\w\-]+\.(jsonl?|yaml|csv|zip|html|txt|xml|md|whl|gguf)")
DAMAGES = ("bytes corrupted", "files removed")  # what was published may be what they spoil


def ended_well(process: Process, fault: Fault, undisturbed: int) -> Iterator[str]:
    """Exit code and message of a command that ends with `undisturbed` where nothing happens."""
    code, said = process.code, process.said()
    if "Traceback" in said and code not in (0, -9):
        yield f"a traceback, exit code {code}"
    early = process.cold and code is not None and 128 - code in fault.codes  # it could not heed the signal yet
    if code not in _OWN_CODES | fault.codes and not early:
        yield f"exit code {code}"
    if code not in (undisturbed, -9) and not early and not said.strip():
        yield f"exit code {code} without a word"
    if code in (2, 4) and not _PATH.search(said):
        yield f"exit code {code}, and no file named"


def gone(place: Place, killed: bool = False) -> Iterator[str]:
    """No process is left after two seconds, and nothing in TMPDIR.

    A run that was `killed` before its fork server lived leaves an empty folder there until the next one begins.
    """
    until = time.monotonic() + GONE_S
    while (left := [pid for process in place.started for pid in process.left()]) and time.monotonic() < until:
        time.sleep(0.05)
    if left:
        yield f"{len(left)} processes are left after {GONE_S:.0f} s"
    there = sorted(path.name for path in (place.path / TMP).iterdir()) if (place.path / TMP).is_dir() else []
    if there and not killed:
        yield f"left in TMPDIR: {', '.join(there[:5])}"


def whole(place: Place, fault: Fault, undisturbed: object) -> Iterator[str]:
    """What is there under its final name is whole."""
    if fault.name in DAMAGES or not place.output.exists():
        return
    if place.command.outcome is run_outcome and not is_whole_run(place, undisturbed):
        for record in place.output.glob(f"cells/[!.]*/{RECORD}"):
            try:
                if read_record(record).status == "ok":
                    lines_of(record.parent / PREDICTIONS)
            except (AdaptbenchError, OSError) as error:
                yield f"a record is corrupt: {error}"
    elif place.command.whole and outcome(place) != undisturbed:
        yield f"a half output: {outcome(place)!s:.200}"


def is_whole_run(place: Place, undisturbed: object) -> bool:
    """Whether a run that grows cell by cell is complete; what is joined from others has to be."""
    return place.command.name in ("merge", "unpack") or outcome(place) == undisturbed


def outcome(place: Place) -> object:
    """What the command came to, or why that cannot be told."""
    try:
        return place.command.outcome(place.output)
    except (AdaptbenchError, OSError, ValueError, KeyError) as error:
        return f"{type(error).__name__}: {error}"


def hidden(place: Place) -> Iterator[str]:
    """Folders and files that were to become others, and stayed; but for `is_begun`."""
    for path in sorted((place.path / OUT).rglob(".*")):
        if path.name != LOCK and lease.FOLDER not in path.parts and not is_begun(path):
            yield f"left behind: {path.relative_to(place.path)}"
            return


def clear_struck(place: Place, did: str) -> None:
    """Remove what was damaged after it had been written, or made of what was damaged: what a user has to do."""
    if place.command.outcome is not run_outcome or place.command.name == "merge":
        place.clear_output()
    for cell in place.output.glob("cells/[!.]*"):
        if cell.name in did:
            shutil.rmtree(cell)


def clear_damaged(place: Place, said: str) -> bool:
    """Whether something was removed that a message names as damaged: what a user is told to do."""
    named = [path for path in place.output.rglob("*") if path.is_file() and str(path.relative_to(place.path)) in said]
    for path in named:
        cell = path.parent
        if cell.parent.name == "cells" and not cell.name.startswith(WRITING):
            shutil.rmtree(cell, ignore_errors=True)
        else:
            path.unlink()
    return bool(named)


def difference(found: object, expected: object) -> str:
    """How two outcomes differ, in short."""
    if isinstance(found, dict) and isinstance(expected, dict):
        names = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        return f"differs in {', '.join(names[:5])}" if names else "as undisturbed"
    return "as undisturbed" if found == expected else f"{found!s:.300}"
