"""Operations worked out from shapes against torch's own counter, on real passes of every kind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig

import methods
from bench.engine.prompts import Encoded
from bench.engine.transformers_engine import Engine
from bench.engine.trial import Reading, Writing
from bench.meters import flops
from bench.meters.optional import optional
from bench.training.batches import Pairs, collate, laid_out
from bench.training.loss import summed_loss
from tests.architectures import FIRST, build


@pytest.fixture(scope="module")
def llama() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=160, max_position_embeddings=256, tie_word_embeddings=True, pad_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def ids(count: int, start: int = 1) -> tuple[int, ...]:
    return tuple(1 + (start * 37 + i * 13) % 500 for i in range(count))


PAIRS = [(ids(40, i), ids(6, i + 50)) for i in range(8)]


def test_a_shape_is_counted_by_hand(llama: Any) -> None:
    shape = flops.shape_of(llama)
    assert shape is not None
    layer = 64 * 64 * 2 + 2 * 64 * 32 + 3 * 64 * 160  # queries and output, keys and values of half the heads, MLP
    assert (shape.layers, shape.width, shape.blocks, shape.head) == (3, 64, 3 * layer, 512 * 64)
    assert (shape.trained, shape.silent, shape.silent_layers, shape.head_trained) == (3 * layer, 0, 0, True)
    assert flops.forward(shape, 10, 5, 1) == 2 * 3 * layer * 10 + 3 * 4 * 64 * 10 * 15 + 2 * 512 * 64


def test_a_model_that_routes_tokens_has_no_shape(llama: Any) -> None:
    class Routed:
        config = MixtralConfig(num_local_experts=8)

    assert flops.shape_of(Routed()) is None


def test_sizes_are_read_from_the_text_part_of_a_configuration() -> None:
    shape = flops.shape_of(build("gemma3", FIRST["gemma3"]))
    assert shape is not None
    assert (shape.layers, shape.width) == (2, 4 * 8)


def test_a_model_without_attention_heads_has_no_shape() -> None:
    assert flops.shape_of(build("mamba", FIRST["mamba"])) is None


def test_a_count_that_fails_is_left_out_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> int:
        raise AttributeError("'Config' object has no attribute 'hidden_size'")

    assert optional("operations", fails) is None
    assert "operations: not recorded: AttributeError: 'Config' object has no attribute 'hidden_size'" in caplog.text
    assert optional("operations", lambda: 3) == 3


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("full", {}),
        ("lora", {}),
        ("lora", {"train_end_token": False}),
        ("rslora", {"rank": 8}),
        ("ia3", {}),
        ("last-layers", {"layers": 1}),
        ("last-layers", {"layers": 2}),
    ],
)
def test_training_is_what_torch_counts(llama: Any, method: str, options: dict[str, Any]) -> None:
    import copy

    model = methods.create(method, options).weights.start(copy.deepcopy(llama), 0)
    model.train()
    batch = collate(Pairs(PAIRS).rows, 0)
    with flops.counted() as found:
        summed_loss(model, batch).backward()
    shape = flops.shape_of(model)
    assert shape is not None
    assert flops.training(shape, batch["layout"].work) == pytest.approx(found[0], rel=0.05)


def test_lora_costs_less_than_full_training(llama: Any) -> None:
    import copy

    full, lora = (
        flops.shape_of(methods.create(name, {}).weights.start(copy.deepcopy(llama), 0)) for name in ("full", "lora")
    )
    assert full is not None
    assert lora is not None
    assert 0 < lora.trained == lora.blocks - full.blocks
    frozen = flops.Shape(lora.layers, lora.width, full.blocks, full.head, 0, 0, 0, False)
    work = laid_out(Pairs(PAIRS).rows, packed=False).work
    whole, without = flops.training(full, work), flops.training(frozen, work)
    assert without / whole == pytest.approx(2 / 3, abs=0.08)  # 4N against 6N, and attention


@pytest.mark.parametrize("shared", [True, False])
def test_ranking_is_what_torch_counts(llama: Any, shared: bool) -> None:
    choices = tuple(ids(n, n) for n in (1, 5, 5))
    prefix = ids(48)
    prompts = [Encoded(str(i), prefix, ids(24, i), choices) for i in range(6)]
    engine = Engine(llama, 0, frozenset({0}), 8192)
    engine.reading = Reading.TREE if shared else Reading.ROWS
    with flops.counted() as found:
        engine.score(prefix, [p.query for p in prompts], [p.choices for p in prompts])
    shape = flops.shape_of(llama)
    assert shape is not None
    assert flops.scoring(shape, prompts, engine.reading) == pytest.approx(found[0], rel=0.1)


def test_writing_is_what_torch_counts(llama: Any) -> None:
    prompts = [Encoded(str(i), ids(16), ids(32, i)) for i in range(5)]
    engine = Engine(llama, 0, frozenset(), 8192)
    assert engine.writing is Writing.PICKED  # a trial is not counted
    with flops.counted() as found:
        texts = engine.generate(ids(16), [p.query for p in prompts], lambda found: None, 24)
    shape = flops.shape_of(llama)
    assert shape is not None
    assert {len(text) for text in texts} == {24}
    assert flops.writing(shape, prompts, [24] * 5) == pytest.approx(found[0], rel=0.05)
