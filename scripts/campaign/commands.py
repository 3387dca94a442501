"""The commands that are disturbed: what each reads, how it is called, and what its outcome is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.store.listing import read_listing
from scripts.kill_runs import answers

IN, OUT, TMP, CACHE = "in", "out", "tmp", "cache"  # folders of a command's own place
PRINTED = "printed"  # for the output of a command that writes none: what its last start printed
# what tells of the moment, and digests of items, which are left out, with a word, where those cannot be read
_TIMED = {"accepted", "created", "items"}


@dataclass(frozen=True)
class Command:
    """A command, called in a place of its own: reads `IN`, writes to `OUT`."""

    name: str
    inputs: tuple[str, ...]  # of the prepared files and folders
    arguments: tuple[str, ...]  # paths as seen from the place
    output: str  # file or folder in the place
    outcome: Callable[[Path], object]  # of the output: what two undisturbed calls have in common
    weight: int  # how often it is drawn
    whole: bool = True  # its output is there whole or not at all


def run_outcome(run: Path) -> object:
    """The cells of a run, and the scores and predictions of those that were measured."""
    return [cell.full_name for cell in read_listing(run).cells], answers(run)


def is_begun(path: Path) -> bool:
    """Whether it is the file that a process was writing when it was killed: hidden, and read by nobody."""
    return re.fullmatch(r"\..+\.\d+", path.name) is not None


def tree(path: Path) -> object:
    """The content of a file, or of all files of a folder: digests, of JSON without what tells the time."""
    within = sorted(file for file in path.rglob("*") if file.is_file() and not is_begun(file))
    files = [path] if path.is_file() else within
    return {str(file.relative_to(path)): _digest(file) for file in files}


def _digest(file: Path) -> str:
    content = file.read_bytes()
    if file.name == "baseline.json":
        kept = {name: value for name, value in json.loads(content).items() if name not in _TIMED}
        content = json.dumps(kept).encode()
    return hashlib.sha256(content).hexdigest()


def page(file: Path) -> object:
    """A report: all of its JSON; of the page that it ends."""
    return [tree(file.with_suffix(".json")), file.read_text(encoding="utf-8").rstrip().endswith("</html>")]


def baseline(folder: Path) -> object:
    """An accepted baseline that is as it was accepted."""
    from bench.gate.baseline import refuse_changed

    refuse_changed(folder)
    return tree(folder)


COMMANDS = (
    Command("run", ("suite.yaml", "paint0"), ("run", "in/suite.yaml", "--out", "out/run"), "out/run", run_outcome, 16),
    Command("run served", ("served.yaml", "paint0"), ("run", "in/served.yaml", "--out", "out/run"), "out/run",
            run_outcome, 4),
    Command("merge", ("first", "second", "paint0"), ("merge", "in/first", "in/second", "--out", "out/run"), "out/run",
            run_outcome, 16),
    Command("pack", ("run", "paint0"), ("pack", "in/run", "--out", "out/new.run.zip"), "out/new.run.zip", tree, 16),
    Command("unpack", ("run.run.zip",), ("unpack", "in/run.run.zip", "--out", "out/run"), "out/run", tree, 12),
    Command("baseline", ("run", "paint0"), ("baseline", "accept", "in/run", "--name", "main", "--to", "out"),
            "out/main", baseline, 16),
    Command("report", ("run", "paint0"), ("report", "in/run", "--html", "out/page.html"), "out/page.html", page, 12,
            whole=False),
    Command("gate", ("run", "other", "paint0"), ("gate", "--baseline", "in/run", "--candidate", "in/other", "--out",
            "out/gate"), "out/gate", tree, 8,
            whole=False),
    Command("init", ("table.csv",), ("init", "in/table.csv", "--out", "out/task"), "out/task", tree, 12,
            whole=False),
    Command("export", ("run", "suite.yaml", "paint0"), ("export", "in/run", "--task", "paint0", "--method",
            "nearest-answer", "--out", "out/made"), "out/made", tree, 4),
    Command("forecast", ("suite.yaml", "paint0", "first"), ("forecast", "in/suite.yaml", "--out", "in/first", "--json"),
            PRINTED, tree, 3, whole=False),
    Command("fetch", ("tiny.whl",), ("fetch", "smollm2", "--file", "in/tiny.whl"), "cache/gguf", tree, 3, whole=False),
)  # fmt: skip
