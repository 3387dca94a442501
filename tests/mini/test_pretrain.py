"""Making mini: the same corpus whenever it is asked for, a resume that changes nothing, a model that loads anywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from bench.errors import UsageError
from bench.mini.corpus import mixture
from bench.mini.corpus.document import Document
from bench.mini.pretrain import pretrain, rate
from bench.mini.recipe import Recipe
from bench.mini.stream import batch, encode
from bench.mini.tokenizer import train_tokenizer

SMALL = Recipe(
    vocabulary=400, width=32, layers=2, heads=2, mlp=64, context=128, short_rows=64, tokens=8 * 512, batch_tokens=512,
    warmup_steps=2, tokenizer_documents=60,
)  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(mixture.sample(0, 60), 400)


def trained(out: Path, *stops: int | None) -> dict[str, torch.Tensor]:
    for until in stops:
        folder = pretrain(out, SMALL, lambda *said: None, until, compiled=False)
    weights: dict[str, torch.Tensor] = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    return weights


def test_stopped_and_gone_on_with_it_is_the_same_model(tmp_path: Path) -> None:
    whole, resumed = trained(tmp_path / "whole", None), trained(tmp_path / "resumed", 3, 5, None)
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


def test_it_learns_and_loads_without_anything_of_ours(tmp_path: Path) -> None:
    losses: list[float] = []
    longer = replace(SMALL, tokens=120 * 512)
    folder = pretrain(tmp_path, longer, lambda s, n, loss, speed: losses.append(loss), compiled=False)
    assert losses[-1] < losses[0] - 0.3
    model, loaded = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model.config.model_type == "llama"
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert loaded.eos_token_id == loaded.pad_token_id == model.config.eos_token_id == 0
    assert model(torch.tensor([loaded("Hello there")["input_ids"]])).logits.isfinite().all()


def test_another_recipe_does_not_go_on_with_a_checkpoint(tmp_path: Path) -> None:
    pretrain(tmp_path, SMALL, lambda *said: None, 1, compiled=False)
    with pytest.raises(UsageError, match="is of another recipe"):
        pretrain(tmp_path, replace(SMALL, rate=1e-3), lambda *said: None, 2, compiled=False)


def test_a_batch_is_the_same_whenever_it_is_asked_for(tokenizer: PreTrainedTokenizerFast) -> None:
    backend = tokenizer.backend_tokenizer
    ids, weights = batch(backend, SMALL, 5)
    again, _ = batch(backend, SMALL, 5)
    other, _ = batch(backend, SMALL, 4)
    assert ids.shape == (8, 65)
    assert weights.shape == (8, 64)
    assert torch.equal(ids, again)
    assert not torch.equal(ids, other)
    assert batch(backend, SMALL, 7)[0].shape == (4, 129)  # the last three tenths have rows of the whole context


def test_answers_weigh_one_and_all_else_a_tenth(tokenizer: PreTrainedTokenizerFast) -> None:
    document = Document().given("Question: where?\nAnswer:").answer(" here").given("\n\nQuestion: who?\nAnswer:")
    ids, weights = encode(tokenizer.backend_tokenizer, document, 0, 0.1)
    lengths = [len(tokenizer(text)["input_ids"]) for text, _ in document.pieces]
    assert weights == [0.1] * lengths[0] + [1.0] * lengths[1] + [0.1] * lengths[2] + [1.0]
    assert tokenizer.decode(ids[:-1]) == document.text
    assert ids[-1] == 0


@settings(max_examples=50)
@given(text=st.text(max_size=80))
def test_any_text_goes_through_the_tokenizer(text: str) -> None:
    made = _TOKENIZER
    if "<|end|>" not in text:
        assert made.decode(made(text)["input_ids"], clean_up_tokenization_spaces=False) == text


_TOKENIZER = train_tokenizer(["A short text, and 12 more."], 300)


def test_digits_are_pieces_of_their_own(tokenizer: PreTrainedTokenizerFast) -> None:
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("QM-4821 in 1987")["input_ids"])
    assert all(len(piece) == 1 for piece in pieces if any(letter.isdigit() for letter in piece))


def test_the_rate_warms_up_and_falls_to_its_share() -> None:
    recipe = Recipe(tokens=1000 * 4096, warmup_steps=200)
    assert rate(recipe, 0) == pytest.approx(recipe.rate / 200)
    assert rate(recipe, 199) == pytest.approx(recipe.rate)
    assert rate(recipe, 600) == pytest.approx(recipe.rate * (0.05 + 0.95 / 2))  # half way along the cosine
    assert rate(recipe, 1000) == pytest.approx(recipe.rate * 0.05)


def test_copying_falls_from_its_share_to_a_little() -> None:
    assert mixture.copying_share(0.0) == 0.6
    assert mixture.copying_share(0.15) == pytest.approx(0.3)
    assert mixture.copying_share(0.5) == mixture.copying_share(1.0) == 0.04
