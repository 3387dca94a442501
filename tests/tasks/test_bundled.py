"""The tasks that come with adaptbench."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tasks
from bench.core.errors import UsageError
from bench.core.task import Task

ROOT = Path(__file__).resolve().parents[2]


def test_available_tasks_carry_their_folders_names() -> None:
    found = tasks.available()
    assert set(found) >= {"banking77", "e2e-nlg", "support-intents", "popqa"}
    for name, folder in found.items():
        spec = tasks.describe(name)
        assert (spec.name, folder.name) == (name, name)
        assert all((spec.description, spec.licence, spec.source, spec.metrics))


def test_a_name_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r'^unknown task "bankin77" \(did you mean "banking77"\?\); allowed: .*popqa'):
        tasks.load("bankin77")


def test_tasks_are_found_by_name_folder_and_file(tmp_path: Path) -> None:
    folder = tasks.available()["support-intents"]
    assert tasks.find("support-intents") == tasks.find(folder) == tasks.find(str(folder / "task.yaml")) == folder
    with pytest.raises(UsageError, match=r"is a folder without a task\.yaml; `adaptbench init DATA` makes one"):
        tasks.find(tmp_path)


def test_reading_a_task_imports_nothing_heavy() -> None:
    code = (
        "import sys, tasks, bench.authoring.check, bench.authoring.init; tasks.load('support-intents'); "
        "heavy = {'torch', 'transformers', 'evaluate', 'pandas', 'sklearn', 'numpy', 'datasets', 'pyarrow'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def timed(name: str) -> tuple[Task, float]:
    """The task and the CPU seconds it took: a busy machine makes no test fail."""
    start = time.process_time()
    return tasks.load(name), time.process_time() - start


def test_banking77(public_data: Path) -> None:
    task, seconds = timed("banking77")
    assert seconds < 3
    assert (len(task.train), len(task.validation), len(task.test)) == (9_503, 500, 3_080)
    stored = json.loads((public_data / "banking77" / "categories.json").read_text())
    assert task.test[0].choices == tuple(label.replace("_", " ") for label in sorted(stored))
    assert len(task.test[0].choices) == 77
    with (public_data / "banking77" / "test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [e.fields["text"] for e in task.test] == [row["text"] for row in rows]
    assert [e.references[0] for e in task.test] == [row["category"].replace("_", " ") for row in rows]


def test_e2e_nlg(public_data: Path) -> None:
    task, seconds = timed("e2e-nlg")
    assert seconds < 5
    assert (len(task.train), len(task.validation), len(task.test)) == (42_061, 547, 630)
    with (public_data / "e2e_nlg" / "testset_w_refs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4_693
    expected: dict[str, dict[str, None]] = {}
    for row in rows:
        expected.setdefault(row["mr"], {})[row["ref"].strip()] = None
    assert {e.fields["mr"]: e.references for e in task.test} == {mr: tuple(refs) for mr, refs in expected.items()}
    with (public_data / "e2e_nlg" / "testset.csv").open(encoding="utf-8", newline="") as file:
        assert [e.fields["mr"] for e in task.test] == [row["MR"] for row in csv.DictReader(file)]
    meanings = [{e.fields["mr"] for e in split} for split in (task.train, task.validation, task.test)]
    assert [len(found) for found in meanings] == [4_862, 547, 630]
    assert len(set().union(*meanings)) == 4_862 + 547 + 630  # no meaning stands in two splits
    assert (task.stop, task.max_new_tokens, task.lowercase, task.metrics[0]) == (("\n",), 200, True, "bleu")


@pytest.mark.usefixtures("public_data")
def test_popqa() -> None:
    task = tasks.load("popqa")
    assert (len(task.train), len(task.validation), len(task.test), len(task.corpus)) == (0, 0, 1_000, 7_594)
    assert {len(example.gold) for example in task.test} == {2}
    first = task.test[0]
    assert task.prompt.query(first) == first.fields["question"]
    assert task.prompt.ask(first) == f"Question: {first.fields['question']}\nAnswer:"
    assert all(passage.title and passage.text for passage in task.corpus)


def test_without_the_data_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAPTBENCH_DATA", raising=False)
    with pytest.raises(UsageError) as caught:
        tasks.load("popqa")
    assert str(caught.value) == (
        "popqa/task.yaml: the environment variable ADAPTBENCH_DATA is not set; "
        "set it to the folder that holds popqa/questions.jsonl, popqa/corpus.jsonl: "
        "export ADAPTBENCH_DATA=/path/to/folder"
    )
