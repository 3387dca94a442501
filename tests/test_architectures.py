"""Whatever the architecture: scores and texts of one whole prompt at a time, in fp32; or refused as what it is."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from bench.core.errors import CellError, NonFiniteError
from bench.engine.transformers_engine import Engine
from bench.engine.trial import Reading, Writing, reading_of, writing_of
from bench.model.causal import require_causal
from bench.training.batches import Pair, Pairs, collate
from bench.training.loss import arranged, summed_loss
from tests.architectures import BOTH_WAYS, FIRST, MORE, build
from tests.test_engine import drawn, plain_generate, plain_score

FAMILIES = [
    *(pytest.param(name, changes, id=name) for name, changes in FIRST.items()),
    *(pytest.param(name, changes, id=name, marks=pytest.mark.slow) for name, changes in MORE.items()),
]


@pytest.mark.parametrize(("family", "changes"), FAMILIES)
def test_it_answers_as_one_prompt_at_a_time(family: str, changes: dict[str, Any]) -> None:
    model = build(family, changes)
    require_causal(model, family)
    engine = Engine(model, 0, frozenset(range(3, 128, 17)), 2048)
    rng = random.Random(family)
    for shared, longest in ((0, 12), (24, 12), (6, 30)):  # zero-shot, few-shot, passages in each query
        prefix, queries = drawn(rng, shared, shared, 128), [drawn(rng, 1, longest, 128) for _ in range(3)]
        start = drawn(rng, 1, 1, 128)
        choices = [[start, start + drawn(rng, 1, 3, 128), start + drawn(rng, 1, 3, 128)] for _ in queries]
        scores = engine.score(prefix, queries, choices)
        for query, of_query, found in zip(queries, choices, scores, strict=True):
            assert found == pytest.approx([plain_score(model, [*prefix, *query], c) for c in of_query], abs=1e-4)
        texts = engine.generate(prefix, queries, lambda ids: None, 10)
        assert texts == [plain_generate(model, [*prefix, *query], engine.stops, 10) for query in queries]


@pytest.mark.parametrize(("family", "changes"), FAMILIES)
def test_it_has_the_loss_of_each_row_alone(family: str, changes: dict[str, Any]) -> None:
    model, rng = build(family, changes), random.Random(family)
    prefix = drawn(rng, 5, 5, 128)
    pairs: list[Pair] = [(prefix + drawn(rng, n, n, 128), drawn(rng, 1, 4, 128)) for n in (0, 3, 20)]
    expected = -sum(plain_score(model, prompt, answer) for prompt, answer in pairs)
    with arranged(model) as arrangement:
        loss = summed_loss(model, collate(Pairs(pairs).rows, 0, arrangement))
        loss.backward()
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-3)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert gradients
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


@pytest.mark.parametrize("family", BOTH_WAYS)
def test_a_model_that_reads_both_ways_is_refused(family: str) -> None:
    with pytest.raises(CellError, match="reads both ways") as refusal:
        require_causal(build(family, {}), family)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("family", "reading", "writing"),
    [
        ("llama", Reading.TREE, Writing.PICKED),
        ("gpt2", Reading.TREE, Writing.PICKED),
        ("bloom", Reading.PREFIX, Writing.PICKED),
        ("gpt_neo", Reading.PREFIX, Writing.PADDED),
        ("mistral", Reading.ROWS, Writing.PADDED),
        ("mamba", Reading.ROWS, Writing.EQUAL),
    ],
)
def test_what_is_shared_follows_from_the_figures(family: str, reading: Reading, writing: Writing) -> None:
    engine = Engine(build(family, FIRST[family]), 0, frozenset(), 2048)
    assert (engine.reading, engine.writing) == (reading, writing)


def test_a_model_that_says_the_same_of_every_text_shares_nothing() -> None:
    """Whatever is shared, its scores agree: that shows nothing about the weights that training will make of it."""
    model = build("llama", {})
    model.lm_head.weight.data.zero_()
    engine = Engine(model, 0, frozenset(), 2048)
    assert reading_of(engine.decoder) is Reading.ALONE
    assert writing_of(engine.decoder) is Writing.REREAD


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounding_of_half_precision_is_not_taken_for_an_error(dtype: torch.dtype) -> None:
    for family, reading in (("llama", Reading.TREE), ("bloom", Reading.PREFIX), ("gpt_neo", Reading.PREFIX)):
        engine = Engine(build(family, FIRST[family]).to(dtype), 0, frozenset(), 2048)
        assert engine.reading is reading, family


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_a_typed_error(value: float) -> None:
    model = build("llama", {})
    under_test = Engine(model, 0, frozenset(), 2048)
    assert under_test.reading is Reading.TREE
    assert under_test.writing is Writing.PICKED
    model.lm_head.weight.data[7] = value
    for fresh in (under_test, Engine(build("llama", {}), 0, frozenset(), 2048)):
        fresh.model.lm_head.weight.data[7] = value
        with pytest.raises(NonFiniteError, match="not finite"):
            fresh.score([5, 6], [[9, 8]], [[[3, 4], [11]]])
        with pytest.raises(NonFiniteError, match="not finite"):
            fresh.generate([5, 6], [[9, 8]], lambda ids: None, 4)
