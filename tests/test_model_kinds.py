"""Kinds of models: told from a checkpoint's configuration, and which methods they can have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import methods
from bench.core.errors import UsageError
from bench.core.model_kind import ModelKind, fits
from bench.model.checkpoint import kind
from bench.runs.cells import left_out
from tests.small import cells_of, write_suite

SAVED_AS: list[tuple[dict[str, object], ModelKind]] = [
    ({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}, "causal"),
    ({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}, "causal"),
    ({"architectures": ["GPT2Model"], "model_type": "gpt2"}, "causal"),
    ({"architectures": ["BertLMHeadModel"], "model_type": "bert", "is_decoder": True}, "causal"),
    ({"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "is_encoder_decoder": True}, "seq2seq"),
    ({"architectures": ["BertModel"], "model_type": "bert"}, "encoder"),
    ({"architectures": ["RobertaForMaskedLM"], "model_type": "roberta"}, "encoder"),
    ({"architectures": ["BertForPreTraining"], "model_type": "bert"}, "encoder"),
    ({"architectures": ["LlamaForSequenceClassification"], "model_type": "llama"}, "encoder"),
    ({"model_type": "llama"}, "causal"),
    ({"architectures": ["ConvNextForImageClassification"], "model_type": "convnext"}, "image"),
    ({"architectures": ["ViTModel"], "model_type": "vit", "num_channels": 3}, "image"),
    ({"architectures": ["CLIPModel"], "model_type": "clip", "num_channels": 3, "text_config": {}}, "causal"),
]


@pytest.mark.parametrize(("config", "expected"), SAVED_AS, ids=lambda value: str(value)[:60])
def test_a_checkpoint_is_of_the_kind_that_it_was_saved_as(
    config: dict[str, object], expected: ModelKind, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert kind(tmp_path) == expected


def test_a_folder_of_sentence_transformers_is_an_encoder_whatever_its_architecture(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["Qwen3Model"], "model_type": "qwen3"}))
    (tmp_path / "modules.json").write_text("[]")
    assert kind(tmp_path) == "encoder"


def test_who_writes_no_text_is_given_no_prompt() -> None:
    prompting = [methods.create(name) for name in ("zero-shot", "few-shot", "rag")]
    language_models: tuple[ModelKind, ...] = ("causal", "seq2seq", "served")
    assert all(fits(method, kind) for method in prompting for kind in language_models)
    assert not any(fits(method, "encoder") or fits(method, "classical") for method in prompting)
    assert not fits(methods.create("lora"), "served")


@pytest.mark.usefixtures("task_folder")
def test_a_suite_without_any_method_for_a_model_is_refused(tmp_path: Path, prompted: Path) -> None:
    file = write_suite(tmp_path, prompted, methods=["zero-shot", "few-shot"])
    with pytest.raises(UsageError, match="no method of the suite is for model model, which is an encoder"):
        cells_of(file)


@pytest.mark.usefixtures("task_folder")
def test_a_method_that_one_model_cannot_have_is_said_and_has_no_cell(
    tmp_path: Path, prompted: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods.own()["lora"], "kinds", frozenset({"causal", "encoder"}))
    file = write_suite(tmp_path, tiny_model, models=[str(tiny_model), str(prompted)], methods=["zero-shot", "lora"])
    suite, cells = cells_of(file)
    assert [(cell.model.kind, cell.label) for cell in cells] == [
        ("causal", "zero-shot"),
        ("causal", "lora"),
        ("encoder", "lora"),
    ]
    assert left_out(suite, cells) == (
        "zero-shot: not for model, which is an encoder, which reads a text and writes none",
    )


@pytest.mark.usefixtures("task_folder")
def test_a_model_can_be_used_as_what_the_suite_says(tmp_path: Path, prompted: Path) -> None:
    models = [{"path": str(prompted), "kind": "causal"}]
    suite, cells = cells_of(write_suite(tmp_path, prompted, models=models, methods=["zero-shot"]))
    assert [cell.label for cell in cells] == ["zero-shot"]
    assert left_out(suite, cells) == ()
