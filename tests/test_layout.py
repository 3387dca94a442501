"""The shape of the code: who imports whom, what stays fast, how long files are; and tests are offline."""

from __future__ import annotations

import ast
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from bench.core.record import Run, Score
from tests.history.made import made

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "methods", "tasks")
# Which room may import which. A room that is not named in a row may not be imported there: no arrow runs up.
ROOMS: dict[str, set[str]] = {
    "core": set(),
    "tasks": {"core"},
    "methods": {"core"},
    "model": {"core"},
    "metrics": {"core"},
    "store": {"core", "tasks"},
    "config": {"core", "methods", "metrics", "model", "tasks"},
    "engine": {"core", "model"},
    "served": {"core", "model", "engine"},
    "training": {"core", "model", "methods", "engine"},
    "meters": {"core", "model", "engine", "training"},
    "retrieval": {"core", "model", "meters"},
    "adapt": {"core", "tasks", "methods", "metrics", "config", "model", "engine", "served", "training", "meters"},
    "analysis": {"core", "tasks", "methods", "metrics", "config", "store"},
    "bridges": {"core", "tasks", "methods", "metrics", "config", "store", "model", "engine", "analysis"},
    "authoring": {"core", "tasks", "metrics", "analysis"},
}
ROOMS["forecast"] = {*ROOMS["analysis"], "analysis"}
ROOMS["cell"] = {*ROOMS["adapt"], "adapt", "retrieval", "store"}
ROOMS["runs"] = {*ROOMS["cell"], "cell", "analysis", "forecast", "bridges"}
ROOMS["judging"] = {*ROOMS["runs"], "runs"}
ROOMS["executors"] = {*ROOMS["runs"], "runs"}
ROOMS["report"] = {*ROOMS["analysis"], "analysis"}
ROOMS["gate"] = {*ROOMS["report"], "report"}
ROOMS["export"] = {*ROOMS["runs"], *ROOMS["report"], "runs", "report"}
ROOMS["api"] = {*ROOMS}
ROOMS["cli"] = {*ROOMS}
ROOMS["bench"] = {"api", "cli", "core"}  # __init__.py and __main__.py
HEAVY = (
    "torch",
    "transformers",
    "evaluate",
    "datasets",
    "pandas",
    "sklearn",
    "peft",
    "sentence_transformers",
    "faiss",
)


def modules(package: str) -> list[Path]:
    """Importable files of a package; a task's folder may hold a script of its own, which is no module."""
    files = sorted((ROOT / package).rglob("*.py"))
    return [file for file in files if all(part.isidentifier() for part in file.relative_to(ROOT).parent.parts)]


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path) -> set[str]:
    """Every module of ours that `file` imports anywhere, also inside functions and for type checking."""
    return {name for node in ast.walk(tree(file)) for name in imported(node, file) if name.split(".")[0] in PACKAGES}


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imported(node: ast.AST, file: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = (node.module or "") if not node.level else absolute(node, file)
        for alias in node.names:
            inside = f"{base}.{alias.name}"
            yield inside if is_module(inside) else base


def absolute(node: ast.ImportFrom, file: Path) -> str:
    parts = module_name(file).split(".")
    package = parts if file.name == "__init__.py" else parts[:-1]
    kept = package[: len(package) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def every_module() -> list[Path]:
    return [file for package in PACKAGES for file in modules(package)]


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


class TestImportReader:
    """The arrows below are only as good as what reads them."""

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("import bench.store.merge", {"bench.store.merge"}),
            ("from bench.core import item", {"bench.core.item"}),
            ("from bench import __version__", {"bench"}),
            ("from bench.core.errors import UsageError", {"bench.core.errors"}),
            ("def f():\n    from bench.core import item, task", {"bench.core.item", "bench.core.task"}),
            ("if TYPE_CHECKING:\n    from methods.options import Grid", {"methods.options"}),
            ("from .options import Grid", {"methods.options"}),
            ("from . import options", {"methods.options"}),
            ("import torch, numpy.linalg", set()),
        ],
    )
    def test_reads(self, source: str, expected: set[str]) -> None:
        file = ROOT / "methods" / "lora.py"  # where relative imports are relative to
        found = {name for node in ast.walk(ast.parse(source)) for name in imported(node, file)}
        assert {name for name in found if name.split(".")[0] in PACKAGES} == expected


def room_of(module: str) -> str:
    """The room a module stands in: a folder of `bench`, or `tasks` or `methods`."""
    first, *rest = module.split(".")
    if first != "bench":
        return first
    return rest[0] if rest and (ROOT / "bench" / rest[0]).is_dir() else "bench"


def arrows() -> dict[tuple[str, str], list[str]]:
    """(room, room that it imports) -> the files that do so."""
    found: dict[tuple[str, str], list[str]] = {}
    for file in every_module():
        here = room_of(module_name(file))
        for target in imports(file) - {"bench"}:  # `bench` itself holds the version
            if room_of(target) != here:
                found.setdefault((here, room_of(target)), []).append(f"{relative(file)} imports {target}")
    return found


def test_bench_holds_rooms_alone() -> None:
    files = {path.name for path in (ROOT / "bench").iterdir() if path.is_file()}
    assert files <= {"__init__.py", "__main__.py", "py.typed", "api.py"}


def test_every_room_has_a_row_in_the_table() -> None:
    folders = {path.name for path in (ROOT / "bench").iterdir() if (path / "__init__.py").is_file()}
    assert folders == ROOMS.keys() - {"tasks", "methods", "bench"}


def test_rooms_import_what_their_row_allows() -> None:
    wrong = {pair: files for pair, files in arrows().items() if pair[1] not in ROOMS[pair[0]]}
    assert not wrong


def test_the_table_has_no_circle() -> None:
    order = TopologicalSorter(ROOMS).static_order()  # raises CycleError where there is one
    assert set(order) == ROOMS.keys()


@pytest.mark.parametrize("room", sorted(ROOMS.keys() - {"tasks", "methods", "bench"}))
def test_a_room_says_what_it_is_and_what_it_may_import(room: str) -> None:
    said = ast.get_docstring(tree(ROOT / "bench" / room / "__init__.py")) or ""
    assert re.search(r"^(May import|Imports nothing of ours)", said, re.MULTILINE)


def test_core_loads_nothing_heavy() -> None:
    for file in modules("bench/core"):
        found = {target.split(".")[0] for node in tree(file).body for target in imported(node, file)}
        assert not found & set(HEAVY), relative(file)


def test_models_are_asked_through_a_back_end() -> None:
    """Who asks a model knows the protocol; the engine stands behind its back end, which a session makes."""
    engine = "bench.engine.transformers_engine"
    outside = {relative(file) for file in modules("bench") if engine in imports(file)}
    assert {file for file in outside if not file.startswith("bench/engine/")} == {"bench/adapt/session.py"}


def test_scripts_do_not_import_tests() -> None:
    for file in sorted((ROOT / "scripts").rglob("*.py")):
        found = {name for node in ast.walk(tree(file)) for name in imported(node, file)}
        assert not {name for name in found if name.split(".")[0] == "tests"}, relative(file)


def test_methods_load_nothing_heavy_at_import() -> None:
    for file in modules("methods") + modules("tasks"):
        found = {target.split(".")[0] for node in tree(file).body for target in imported(node, file)}
        assert not found & set(HEAVY), relative(file)


@pytest.mark.parametrize("file", every_module(), ids=relative)
def test_module_says_what_it_is_for(file: Path) -> None:
    assert ast.get_docstring(tree(file))


@pytest.mark.parametrize("file", every_module(), ids=relative)
def test_files_stay_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 320


LONGEST_FUNCTION = 60


@pytest.mark.parametrize("file", every_module(), ids=relative)
def test_functions_stay_short(file: Path) -> None:
    functions = (node for node in ast.walk(tree(file)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    long = {one.name: one.end_lineno - one.lineno + 1 for one in functions if one.end_lineno is not None}
    assert {name: lines for name, lines in long.items() if lines > LONGEST_FUNCTION} == {}


SPY = """
import json, runpy, sys
sys.argv[0] = "adaptbench"
try:
    runpy.run_module("bench", run_name="__main__", alter_sys=False)
except SystemExit as ended:
    code = ended.code
print(json.dumps([code or 0, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def loaded_by(arguments: list[str], folder: Path) -> tuple[int, set[str], str]:
    """Exit code, top-level modules loaded and standard output of `adaptbench` with these arguments."""
    ended = subprocess.run(
        [sys.executable, "-c", SPY, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    code, names = json.loads(ended.stderr.splitlines()[-1])
    return code, set(names), ended.stdout


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with one failed cell, as the store reads it."""
    from dataclasses import asdict

    from bench.core.record import Failure, Record

    folder = tmp_path_factory.mktemp("runs") / "small"
    key = "a" * 64
    record = Record(key, "m", "mail", "lora", 0, "failed", "2026-01-01T00:00:00+00:00", Failure("diverged", "nan"))
    cell = folder / "cells" / f"mail.m.lora.seed0-{key[:12]}"
    cell.mkdir(parents=True)
    (cell / "record.json").write_text(json.dumps(asdict(record)))
    entry = {
        "key": key,
        "name": "m · mail · lora · seed 0",
        "model": "m",
        "task": "mail",
        "method": "lora",
        "seed": 0,
    }
    (folder / "run.json").write_text(json.dumps({"schema": 1, "suite": "small", "cells": [entry]}))
    (folder / "suite.yaml").write_text("name: small\n")
    return folder


def scored_run(folder: Path, number: int) -> Run:
    """A run of a corpus metric with the answers to its items."""
    lines = [{"metrics": {}, "counts": {"bleu": [9, 9, 8 - number, 4, 3, 2, 9, 8, 7, 6]}} for _ in range(5)]
    return made(folder, number, {"full": lines}, scores={"bleu": Score(40.0, "v1")})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--help"], "Usage"),
        (["run", "--help"], "Usage"),
        (["init", "--help"], "Usage"),
        (["list", "tasks"], "banking77"),
        (["list", "methods"], "lora"),
        (["list", "models"], "tiny-random"),
        (["gate", "--help"], "Usage"),
        (["gate", "--schema"], "adaptbench gate, version 1"),
        (["baseline", "accept", "SCORED", "--name", "main"], "accepted"),
        (["calibrate", "--help"], "Usage"),
        (["report", "RUN"], "seed 0: diverged: "),
        (["report", "RUN", "--full"], "failed: diverged (1/1)"),
        (["report", "RUN", "--markdown"], "failed: diverged (1/1)"),
        (["report", "RUN", "--json"], '"schema": 2'),
        (["report", "RUN", "--csv"], "suite,run,"),
        (["report", "RUN", "--html", "OUT"], "out.html"),
        (["merge", "RUN", "--out", "OUT"], "1 of 1 cells from 1 run"),
        (["history", "SCORED", "SECOND"], "run 2"),
        (["history", "SCORED", "SECOND", "--html", "OUT"], "out.html"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_readers_never_load_torch(arguments: list[str], says: str, small_run: Path, tmp_path: Path) -> None:
    places = {"RUN": str(small_run), "OUT": str(tmp_path / "out.html")}
    for number, name in enumerate(("SCORED", "SECOND"), 1):
        places[name] = str(scored_run(tmp_path, number).path)
    given = [places.get(argument, argument) for argument in arguments]
    code, names, output = loaded_by(given, tmp_path)
    assert code == (4 if "merge" in arguments else 0)  # what is joined holds a failed cell
    assert says in output
    assert not names & set(HEAVY)


def test_the_spy_sees_torch_when_it_is_loaded(tmp_path: Path) -> None:
    code, names, _ = loaded_by(["doctor"], tmp_path)
    assert code in (0, 4)
    assert "torch" in names


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
        lambda: socket.getaddrinfo("example.org", 443),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 9)),
        lambda: socket.socket().connect_ex(("192.0.2.1", 9)),
    ],
    ids=["connect", "resolve", "datagram", "connect_ex"],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_tests_cannot_reach_the_network(reach: object, network_attempts: list[str]) -> None:
    assert callable(reach)
    with pytest.raises(OSError, match="tests are offline"):
        reach()
    assert len(network_attempts) == 1
    network_attempts.clear()  # else this very test would fail, as any other should


def test_this_machine_itself_can_be_reached(network_attempts: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
    assert network_attempts == []
