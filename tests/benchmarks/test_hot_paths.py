"""The hot paths on the tiny model, as ratios (see `kernels`). Left out of the default run; how to: CONTRIBUTING.md."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.analysis.statistics.paired import paired_draws
from bench.analysis.statistics.seeds import crossed_means
from bench.core.item import Item
from bench.core.method import Context
from bench.core.prompt import Block, Prompt
from bench.engine.choice_tree import trees_of
from bench.engine.prompts import Writer
from bench.model.tokenizer import Codec
from tests.benchmarks import kernels

pytestmark = pytest.mark.benchmark
Ids = list[int]


def drawn(rng: random.Random, shortest: int, longest: int) -> Ids:
    return [rng.randrange(3, 250) for _ in range(rng.randint(shortest, longest))]


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model).eval()


def engine(model: Any) -> Any:
    from bench.engine.transformers_engine import Engine

    return Engine(model, pad=0, stops=frozenset({257}), batch_tokens=2048)


def test_scoring_choices_with_a_shared_prefix(benchmark: Any, tiny: Any) -> None:
    """24 questions with 8 choices each behind 200 tokens that they share."""
    rng = random.Random(0)
    prefix, queries = drawn(rng, 200, 200), [drawn(rng, 10, 40) for _ in range(24)]
    choices = [[drawn(rng, 2, 8) for _ in range(8)] for _ in queries]
    asked = engine(tiny)

    def work() -> object:
        asked.forget()
        return asked.score(prefix, queries, choices)

    kernels.measure(benchmark, work, kernels.in_torch)


def test_greedy_generation(benchmark: Any, tiny: Any) -> None:
    """24 tokens for each of 16 prompts behind 100 tokens that they share."""
    rng = random.Random(1)
    prefix, queries = drawn(rng, 100, 100), [drawn(rng, 10, 40) for _ in range(16)]
    asked = engine(tiny)
    kernels.measure(benchmark, lambda: asked.generate(prefix, queries, lambda ids: None, 24), kernels.in_torch)


def test_a_training_step(benchmark: Any, tiny_model: Path) -> None:
    """A batch of 8 put together, its loss, gradients and AdamW's step."""
    import torch
    from transformers import AutoModelForCausalLM

    from bench.training.batches import Pairs, collate
    from bench.training.loss import summed_loss

    rng = random.Random(2)
    rows = Pairs([(drawn(rng, 40, 80), drawn(rng, 2, 8)) for _ in range(8)]).rows
    model = AutoModelForCausalLM.from_pretrained(tiny_model).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def work() -> None:
        summed_loss(model, collate(rows, 0)).backward()
        optimizer.step()
        optimizer.zero_grad()

    kernels.measure(benchmark, work, kernels.in_torch)


def test_packing(benchmark: Any) -> None:
    """1,600 choices of 200 questions laid side by side."""
    rng = random.Random(3)
    asked = [tuple(tuple(drawn(rng, 1, 12)) for _ in range(8)) for _ in range(200)]

    def work() -> object:
        trees_of.cache_clear()
        return [trees_of(choices, 128) for choices in asked]

    kernels.measure(benchmark, work, kernels.in_python)


def test_bootstrap(benchmark: Any) -> None:
    """2,000 resamples of 1,000 items."""
    first, second = np.random.default_rng(4).random((2, 1000))
    kernels.measure(benchmark, lambda: paired_draws(first, second, draws=2000), kernels.in_numpy)


def test_crossed_means(benchmark: Any) -> None:
    """Two methods with five seeds each on 2,000 items."""
    first, second = np.random.default_rng(5).random((2, 5, 2000))
    kernels.measure(benchmark, lambda: crossed_means(first, second), kernels.in_numpy)


def test_writing_prompts(benchmark: Any, tiny_model: Path) -> None:
    """60 questions with three choices behind four few-shot examples, by a codec that has seen no text before."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    prompt = Prompt("Name the colour.", "{text}\nColour:")
    shown = tuple(Block("example", f"train/{i}", f"Thing {i} looks red.\nColour:", " red") for i in range(4))
    items = [Item(f"test/{i}", {"text": f"Thing {i} looks {i % 7} times blue."}, ("red", "green", "dark blue"))
             for i in range(60)]  # fmt: skip

    def work() -> object:
        return Writer(Codec(tokenizer), prompt, Context(shown), 512, 0).write(items)

    kernels.measure(benchmark, work, kernels.in_python)
