"""The search for options: equal trials, judged on validation alone, the same choice for every seed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

import pytest
from hypothesis import given
from hypothesis import strategies as st

import methods
from bench.adapt import tuning
from bench.adapt.adapt import adapt
from bench.adapt.learner import Adapted
from bench.cell.job import Job
from bench.cell.measure import measure as measure_cell
from bench.config.search_space import at_edge, candidates, grid, settle
from bench.core.errors import CellError, UsageError
from bench.core.identity import Identity, TuningSettings
from bench.core.item import Example
from bench.core.task import Task
from bench.core.training import Tuning
from bench.retrieval.index import build
from tests.small import cells_of, measure, write_suite
from tests.toy import adapted, choice_task, text_task

TUNABLE = ("few-shot", "rag", "lora", "full", "last-layers", "lora+rag", "full+few-shot")
SHORT = {"max_steps": 4, "batch_size": 4}

grids = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.integers(0, 9), min_size=2, max_size=4, unique=True), min_size=1, max_size=3
)


@given(grids, st.integers(1, 8))
def test_trials_differ_and_try_every_value_alike(values: dict[str, list[int]], trials: int) -> None:
    found = candidates(values, trials)
    every = 1
    for listed in values.values():
        every *= len(listed)
    assert len(found) == min(trials, every)
    assert len({tuple(one.items()) for one in found}) == len(found)
    assert found == candidates(values, trials)
    for name, listed in values.items():
        assert {one[name] for one in found} <= set(listed)


@given(st.integers(2, 5), st.integers(2, 5))
def test_with_one_option_no_value_is_tried_twice_before_all_were(count: int, trials: int) -> None:
    used = Counter(one["a"] for one in candidates({"a": range(count), "b": range(50)}, trials))
    assert max(used.values()) - min(used[i] for i in range(count)) <= 1


def test_a_joined_method_gets_no_more_trials_than_a_plain_one() -> None:
    counts = {name: len(candidates(grid(methods.create(name)), 3)) for name in TUNABLE}
    assert set(counts.values()) == {3}
    rates = [one["learning_rate"] for one in candidates(grid(methods.create("lora+rag")), 3)]
    assert sorted(rates) == [2e-4, 1e-3, 5e-3]  # every rate once


def test_saying_one_option_leaves_nothing_to_search() -> None:
    for name, options in (
        ("few-shot", {"k": 2}),
        ("few-shot", {"select": "similar"}),
        ("rag", {"top_k": 1}),
        ("rag", {"control": "random"}),
        ("lora", {"learning_rate": 0.1}),
        ("zero-shot", {}),
    ):
        assert grid(methods.create(name, options)) == {}
    both = methods.create("few-shot", {"k": [1, 2], "select": ["stratified", "similar"]})
    assert list(grid(both)) == ["k", "select"]
    assert grid(settle(both, {"k": 2, "select": "similar"})) == {}


def test_a_choice_at_an_end_is_flagged_unless_nothing_lies_beyond() -> None:
    values = {"learning_rate": (1e-4, 1e-3), "top_k": (1, 3, 5), "retriever": ("auto", "lexical")}
    assert at_edge(values, {"learning_rate": 1e-4, "top_k": 1, "retriever": "auto"}) == {"learning_rate": "lowest"}
    assert at_edge(values, {"learning_rate": 1e-3, "top_k": 5, "retriever": "auto"}) == {
        "learning_rate": "highest",
        "top_k": "highest",
    }
    assert at_edge(values, {"learning_rate": 1e-4, "top_k": 3, "retriever": "auto"}) == {"learning_rate": "lowest"}


def test_the_best_score_on_validation_is_chosen(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored = iter([0.25, 0.75, 0.75])

    def fake(task: Any, predictions: Any) -> Any:
        assert all(example.id.startswith("validation/") for example in task.test)
        return type("Scored", (), {"scores": {"accuracy": type("Score", (), {"value": next(scored)})}})

    monkeypatch.setattr("bench.adapt.validation.score", fake)
    found = adapted(choice_task(), "few-shot", {"k": [1, 2, 3]}, tiny_model).tuning
    assert found is not None
    assert [trial.value for trial in found.trials] == [0.25, 0.75, 0.75]
    assert found.chosen == {"k": 2}  # of equals the first
    assert (found.criterion, found.items) == ("accuracy", 4)


def test_documents_are_indexed_once_for_all_trials(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And once more for the method that was chosen, whose index costs what it costs."""
    made: list[int] = []

    def counted(retriever: str, documents: Sequence[str], **options: Any) -> Any:
        made.append(len(documents))
        return build(retriever, documents, **options)

    monkeypatch.setattr("tests.toy.build", counted)
    found = adapted(text_task(), "rag", {"top_k": [1, 2, 3]}, tiny_model)
    assert found.tuning is not None
    assert len(found.tuning.trials) == 3
    assert made == [8, 8]


def test_the_lowest_validation_loss_is_chosen(tiny_model: Path) -> None:
    options = {**SHORT, "max_steps": 40, "learning_rate": [1e-9, 1e-2]}
    found = adapted(choice_task(), "full", options, tiny_model).tuning
    assert found is not None
    still, moved = (trial.value for trial in found.trials)
    assert still is not None
    assert moved is not None
    assert moved < still
    assert found.chosen == {"learning_rate": 1e-2}
    assert found.at_edge == {"learning_rate": "highest"}


@pytest.mark.parametrize("name", ["few-shot", "full"])
def test_without_a_validation_split_there_is_nothing_to_choose_on(name: str, tiny_model: Path) -> None:
    with pytest.raises(CellError, match="need a validation split to choose on; give one value instead"):
        adapted(choice_task(validation=0), name, {}, tiny_model)


class Sealed(tuple[Example, ...]):
    """A split that must not be read before its seal is broken."""

    broken = False

    def _open(self) -> None:
        if not type(self).broken:
            raise AssertionError("the test split was read before the options were chosen")

    def __iter__(self) -> Iterator[Example]:
        self._open()
        return super().__iter__()

    def __len__(self) -> int:
        self._open()
        return super().__len__()

    def __getitem__(self, place: SupportsIndex | slice) -> Any:
        self._open()
        return super().__getitem__(place)


@pytest.mark.parametrize("name", TUNABLE)
def test_no_method_reads_the_test_split_before_its_options_are_chosen(
    name: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = text_task(corpus="rag" in name) if "rag" in name else choice_task()
    task = dataclasses.replace(plain, test=Sealed(plain.test))
    found: list[Tuning] = []
    sealed_until(monkeypatch, task)

    def searched(*given: Any) -> Tuning:
        found.append(real(*given))
        Sealed.broken = True
        return found[-1]

    real = tuning.search
    monkeypatch.setattr("bench.adapt.adapt.search", searched)
    job = job_of(name, tiny_model, tmp_path)
    record = measure_cell(job, lambda phase, done, all_: None)
    assert [len(one.trials) for one in found] == [3]
    assert record.tuning == found[0]
    assert record.items == tuple.__len__(task.test)
    assert record.phases["tune"].wall_s > 0


def sealed_until(monkeypatch: pytest.MonkeyPatch, task: Task) -> None:
    """Have the cell's task be `task`, whose test split is sealed."""
    monkeypatch.setattr(Sealed, "broken", False)
    monkeypatch.setattr("tasks.load", lambda *given: task)


SELECTED: list[tuple[str, dict[str, Any], TuningSettings | None]] = [
    ("lora", {**SHORT, "criterion": "metric", "learning_rate": 1e-3}, None),  # epochs alone are chosen
    ("full+few-shot", {**SHORT, "criterion": "metric"}, TuningSettings(3, 0, folds=2)),
    ("full", {**SHORT, "max_steps": 12, "criterion": "metric"}, TuningSettings(3, 0, budget=2.0)),
    ("head", {"criterion": "metric"}, TuningSettings(3, 0)),
    ("few-shot", {}, TuningSettings(3, 0, folds=3)),
]


@pytest.mark.parametrize(("name", "options", "settings"), SELECTED)
def test_no_criterion_reads_the_test_split_before_the_method_is_adapted(
    name: str,
    options: dict[str, Any],
    settings: TuningSettings | None,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The seal holds until the last epoch is chosen, not the options alone."""
    plain = choice_task()
    task = dataclasses.replace(plain, test=Sealed(plain.test))
    sealed_until(monkeypatch, task)

    def adapted_sealed(*given: Any, **settings: Any) -> Adapted:
        made = adapt(*given, **settings)
        Sealed.broken = True
        return made

    monkeypatch.setattr("bench.cell.measure.adapt", adapted_sealed)
    job = job_of(name, tiny_model, tmp_path, options)
    job = dataclasses.replace(job, identity=Identity(tuning=settings), turned_off=["latency"])
    record = measure_cell(job, lambda phase, done, all_: None)
    assert record.items == tuple.__len__(task.test)
    assert (record.tuning is None) == (settings is None)
    assert record.phases["tune"].wall_s > 0


def job_of(name: str, model: Path, out: Path, given: dict[str, Any] | None = None) -> Job:
    """The job of a cell of a toy task, as the runner writes it."""
    short = SHORT if methods.classes(name)[0].learner.moves_weights else {}
    method = methods.create(name, short if given is None else given)
    options = {**method.weights.options.model_dump(mode="json"), **method.context.options.model_dump(mode="json")}
    resolved = {"name": "tiny", "folder": str(model), "digest": "x", "dtype": "auto", "chat_template": "auto",
                "trust_remote_code": False}  # fmt: skip
    return Job(
        key="k", identity=Identity(), model=resolved, task="toy", limit=None, train_size=None, probes=[],
        probe_limit=None, counterfactuals=0, checkpoints=0, adapter_scales=[], method=name, options=options, trials=3,
        chosen=None, suite_method=name, label=name, seed=0, embedder="none",
        device="cpu", batch_tokens=None, train_tokens=None, batch_size=None, out=str(out),
    )  # fmt: skip


def test_the_choice_of_the_first_seed_holds_for_the_others(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    methods_ = [{"few-shot": {"k": [1, 2]}}, {"full": {**SHORT, "learning_rate": [1e-3, 1e-2]}}]
    file = write_suite(tmp_path, tiny_model, methods=methods_, seeds=[0, 1])
    _, _, run = measure(file, tmp_path / "run")
    first, second = run.records[0::2], run.records[1::2]
    assert [record.seed for record in second] == [1, 1]
    for chooser, taker in zip(first, second, strict=True):
        assert "tune" in chooser.phases
        assert "tune" not in taker.phases
        assert taker.tuning is None
        assert taker.key != chooser.key
    assert second[1].training
    assert first[1].tuning
    assert second[1].training.rate == first[1].tuning.chosen["learning_rate"]


def test_where_the_choosing_cell_failed_the_others_say_so(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    (task_folder / "validation.jsonl").unlink()
    spec = (task_folder / "task.yaml").read_text().replace("  validation: validation.jsonl\n", "")
    (task_folder / "task.yaml").write_text(spec)
    file = write_suite(tmp_path, tiny_model, methods=[{"few-shot": {"k": [1, 2]}}], seeds=[0, 1])
    outcome, _, run = measure(file, tmp_path / "run")
    assert outcome.failed == 2
    reasons = [record.failure.message for record in run.records if record.failure]
    assert "need a validation split" in reasons[0]
    assert reasons[1] == "its options are chosen on seed 0, and that cell failed"


@pytest.mark.usefixtures("task_folder")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        # 4 steps for a training: 0.5 of one is 2 steps for 3 trials, 0.75 is the least
        (
            {"tuning_budget": 0.5},
            "0.5 has less than a step for each of 3 trials of full on paint; the least is 0.75",
        ),
        ({"tuning_budget": 1, "folds": 2}, "trials of full on paint in 2 folds; the least is 1.5"),
        ({"tuning_budget": 0.75}, ""),
        ({"tuning_budget": 1.5, "folds": 2}, ""),
    ],
)
def test_a_budget_that_is_too_small_is_refused_before_anything_is_measured(
    tmp_path: Path, tiny_model: Path, changes: dict[str, Any], said: str
) -> None:
    file = write_suite(tmp_path, tiny_model, methods=[{"full": SHORT}], trials=3, **changes)
    if not said:
        assert len(cells_of(file)[1]) == 1
        return
    with pytest.raises(UsageError, match=said):
        cells_of(file)
