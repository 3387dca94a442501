"""Weights that were trained elsewhere: measured like any method, against their base, and never those of another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import methods
from bench.adapt.learner import Observer
from bench.analysis.costs import cost
from bench.analysis.decision.headline import Headline
from bench.analysis.decision.headline_words import cost as cost_words
from bench.analysis.decision.words import sentences
from bench.config.prices import replaced
from bench.core.errors import CellError, UsageError
from bench.runs.cells import left_out
from bench.runs.winners import verdicts_of
from bench.store.run_folder import read_run
from tests.small import cells_of, measure, write_suite
from tests.toy import QUICK, adapted, blind, choice_task, predictions

TUNED = {**QUICK, "rank": 2}


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    """A LoRA adapter of the tiny model as peft writes it."""
    folder = tmp_path / "tuned-adapter"
    folder.mkdir()
    adapted(choice_task(), "lora", TUNED, tiny_model, observer=Observer(weights=folder))
    return folder


@pytest.fixture
def checkpoint(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model with other weights."""
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * float(parameter.abs().mean()))
    model.save_pretrained(tmp_path / "tuned")
    return tmp_path / "tuned"


def test_an_adapter_answers_as_where_it_was_trained_to_the_bit(adapter: Path, tiny_model: Path) -> None:
    task = choice_task()
    there, here = (
        [p.scores for p in predictions(task, name, options, tiny_model)]
        for name, options in (("lora", TUNED), ("adapter", {"path": str(adapter)}))
    )
    assert here == there
    assert here != [p.scores for p in predictions(task, "zero-shot", {}, tiny_model)]


@pytest.mark.parametrize("name", ["prompt-tuning", "prefix-tuning"])
def test_virtual_tokens_answer_as_where_they_were_learnt(name: str, tiny_model: Path, tmp_path: Path) -> None:
    task, learnt = choice_task(), {**QUICK, "learning_rate": 0.05, "virtual_tokens": 4}
    made = adapted(task, name, learnt, tiny_model, observer=Observer(weights=tmp_path))
    there = made.predictor.predict(blind(task.test))
    given = adapted(task, "adapter", {"path": str(tmp_path)}, tiny_model)
    assert [p.scores for p in given.predictor.predict(blind(task.test))] == [p.scores for p in there]
    assert given.predictor.writer.context_length == made.predictor.writer.context_length == 512 - 4


def test_a_checkpoint_answers_as_the_model_itself(checkpoint: Path, tiny_model: Path) -> None:
    for part in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (tiny_model / part).is_file():
            shutil.copy(tiny_model / part, checkpoint)
    alone = predictions(choice_task(), "zero-shot", {}, checkpoint)
    given = predictions(choice_task(), "checkpoint", {"path": str(checkpoint)}, tiny_model)
    assert [p.scores for p in given] == [p.scores for p in alone]


def test_what_they_hold_is_counted(adapter: Path, checkpoint: Path, tiny_model: Path) -> None:
    sizes = adapted(choice_task(), "adapter", {"path": str(adapter)}, tiny_model).parameters
    tensors = load_file(adapter / "adapter_model.safetensors").values()
    assert sizes.trained == sum(tensor.numel() for tensor in tensors)
    assert sizes.stored_bytes == (adapter / "adapter_model.safetensors").stat().st_size
    assert adapted(choice_task(), "checkpoint", {"path": str(checkpoint)}, tiny_model).parameters.trained == 115_200


@pytest.fixture
def suite(tmp_path: Path, task_folder: Path, tiny_model: Path, adapter: Path) -> Path:
    chosen: list[Any] = ["zero-shot", {"adapter": {"path": "tuned-adapter"}}]
    return write_suite(tmp_path, tiny_model, methods=chosen, probes=["paint"], measure={"flop_check": "off"})


def test_a_run_compares_it_with_its_base_and_says_that_its_cost_is_unknown(suite: Path, tmp_path: Path) -> None:
    measure(suite, tmp_path / "run")
    run = read_run(tmp_path / "run")
    plain, given = run.records
    assert given.status == "ok", given.failure
    assert given.parts.trained_elsewhere
    assert given.weights_changed
    assert given.probes.keys() == {"paint"}
    assert given.divergence is not None
    assert given.training is None
    prices = replaced({}, "test")
    assert cost(given, prices).production is None
    assert (cost(plain, prices).production or 0) > 0
    [verdict] = verdicts_of(run)
    assert "What training adapter took is unknown, and in no cost." in sentences(verdict, "USD")
    brought = next(one for one in verdict.standings if one.label == "adapter")
    shown = cost_words(Headline(verdict, brought, None, (), True, None), "USD")
    assert shown.endswith(", and its training, which is unknown")


def test_a_key_holds_the_content_and_not_the_place(suite: Path, adapter: Path, tmp_path: Path) -> None:
    def key() -> str:
        return cells_of(suite)[1][-1].key

    first = key()
    shutil.copytree(adapter, tmp_path / "copy")
    suite.write_text(suite.read_text().replace("tuned-adapter", "copy"))
    assert key() == first
    weights = load_file(tmp_path / "copy" / "adapter_model.safetensors")
    name = next(iter(weights))
    save_file({**weights, name: weights[name] + 1}, tmp_path / "copy" / "adapter_model.safetensors")
    assert key() != first


def test_an_adapter_of_the_base_in_4_bits_is_refused_in_one_line(suite: Path, adapter: Path) -> None:
    (adapter / "export.json").write_text(json.dumps({"base": {"digest": "0" * 64, "form": "4 bits (NF4)"}}))
    with pytest.raises(UsageError, match=r"was trained on its base in 4 bits \(NF4\) and is not for it as lo") as error:
        cells_of(suite)
    assert "\n" not in str(error.value)


def test_another_base_is_refused_in_one_line(suite: Path, adapter: Path, tiny_model: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())

    def named(base: str) -> None:
        (adapter / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": base}))

    named(f"somebody/{tiny_model.name.upper()}")
    assert len(cells_of(suite)[1]) == 3
    named("Qwen/Qwen3-0.6B")
    with pytest.raises(UsageError, match=r'was trained on "Qwen/Qwen3-0.6B", not on tiny .*any_base: true$') as error:
        cells_of(suite)
    assert "\n" not in str(error.value)
    suite.write_text(suite.read_text().replace("path: tuned-adapter", "path: tuned-adapter\n    any_base: true"))
    assert len(cells_of(suite)[1]) == 3
    (adapter / "export.json").write_text(json.dumps({"base": {"digest": "0" * 64}}))
    suite.write_text(suite.read_text().replace("any_base: true", "any_base: false"))
    with pytest.raises(UsageError, match="was trained on a model of digest 000000000000"):
        cells_of(suite)


def test_a_model_of_several_that_it_is_not_for_has_no_cell(suite: Path, adapter: Path, tiny_model: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "x/tiny"}))
    loaded, cells = cells_of(suite, models=["mini", str(tiny_model)])
    assert [cell.model.name for cell in cells if cell.suite_method == "adapter"] == ["tiny"]
    assert left_out(loaded, cells) == ("adapter: not for mini, which is another base",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("path: tuned-adaptor", 'no folder "tuned-adaptor" (did you mean "tuned-adapter"?)'),
        ("path: ''", "adapter needs path: a folder with adapter_config.json, or a Hub id"),
        ("path: paint", "holds no adapter_config.json"),
        ("path: tuned-adapter\n    digest: abc", "is another than asked for: its digest is "),
    ],
)
def test_a_mistake_is_one_line(suite: Path, change: str, words: str) -> None:
    suite.write_text(suite.read_text().replace("path: tuned-adapter", change))
    with pytest.raises(UsageError) as error:
        cells_of(suite)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_weights_of_another_shape_are_refused(adapter: Path, checkpoint: Path, suite: Path, tiny_model: Path) -> None:
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    name = next(name for name in weights if "lora_A" in name)
    save_file({key: value for key, value in weights.items() if key != name}, file)
    with pytest.raises(CellError, match="does not fit the model"):
        adapted(choice_task(), "adapter", {"path": str(adapter)}, tiny_model)
    save_file({**weights, name: weights[name][:, 1:].contiguous()}, file)
    with pytest.raises(CellError, match="does not fit the model"):
        adapted(choice_task(), "adapter", {"path": str(adapter)}, tiny_model)
    content = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**content, "num_hidden_layers": 7}))
    suite.write_text(suite.read_text().replace("adapter:", "checkpoint:").replace("tuned-adapter", "tuned"))
    with pytest.raises(
        UsageError, match=r"no tuned form of model tiny: num_hidden_layers of their config.json differs"
    ):
        cells_of(suite)


def test_a_number_of_virtual_tokens_that_is_none_is_one_line(adapter: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "num_virtual_tokens": "ten"}))
    part = methods.create("adapter", {"path": str(adapter)}).weights
    with pytest.raises(CellError, match='num_virtual_tokens is "ten"; it has to be a whole number'):
        assert part.virtual_tokens


def test_both_join_with_contexts() -> None:
    joined = methods.create("adapter+few-shot", {"path": "x", "k": 2})
    assert joined.name == "adapter+few-shot"
    assert not joined.weights.learner.reads_train
    assert joined.weights.learner.moves_weights
