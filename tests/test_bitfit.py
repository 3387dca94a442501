"""`bitfit` trains the biases and nothing else, or the norms of a model that has no biases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration

import methods
from bench.core.errors import NotApplicableError, UsageError
from bench.engine.backend import local
from tests.test_encoders import word_task
from tests.toy import QUICK, adapted, choice_task


def started(model: Any, **options: Any) -> Any:
    return methods.create("bitfit", options).weights.start(model, 0)


def trained(model: Any) -> dict[str, int]:
    return {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}


def gpt2() -> Any:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=4, n_positions=64)).eval()


def test_of_a_model_with_biases_they_alone_are_trained() -> None:
    found = trained(started(gpt2()))
    assert all(name.endswith("bias") for name in found)
    block = 3 * 32 + 32 + 4 * 32 + 32 + 2 * 32  # query, key and value; output; both of the MLP; two norms
    assert sum(found.values()) == 2 * block + 32  # and the last norm


def test_of_a_model_without_biases_the_norms_are_trained(tiny_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    layers, width = model.config.num_hidden_layers, model.config.hidden_size
    found = trained(started(model))
    assert all("norm" in name for name in found)
    assert sum(found.values()) == (2 * layers + 1) * width
    with pytest.raises(NotApplicableError, match="parameters: biases, but the model has none"):
        started(AutoModelForCausalLM.from_pretrained(tiny_model), parameters="biases")


def test_which_of_them_can_be_said() -> None:
    assert {name.rpartition(".")[2] for name in trained(started(gpt2(), parameters="norms"))} == {"weight"}
    with pytest.raises(UsageError, match='parameters is "bias"'):
        methods.create("bitfit", {"parameters": "bias"})


def test_the_biases_by_distance_of_t5_are_no_biases() -> None:
    torch.manual_seed(0)
    t5 = T5ForConditionalGeneration(T5Config(vocab_size=50, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4))
    assert all("layer_norm" in name for name in trained(started(t5)))


def test_a_classifier_has_its_head_trained_too(prompted: Path) -> None:
    model = local(adapted(word_task(), "bitfit", QUICK, prompted).predictor.backend).model
    whole = {name for name in trained(model) if not name.endswith("bias")}
    assert whole == {"classifier.weight", "bert.pooler.dense.weight"}


def test_untrained_it_is_the_base_and_training_moves_nothing_else(tiny_model: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    before, state = base(ids).logits, {name: p.clone() for name, p in base.state_dict().items()}
    assert torch.equal(started(base)(ids).logits, before)
    after = local(adapted(choice_task(), "bitfit", QUICK, tiny_model).predictor.backend).model.state_dict()
    assert {name for name in after if not torch.equal(after[name], state[name])} == set(trained(base))
