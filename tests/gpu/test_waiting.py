"""Nothing waits for a GPU token by token or choice by choice, and every tensor is made where the model is.

Looks at numbers are counted on the CPU. The second device is torch's "meta": it computes shapes alone, raises where
tensors of two devices meet, and raises where a number is looked at.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from transformers import BloomConfig, BloomForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from bench.engine import transformers_engine
from bench.engine.decoder import Decoder, ready_mask
from bench.engine.scoring import row_scores, tree_scores
from bench.engine.transformers_engine import LOOK_EVERY, Engine
from bench.engine.trial import Reading, Trial
from bench.engine.writing import PickedCache
from bench.model.fingerprint import fingerprint
from bench.training.batches import Pairs, collate
from bench.training.loss import on, summed_loss
from tests.test_training import drawn

META = torch.device("meta")
SIZES: dict[str, Any] = {"vocab_size": 260, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2}  # fmt: skip
LOOKS = {"tolist", "item", "__bool__", "__float__", "__int__", "cpu", "nonzero", "numpy", "masked_select", "equal"}


class Looks(TorchFunctionMode):
    """Counts what makes a program wait for its device: numbers that are read from a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in LOOKS:
            self.seen[name] += 1
        return func(*args, **(kwargs or {}))


def llama() -> Any:
    torch.manual_seed(3)
    return LlamaForCausalLM(LlamaConfig(**SIZES)).eval()


def llama_elsewhere() -> Any:
    with META:
        return llama()


def queries(count: int, seed: int = 1) -> list[list[int]]:
    rng = random.Random(seed)
    return [[rng.randrange(3, 250) for _ in range(rng.randint(2, 9))] for _ in range(count)]


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine takes the way that it takes with a model on a GPU."""

    def decoder(self: Engine) -> Decoder:
        if "own" not in self.__dict__:
            self.__dict__["own"] = Decoder(self.model, self.pad)
            self.own.ready_masks = transformers_engine.ready_masks_of(self.own)  # type: ignore[attr-defined]
        return self.__dict__["own"]  # type: ignore[no-any-return]

    monkeypatch.setattr(Engine, "decoder", property(decoder))


@pytest.mark.usefixtures("as_on_a_gpu")
def test_generation_looks_once_in_eight_tokens() -> None:
    model, tokens, rows = llama(), 40, queries(6)
    engine = Engine(model, 0, frozenset(), 4096)
    prefix = [7, 8, 9]
    engine.generate(prefix, rows, lambda ids: None, 1)  # trials of the model are made once
    with Looks() as looks:
        texts = engine.generate(prefix, rows, lambda ids: None, tokens)
    assert all(len(text) == tokens for text in texts)
    assert looks.seen.total() <= tokens / LOOK_EVERY


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize(
    ("reading", "looks_of_transformers"), [(Reading.TREE, 0), (Reading.PREFIX, 0), (Reading.ROWS, 4)]
)
def test_scoring_looks_once_in_a_batch_whatever_the_choices(reading: Reading, looks_of_transformers: int) -> None:
    """Whole rows without a cache are the exception: transformers looks once in each pass whether rows are packed."""
    engine = Engine(llama(), 0, frozenset(), 4096)
    assert engine.reading is Reading.TREE
    engine.__dict__["reading"] = reading
    rows = queries(5)
    choices = [queries(4, seed) for seed in range(5)]
    with Looks() as looks:
        engine.score([7, 8], rows, choices)
    assert looks.seen["tolist"] == 1
    assert looks.seen.total() == 1 + looks_of_transformers


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("prefix", [[], [7, 8, 9]])
def test_texts_and_scores_are_those_of_the_masks_of_transformers(prefix: list[int]) -> None:
    model, rows = llama(), queries(7)
    gpu, cpu = Engine(model, 0, frozenset(), 4096), Engine(model, 0, frozenset(), 4096)
    cpu.__dict__["own"] = Decoder(model, 0)
    choices = [queries(3, seed) for seed in range(7)]
    assert (gpu.decoder.ready_masks, cpu.decoder.ready_masks) == (True, False)
    for batch in (rows, rows[:1]):  # one row alone has no mask at all
        assert gpu.generate(prefix, batch, lambda ids: None, 12) == cpu.generate(prefix, batch, lambda ids: None, 12)
        found, expected = (torch.tensor(each.score(prefix, batch, choices[: len(batch)])) for each in (gpu, cpu))
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_ready_mask_shows_what_is_before_and_is_no_padding() -> None:
    """Two new columns behind two old ones; the second row's first column is padding."""
    low = torch.finfo(torch.float32).min
    found = ready_mask(torch.tensor([[1, 1, 1, 1], [0, 1, 1, 1]]), 2, torch.float32)
    assert found[:, 0].tolist() == [[[0, 0, 0, low], [0, 0, 0, 0]], [[low, 0, 0, low], [low, 0, 0, 0]]]


def test_a_model_that_reads_masks_otherwise_keeps_its_own() -> None:
    """ALiBi counts columns of the mask; a window cuts what a ready mask shows."""
    torch.manual_seed(0)
    alibi = BloomForCausalLM(BloomConfig(vocab_size=260, hidden_size=32, n_layer=2, n_head=4)).eval()
    windowed = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=8)).eval()
    assert not Trial(Decoder(alibi, 0)).takes_ready_masks()
    assert not Trial(Decoder(windowed, 0)).takes_ready_masks()
    assert Trial(Decoder(llama(), 0)).takes_ready_masks()


@contextmanager
def readable(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """While it lasts, `tolist` of a meta tensor gives zeros; the list holds the numbers that were read."""
    read: list[int] = []

    def zeros(tensor: Tensor) -> list[float]:
        read.append(tensor.numel())
        return [0.0] * tensor.numel()

    with monkeypatch.context() as patched:
        patched.setattr(Tensor, "tolist", zeros)
        yield read


def meta_decoder(ready: bool = True) -> Decoder:
    decoder = Decoder(llama_elsewhere(), 0)
    decoder.ready_masks = ready
    return decoder


def test_a_step_of_generation_elsewhere_waits_for_nothing() -> None:
    texts = PickedCache(meta_decoder(), [7, 8], queries(4), 20)
    for _ in range(9):
        texts.advance(texts.logits[:, -1].argmax(-1))
    assert texts.keep([0, 2])
    texts.advance(texts.logits[:, -1].argmax(-1))
    assert (texts.logits.device.type, tuple(texts.logits.shape)) == ("meta", (2, 1, 260))


def test_with_the_masks_of_transformers_it_would_wait() -> None:
    texts = PickedCache(meta_decoder(ready=False), [7, 8], queries(4), 20)
    with pytest.raises(RuntimeError, match="meta tensors"):
        texts.advance(texts.logits[:, -1].argmax(-1))


@pytest.mark.parametrize("score", [tree_scores, row_scores])
def test_scores_elsewhere_are_read_once(score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [(row, choice) for row in range(3) for choice in queries(5, row)]
    with readable(monkeypatch) as read:
        assert len(score(meta_decoder(), [7, 8], queries(3), pairs, 4096)) == 15
    assert read == [15]


def test_a_training_batch_is_where_the_model_is() -> None:
    """With a mask that transformers need not look into: it does so once for a micro-batch."""
    model = llama_elsewhere().train()
    batch = on(model.device, collate(Pairs(drawn(4)).rows, 0))
    batch["attention_mask"] = ready_mask(batch["attention_mask"], batch["input_ids"].shape[1], model.dtype)
    summed_loss(model, batch).backward()
    assert model.lm_head.weight.grad.device.type == "meta"


def test_weights_are_compared_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """One number is read of each tensor, whatever its size."""
    model = llama_elsewhere()
    with readable(monkeypatch) as read:
        fingerprint(model, torch.bfloat16)
    assert read == [len(model.state_dict())]
