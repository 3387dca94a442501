"""What parts say they cost, worked out by hand, and the plan."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import methods
from bench.core.item import Example
from bench.core.method import ContextCost, LearningCost
from bench.core.phases import Phase
from bench.core.prompt import Prompt
from bench.core.record import Failure, Record, Score
from bench.core.task import Task
from bench.metrics.formats import duration
from bench.runs import cells, plan, progress, shards
from bench.runs.plan import CHARS_PER_TOKEN, work
from tests.small import cells_of, write_suite
from tests.toy import choice_task, text_task


def letters(train: int) -> Task:
    """Every few-shot example is "ab cd\n\n": 7 characters."""
    prompt = Prompt("", "{text}")
    example = Example("train/0", {"text": "ab"}, (), ("cd",))
    return Task("letters", "text", prompt, tuple(replace(example, id=f"train/{i}") for i in range(train)), (), ())


@pytest.mark.parametrize(
    ("method", "options", "cost"),
    [
        ("zero-shot", {}, ContextCost()),
        ("few-shot", {"k": 3}, ContextCost(3 * 7, shared=True)),
        ("few-shot", {"k": [1, 3], "select": "similar"}, ContextCost(2 * 7)),
        ("few-shot", {"k": 2, "select": ["stratified", "similar"]}, ContextCost(2 * 7)),
    ],
)
def test_what_a_prompt_gains(method: str, options: dict[str, object], cost: ContextCost) -> None:
    assert methods.create(method, options).context.cost(letters(5)) == cost


def test_passages_cost_their_text_and_title() -> None:
    task = text_task()
    lengths = [len(passage.text) + len(passage.title) for passage in task.corpus]
    assert len(set(lengths)) == 1
    assert methods.create("rag", {"top_k": 2}).context.cost(task) == ContextCost(2 * lengths[0])
    limited = methods.create("rag", {"top_k": 2, "context_tokens": 9}).context.cost(task)
    assert limited == ContextCost(2 * lengths[0], most_tokens=9)


@pytest.mark.parametrize(
    ("method", "options", "trials", "cost"),
    [
        ("zero-shot", {}, 0, LearningCost()),
        ("few-shot", {}, 3, LearningCost(answered=3)),
        ("head", {}, 3, LearningCost(read=2)),
        ("head", {"c": 1.0}, 0, LearningCost(read=1)),
        ("lora", {"epochs": 2}, 0, LearningCost(trained=2, judged=2)),
        ("lora", {"epochs": 2, "trial_share": 0.5}, 3, LearningCost(trained=5, judged=5)),
        # 30 steps of 4 are 10 times 12 examples
        ("full", {"max_steps": 30, "batch_size": 4}, 0, LearningCost(trained=10, judged=10, bytes_per_weight=16)),
        ("scratch", {"epochs": 1}, 0, LearningCost(trained=1, judged=1, bytes_per_weight=16)),
    ],
)
def test_what_learning_takes(method: str, options: dict[str, object], trials: int, cost: LearningCost) -> None:
    assert methods.create(method, options).weights.cost(len(choice_task().train), trials) == cost


@pytest.mark.parametrize("module", [cells, plan, shards])
def test_what_divides_a_run_reads_no_option_by_its_name(module: ModuleType) -> None:
    options = set().union(*(methods.option_names(part) for part in methods.own().values()))
    assert {"k", "top_k", "epochs", "learning_rate"} <= options
    nodes = ast.walk(ast.parse(inspect.getsource(module)))
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert not options & read - {"layers", "parameters", "path", "digest"}  # those of models and tasks


def record(seconds: float, **changes: object) -> Record:
    fields = {"scores": {"accuracy": Score(0.5)}, "phases": {"predict": Phase(seconds, 0), "score": Phase(9.0, 0)}}
    return Record("k", "m", "t", "zero-shot", 0, "ok", "now", **{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (600, "10 min"), (9000, "2 h 30 min")]
)
def test_estimated_durations(seconds: float, said: str) -> None:
    assert duration(seconds, rough=True) == said


def test_an_outcome_is_a_score_or_a_reason() -> None:
    assert progress.outcome(record(4.0), cached=False) == "accuracy 0.5 in 13 s"
    failed = record(0.0, failure=Failure("timeout", "too long"), scores={}, phases={})
    assert progress.outcome(failed, cached=False) == "failed (timeout): too long"


def test_training_on_a_part_of_the_items_is_so_much_less_work(
    tmp_path: Path, task_folder: Path, tiny_model: Path
) -> None:
    file = write_suite(
        tmp_path, tiny_model, tasks=[str(task_folder)], train_sizes=[4], methods=[{"full": {"learning_rate": 0.001}}]
    )
    [part] = cells_of(file)[1]
    [whole] = cells_of(file, train_sizes=["all"])[1]
    fixed = work(replace(part, method=methods.create("zero-shot", {})))  # the test items
    checked = sum(len(part.task.prompt.solved(e)) for e in part.task.validation) / CHARS_PER_TOKEN * 3  # epochs
    ratio = (work(part) - fixed - checked) / (work(whole) - fixed - checked)
    assert ratio == pytest.approx(4 / 12, rel=0.05)
