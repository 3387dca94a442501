"""Whatever the architecture: what training makes of it answers as a plain fp32 computation with its weights does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from bench.adapt.learner import Adapted, Observer, Scaled
from bench.core.adapter_part import AdapterPart
from bench.core.record import Prediction
from bench.core.task import Task
from bench.engine.backend import local
from bench.engine.predictor import ModelPredictor
from bench.model.tiny_random import BOS, EOS, PAD, VOCABULARY
from tests.architectures import build
from tests.test_architectures import FAMILIES
from tests.test_engine import plain_generate, plain_score
from tests.toy import adapted, blind, choice_task, text_task

BYTES = {"vocab_size": VOCABULARY, "bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}
NO_TEXT = ("vision", "encoder_attn")  # towers for images, cross-attention to an encoder that is not there
UNMOVED = {"doge": "dt_proj"}  # has a gradient of 0 in a new model: what it gives is multiplied by weights that are 0
SHORT = {"max_steps": 2, "batch_size": 4, "learning_rate": 1e-2}
TASKS = (choice_task(test=3), text_task(test=3))


@pytest.fixture
def saved(family: str, changes: dict[str, Any], tiny_model: Path, tmp_path: Path) -> Path:
    """The family's model on disk, with a tokenizer of bytes."""
    build(family, changes, BYTES).save_pretrained(tmp_path)
    for file in tiny_model.glob("*token*"):
        shutil.copy(file, tmp_path)
    return tmp_path


def require_plain_answers(predictor: ModelPredictor, predictions: list[Prediction], task: Task) -> None:
    """The answers are those of the predictor's model, one whole prompt at a time, without a cache."""
    model, stops = local(predictor.backend).model, predictor.writer.codec.stops
    for prompt, prediction in zip(predictor.writer.write(blind(task.test)), predictions, strict=True):
        ids = [*prompt.prefix, *prompt.query]
        if task.kind == "choice":
            plain = [plain_score(model, ids, choice) for choice in prompt.choices]
            assert prediction.scores == pytest.approx(plain, abs=1e-4)
        else:
            written = plain_generate(model, ids, stops, task.max_new_tokens)
            assert prediction.output == predictor.writer.codec.decode(written).strip()


def answered(result: Adapted, task: Task) -> list[Prediction]:
    predictions = result.predictor.predict(blind(task.test))
    require_plain_answers(result.predictor, predictions, task)
    return predictions


@pytest.mark.parametrize(("family", "changes"), FAMILIES)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_lora_reaches_what_it_says_and_merges(task: Task, family: str, changes: dict[str, Any], saved: Path) -> None:
    before: list[Prediction] = []

    def unmerged(predictor: ModelPredictor, scaled: Scaled, part: AdapterPart) -> None:
        before.extend(predictor.predict(blind(task.test)))

    result = adapted(task, "lora", SHORT, saved, observer=Observer(unmerged))
    for merged, with_adapter in zip(answered(result, task), before, strict=True):
        assert merged.scores == pytest.approx(with_adapter.scores, abs=1e-3)
    base = dict(AutoModelForCausalLM.from_pretrained(saved, dtype=torch.float32).named_parameters())
    trained = dict(local(result.predictor.backend).model.named_parameters())
    matrices = [
        name
        for name, weight in base.items()
        if weight.ndim > 1
        and any(map(str.isdigit, name.split(".")))
        and not name.endswith("bias")
        and not any(of in name for of in NO_TEXT)
    ]
    moved = [n for n in matrices if UNMOVED.get(family, "?") in n or not torch.equal(base[n], trained[n])]
    assert result.parameters.block_weights == sum(base[name].numel() for name in matrices)
    assert result.parameters.adapted_weights == sum(base[name].numel() for name in moved) > 0


@pytest.mark.parametrize(("family", "changes"), FAMILIES)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_full_training_moves_the_weights(task: Task, family: str, changes: dict[str, Any], saved: Path) -> None:
    result = adapted(task, "full", SHORT, saved)
    answered(result, task)
    base = AutoModelForCausalLM.from_pretrained(saved, dtype=torch.float32).state_dict()
    trained = local(result.predictor.backend).model.state_dict()
    assert any(not torch.equal(weight, trained[name]) for name, weight in base.items())


@pytest.mark.parametrize(("family", "changes"), FAMILIES)
def test_the_head_is_fitted_on_what_goes_into_the_output_matrix(
    family: str, changes: dict[str, Any], saved: Path
) -> None:
    task = choice_task(test=3)
    result = adapted(task, "head", {"c": 1.0}, saved)
    predictions = result.predictor.predict(blind(task.test))
    layer = local(result.predictor.backend).model.get_output_embeddings().layer
    base = AutoModelForCausalLM.from_pretrained(saved, dtype=torch.float32).eval()
    hidden: list[torch.Tensor] = []
    base.get_output_embeddings().register_forward_pre_hook(lambda module, inputs: hidden.append(inputs[0]))
    for prompt, prediction in zip(result.predictor.writer.write(blind(task.test)), predictions, strict=True):
        with torch.no_grad():
            base(torch.tensor([[*prompt.prefix, *prompt.query]]))
            plain = layer(hidden.pop()[0, -1]).log_softmax(-1)
        assert prediction.scores == pytest.approx(plain.tolist(), abs=1e-4)
