"""The linear classifier on the last hidden state: fitted as scikit-learn fits it, and the model below it untouched."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from transformers import AutoModelForCausalLM, CohereConfig, Gemma2Config, GraniteConfig

import methods
from bench.adapt.linear_probe import Features, fit, mean_loss
from bench.core.errors import CellError
from bench.engine.backend import local
from bench.engine.prompts import Encoded
from bench.engine.transformers_engine import Engine
from bench.model.fingerprint import fingerprint
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
    assert made.parameters.trained == 3 * local(made.predictor.backend).model.config.hidden_size + 3


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


@pytest.mark.parametrize("family", ["granite", "gemma2", "cohere"])
def test_what_a_model_does_to_its_own_logits_does_not_reach_the_classifier(
    family: str, tiny_model: Path, tmp_path: Path
) -> None:
    """Granite divides its logits, Cohere multiplies them, Gemma 2 caps them: the classifier's are as fitted."""
    shape: dict[str, Any] = {"vocab_size": 259, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    heads: dict[str, Any] = {
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 512,
    }
    config = {
        "granite": GraniteConfig(**shape, **heads, logits_scaling=8.0),
        "gemma2": Gemma2Config(**shape, **heads, final_logit_softcapping=0.5),
        "cohere": CohereConfig(**shape, **heads, logit_scale=0.0625),
    }[family]
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    for file in tiny_model.glob("*token*"):
        shutil.copy(file, tmp_path)
    task = choice_task()
    result = adapted(task, "head", {"c": 1.0}, tmp_path)
    predictor = result.predictor
    output = local(predictor.backend).model.get_output_embeddings()
    prompts = predictor.writer.write(blind(task.test))
    hidden = _last_hidden_states(tmp_path, prompts)
    expected = output.layer(hidden).log_softmax(-1).tolist()
    for prediction, scores in zip(predictor.answer(blind(task.test), prompts), expected, strict=True):
        assert prediction.scores == pytest.approx(scores, abs=1e-4)


@torch.no_grad()
def _last_hidden_states(folder: Path, prompts: Sequence[Encoded]) -> torch.Tensor:
    """Of the model's body, without its output matrix: one prompt at a time."""
    body = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval().base_model
    states = [body(input_ids=torch.tensor([[*p.prefix, *p.query]])).last_hidden_state[0, -1] for p in prompts]
    return torch.stack(states)


def test_the_models_own_output_comes_back(tiny_model: Path) -> None:
    result = adapted(choice_task(), "head", {"c": 1.0}, tiny_model)
    model = local(result.predictor.backend).model
    result.release()
    ids = torch.tensor([[5, 6, 7]])
    base = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    with torch.no_grad():
        assert model(input_ids=ids).logits == pytest.approx(base(input_ids=ids).logits, abs=1e-6)
