"""Runs joined into one: all of the suite, nothing changed, no half run, and one clear line for what does not fit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench import cli
from bench.core.errors import UsageError
from bench.core.record import Failure, Record, Run, Score
from bench.store import merge, run_folder
from bench.store.json_files import write_json
from bench.store.listing import RUN_FILE
from bench.store.staging import take
from tests.small import measure, write_suite

ROOT = Path(__file__).parent.parent


def record(label: str, value: float = 0.5, **changes: Any) -> Record:
    found = Record(
        key=(label.encode().hex() * 12)[:64], model="m", task="mail", method=label, seed=0, status="ok",
        created="2026-01-01T00:00:00+00:00", scores={"accuracy": Score(value, "v1")}, items=10, questions="q",
    )  # fmt: skip
    return replace(found, **changes)


def failed(label: str) -> Record:
    return record(label, status="failed", scores={}, failure=Failure("timeout", "too long"))


def made(folder: Path, cells: list[str], *records: Record, suite: str = "trial", text: str = "name: trial\n") -> Path:
    """A run directory whose suite has `cells`, with the records of some of them."""
    (folder / "cells").mkdir(parents=True)
    entries = [
        {"key": record(label).key, "name": f"m · mail · {label} · seed 0", "model": "m", "task": "mail",
         "method": label, "seed": 0, "is_base": False, "task_path": "../mail"}
        for label in cells
    ]  # fmt: skip
    for one in records:
        cell = folder / "cells" / f"{one.method}-{one.key[:12]}"
        cell.mkdir()
        run_folder.write_record(cell, one)
        (cell / run_folder.PREDICTIONS).write_text(f"answers of {folder.name}\n")
    write_json(folder / RUN_FILE, {"schema": 1, "suite": suite, "cells": entries})
    (folder / "suite.yaml").write_text(text)
    return folder


def command(*arguments: object) -> tuple[int, str, str]:
    ended = CliRunner().invoke(cli.cli, ["merge", *map(str, arguments)])
    return ended.exit_code, ended.stdout, ended.stderr


def refused(*runs: Path) -> str:
    with pytest.raises(UsageError) as error:
        merge.merge(runs, runs[0].parent / "out")
    assert not list(runs[0].parent.glob("*out*"))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.slow  # tests/test_invariance.py joins shards, and measures two cells at once
def test_all_shards_together_are_the_undivided_run_of_cells_at_once(
    task_folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    full = {"learning_rate": [1e-3, 1e-2], "max_steps": 1}
    suite: dict[str, Any] = {"methods": [{"full": full}, {"lora": {"learning_rate": 1e-3, "rank": 2, "max_steps": 1}}],
                             "seeds": [0, 1], "probes": ["paint"], "trials": 2,
                             "measure": {"latency": "off", "flop_check": "off"}}  # fmt: skip
    file = write_suite(tmp_path, tiny_model, **suite)
    measure(file, tmp_path / "whole", engine={"workers": 2})
    shards = [tmp_path / f"shard{i}" for i in (1, 2)]
    for i, folder in enumerate(shards, 1):
        outcome, _, run = measure(file, folder, f"{i}/2")
        assert (outcome.failed, run.missing) == (0, ())
        assert run.base  # what the base answers to the probe: both train its model
    code, out, err = command(*shards, "--out", tmp_path / "deep" / "joined")
    assert (code, err) == (0, "")
    assert out.splitlines() == ["5 of 5 cells from 2 runs", f"records: {tmp_path / 'deep' / 'joined'}"]

    def answered(run: Run) -> list[dict[str, Any]]:
        same = ("key", "model", "task", "method", "seed", "status", "questions", "scores", "items", "tokens", "probes",
                "weights_changed", "divergence", "identity", "on_train", "retrieval", "parameters")  # fmt: skip
        return [{name: asdict(one)[name] for name in same} for one in (*run.base, *run.records)]

    joined, whole = run_folder.read_run(tmp_path / "deep" / "joined"), run_folder.read_run(tmp_path / "whole")
    assert answered(joined) == answered(whole)
    assert (joined.missing, joined.shard) == ((), "")
    place = tmp_path / "deep" / "joined" / joined.task_paths["paint"]
    assert place.resolve() == task_folder
    for cell in (tmp_path / "deep" / "joined" / "cells").iterdir():
        original = next(each for folder in shards for each in (folder / "cells").glob(cell.name))
        assert {f.name: f.read_bytes() for f in cell.iterdir()} == {f.name: f.read_bytes() for f in original.iterdir()}
        at_once = tmp_path / "whole" / "cells" / cell.name  # one by one or at once: the same to the last bit
        assert (cell / run_folder.PREDICTIONS).read_bytes() == (at_once / run_folder.PREDICTIONS).read_bytes()
    assert {record.environment.cells_at_once for record in whole.records} == {2}


def test_answers_of_teachers_and_endpoints_and_folders_of_weights_come_along(tmp_path: Path) -> None:
    """Each shard asked its own endpoint's items, and both had the same teacher; an encoder's weights hold a folder."""
    shards = [made(tmp_path / name, ["lora", "full"], record(label)) for name, label in (("a", "lora"), ("b", "full"))]
    for shard in shards:
        (shard / "taught").mkdir()
        (shard / "taught" / "same.json").write_text("{}")
        (shard / "answers").mkdir()
        (shard / "answers" / "far.jsonl").write_text(f'{{"key": "{shard.name}"}}\n')
    (shards[1] / "taught" / "own.json").write_text("[]")
    pooling = next((shards[0] / "cells").iterdir()) / "weights" / "1_Pooling"
    pooling.mkdir(parents=True)
    (pooling / "config.json").write_text("{}")
    merge.merge(shards, tmp_path / "out")
    assert (tmp_path / "out" / "answers" / "far.jsonl").read_text() == '{"key": "a"}\n{"key": "b"}\n'
    (shards[0] / "answers" / "far.jsonl").write_text('{"key": "a"}\n{"key": "c", "usa')  # cut off by a kill
    merge.merge(shards, tmp_path / "cut")
    assert (tmp_path / "cut" / "answers" / "far.jsonl").read_text().splitlines()[2] == '{"key": "b"}'
    kept = {file.name: file.read_text() for file in (tmp_path / "out" / "taught").iterdir()}
    assert kept == {"same.json": "{}", "own.json": "[]"}
    [copied] = (tmp_path / "out").glob("cells/*/weights/1_Pooling/config.json")
    assert copied.read_text() == "{}"
    (shards[0] / "taught" / "link.json").symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match=r"link.json is no plain file"):
        merge.merge(shards, tmp_path / "again")


def test_what_is_missing_or_failed_is_named(tmp_path: Path) -> None:
    one = made(tmp_path / "one", ["a", "b", "c"], record("a"))
    two = made(tmp_path / "two", ["a", "b", "c"], failed("b"))
    code, out, err = command(one, two, "--out", tmp_path / "out")
    assert code == 4
    assert out.splitlines()[0] == "2 of 3 cells from 2 runs"
    assert err.splitlines() == ["missing: m · mail · c · seed 0", "failed: m · mail · b · seed 0"]
    assert [cell.full_name for cell in run_folder.read_run(tmp_path / "out").missing] == ["m · mail · c · seed 0"]


def test_what_was_measured_comes_before_what_failed_and_the_first_before_others(tmp_path: Path) -> None:
    one = made(tmp_path / "one", ["a", "b"], failed("a"), record("b"))
    two = made(tmp_path / "two", ["a", "b"], record("a"), record("b", created="2027-01-01T00:00:00+00:00"))
    assert merge.merge([one, two], tmp_path / "out") == merge.Merged(2, (), ())
    kept = {
        cell.name[0]: (cell / run_folder.PREDICTIONS).read_text() for cell in (tmp_path / "out" / "cells").iterdir()
    }
    assert kept == {"a": "answers of two\n", "b": "answers of one\n"}


def test_cells_that_only_some_list_keep_their_place(tmp_path: Path) -> None:
    one = made(tmp_path / "one", ["b", "d"], record("b"), record("d"))
    two = made(tmp_path / "two", ["a", "b", "c", "e"], *map(record, "abce"))
    merge.merge([one, two], tmp_path / "out")
    assert [r.method for r in run_folder.read_run(tmp_path / "out").records] == ["a", "b", "c", "e", "d"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scores": {"accuracy": Score(0.6, "v1")}}, "(accuracy: 0.5 and 0.6)"),
        ({"scores": {"accuracy": Score(0.5, "v2")}}, "(signature of accuracy: v1 and v2)"),
        ({"scores": {"mrr": Score(0.5, "v1")}}, "(metrics: accuracy and mrr)"),
        ({"items": 9}, "(items: 10 and 9)"),
        ({"questions": "other"}, "(questions: q and other)"),
        ({"probes": {"facts": {"accuracy": Score(0.1)}}}, "(metrics of facts:  and accuracy)"),
    ],
)
def test_one_cell_with_two_results_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    one = made(tmp_path / "one", ["a"], record("a"))
    two = made(tmp_path / "two", ["a"], record("a", **changes))
    said = refused(one, two)
    assert '"m · mail · a · seed 0" was measured twice, with other results' in said
    assert words in said
    assert str(one / "cells") in said
    assert str(two / "cells") in said


def test_times_and_the_rounding_of_a_processor_are_no_other_result(tmp_path: Path) -> None:
    one = made(tmp_path / "one", ["a"], record("a", 0.5))
    two = made(tmp_path / "two", ["a"], record("a", 0.5 + 1e-9, created="2027-01-01T00:00:00+00:00"))
    assert merge.merge([one, two], tmp_path / "out").missing == ()


def test_other_suites_and_settings_are_refused(tmp_path: Path) -> None:
    one = made(tmp_path / "one", ["a"], record("a"))
    named = made(tmp_path / "named", ["a"], record("a"), suite="other")
    assert refused(one, named) == f"not the same suite: {one} is of trial, {named} of other"
    written = made(tmp_path / "written", ["a"], record("a"), text="name: trial\nlimit: 5\n")
    assert refused(one, written).startswith("not the same suite: ")
    limited = made(tmp_path / "limited", ["a"])
    listed = json.loads((limited / RUN_FILE).read_text())
    listed["cells"][0]["key"] = "f" * 64
    write_json(limited / RUN_FILE, listed)
    assert '"m · mail · a · seed 0" has other settings, weights or data' in refused(one, limited)


def test_what_cannot_be_joined_is_one_line(tmp_path: Path) -> None:
    one = made(tmp_path / "one", ["a"], record("a"))
    assert "is no run directory" in refused(one, tmp_path / "on")
    assert refused(one, tmp_path / "." / "one") == f"{tmp_path / 'one'} is given twice"
    two = made(tmp_path / "two", ["b"], record("b"))
    (two / RUN_FILE).write_text('{"suite": "trial", "cells": [{}]}')
    assert "is not what adaptbench writes" in refused(one, two)
    link = made(tmp_path / "link", ["b"], record("b"))
    next((link / "cells").iterdir()).joinpath("log.txt").symlink_to("/etc/hostname")
    assert "is no plain file" in refused(one, link)
    other = made(tmp_path / "other", ["b"], record("b", key="0" * 64))
    next((other / "cells").iterdir()).rename(other / "cells" / f"b-{record('b').key[:12]}")
    assert "is of another cell than its folder's name says" in refused(one, other)
    with (one / ".lock").open("w") as lock:
        assert take(lock)
        assert refused(one) == f"another process is writing {one}; try again when it has ended"


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    one = made(tmp_path / "one", ["a"], record("a"))
    before = sorted(one.rglob("*"))
    with pytest.raises(UsageError, match="is there already"):
        merge.merge([one], one)
    assert sorted(one.rglob("*")) == before
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is there already"):
        merge.merge([one], tmp_path / "file")
    with pytest.raises(UsageError, match="cannot write to"):
        merge.merge([one], tmp_path / "file" / "out")
    (tmp_path / "empty").mkdir()
    assert merge.merge([one], tmp_path / "empty").cells == 1


def test_a_kill_leaves_no_half_run_and_the_next_merge_clears_up(tmp_path: Path) -> None:
    one = made(tmp_path / "one", ["a"], record("a"))
    killed = (
        "import os, sys; from pathlib import Path; from bench.store import merge\n"
        "write = merge.write_listing\n"
        "def kill(path, listing): write(path, listing); os.kill(os.getpid(), 9)\n"
        "merge.write_listing = kill; merge.merge([Path(sys.argv[1])], Path(sys.argv[2]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", killed, str(one), str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == -9
    assert not (tmp_path / "out").exists()
    assert len(list(tmp_path.glob(".merging-out-*"))) == 1
    assert run_folder.runs(tmp_path) == [one]
    merge.merge([one], tmp_path / "out")
    assert not list(tmp_path.glob(".merging-*"))


def test_hostile_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    one = made(tmp_path / "one", ["a\x1b[31m\u202e"])
    code, _, err = command(one, "--out", tmp_path / "out")
    assert code == 4
    assert not set(err) & {"\x1b", "\u202e"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["merge"], "RUNS"), (["merge", "x"], "--out"), (["merge", "x", "--out", "y"], '"x" is no run directory')],
)
def test_a_wrong_command_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert words in line
