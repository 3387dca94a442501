"""Shards of a suite: together all of it, no cell twice, what belongs together in one, and much the same work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.core.errors import UsageError
from bench.core.identity import Identity
from bench.report.tables import chapters
from bench.runs import shards
from bench.runs.cells import Cell
from bench.store import run_folder
from bench.store.listing import RUN_FILE
from tests.small import cells_of, measure, write_suite

GRID = {"learning_rate": [1e-3, 1e-2], "max_steps": 2}
METHODS: list[Any] = ["zero-shot", {"few-shot": {"k": 2}}, {"few-shot": {"k": [1, 2], "label": "open few-shot"}},
                      {"full": GRID}, {"lora": {**GRID, "rank": 2}}, {"full": {"learning_rate": 1e-3, "label": "set"}},
                      {"head": {"c": [0.1, 1.0]}}]  # fmt: skip


def keys(cells: Sequence[Cell]) -> set[str]:
    return {cell.key for cell in cells}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    methods=st.lists(st.sampled_from(METHODS), min_size=1, max_size=7, unique_by=str),
    seeds=st.integers(1, 3),
    probes=st.booleans(),
    sizes=st.sampled_from([["all"], [4, "all"]]),
    of=st.integers(1, 9),
    data=st.data(),
)
def test_they_are_the_whole_suite_and_no_cell_is_in_two(
    task_folder: Path, tmp_path: Path, tiny_model: Path, methods: list[Any], seeds: int, probes: bool,
    sizes: list[Any], of: int, data: st.DataObject,
) -> None:  # fmt: skip
    changes = {"seeds": list(range(seeds)), "train_sizes": sizes, "probes": ["paint"] if probes else []}
    _, cells = cells_of(write_suite(tmp_path, tiny_model, methods=methods, **changes))
    weights = {cell.key: data.draw(st.integers(0, 20)) for cell in cells}
    parts = shards.divide(cells, of, lambda cell: weights[cell.key])
    assert len(parts) == of
    assert set().union(*map(keys, parts)) == keys(cells)
    for part in parts:
        places = [cells.index(cell) for cell in part]
        assert places == sorted(set(places))  # in the suite's order, each once
    asked = [cell.key for part in parts for cell in part if not cell.is_base]
    assert len(asked) == len(set(asked))
    for part in parts:
        assert {cell.chooser for cell in part if cell.chooser} <= keys(part)  # the first seed's choice is at hand
        if any(cell.method.weights.learner.moves_weights for cell in cells):
            base = [cell for cell in part if cell.is_base]
            assert bool(base) == (probes and any(cell.method.weights.learner.moves_weights for cell in part))
    again = shards.divide(cells, of, lambda cell: weights[cell.key])
    assert again == parts


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(1, 8))
def test_no_part_has_much_more_work_than_its_share(some_cell: Cell, weights: list[int], of: int) -> None:
    """List scheduling: no more than an equal share and the largest unit (Graham 1969)."""
    cells = [replace(some_cell, identity=Identity(stage=number)) for number in range(len(weights))]
    by_key = {cell.key: weight for cell, weight in zip(cells, weights, strict=True)}
    loads = [sum(by_key[cell.key] for cell in part) for part in shards.divide(cells, of, lambda c: by_key[c.key])]
    assert max(loads) <= sum(weights) / of + max(weights) * (1 - 1 / of) + 1e-9


@pytest.fixture(scope="module")
def some_cell(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Cell:
    file = tmp_path_factory.mktemp("suite") / "one.yaml"
    content = {"models": [str(tiny_model)], "tasks": ["support-intents"], "methods": ["zero-shot"], "embedder": "none"}
    file.write_text(yaml.safe_dump(content))
    [cell] = cells_of(file)[1]
    return cell


def test_the_largest_go_first(some_cell: Cell) -> None:
    # 5 to the first, 4 to the second, 3 to the second (7), 3 to the first (8), 3 to the second (10)
    weights = [3, 5, 3, 4, 3]
    cells = [replace(some_cell, identity=Identity(stage=number)) for number in range(5)]
    by_key = {cell.key: weight for cell, weight in zip(cells, weights, strict=True)}
    first, second = shards.divide(cells, 2, lambda cell: by_key[cell.key])
    assert [cells.index(cell) for cell in first] == [1, 2]
    assert [cells.index(cell) for cell in second] == [0, 3, 4]


@pytest.mark.parametrize(
    "text", ["0/3", "4/3", "1/0", "3", "1/2/3", "a/b", "-1/3", "1/1001", "", " 1/3", "1 / 3", "²/3"]
)
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--shard takes i/n with 1 <= i <= n <= 1,000"):
        shards.parse(text)


def test_a_shard_speaks_of_its_own_part(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    file = write_suite(tmp_path, tiny_model, methods=["zero-shot", {"few-shot": {"k": 2}}])
    outcome, started, run = measure(file, tmp_path / "one", "1/2")
    assert (outcome.ok, len(started), len(run.records), run.missing) == (1, 1, 1, ())
    listed = json.loads((tmp_path / "one" / RUN_FILE).read_text())
    assert listed["shard"] == run.shard == "1/2"
    assert [entry.get("elsewhere", False) for entry in listed["cells"]] == [
        r != started[0] for r in ("zero-shot", "few-shot")
    ]
    [(heading, _)] = chapters([run])
    assert heading.startswith("small, shard 1/2 (")
    # its own cell, when lost, is missing; the whole suite in the same folder has no shard
    next((tmp_path / "one" / "cells").glob("*few*" if started == ["few-shot"] else "*zero*")).rename(tmp_path / "away")
    assert len(run_folder.read_run(tmp_path / "one").missing) == 1
    _, started, run = measure(file, tmp_path / "one")
    assert (len(started), run.shard, len(run.records)) == (2, "", 2)
