"""Rows in one line behind what they share: the loss and the gradients of each row alone, wherever a model allows it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AttentionInterface, AutoModelForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

import methods
from bench.core.training import BatchWork
from bench.training import packed_attention
from bench.training.batches import Arrangement, Layout, Pair, Pairs, collate, laid_out
from bench.training.loss import arranged, arrangement_of, mean_loss, summed_loss

SMALL = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip

tokens = st.integers(3, 60)
answers = st.lists(tokens, min_size=1, max_size=4)
own = st.lists(st.tuples(st.lists(tokens, max_size=6), answers), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_model).eval()


def alone(model: Any, pair: Pair) -> torch.Tensor:
    """-log p of each answer token given all before it, summed: one sequence, nothing beside it."""
    prompt, answer = pair
    steps = model(torch.tensor([[*prompt, *answer]])).logits[0].float().log_softmax(-1)
    return -torch.stack([steps[len(prompt) - 1 + i, token] for i, token in enumerate(answer)]).sum()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shared=st.lists(tokens, min_size=1, max_size=9), rows=own)
def test_the_loss_is_that_of_each_row_alone(model: Any, shared: list[int], rows: list[tuple[list[int], Any]]) -> None:
    pairs = [([*shared, *prompt], answer) for prompt, answer in rows]
    with arranged(model) as on, torch.no_grad():
        assert on is Arrangement.PACKED
        batch = collate(Pairs(pairs).rows, pad=0, arrangement=Arrangement.PACKED)
        found = float(summed_loss(model, batch))
    with torch.no_grad():
        expected = float(sum(alone(model, pair) for pair in pairs))
    assert found == pytest.approx(expected, rel=1e-5)
    assert batch["layout"].filler <= batch["layout"].work.tokens / 16


PAIRS: list[Pair] = [((5, 6, 7, 8, 9), (10, 11)), ((5, 6, 7), (12,)), ((5, 6, 7, 20), (21, 22, 23, 24))]


@pytest.mark.parametrize("name", ["full", "lora"])
def test_the_gradients_are_those_of_each_row_alone(model: Any, name: str) -> None:
    torch.manual_seed(0)
    lined = methods.create(name, {}).weights.start(copy.deepcopy(model), 0)
    for parameter in lined.parameters():  # an adapter's B is zero at first, and A then has no gradient
        if parameter.requires_grad:
            parameter.data += 0.02 * torch.randn_like(parameter)
    one_by_one = copy.deepcopy(lined)
    with arranged(lined) as on:
        summed_loss(lined, collate(Pairs(PAIRS).rows, 0, on)).backward()
    torch.stack([alone(one_by_one, pair) for pair in PAIRS]).sum().backward()
    trained = [(a.grad, b.grad) for a, b in zip(lined.parameters(), one_by_one.parameters(), strict=True)]
    assert sum(a is not None for a, _ in trained) > 4
    for a, b in trained:
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)


def test_recomputed_activations_give_the_same_gradients(model: Any) -> None:
    kept, recomputed = copy.deepcopy(model).train(), copy.deepcopy(model).train()
    recomputed.gradient_checkpointing_enable()
    for each in (kept, recomputed):
        with arranged(each) as on:
            summed_loss(each, collate(Pairs(PAIRS).rows, 0, on)).backward()
    for a, b in zip(kept.parameters(), recomputed.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5)


def test_a_line_by_hand() -> None:
    batch = collate(Pairs(PAIRS).rows, 0, Arrangement.PACKED)
    line, positions = batch["input_ids"][0].tolist(), batch["position_ids"][0].tolist()
    assert line == [5, 6, 7, 8, 9, 10, 20, 21, 22, 23]  # the last answer tokens are not fed
    assert positions == [0, 1, 2, 3, 4, 5, 3, 4, 5, 6]
    assert batch["logits_to_keep"].tolist() == [4, 5, 2, 6, 7, 8, 9]
    assert batch["labels"].tolist() == [10, 11, 12, 21, 22, 23, 24]
    assert batch["layout"] == Layout((3, 0, 4), 7, packed=True, shared=3, filler=0)
    assert batch["layout"].work == BatchWork(tokens=10, predicted=7, beside=9 + 3 * 6 + 4 * 7)
    assert laid_out(Pairs(PAIRS).rows, packed=False).work == BatchWork(6 + 3 + 7, 7, 36 + 9 + 49)


def test_a_model_goes_back_to_its_own_attention(model: Any) -> None:
    before = model.config._attn_implementation
    with arranged(model):
        assert model.config._attn_implementation == packed_attention.NAME
        assert mean_loss(model, PAIRS, pad=0, rows=2) > 0  # which packs too
        assert model.config._attn_implementation == packed_attention.NAME
    assert model.config._attn_implementation == before


@pytest.mark.parametrize(
    ("family", "changes", "expected"),
    [
        ("Llama", {}, True),
        ("Qwen3", {"head_dim": 8}, True),
        ("GPTNeoX", {"num_key_value_heads": None}, True),
        ("GPT2", {"n_embd": 32, "n_layer": 2, "n_head": 4}, True),
        ("Mistral", {"sliding_window": 8}, False),
        ("Gemma2", {"head_dim": 8, "sliding_window": 8}, False),
        ("Bloom", {"n_layer": 2, "n_head": 4}, False),  # positions are biases of its own attention
        ("Mamba", {"state_size": 4}, False),
    ],
)
def test_a_model_is_tried_before_it_is_given_lines(family: str, changes: dict[str, Any], expected: bool) -> None:
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**{**SMALL, **changes})
    made = getattr(transformers, {"GPT2": "GPT2LMHeadModel"}.get(family, f"{family}ForCausalLM"))(config).train()
    assert (arrangement_of(made) is Arrangement.PACKED) is expected
    assert made.training
    if expected:
        made.eval()
        found = mean_loss(made, PAIRS, pad=0, rows=3)
        with torch.no_grad():
            assert found == pytest.approx(float(sum(alone(made, pair) for pair in PAIRS)) / 7, rel=1e-5)


def test_an_attention_that_sees_its_neighbours_is_noticed(tiny_model: Path) -> None:
    def leaking(
        module: Any, query: Any, key: Any, value: Any, mask: Any, *, layout: Layout, **kwargs: Any
    ) -> tuple[Any, None]:
        return sdpa_attention_forward(module, query, key, value, None, **kwargs)

    made = AutoModelForCausalLM.from_pretrained(tiny_model)
    AttentionInterface.register(packed_attention.NAME, leaking)
    try:
        with arranged(made) as on:
            assert on is Arrangement.LEFT
    finally:
        AttentionInterface.register(packed_attention.NAME, packed_attention.attend)
    assert arrangement_of(AutoModelForCausalLM.from_pretrained(tiny_model)) is Arrangement.PACKED


@pytest.mark.parametrize(
    ("tokens", "length"), [(1, 1), (31, 31), (32, 32), (33, 34), (100, 100), (101, 104), (600, 608)]
)
def test_a_line_has_one_of_few_lengths(tokens: int, length: int) -> None:
    layout = laid_out([{"input_ids": range(tokens + 1), "answer": tokens}], packed=True)
    assert sum(layout.own) + layout.shared + layout.filler == length
