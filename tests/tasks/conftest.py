"""A small task folder that every test changes in one place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import tasks
from bench.core.errors import TaskError

SPEC: dict[str, Any] = {
    "name": "toy",
    "kind": "choice",
    "template": "Q: {text}\nA:",
    "answer": "label",
    "splits": {"train": "train.jsonl", "test": "test.jsonl"},
}
TRAIN = [("good", "yes"), ("bad", "no"), ("fine", "yes"), ("poor", "no")]
TEST = [("great", "yes"), ("awful", "no")]


def jsonl(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def make_task(tmp_path: Path) -> Callable[..., Path]:
    """make_task({key: value}, {file: content}, without=keys) writes the toy task with these changes."""

    def make(
        spec: Mapping[str, Any] | None = None,
        files: Mapping[str, str | bytes] | None = None,
        without: Iterable[str] = (),
    ) -> Path:
        folder = tmp_path / "toy"
        folder.mkdir(exist_ok=True)
        contents: dict[str, str | bytes] = {
            "train.jsonl": jsonl({"text": text, "label": label} for text, label in TRAIN),
            "test.jsonl": jsonl({"text": text, "label": label} for text, label in TEST),
        }
        values = {key: value for key, value in {**SPEC, **(spec or {})}.items() if key not in set(without)}
        contents["task.yaml"] = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        for name, content in {**contents, **(files or {})}.items():
            data = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(data)
        return folder

    return make


@pytest.fixture
def problems(make_task: Callable[..., Path]) -> Callable[..., list[str]]:
    """The lines with which loading the toy task, changed in the same way, is refused."""

    def find(*args: Any, **kwargs: Any) -> list[str]:
        folder = make_task(*args, **kwargs)
        with pytest.raises(TaskError) as caught:
            tasks.load(folder)
        return caught.value.problems

    return find
