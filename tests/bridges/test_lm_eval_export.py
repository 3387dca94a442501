"""What our tasks as tasks of lm-evaluation-harness say, without it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tasks
from bench.bridges import lm_eval_export, lm_eval_tasks
from bench.core.errors import UsageError


def test_rows_hold_the_written_prompts(tmp_path: Path) -> None:
    task = tasks.load("support-intents", limit=3)
    lm_eval_export.export(task, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "test.jsonl").read_text().splitlines()]
    assert [row["prompt"] for row in rows] == [task.prompt.ask(example) for example in task.test]
    assert [row["choices"][row["answer"]] for row in rows] == [example.references[0] for example in task.test]
    assert "custom_dataset: !function support_intents_data.load" in (tmp_path / "support-intents.yaml").read_text()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"normalise": "pmi"}, "it ranks choices by pmi"),
        ({"rules": ("none", "chars")}, "it ranks choices by none, chars"),
        ({"kind": "prose"}, "it is of kind prose"),
    ],
)
def test_what_lm_eval_does_not_have_is_refused(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        lm_eval_export.export(replace(tasks.load("support-intents", limit=1), **changes), tmp_path)


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(UsageError, match=r'pip install "adaptbench\[lm-eval\]"'):
        lm_eval_tasks.task_folder("lm-eval:arc_easy", Path())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lm-eval:arc_easy", ("arc_easy", None, "", None)),
        ("lm-eval:arc_easy@25", ("arc_easy", None, "", 25)),
        ("lm-eval:hellaswag:acc_norm@10", ("hellaswag", None, "acc_norm", 10)),
        ("lm-eval:../mine/tasks/t-1", ("t-1", Path("/suites/../mine/tasks"), "", None)),
    ],
)
def test_a_reference_names_folder_task_metric_and_examples(text: str, expected: tuple[Any, ...]) -> None:
    found = lm_eval_tasks.read_reference(text, Path("/suites"))
    assert (found.name, found.folder, found.metric, found.shots) == expected
