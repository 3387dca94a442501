"""Making mini: the same corpus whenever it is asked for, a resume that changes nothing, a model that loads anywhere."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from bench.core.errors import UsageError
from scripts.mini import induction
from scripts.mini.corpus import mixture
from scripts.mini.corpus.document import Document
from scripts.mini.pretrain import pretrain, rate
from scripts.mini.recipe import Cycle, Recipe, Stage
from scripts.mini.stream import batch, encode
from scripts.mini.tokenizer import train_tokenizer
from scripts.mini.weights import VALUE_GAIN, prepare

STAGES = (Stage(2 * 512, 8, 64, random_ids=True), Stage(4 * 512, 2, 256), Stage(2 * 512, 1, 512))
FIRST = Cycle(STAGES, rate=2.5e-3, warmup_steps=2)
SMALL = Recipe(
    vocabulary=400, width=32, layers=2, heads=2, mlp=64, context=512, tokenizer_documents=60,
    cycles=(FIRST, Cycle((Stage(4 * 512, 2, 256),), rate=1e-3, warmup_steps=1)),
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
    whole, resumed = trained(tmp_path / "whole", None), trained(tmp_path / "resumed", 3, 5, 8, 9, None)
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


def test_it_learns_and_loads_without_anything_of_ours(tmp_path: Path) -> None:
    losses: list[float] = []
    longer = replace(SMALL, cycles=(replace(FIRST, stages=(Stage(120 * 512, 2, 256),)),))
    folder = pretrain(tmp_path, longer, lambda step, loss, speed: losses.append(loss), compiled=False)
    assert losses[-1] < losses[0] - 0.3
    model, loaded = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model.config.model_type == "llama"
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert loaded.eos_token_id == loaded.pad_token_id == model.config.eos_token_id == 0
    assert model(torch.tensor([loaded("Hello there")["input_ids"]])).logits.isfinite().all()


def test_another_recipe_does_not_go_on_with_a_checkpoint(tmp_path: Path) -> None:
    pretrain(tmp_path, SMALL, lambda *said: None, 1, compiled=False)
    with pytest.raises(UsageError, match="is of another recipe"):
        pretrain(tmp_path, replace(SMALL, weight_decay=0.1), lambda *said: None, 2, compiled=False)


def test_a_batch_is_the_same_whenever_it_is_asked_for(tokenizer: PreTrainedTokenizerFast) -> None:
    backend = tokenizer.backend_tokenizer
    one, again, other = (batch(backend, SMALL, step) for step in (5, 5, 4))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], other[0])
    assert [tuple(batch(backend, SMALL, step)[0].shape) for step in (0, 1, 2, 5, 6, 7)] == [
        (8, 65), (8, 65), (2, 257), (2, 257), (1, 513), (1, 513)
    ]  # fmt: skip


def test_documents_are_whole_and_what_is_left_of_a_row_is_not_learnt(tokenizer: PreTrainedTokenizerFast) -> None:
    everything = replace(SMALL, predicted_share=1.0)
    ids, places, weights = batch(tokenizer.backend_tokenizer, everything, 4)
    assert places.tolist() == list(range(2 * 256))
    for row, of_row in zip(ids.tolist(), weights.view(2, 256).tolist(), strict=True):
        used = 1 + max(i for i, weight in enumerate(of_row) if weight > 0)
        assert row[used] == 0  # the last document has its end
        assert set(row[used:]) == {0}
        assert used > 128  # a row is mostly full


def test_the_tokens_to_predict_hold_all_answers_and_weigh_as_much_as_all(tokenizer: PreTrainedTokenizerFast) -> None:
    for step in range(2, 8):
        _, _, whole = batch(tokenizer.backend_tokenizer, replace(SMALL, predicted_share=1.0), step)
        _, places, weights = batch(tokenizer.backend_tokenizer, SMALL, step)
        answers = int((whole == 1).sum())
        assert len(places) == len(set(places.tolist())) == int(0.4 * len(whole))
        if answers < len(places):
            assert int((weights[whole[places] == 1] == 1).sum()) == answers
            assert weights.sum().item() == pytest.approx(whole.sum().item(), rel=1e-5)
        else:
            assert weights.tolist() == [1.0] * len(places)


@pytest.mark.parametrize("longest", [1, 3])
def test_random_ids_can_all_be_told_from_what_stands_before(tokenizer: PreTrainedTokenizerFast, longest: int) -> None:
    for seed in range(40):
        ids, weights = induction.draw(random.Random(seed), tokenizer.backend_tokenizer, 400, longest)
        assert len(ids) == len(weights)
        first = weights.index(1.0)
        assert set(weights[:first]) == {0.0}
        assert {ids[i] for i, weight in enumerate(weights) if weight} <= set(ids[:first])


def test_equal_tokens_attend_to_each_other_from_the_start() -> None:
    model = LlamaForCausalLM(LlamaConfig(**SMALL.config()))
    prepare(model)
    for layer in model.model.layers:
        attention = layer.self_attn
        assert torch.equal(attention.q_proj.weight, attention.k_proj.weight)
        copied = attention.o_proj.weight @ attention.v_proj.weight
        assert torch.allclose(copied, VALUE_GAIN**2 * torch.eye(32), atol=1e-5)


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


def test_the_rate_warms_up_stays_and_falls_to_its_share() -> None:
    one = Cycle((Stage(1000 * 1024, 4, 256),), 3e-3, constant_share=0.5, final_share=0.02, warmup_steps=200)
    recipe = Recipe(cycles=(one, replace(one, rate=1e-3)))
    for start, top in ((0, 3e-3), (1000, 1e-3)):
        assert rate(recipe, start) == pytest.approx(top / 200)
        assert rate(recipe, start + 199) == rate(recipe, start + 500) == pytest.approx(top)
        assert rate(recipe, start + 750) == pytest.approx(top * (0.02 + 0.98 / 2))  # half way along the line
    assert rate(recipe, 2000) == pytest.approx(1e-3 * 0.02)


def test_the_place_of_a_step_and_the_tokens_before_it() -> None:
    places = [SMALL.at(step) for step in (0, 2, 7, 8, 11, 12)]
    assert [(place.number, place.step) for place in places] == [(0, 0), (0, 2), (0, 7), (1, 0), (1, 3), (1, 4)]
    assert [place.progress for place in places] == [0, 0.25, 0.875, 1, 1.75, 2]
    assert [SMALL.tokens_before(step) for step in (0, 2, 8, 11, 12)] == [512 * n for n in (0, 2, 8, 11, 12)]
    assert SMALL.steps == 12


def test_copying_falls_from_its_share_to_a_little() -> None:
    assert mixture.copying_share(0.0) == 0.5
    assert mixture.copying_share(0.15) == pytest.approx(0.25)
    assert mixture.copying_share(0.5) == mixture.copying_share(1.0) == 0.04
