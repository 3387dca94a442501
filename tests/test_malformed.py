"""Suites, policies and tasks with values of any kind in any place: read, or refused in short, printable lines."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tasks
from bench.config import suite
from bench.core.errors import UsageError
from bench.gate import policy
from scripts.fuzz.mutate import flow

LONGEST = 700  # characters of a line, the names that are allowed among them
SUITE: dict[str, Any] = {
    "name": "s", "models": [{"path": "tiny-random", "name": "q", "dtype": "float32"}], "tasks": ["reading"],
    "methods": ["zero-shot", {"few-shot": {"k": [1, 2], "label": "L"}}, {"lora+rag": {"rank": 2}}],
    "seeds": [0], "prices": {"gpu_hour": {"L4": 1.0}}, "decide": {"months": 3, "require": {"quality": 0.5}},
    "engine": {"device": "cpu"}, "defaults": {"epochs": 1}, "train_sizes": [8, "all"],
}  # fmt: skip
POLICY: dict[str, Any] = {
    "alpha": 0.05, "rename": {"methods": {"a": "b"}}, "quality": [{"metric": "primary", "margin": "2%"}],
    "retention": [{"probe": "w", "margin": 0.1}], "cost": [{"counter": "steps", "limit": "10%"}],
}  # fmt: skip
TASK: dict[str, Any] = {
    "name": "t", "kind": "choice", "template": "{text}", "answer": "label", "choices": ["a", "b"],
    "splits": {"train": "a.csv", "test": {"path": "b.csv", "where": {"x": "y"}}}, "metrics": ["accuracy"],
    "counterfactuals": {"g": {"swap": [["a", "b"]]}},
}  # fmt: skip
VALUES: list[Any] = [
    *(None, True, 0, -1, 2**62, 1e300, 0.5, math.inf, math.nan, "", "x", "~", "../..", "x" * 3000, "\x00", "é\u200b"),
    *([], {}, [None], [[]], {"a": 1}, {1: 2}, {None: None}, [{"a": [{}]}], "1e3", "{", "lora+", "lora+full", "😀"),
]
READERS: dict[str, tuple[dict[str, Any], str, Callable[[Path], object]]] = {
    "suite": (SUITE, "suite.yaml", suite.load),
    "policy": (POLICY, "gate.yaml", policy.load),
    "task": (TASK, "task.yaml", lambda file: tasks.describe(file.parent)),
}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key or index) in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield value, key
        yield from places(below)


@pytest.mark.parametrize("kind", READERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_is_read_or_refused_in_short_lines(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    right, name, read = READERS[kind]
    changed = copy.deepcopy(right)
    for _ in range(data.draw(st.integers(1, 3))):
        spots = list(places(changed))
        if spots:
            container, key = data.draw(st.sampled_from(spots))
            container[key] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
    (tmp_path / name).write_text(flow(changed), encoding="utf-8")
    try:
        read(tmp_path / name)
    except UsageError as error:
        lines = str(error).replace(str(tmp_path), "").splitlines()
        wrong = [line for line in lines if not line.isprintable() or len(line) > LONGEST]
    else:
        wrong = []
    assert not wrong


@pytest.mark.parametrize("kind", READERS)
def test_what_is_changed_there_is_right(kind: str, tmp_path: Path) -> None:
    right, name, read = READERS[kind]
    (tmp_path / name).write_text(flow(right), encoding="utf-8")
    read(tmp_path / name)
