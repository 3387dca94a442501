"""The scripts that set adaptbench beside others: both sides write the same prompts, and rows differ in cost alone."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

import methods
from bench.config import suite as suites
from bench.config.search_space import grid
from bench.core.method import Material
from bench.model.resolve import MINI
from bench.training.arguments import Setting
from bench.training.loss import mean_loss
from scripts.peers import cases, whole_suite
from scripts.peers.cases import CASES
from scripts.stacked import __main__ as stacked
from scripts.stacked import learning, scoring, writing
from scripts.stacked.plain import Technique
from tasks.loader.splits import sample

ASKED = {"dtype": "float32", "train_batch": 16, "items": 24, "threads": 1, "beside": True}
NAMES = [name for name, case in CASES.items() if case.kind == "suite"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_to_choose(name: str, tmp_path: Path) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(whole_suite.suite(CASES[name], MINI, ASKED)))
    asked = suites.labelled_methods(suites.load(file))
    assert list(asked) == [*whole_suite.PROMPTED, *whole_suite.TRAINED]
    assert not any(grid(each.method) for each in asked.values())


@pytest.mark.parametrize("name", NAMES)
def test_worked_examples_by_hand_are_ours(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_suite, "embedder_folder", lambda: tmp_path)
    case, items = CASES[name], 24
    known = whole_suite.material(case, MINI, tmp_path, items)
    task = case.task()
    train = sample(task.train, items, 0)
    context = methods.create("few-shot", {"k": case.shots}).context.build(
        Material(task.name, task.prompt, train, (), (), seed=0, index=cases.never)
    )
    shared = [block.written for block in context.shared]
    assert [known["train"][i]["solved"] for i in known["shots"]] == shared
    assert len(shared) == case.shots
    assert len(known["train"]) == len(known["test"]) == items


def test_arms_are_compared() -> None:
    def side(steps: int, *answers: str) -> dict[str, Any]:
        prompted = {arm: {"answers": answers, "scores": [[-1.0], [-2.0 - steps]]} for arm in whole_suite.PROMPTED}
        trained = {arm: {"steps": steps} for arm in whole_suite.TRAINED}
        return {"answers": {**prompted, **trained}}

    equal, apart = whole_suite.compared(side(6, "a", "b"), side(6, "a", "c"))
    assert equal == dict.fromkeys(whole_suite.PROMPTED, 0.5)
    assert apart == 0
    with pytest.raises(SystemExit, match="6 steps here, 5 there"):
        whole_suite.compared(side(6, "a"), side(5, "a"))


ALL = pytest.mark.parametrize("empty", [False, True], ids=["behind a beginning", "without"])


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_model).eval()


def drawn(rng: random.Random, shortest: int, longest: int) -> list[int]:
    return [rng.randrange(3, 256) for _ in range(rng.randint(shortest, longest))]


@ALL
def test_every_way_of_scoring_gives_the_same_scores(tiny: Any, empty: bool) -> None:
    rng = random.Random(0)
    prefix, queries = ([] if empty else drawn(rng, 30, 30)), [drawn(rng, 2, 20) for _ in range(7)]
    choices = [[drawn(rng, 1, 6) for _ in range(4)] for _ in queries]
    *plain, ours = (way.make(tiny, 0, 3, 200).score(prefix, queries, choices) for way in scoring.TECHNIQUES)
    for scores in plain:
        for own, expected in zip(scores, ours, strict=True):
            assert own == pytest.approx(expected, abs=1e-3)


@ALL
def test_every_way_of_writing_gives_the_same_texts(tiny: Any, tiny_model: Path, empty: bool) -> None:
    rng = random.Random(1)
    prefix, queries = ([] if empty else drawn(rng, 12, 12)), [drawn(rng, 2, 20) for _ in range(7)]
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    stops, strings = frozenset(range(0, 256, 24)), ["a", "z"]  # frequent, so that rows end at different times

    def cut(ids: list[int]) -> int | None:
        return next((i + 1 for i in range(len(ids)) if tokenizer.decode(ids[i]) in strings), None)

    given = (tiny, 0, 3, 200, stops, strings, tokenizer)
    *plain, ours = (way.make(*given).generate(prefix, queries, cut, 20) for way in writing.TECHNIQUES)
    assert len({len(text) for text in ours}) > 2
    assert all(texts == ours for texts in plain)


def test_every_way_of_training_leaves_the_same_loss(tiny_model: Path) -> None:
    rng = random.Random(2)
    pairs = [(drawn(rng, 4, 30), drawn(rng, 2, 6)) for _ in range(12)]
    method = methods.create("full", {"learning_rate": 1e-3, "batch_size": 4, "max_steps": 5})
    setting = Setting(method.weights.options, 1e-3, 0, pad=258, micro_batch=2, bf16=False)

    def loss(way: Technique) -> float:
        torch.manual_seed(0)
        model = way.make(AutoModelForCausalLM.from_pretrained(tiny_model), pairs, setting).train()
        return mean_loss(model, pairs, pad=258, rows=4)

    shuffled, *same, ours = map(loss, learning.TECHNIQUES[:6])
    assert same == pytest.approx([ours] * len(same), abs=1e-4)
    assert shuffled < mean_loss(AutoModelForCausalLM.from_pretrained(tiny_model), pairs, pad=258, rows=4)
    assert shuffled != pytest.approx(ours, abs=1e-3)  # or the batches were no others


def score(scores: list[float], place: int) -> dict[str, Any]:
    return {"scores": [scores], "answers": [[place]]}


def test_scores_that_lie_apart_end_the_command() -> None:
    ours, near = score([-1.0, -2.0], 0), score([-1.0, -2.0005], 0)
    row = stacked.Row(scoring.TECHNIQUES[0], [near])
    stacked.compare(CASES["77 labels, 0 shots"], row, ours)
    assert row.apart == pytest.approx(0.0005)
    for wrong in (score([-1.0, -2.5], 0), score([-1.0, -2.0], 1)):
        with pytest.raises(SystemExit, match="from those of adaptbench"):
            stacked.compare(CASES["77 labels, 0 shots"], stacked.Row(scoring.TECHNIQUES[0], [wrong]), ours)


def test_a_text_may_differ_where_two_tokens_tie_and_nowhere_else() -> None:
    ours = {"answers": [[5, 6, 7]], "margins": [[2.0, 1e-5, 3.0]]}
    assert stacked.texts_apart({"answers": [[5, 6, 7]]}, ours) == 0
    assert stacked.texts_apart({"answers": [[5, 9, 9, 9]]}, ours) == 1e-5
    assert stacked.texts_apart({"answers": [[8, 6, 7]]}, ours) == 2
    assert stacked.texts_apart({"answers": [[5, 6]]}, ours) == float("inf")  # ended where ours went on


def test_ratios_are_medians_of_the_rounds() -> None:
    way = scoring.TECHNIQUES[0]
    slow, fast = (stacked.Row(way, [{"seconds": s} for s in each]) for each in ((4.0, 9.0, 10.0), (2.0, 3.0, 1.0)))
    assert fast.faster(slow) == 3
    assert slow.median("seconds") == 9
