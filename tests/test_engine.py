"""The engine equals the plain computation: one prompt at a time, no cache, no batch, no padding."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from bench.core.errors import OutOfMemoryError
from bench.engine import transformers_engine
from bench.engine.transformers_engine import Engine
from bench.engine.trial import Reading
from bench.model import memory

Ids = list[int]


@torch.inference_mode()
def plain_score(model: Any, prompt: Sequence[int], choice: Sequence[int]) -> float:
    """The reference: sum of log p(token | everything before it), one sequence, no tricks."""
    logits = model(torch.tensor([[*prompt, *choice]])).logits[0].float()
    steps = logits.log_softmax(-1)
    start = len(prompt) - 1
    return sum(float(steps[start + i, token]) for i, token in enumerate(choice))


@torch.inference_mode()
def plain_generate(model: Any, prompt: Sequence[int], stops: frozenset[int], length: int) -> Ids:
    """The reference: append the likeliest token, run the whole text again."""
    ids = list(prompt)
    for _ in range(length):
        ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] in stops:
            break
    return ids[len(prompt) :]


def drawn(rng: random.Random, shortest: int, longest: int, vocabulary: int = 256) -> Ids:
    return [rng.randrange(3, vocabulary) for _ in range(rng.randint(shortest, longest))]


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_model).eval()


@pytest.fixture(scope="module")
def windowed() -> Any:
    """A model whose cache keeps a window only, so that it cannot be expanded."""
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=256, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=8, max_position_embeddings=256,
    )  # fmt: skip
    return MistralForCausalLM(config).eval()


def engine(model: Any, **limits: Any) -> Engine:
    return Engine(model, **{"pad": 0, "stops": frozenset({257}), "batch_tokens": 2048, **limits})


@pytest.mark.parametrize("prefix_length", [0, 1, 40])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_scores_equal_the_plain_computation(tiny: Any, prefix_length: int, batch_size: int) -> None:
    rng = random.Random(prefix_length)
    prefix = drawn(rng, prefix_length, prefix_length)
    queries = [drawn(rng, 1, 30) for _ in range(12)]
    choices = [[drawn(rng, 1, 6) for _ in range(rng.randint(2, 5))] for _ in queries]
    scores = engine(tiny, batch_size=batch_size).score(prefix, queries, choices)
    for query, own, found in zip(queries, choices, scores, strict=True):
        expected = [plain_score(tiny, [*prefix, *query], choice) for choice in own]
        assert found == pytest.approx(expected, abs=1e-4)


def test_scores_of_a_real_model_equal_the_plain_computation(public_data: Path) -> None:
    """stories260K on Banking77's questions and all of its labels, in batches of three sizes."""
    folder = public_data / "models" / "stories260K"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    rows = list(csv.DictReader((public_data / "banking77" / "test.csv").open(encoding="utf-8")))
    labels = sorted({row["category"] for row in rows})
    queries = [tokenizer(row["text"] + "\nIntent:")["input_ids"] for row in rows[::400]]
    choices = [tokenizer(label.replace("_", " "), add_special_tokens=False)["input_ids"] for label in labels]
    expected = [[plain_score(model, query, choice) for choice in choices] for query in queries]
    for batch_size in (1, 7, 64):
        found = engine(model, batch_size=batch_size).score((), queries, [choices] * len(queries))
        for one, other in zip(found, expected, strict=True):
            assert one == pytest.approx(other, abs=1e-4)
            assert max(range(77), key=one.__getitem__) == max(range(77), key=other.__getitem__)


def test_scores_of_a_windowed_model_equal_the_plain_computation(windowed: Any) -> None:
    rng = random.Random(1)
    prefix, queries = drawn(rng, 20, 20), [drawn(rng, 2, 12) for _ in range(5)]
    choices = [[drawn(rng, 1, 4) for _ in range(3)] for _ in queries]
    under_test = engine(windowed)
    assert not under_test.reads_prefixes
    scores = under_test.score(prefix, queries, choices)
    for query, own, found in zip(queries, choices, scores, strict=True):
        assert found == pytest.approx([plain_score(windowed, [*prefix, *query], c) for c in own], abs=1e-4)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_generation_equals_the_plain_computation(tiny: Any, batch_size: int) -> None:
    rng = random.Random(2)
    prefix, queries = drawn(rng, 9, 9), [drawn(rng, 1, 30) for _ in range(12)]
    stops = frozenset(range(0, 256, 9))  # frequent, so that rows end at different times
    texts = engine(tiny, batch_size=batch_size, stops=stops).generate(prefix, queries, lambda ids: None, 20)
    assert texts == [plain_generate(tiny, [*prefix, *query], stops, 20) for query in queries]
    assert len({len(text) for text in texts}) > 2


def test_generation_of_a_windowed_model_equals_the_plain_computation(windowed: Any) -> None:
    rng = random.Random(3)
    prefix, queries = drawn(rng, 11, 11), [drawn(rng, 1, 12) for _ in range(4)]
    stops = frozenset(range(0, 256, 9))
    texts = engine(windowed, stops=stops).generate(prefix, queries, lambda ids: None, 15)
    assert texts == [plain_generate(windowed, [*prefix, *query], stops, 15) for query in queries]


def test_a_row_that_is_cut_does_not_end_the_others(tiny: Any) -> None:
    rng = random.Random(4)
    queries = [drawn(rng, 4, 9) for _ in range(4)]
    full = engine(tiny, stops=frozenset()).generate([], queries, lambda ids: None, 24)
    first = tuple(full[0][:3])

    def cut(ids: Ids) -> int | None:
        return 3 if tuple(ids[:3]) == first else None

    texts = engine(tiny, stops=frozenset()).generate([], queries, cut, 24)
    assert texts == [full[0][:3], *full[1:]]


def test_results_keep_the_order_asked(tiny: Any) -> None:
    rng = random.Random(5)
    queries = [drawn(rng, 1, 30) for _ in range(9)]
    choices = [[[5, 6], [7]] for _ in queries]
    forward = engine(tiny).score([9, 8], queries, choices)
    backward = engine(tiny).score([9, 8], queries[::-1], choices)
    for one, other in zip(forward, backward[::-1], strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_two_prefixes_do_not_share_a_cache(tiny: Any) -> None:
    under_test = engine(tiny)
    for prefix in ([1, 2, 3], [4, 5], [1, 2, 3], [6], [4, 5]):
        (found,) = under_test.score(prefix, [[10, 11]], [[[12, 13]]])
        assert found == pytest.approx([plain_score(tiny, [*prefix, 10, 11], [12, 13])], abs=1e-4)


def test_low_precision_logits_are_summed_in_fp32(tiny_model: Path) -> None:
    """In bf16 the log-softmax of a 10-token choice would be off by tenths of a nat, and often tied."""
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16).eval()
    rng = random.Random(6)
    query, choices = drawn(rng, 20, 20), [drawn(rng, 10, 10) for _ in range(40)]
    (scores,) = engine(model).score([], [query], [choices])
    assert len(set(scores)) == len(scores)
    assert all(float(torch.tensor(score).bfloat16()) != score for score in scores)


def test_batches_are_halved_when_memory_runs_out(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    under_test, seen = engine(tiny), []
    original = Engine._score_batch

    def limited(self: Engine, prefix: Ids, batch: Sequence[Any], choices: Any) -> Any:
        seen.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("no more")
        return original(self, prefix, batch, choices)

    monkeypatch.setattr(Engine, "_score_batch", limited)
    scores = under_test.score([], [[i + 3] for i in range(8)], [[[5], [6]]] * 8)
    assert seen == [8, 4, 2, 2, 2, 2]  # what was found to fit is kept for the rest
    assert all(len(own) == 2 for own in scores)


def test_long_rows_are_read_alone_with_the_same_scores(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(8)
    queries = [drawn(rng, length, length) for length in (31, 12, 30, 29, 13, 30)]
    choices = [[drawn(rng, 3, 3) for _ in range(2)] for _ in queries]
    sizes: list[int] = []
    scores = []
    for longest in (30, 1000):
        monkeypatch.setattr(transformers_engine, "LONG_ROW", longest)
        under_test = engine(tiny)
        under_test.progress = sizes.append
        scores.append(under_test.score([5, 6], queries, choices))
    assert sizes == [1, 1, 1, 3, 6]
    for query, own, alone, together in zip(queries, choices, *scores, strict=True):
        plain = [plain_score(tiny, [5, 6, *query], choice) for choice in own]
        assert alone == pytest.approx(plain, abs=1e-4)
        assert alone == pytest.approx(together, abs=1e-5)


def test_one_item_that_does_not_fit_is_a_typed_error() -> None:
    def work(batch: Sequence[int]) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    with pytest.raises(OutOfMemoryError):
        memory.in_batches([1, 2, 3], lambda start: 1, work, lambda start, half: None)


def test_other_errors_are_not_taken_for_memory() -> None:
    def work(batch: Sequence[int]) -> None:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape"):
        memory.in_batches([1, 2], lambda start: 2, work, lambda start, half: None)


def test_only_needed_logits_are_kept(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The widest logits of a scoring call span the choices, however long the question is."""
    widths: list[int] = []
    original = type(tiny).forward

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        out = original(self, *args, **kwargs)
        widths.append(out.logits.shape[1])
        return out

    under_test = engine(tiny)
    assert under_test.reading is Reading.TREE  # a trial keeps all of its logits
    monkeypatch.setattr(LlamaForCausalLM, "forward", watched)
    under_test.score(list(range(3, 60)), [list(range(3, 90))], [[[5, 6, 7], [8, 9]]])
    assert max(widths) == 3  # 6 and 7 after 5 and 9 after 8; each choice's first token is the question's last logit
    assert isinstance(tiny.config, LlamaConfig)


@pytest.mark.gpu
def test_scores_on_a_gpu_equal_the_cpu(tiny_model: Path) -> None:
    rng = random.Random(7)
    prefix, queries = drawn(rng, 20, 20), [drawn(rng, 2, 12) for _ in range(20)]
    choices = [[drawn(rng, 1, 4) for _ in range(3)] for _ in queries]
    cpu = engine(AutoModelForCausalLM.from_pretrained(tiny_model).eval())
    gpu = engine(AutoModelForCausalLM.from_pretrained(tiny_model).eval().to("cuda"))
    for one, other in zip(cpu.score(prefix, queries, choices), gpu.score(prefix, queries, choices), strict=True):
        assert one == pytest.approx(other, abs=1e-3)
