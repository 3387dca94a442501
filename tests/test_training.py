"""Training: the loss is on answers only, shifted, and blind to padding and micro-batches."""

from __future__ import annotations

import copy
import random
from dataclasses import asdict, fields
from functools import partial
from itertools import pairwise
from operator import truediv
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from bench.cell.job import Job
from bench.cell.setup import limits
from bench.core.errors import DivergedError, OutOfMemoryError
from bench.core.identity import Identity
from bench.model.resolve import ModelSpec, resolve
from bench.training import trainer
from bench.training.arguments import Setting
from bench.training.batches import IGNORED, LengthGroups, Pair, Pairs, collate
from bench.training.loss import mean_loss, summed_loss
from bench.training.trainer import train
from methods.full import FullOptions


def drawn(count: int, seed: int = 0) -> list[Pair]:
    rng = random.Random(seed)

    def ids(shortest: int, longest: int) -> list[int]:
        return [rng.randrange(3, 250) for _ in range(rng.randint(shortest, longest))]

    return [(ids(3, 30), ids(1, 6)) for _ in range(count)]


@pytest.fixture
def model(tiny_model: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_model).eval()


def setting(**changes: Any) -> Setting:
    options = {
        "learning_rate": 1e-3,
        "batch_size": 4,
        "epochs": 1,
        "warmup": 0.0,
        **changes.pop("options", {}),
    }
    return Setting(**{"options": FullOptions(**options), "rate": 1e-3, "seed": 0, "pad": 0, "micro_batch": 4,
                      "bf16": False, **changes})  # fmt: skip


@torch.no_grad()
def plain_loss(model: Any, pair: Pair) -> tuple[float, int]:
    """The reference: -log p of each answer token given all before it, one sequence, no padding."""
    prompt, answer = pair
    logits = model(torch.tensor([[*prompt, *answer]])).logits[0].float().log_softmax(-1)
    steps = [-float(logits[len(prompt) - 1 + i, token]) for i, token in enumerate(answer)]
    return sum(steps), len(steps)


def test_the_loss_is_on_answer_tokens_alone(model: Any) -> None:
    pairs = drawn(7)
    expected = [plain_loss(model, pair) for pair in pairs]
    batch = collate(Pairs(pairs).rows, pad=0)
    assert float(summed_loss(model, batch).detach()) == pytest.approx(sum(loss for loss, _ in expected), rel=1e-5)
    assert int((batch["labels"] != IGNORED).sum()) == sum(count for _, count in expected)


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_the_mean_is_over_tokens_whatever_the_batches(model: Any, rows: int) -> None:
    pairs = drawn(7)
    expected = [plain_loss(model, pair) for pair in pairs]
    mean = sum(loss for loss, _ in expected) / sum(count for _, count in expected)
    assert mean_loss(model, pairs, pad=0, rows=rows) == pytest.approx(mean, rel=1e-5)


def test_the_pad_token_does_not_matter(model: Any) -> None:
    rows = Pairs(drawn(5)).rows
    one, other = (float(summed_loss(model, collate(rows, pad)).detach()) for pad in (0, 77))
    assert one == pytest.approx(other, rel=1e-6)


def test_every_answer_keeps_its_last_token() -> None:
    pairs = drawn(9)
    labels = collate(Pairs(pairs).rows, pad=0)["labels"]
    assert [int(row[-1]) for row in labels] == [answer[-1] for _, answer in pairs]


def test_micro_batches_take_the_same_step(tiny_model: Path) -> None:
    """Loss summed over unequal micro-batches and divided once equals the whole batch."""
    pairs = drawn(8)

    def trained(micro: int) -> Any:
        make = lambda: AutoModelForCausalLM.from_pretrained(tiny_model)  # noqa: E731
        options = {"batch_size": 8, "max_steps": 2}
        made, _ = train(make, pairs, [], setting(options=options, micro_batch=micro), lambda d, n: None)
        return made

    whole, split = trained(8), trained(2)
    for one, other in zip(whole.parameters(), split.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=3e-5)


def test_every_answer_token_of_an_epoch_weighs_the_same(tiny_model: Path, model: Any) -> None:
    """Ten steps of one answer each, 1 to 10 tokens long, that move nothing: their mean is the mean over tokens."""
    pairs: list[Pair] = [(prompt, range(3, 4 + i)) for i, (prompt, _) in enumerate(drawn(10))]
    make = lambda: AutoModelForCausalLM.from_pretrained(tiny_model)  # noqa: E731
    _, outcome = train(make, pairs, [], setting(rate=1e-12, options={"batch_size": 1}), lambda d, n: None)
    sums, counts = zip(*(plain_loss(model, pair) for pair in pairs), strict=True)
    over_tokens, over_answers = sum(sums) / sum(counts), sum(map(truediv, sums, counts)) / 10
    [(step, loss)] = outcome.train_loss
    assert step == 10
    assert loss == pytest.approx(over_tokens, rel=1e-3)
    assert over_answers != pytest.approx(over_tokens, rel=1e-3)  # else the test could not tell


def test_the_best_epoch_is_kept_and_training_stops_early(tiny_model: Path) -> None:
    """With random answers validation only gets worse: the first epochs are kept, not the last."""
    pairs, validation = drawn(16, seed=1), drawn(12, seed=2)
    options = {"epochs": 30, "patience": 2, "learning_rate": 1e-2, "schedule": "constant_with_warmup"}
    made, outcome = train(
        lambda: AutoModelForCausalLM.from_pretrained(tiny_model),
        pairs,
        validation,
        setting(options=options, rate=1e-2),
        lambda d, n: None,
    )
    losses = dict(outcome.validation_loss)
    assert outcome.steps is not None
    assert outcome.steps < 30 * 4
    assert outcome.best_step is not None
    assert losses[outcome.best_step] == min(losses.values()) == outcome.best_validation_loss
    assert mean_loss(made, validation, pad=0, rows=4) == pytest.approx(min(losses.values()), rel=1e-5)
    assert outcome.tokens == sum(len(p) + len(a) for p, a in pairs) * outcome.steps // 4


@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=200), batch=st.integers(1, 9), seed=st.integers(0, 9))
def test_every_row_comes_once_an_epoch_in_an_order_of_its_own(lengths: list[int], batch: int, seed: int) -> None:
    sampler, same = LengthGroups(lengths, batch, seed), LengthGroups(lengths, batch, seed)
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(len(lengths)))
    assert [list(same), list(same)] == [first, second]


def test_batches_hold_rows_of_like_length_and_come_in_no_order_of_length() -> None:
    lengths = [random.Random(i).randrange(10, 200) for i in range(640)]
    order = [lengths[row] for row in LengthGroups(lengths, 8, 0)]
    batches = [order[i : i + 8] for i in range(0, 640, 8)]
    spread = [max(batch) - min(batch) for batch in batches]
    assert sum(spread) / len(spread) < 30  # of random batches it would be about 150
    means = [sum(batch) / 8 for batch in batches]
    falls = sum(after < before for before, after in pairwise(means))
    assert 0.35 < falls / (len(means) - 1) < 0.65


def test_a_loss_that_is_no_number_is_a_typed_error(tiny_model: Path) -> None:
    def broken() -> Any:
        made = AutoModelForCausalLM.from_pretrained(tiny_model)
        made.model.norm.weight.data.fill_(float("nan"))
        return made

    with pytest.raises(DivergedError, match="lower the learning rate"):
        train(broken, drawn(40), [], setting(options={"max_steps": 10}), lambda d, n: None)


def test_out_of_memory_halves_the_micro_batch_then_recomputes_activations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[tuple[int, bool]] = []

    def fails(make: Any, pairs: Any, validation: Any, given: Setting, *others: Any) -> Any:
        tried.append((given.micro_batch, given.checkpointing))
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(trainer, "_train_once", fails)
    with pytest.raises(OutOfMemoryError):
        train(lambda: None, drawn(4), [], setting(), lambda d, n: None)
    assert tried == [(4, False), (2, False), (1, False), (1, True)]


def test_the_same_seed_trains_the_same_weights(tiny_model: Path) -> None:
    def trained(seed: int) -> Any:
        base = AutoModelForCausalLM.from_pretrained(tiny_model)
        options = {"max_steps": 4}
        made, _ = train(
            lambda: copy.deepcopy(base), drawn(40), [], setting(options=options, seed=seed), lambda d, n: None
        )
        return made.lm_head.weight

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


@pytest.mark.parametrize(("dtype", "expected"), [("auto", False), ("float32", False), ("bfloat16", True)])
def test_on_a_cpu_training_computes_in_what_the_model_is_asked_in(dtype: str, expected: bool) -> None:
    blank: dict[str, Any] = dict.fromkeys((field.name for field in fields(Job)), None)
    model = asdict(resolve(ModelSpec.model_validate({"path": "mini", "dtype": dtype})))
    job = Job(**{**blank, "model": model, "identity": Identity()})
    assert limits(job, torch.device("cpu")).bf16 is expected


def test_in_bf16_the_loss_falls_as_in_fp32(tiny_model: Path) -> None:
    pairs, losses = drawn(32), []
    for bf16 in (False, True):
        made = partial(AutoModelForCausalLM.from_pretrained, tiny_model)
        _, outcome = train(made, pairs, pairs, setting(options={"epochs": 10}, bf16=bf16), lambda d, n: None)
        losses.append(outcome.validation_loss[-1][1])
        assert losses[-1] < outcome.validation_loss[0][1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.gpu
def test_training_on_a_gpu_in_bf16_lowers_the_loss(tiny_model: Path) -> None:
    pairs = drawn(32)
    options = {"epochs": 20}
    made, outcome = train(
        lambda: AutoModelForCausalLM.from_pretrained(tiny_model, device_map="cuda"),
        pairs,
        pairs,
        setting(options=options, bf16=True),
        lambda d, n: None,
    )
    assert made.device.type == "cuda"
    assert outcome.validation_loss[-1][1] < outcome.validation_loss[0][1]
