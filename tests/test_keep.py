"""Trained weights that stay beside their record: the same bits again, counted, no more of them than a suite asks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file

import methods
from bench.adapt.learner import Observer
from bench.adapt.linear_probe import CLASSIFIER
from bench.core.method import TrainedPart
from bench.engine.backend import local
from bench.model.load import load_base
from bench.model.resolve import ModelSpec, resolve
from bench.runs import winners
from bench.store import merge, pack, run_folder
from tests.gate.made import Made
from tests.small import measure, write_suite
from tests.toy import QUICK, adapted, choice_task


@pytest.mark.parametrize(
    ("name", "options"),
    [("lora", {"rank": 2}), ("full", {}), ("last-layers", {"layers": 1}), ("scratch", {}), ("bitfit", {})],
)
def test_kept_weights_are_those_that_answered(
    name: str, options: dict[str, Any], tiny_model: Path, tmp_path: Path
) -> None:
    made = adapted(choice_task(), name, {**QUICK, **options}, tiny_model, observer=Observer(weights=tmp_path))
    answered = local(made.predictor.backend).model.state_dict()
    base = load_base(resolve(ModelSpec(path=str(tiny_model))), torch.device("cpu")).load(False)
    before = {name: value.clone() for name, value in base.state_dict().items()}
    again = cast(TrainedPart, methods.create(name, options).weights).restore(base, tmp_path).state_dict()
    assert again.keys() == answered.keys()
    assert all(torch.equal(again[key], answered[key]) for key in answered)
    assert any(not torch.equal(before[key], answered[key]) for key in answered)


def test_a_classifier_is_kept(tiny_model: Path, tmp_path: Path) -> None:
    made = adapted(choice_task(), "head", {"c": 1.0}, tiny_model, observer=Observer(weights=tmp_path))
    layer = local(made.predictor.backend).model.get_output_embeddings().layer
    kept = load_file(tmp_path / CLASSIFIER)
    assert torch.equal(kept["weight"], layer.weight)
    assert torch.equal(kept["bias"], layer.bias)
    assert kept["weight"].shape[0] == 3  # a row for each colour


def test_files_of_an_adapter_say_nothing_of_the_machine(tiny_model: Path, tmp_path: Path) -> None:
    adapted(choice_task(), "lora", QUICK, tiny_model, observer=Observer(weights=tmp_path))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None
    assert config["target_modules"] == sorted(config["target_modules"])


@pytest.fixture
def kept(tmp_path: Path, task_folder: Path, tiny_model: Path) -> Path:
    """A run that keeps what was trained."""
    file = write_suite(tmp_path, tiny_model, keep="all", measure={"latency": "off", "training_items": "off"})
    measure(file, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_keeps_counts_merges_and_packs_weights(kept: Path, tmp_path: Path) -> None:
    [folder] = run_folder.weights_folders(kept).values()  # of the one method of three that trains
    file = folder / "trained.safetensors"
    inside = hashlib.sha256(file.read_bytes()).hexdigest()
    [record] = [record for record in run_folder.read_run(kept).records if record.kept]
    assert record.kept is not None
    assert record.kept.stored_bytes == file.stat().st_size > 4 * 115_200
    assert record.kept.digest == hashlib.sha256(f"trained.safetensors\0{inside}\n".encode()).hexdigest()

    merge.merge([kept], tmp_path / "merged")
    [merged] = run_folder.weights_folders(tmp_path / "merged").values()
    assert (merged / file.name).read_bytes() == file.read_bytes()
    without, with_weights = (
        pack.unpack(pack.pack(kept, tmp_path / f"{asked}.run.zip", with_weights=asked)) for asked in (False, True)
    )
    assert run_folder.weights_folders(without) == {}
    [unpacked] = run_folder.weights_folders(with_weights).values()
    assert (unpacked / file.name).read_bytes() == file.read_bytes()


def test_what_has_no_weights_to_keep_leaves_no_folder(tmp_path: Path, task_folder: Path) -> None:
    file = write_suite(tmp_path, Path("classical"), methods=["nearest-answer"], keep="all")
    measure(file, tmp_path / "run")
    [record] = run_folder.read_run(tmp_path / "run").records
    assert (record.status, record.kept) == ("ok", None)
    assert run_folder.weights_folders(tmp_path / "run") == {}


def contest(folder: Path, right: dict[str, int]) -> Path:
    """A run of methods with so many right answers of 60, each with a folder of weights."""
    made = Made(folder)
    for name, count in right.items():
        made.cell(name, [1] * count + [0] * (60 - count))
    run = made.done()
    for cell in (run / "cells").iterdir():
        (cell / run_folder.WEIGHTS).mkdir()
    return run


def methods_with_weights(run: Path) -> set[str]:
    return {folder.parent.name.split(".")[1] for folder in run_folder.weights_folders(run).values()}


def test_only_what_can_win_keeps_its_weights(tmp_path: Path) -> None:
    clear = contest(tmp_path / "clear", {"full": 58, "lora": 10, "head": 5})
    winners.prune(clear, "m", "other")
    assert methods_with_weights(clear) == {"full", "lora", "head"}
    winners.prune(clear, "m", "mail")
    assert methods_with_weights(clear) == {"full"}
    close = contest(tmp_path / "close", {"full": 32, "lora": 30, "head": 5})
    winners.prune(close, "m", "mail")
    assert methods_with_weights(close) == {"full", "lora"}  # undecided: either may be the better choice
