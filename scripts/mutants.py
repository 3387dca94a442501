"""How many small changes of the statistics and of the gate the tests notice: `python -m scripts.mutants OUT.json`.

mutmut makes the mutants of the commit that is checked out (a `<` for a `<=`, a 1 for a 0, an argument left out, ...).
Of each room a seeded sample is tried with the tests that pass through the changed function, the fastest first, each
mutant in a process forked after the tests were collected, so that most take a fraction of a second. Simulations and
tests of more than `LONGEST` seconds are left out, and properties are tried on 20 examples, always the same.

Needs `pip install mutmut`. With `--minutes` it stops in time; the same command with the same `--folder` goes on.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import click
import pytest

from bench.store.json_files import write_json

ROOT = Path(__file__).parents[1]
EQUIVALENT = ROOT / "results" / "mutants-equivalent.json"
ROOMS = {"statistics": "bench/analysis/statistics", "gate": "bench/gate"}
LONGEST = 10.0  # seconds of a test
NOTICED = ("killed", "timeout", "died")  # by a failing test, by no end, by the process
UNCHANGED = "unchanged"  # no mutant: it has to pass all of the tests, or they say nothing
_COPIED = ("adaptbench.py", "methods", "tasks", "tests", "scripts", "docs", "baselines", "results/coverage.json",
           "README.md", "CHANGELOG.md")  # fmt: skip
_LEFT_OUT = ("test_coverage.py", "test_rates.py", "test_docs.py")  # simulations, and pages
_PYTEST = [
    *("-q", "-p", "no:cacheprovider", "--benchmark-disable", "-o", "timeout=0", "-o", "tmp_path_retention_policy=none"),
    *("-o", "addopts=--import-mode=importlib --strict-markers", "-m", "not slow", "-k", "not loads_torch"),
]
_SETTINGS = """
[tool.mutmut]
source_paths = ["bench"]
only_mutate = {only}
also_copy = {also}
pytest_add_cli_args = {arguments}
pytest_add_cli_args_test_selection = {tests}
track_dependencies = false
"""


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--sample", default=160, show_default=True, help="mutants of each room")
@click.option("--seed", default=0, show_default=True)
@click.option("--minutes", default=600.0, help="when to stop")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="where the mutants are kept")
def main(out: Path, sample: int, seed: int, minutes: float, folder: Path | None) -> None:
    """Write to OUT how many mutants of each room were killed, and which were not."""
    with tempfile.TemporaryDirectory() as temporary:
        made = folder or Path(temporary)
        if not (made / "mutants" / "mutmut-stats.json").is_file():
            prepare(made)
        chosen = {
            room: random.Random(seed).sample(names, min(sample, len(names))) for room, names in every(made).items()
        }
        in_turns = [name for name in chain(*zip_longest(*chosen.values())) if name]
        trial(made, in_turns, time.time() + 60 * minutes)
        became = fates(made)
        rooms = {room: summary(made, names, became) for room, names in chosen.items()}
        commit = (made / "commit").read_text(encoding="utf-8")
    write_json(out, {"commit": commit, "seed": seed, "rooms": rooms})


def prepare(folder: Path) -> None:
    """A copy of the checked-out commit with its mutants, and which tests pass through which function."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "mutants", ignore_errors=True)
    archive = _output(["git", "archive", "HEAD", "bench", "pyproject.toml", *_COPIED], ROOT)
    subprocess.run(["tar", "xf", "-"], cwd=folder, input=archive, check=True)
    (folder / "commit").write_bytes(_output(["git", "rev-parse", "--short", "HEAD"], ROOT).strip())
    also = [Path(path).parts[0] for path in _COPIED]
    said = {"only": [f"{path}/*" for path in ROOMS.values()], "also": also, "arguments": _arguments(folder),
            "tests": _tests(folder)}  # fmt: skip
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(_SETTINGS.format(**{name: json.dumps(value) for name, value in said.items()}))
    conftest = folder / "tests" / "conftest.py"
    few = "deadline=None, max_examples=20, derandomize=True)"
    conftest.write_text(conftest.read_text(encoding="utf-8").replace("deadline=None)", few), encoding="utf-8")
    _mutmut(folder, "run", "--max-children", "1", "bench.analysis.statistics.checks.x_share__mutmut_1")


def every(folder: Path) -> dict[str, list[str]]:
    """The mutants of each room."""
    found: dict[str, list[str]] = {}
    for room, path in ROOMS.items():
        files = sorted((folder / "mutants" / path).rglob("*.meta"))
        found[room] = [name for file in files for name in sorted(json.loads(file.read_text())["exit_code_by_key"])]
    return found


def trial(folder: Path, names: Sequence[str], until: float) -> None:
    """Try those that were not tried yet, one after the other; `until`: seconds since the epoch."""
    (folder / "asked.json").write_text(json.dumps({"names": list(names), "until": until}), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "scripts.mutants", *_arguments(folder), *_tests(folder)]
    environment = {**os.environ, "MUTANTS": str(folder.resolve()), "MUTANT_UNDER_TEST": ""}
    subprocess.run(command, cwd=folder / "mutants", env=environment, check=True)


def pytest_runtestloop(session: pytest.Session) -> bool:
    """In place of running the tests once: for each mutant those that pass through it."""
    folder = Path(os.environ["MUTANTS"])
    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    known = json.loads((folder / "mutants" / "mutmut-stats.json").read_text(encoding="utf-8"))
    seconds: dict[str, float] = known["duration_by_test"]
    items = {item.nodeid: item for item in session.items if seconds.get(item.nodeid, LONGEST) < LONGEST}
    through: dict[str, list[str]] = {**known["tests_by_mangled_function_name"], UNCHANGED: list(items)}
    done = fates(folder)
    with (folder / "fates.jsonl").open("a", encoding="utf-8") as file:
        for name in (name for name in (UNCHANGED, *asked["names"]) if name not in done):
            if time.time() > asked["until"]:
                break
            function = name.rpartition("__mutmut_")[0] or name
            own = sorted(set(through.get(function, ())) & items.keys(), key=seconds.__getitem__)
            fate = _fate(name, [items[test] for test in own], seconds)
            if name == UNCHANGED and fate != "survived":
                raise pytest.UsageError("a test fails without any change, so that it would kill every mutant")
            file.write(json.dumps({name: fate}) + "\n")
            file.flush()
    return True


def _fate(name: str, items: Sequence[pytest.Item], seconds: dict[str, float]) -> str:
    if not items:
        return "no test reaches it"
    child = os.fork()
    if child == 0:
        os.environ["MUTANT_UNDER_TEST"] = name
        for item, following in zip_longest(items, items[1:]):
            used = sum(os.times()[:2])
            most = int(used + 10 + 3 * seconds[item.nodeid])  # what never ends counts as noticed
            resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if item.session.testsfailed:
                os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code > 1:
        raise RuntimeError(f"pytest itself failed on {name}, with code {code}")
    return {0: "survived", 1: "killed", -signal.SIGXCPU: "timeout"}.get(code, "died")


def fates(folder: Path) -> dict[str, str]:
    """What became of those that were tried."""
    file = folder / "fates.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return {name: fate for line in lines for name, fate in json.loads(line).items()}


def summary(folder: Path, chosen: Sequence[str], became: dict[str, str]) -> dict[str, Any]:
    """Counts of one room, and its mutants that were not killed, with their changes; those known as equivalent apart."""
    tried = [name for name in chosen if name in became]
    alive = {name: change(folder, name) for name in tried if became[name] not in NOTICED}
    reasons = {one["change"]: one["why"] for one in json.loads(EQUIVALENT.read_text(encoding="utf-8"))}
    equivalent = {name: reasons[said] for name, said in alive.items() if said in reasons}
    killed, counted = len(tried) - len(alive), len(tried) - len(equivalent)
    return {
        "tried": len(tried),
        "killed": killed,
        "equivalent": len(equivalent),
        "share": round(killed / max(len(tried), 1), 3),
        "share_without_equivalent": round(killed / max(counted, 1), 3),
        "alive": {name: said for name, said in alive.items() if name not in equivalent},
        "alive_equivalent": {name: f"{alive[name]} ({why})" for name, why in equivalent.items()},
    }


def change(folder: Path, name: str) -> str:
    """`function: old line -> new line` of a mutant, which stays what it is when mutants are numbered anew."""
    lines = _mutmut(folder, "show", name).splitlines()
    old, new = (
        " ".join(line[1:].strip() for line in lines if line[:1] == sign and line[:3] != 3 * sign) for sign in "-+"
    )
    return f"{name.rpartition('__mutmut_')[0]}: {old} -> {new}"


def _arguments(folder: Path) -> list[str]:
    """For pytest; temporary folders of its own, as sessions beside it remove those of others."""
    return [*_PYTEST, f"--basetemp={folder.resolve() / 'temporary'}"]


def _tests(folder: Path) -> list[str]:
    files = sorted(file for room in ROOMS for file in (folder / "tests" / room).glob("test_*.py"))
    return [str(file.relative_to(folder)) for file in files if file.name not in _LEFT_OUT]


def _mutmut(folder: Path, *arguments: str) -> str:
    return _output([sys.executable, "-m", "mutmut", *arguments], folder).decode()


def _output(command: Sequence[str], folder: Path) -> bytes:
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True).stdout


if __name__ == "__main__":
    main()
