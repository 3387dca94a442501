"""What parts say they cost, worked out by hand, and the plan."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

import methods
from bench.config.prices import replaced
from bench.core.item import Example
from bench.core.measured import TokensUsed
from bench.core.method import ContextCost, LearningCost
from bench.core.phases import Phase
from bench.core.prompt import Prompt
from bench.core.record import Failure, Record, Score
from bench.core.task import Task
from bench.metrics.formats import duration
from bench.runs import cells, plan, progress, shards
from bench.runs.bill import CHARS_PER_TOKEN
from bench.runs.plan import work
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
    # those of models and tasks, and what learning costs
    assert not options & read - {"layers", "parameters", "path", "digest", "judged"}


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


@pytest.mark.usefixtures("task_folder")
def test_what_endpoints_are_asked_for_is_priced_before_it_is_paid(tmp_path: Path) -> None:
    """6 items, and 2 of them again; echoing sends a prompt for each of 3 choices. By hand, from characters."""
    endpoint = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "repeats": 2}
    price = {"input": 2.0, "output": 8.0, "date": "2026-11-01"}
    models = [
        {"endpoint": {**endpoint, "price": price}, "name": "dear", "reader": "generation"},
        {"endpoint": {**endpoint, "price": price}, "name": "decides", "reader": "decisions"},
        {"endpoint": endpoint, "name": "unpriced", "reader": "echo"},
    ]
    suite, every = cells_of(write_suite(tmp_path, tmp_path, models=models, methods=["zero-shot"]))
    estimates = plan.plan(every, None, prices=replaced(suite.prices, ""))
    bills = {bill.model: bill for estimate in estimates for bill in estimate.bills}
    task = every[0].task
    characters = [len(f"Name the colour.\n\n{item.fields['text']}\nColour:") for item in (*task.test, *task.test[:2])]
    prompt, answers = round(sum(characters) / 4), 8 * (16 + len("green"))
    assert bills["dear"].tokens == TokensUsed(8, prompt, 0, answers)
    assert bills["dear"].money == pytest.approx((prompt * 2 + answers * 8) / 1e6)
    assert bills["decides"].tokens == TokensUsed(8, prompt, 0, 0)
    assert bills["unpriced"].tokens == TokensUsed(24, round(3 * sum(characters) / 4), 0, 24)
    assert bills["unpriced"].money is None
    console = Console(width=200)
    with console.capture() as shown:
        console.print(plan.table(estimates, "EUR"))
    text = shown.get()
    assert f"dear: 8 requests, about {prompt} tokens of prompts, {answers} of answers at most, ~0.0" in text
    assert "EUR at prices of 2026-11-01" in text
    assert "unpriced: 24 requests" in text
    assert "its price is not known: give the endpoint `price`, or prices: tokens" in text
    priced = plan.plan(every, None, prices=replaced({"tokens": {"unpriced": {"input": 1.0, "output": 1.0}}}, ""))
    assert all(bill.money is not None for estimate in priced for bill in estimate.bills)


def test_a_search_for_a_prompt_is_planned_as_tuning(tmp_path: Path, task_folder: Path, tiny_model: Path) -> None:
    """6 validation items, as many as there are test items: three prompts are worth three times the test."""
    gain = {"few-shot": {"k": 2, "select": "gain", "pool": 3}}
    file = write_suite(
        tmp_path, tiny_model, tasks=[str(task_folder)], methods=["optimised", gain, {"few-shot": {"k": "fill"}}]
    )
    tuned = [plan.work_by_phase(cell) for cell in cells_of(file)[1]]
    assert tuned[0]["tune"] == pytest.approx(3 * tuned[0]["predict"])
    assert tuned[1]["tune"] == pytest.approx((1 + 3 + 3) * tuned[1]["predict"])
    assert tuned[2]["tune"] == 0
