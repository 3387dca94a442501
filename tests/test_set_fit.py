"""SetFit: pairs as they are drawn by hand, trained as a plain loop trains them, then scikit-learn's regression."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import pairwise_cos_sim

from bench.core.errors import CellError, DivergedError
from bench.engine.backend import local
from bench.model.base import EncoderBase
from bench.model.load import load_base
from bench.model.resolve import ModelSpec, resolve
from bench.training.arguments import Setting
from bench.training.contrast import TextPair, draw_together, text_pairs
from methods.options import TrainingOptions
from tests.test_encoders import NAMES, encoder, texts_of, word_task
from tests.toy import adapted, blind

__all__ = ["encoder"]  # the fixture


def test_two_examples_of_two_labels_make_the_only_pairs_there_are() -> None:
    """Labels 0, 0, 1: both examples of 0 have each other, the one of 1 has nobody of its label."""
    pairs = text_pairs([0, 0, 1], rounds=1, most=100, seed=0)
    assert len(pairs) == 5
    assert {pair for pair in pairs if pair.alike} == {TextPair(0, 1, True), TextPair(1, 0, True)}
    apart = [pair for pair in pairs if not pair.alike]
    assert Counter(pair.first for pair in apart) == {0: 1, 1: 1, 2: 1}
    assert {pair.second for pair in apart if pair.first < 2} == {2}


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(1, 3), st.integers(1, 80), st.integers(0, 5))
def test_a_pair_is_alike_where_its_labels_are_and_never_of_one_example(
    labels: list[int], rounds: int, most: int, seed: int
) -> None:
    pairs = text_pairs(labels, rounds, most, seed)
    every = text_pairs(labels, rounds, 10**6, seed)
    counts = Counter(labels)
    alike = rounds * sum(count for count in counts.values() if count > 1)
    apart = rounds * (len(labels) if len(counts) > 1 else 0)
    assert Counter(pair.alike for pair in every) == Counter({True: alike, False: apart})
    assert pairs == every[:most]
    assert all(pair.first != pair.second for pair in pairs)
    assert all((labels[pair.first] == labels[pair.second]) == pair.alike for pair in pairs)


def setting(rate: float, micro: int) -> Setting:
    options = TrainingOptions(
        learning_rate=rate, epochs=1, batch_size=4, warmup=0.0, schedule="constant_with_warmup", max_grad_norm=None
    )
    return Setting(options, rate, 0, 0, micro, False)


@pytest.mark.parametrize("micro", [4, 2])
def test_pairs_are_trained_as_a_plain_loop_trains_them(micro: int, encoder: Path) -> None:
    """20 steps of 4 pairs in the order of torch's sampler, whole or in two halves."""
    task = word_task()
    texts, labels = texts_of(task.train), [NAMES.index(example.references[0]) for example in task.train]
    pairs = text_pairs(labels, rounds=5, most=80, seed=1)
    base = load_base(resolve(ModelSpec(path=str(encoder))), torch.device("cpu"))
    assert isinstance(base, EncoderBase)
    model, learnt = draw_together(
        lambda: base.load(True), texts, [3] * len(texts), pairs, setting(1e-3, micro), lambda done, steps: None
    )
    plain = SentenceTransformer(str(encoder), device="cpu").train()
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-3, weight_decay=0.0)
    losses = []
    for batch in _batches(pairs):
        embedded = [
            plain(plain.preprocess([texts[place] for place in places]))["sentence_embedding"]
            for places in ([pair.first for pair in batch], [pair.second for pair in batch])
        ]
        wanted = torch.tensor([float(pair.alike) for pair in batch])
        loss = torch.nn.functional.mse_loss(pairwise_cos_sim(*embedded), wanted)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert learnt.steps == 20
    expected = [float(np.mean(losses[start : start + 10])) for start in (0, 10)]
    assert [loss for _, loss in learnt.train_loss] == pytest.approx(expected, abs=1e-4)
    with torch.no_grad():
        given_, own = (body.eval()(plain.preprocess(texts))["sentence_embedding"] for body in (plain, model.body))
    assert own == pytest.approx(given_, abs=1e-3)


def _batches(pairs: list[TextPair]) -> list[list[TextPair]]:
    """Batches of 4 as sentence-transformers draws them: a permutation by a generator of the training's seed."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(pairs), generator=generator).tolist()
    return [[pairs[place] for place in order[start : start + 4]] for start in range(0, len(pairs), 4)]


def test_it_is_a_regression_on_what_the_trained_encoder_gives(encoder: Path) -> None:
    task = word_task(train=40)
    options = {"rounds": 2, "max_pairs": 24, "batch_size": 4, "learning_rate": 1e-3}
    made = adapted(task, "set-fit", options, encoder)
    again = adapted(task, "set-fit", options, encoder)
    other = adapted(task, "set-fit", options, encoder, seed=1)
    first, same, different = ([p.scores for p in m.predictor.predict(blind(task.test))] for m in (made, again, other))
    assert first == same
    assert first != different
    assert made.training is not None
    assert (made.training.steps, made.training.examples) == (6, 40)
    assert made.parameters.trained == made.parameters.total
    body = local(made.predictor.backend).model.body
    base = SentenceTransformer(str(encoder), device="cpu")
    text = texts_of(task.test)
    assert np.abs(body.encode(text) - base.encode(text)).max() > 1e-3  # it has moved


def test_rates_and_penalties_are_chosen_by_the_validation_loss(encoder: Path) -> None:
    task = word_task(train=40)
    options = {"rounds": 1, "max_pairs": 16, "batch_size": 4, "learning_rate": [1e-4, 1e-3], "c": [0.1, 1.0]}
    tuning = adapted(task, "set-fit", options, encoder).tuning
    assert tuning is not None
    assert len(tuning.trials) == 3
    best = min(tuning.trials, key=lambda trial: trial.value if trial.value is not None else np.inf)
    assert tuning.chosen == best.options


def test_one_label_is_refused(encoder: Path) -> None:
    task = word_task()
    alone = tuple(dataclasses.replace(example, references=("warm",)) for example in task.train)
    with pytest.raises(CellError, match="two labels at least"):
        adapted(dataclasses.replace(task, train=alone), "set-fit", {"rounds": 1}, encoder)


def test_a_loss_that_is_no_number_stops_it(encoder: Path) -> None:
    task = word_task()
    base = load_base(resolve(ModelSpec(path=str(encoder))), torch.device("cpu"))

    def broken() -> object:
        model = base.load(True)
        with torch.no_grad():
            next(model.parameters()).fill_(float("nan"))
        return model

    pairs = text_pairs([0, 1] * 8, rounds=3, most=48, seed=0)
    with pytest.raises(DivergedError):
        draw_together(broken, texts_of(task.train), [3] * 16, pairs, setting(1e-3, 4), lambda done, steps: None)
