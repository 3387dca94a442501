"""The linear classifier on the last hidden state: fitted as scikit-learn fits it, and the model below it untouched."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from transformers import AutoModelForCausalLM

import methods
from bench.adapt.linear_probe import Features, fit, mean_loss
from bench.cell.probes import fingerprint
from bench.core.errors import CellError
from bench.engine.backend import local
from bench.engine.transformers_engine import Engine
from tests.small import measure, write_suite
from tests.toy import adapted, blind, choice_task, text_task


def given(labels: int, rows: int = 60, width: int = 5) -> Features:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, labels, rows)
    centres = rng.normal(size=(labels, width))
    return Features((3 + 2 * (centres[truth] + rng.normal(size=(rows, width)))).astype(np.float32), truth, (), 0)


@pytest.mark.parametrize("labels", [2, 4])
def test_the_layer_is_the_regression_that_scikit_learn_fits(labels: int) -> None:
    data = given(labels)
    layer = fit(data, labels, 0.5)
    scaled = StandardScaler().fit_transform(data.states)
    expected = LogisticRegression(C=0.5, max_iter=1000).fit(scaled, data.labels).predict_proba(scaled)
    with torch.no_grad():
        found = layer(torch.from_numpy(data.states)).softmax(-1).numpy()
    assert found == pytest.approx(expected, abs=1e-4)
    assert mean_loss(layer, data) == pytest.approx(-np.log(expected[range(60), data.labels]).mean(), abs=1e-4)


def test_a_label_that_training_never_shows_is_never_chosen() -> None:
    data = given(3)
    layer = fit(dataclasses.replace(data, labels=np.where(data.labels == 1, 2, data.labels)), 4, 1.0)
    with torch.no_grad():
        logits = layer(torch.from_numpy(data.states))
    assert set(logits.argmax(-1).tolist()) == {0, 2}
    with pytest.raises(CellError, match="two labels"):
        fit(dataclasses.replace(data, labels=np.zeros(60, dtype=np.int64)), 3, 1.0)


def test_outputs_are_those_of_one_prompt_at_a_time(tiny_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    prefix, queries = [5, 6, 7], [[8], [9, 10, 11, 12], [13, 14]]
    found = Engine(model, 0, frozenset(), batch_tokens=16).outputs(prefix, queries)
    with torch.no_grad():
        for row, query in zip(found, queries, strict=True):
            expected = model(input_ids=torch.tensor([[*prefix, *query]])).logits[0, -1]
            assert row == pytest.approx(expected, abs=1e-5)


def test_it_learns_what_the_prompt_says(tiny_model: Path) -> None:
    task = choice_task(train=60, validation=12, test=30)
    made = adapted(task, "head", {}, tiny_model)
    found = made.predictor.predict(blind(task.test))
    right = sum(p.output == e.references[0] for p, e in zip(found, task.test, strict=True))
    assert right >= 24  # of 30, with 10 by chance
    assert all(np.exp(p.scores).sum() == pytest.approx(1, abs=1e-4) for p in found)
    assert made.tuning is not None
    assert [trial.options["c"] for trial in made.tuning.trials] == [0.01, 1.0, 100.0]
    assert made.parameters["trained"] == 3 * local(made.predictor.backend).model.config.hidden_size + 3


def test_the_model_below_is_the_base_to_the_bit(tiny_model: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    made = adapted(choice_task(), "head", {"c": 1.0}, tiny_model)
    model = local(made.predictor.backend).model
    assert fingerprint(model) != fingerprint(base)
    made.release()
    assert fingerprint(model) == fingerprint(base)


def test_a_run_with_probes_says_that_nothing_was_forgotten(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    file = write_suite(tmp_path, tiny_model, methods=[{"head": {"c": 1.0}}], probes=["paint"], seeds=[0, 1])
    outcome, started, run = measure(file, tmp_path / "run")
    assert (outcome.failed, started) == (0, ["base", "head"])  # one seed: nothing in it is drawn
    [record] = run.records
    assert record.weights_changed is False
    assert record.divergence == 0
    assert record.probes == {}
    assert record.on_train
    assert (record.phases["train"].flops or 0) > 0


def test_it_is_for_choices_that_all_items_share() -> None:
    weights = methods.create("head").weights
    reason = "head needs a choice task whose items all have the same choices"
    assert weights.requires(text_task()) == reason
    task = choice_task()
    other = (dataclasses.replace(task.train[0], choices=("red", "green")), *task.train[1:])
    assert weights.requires(dataclasses.replace(task, train=other)) == reason
    assert weights.requires(dataclasses.replace(task, train=())) == "head needs a train split"
    assert weights.requires(task) is None
