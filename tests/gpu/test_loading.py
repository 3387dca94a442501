"""A model goes straight to its device, once; whether its weights moved is known without a second copy."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from bench.cell import worker
from bench.model import load
from bench.model.fingerprint import fingerprint
from bench.model.load import load_base
from bench.model.resolve import ModelSpec, resolve
from bench.retrieval import embedders
from bench.runs.executor import Ended
from tests.small import measure, write_suite


def model() -> Any:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(40, 30), torch.nn.BatchNorm1d(30), torch.nn.Linear(30, 7).bfloat16())


@pytest.mark.parametrize("name", ["0.weight", "0.bias", "1.num_batches_tracked", "2.weight"])
def test_one_bit_of_one_number_shows(name: str) -> None:
    before, changed = model(), model()
    assert fingerprint(before) == fingerprint(changed)
    with torch.no_grad():
        tensor = changed.state_dict()[name].reshape(-1)
        bits = tensor.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()])
        bits[-1] ^= 1
    assert fingerprint(before) != fingerprint(changed)


def test_two_numbers_that_change_places_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.model.fingerprint._PART", 16)  # so that they stand in different parts
    before, changed = model(), model()
    with torch.no_grad():
        weight = changed[0].weight.view(-1)
        weight[[3, 300]] = weight[[300, 3]]
    assert fingerprint(before) != fingerprint(changed)


def test_weights_in_fp32_are_those_that_they_are_in_bf16() -> None:
    wide = torch.nn.Linear(8, 8)
    narrow = torch.nn.Linear(8, 8).bfloat16()
    narrow.load_state_dict(wide.state_dict())
    assert fingerprint(wide, torch.bfloat16) == fingerprint(narrow)
    assert fingerprint(wide) != fingerprint(narrow)


def test_on_a_gpu_weights_are_read_straight_to_it(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    original = AutoModelForCausalLM.from_pretrained

    def on_the_cpu(*args: Any, device_map: Any, **kwargs: Any) -> Any:
        asked.append(device_map)
        return original(*args, **kwargs)

    def no_copy(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the model is moved after it was loaded")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", on_the_cpu)
    resolved = resolve(ModelSpec(path=str(tiny_model), dtype="float32"))
    card = torch.device("cuda", 0)
    base = load_base(resolved, card)
    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.Module, "to", no_copy)
        base.load(False)
    load_base(resolved, torch.device("cpu")).load(False)
    assert asked == [{"": card}, None]


def test_an_unchanged_model_is_loaded_once_and_a_changed_one_is_gone_before_its_base_is_loaded_again(
    tmp_path: Path, task_folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells in this process, so that what they load can be watched."""
    loaded: list[int] = []  # bytes of weights that earlier models still hold, at each loading
    models: list[weakref.ref[Any]] = []
    original = load._load

    def watched(*args: Any) -> Any:
        gc.collect()
        held = [own for ref in models if (own := ref()) is not None]
        loaded.append(sum(p.nbytes for own in held for p in own.parameters() if p.device.type != "meta"))
        made = original(*args)
        models.append(weakref.ref(made))
        return made

    monkeypatch.setattr(load, "_load", watched)
    monkeypatch.setattr("bench.runs.workers.executor", lambda suite, cells_at_once: InThisProcess())
    options = {"learning_rate": 1e-3, "max_steps": 1, "batch_size": 4}
    file = write_suite(tmp_path, tiny_model, methods=["zero-shot", {"full": options}], probes=["paint"])
    _, _, run = measure(file, tmp_path / "run")
    zero_shot, full = run.records
    assert (zero_shot.weights_changed, zero_shot.divergence) == (False, 0.0)
    assert full.weights_changed
    assert full.divergence
    assert loaded == [0] * 4  # the probe's base cell, zero-shot, full, and full's base


class InThisProcess:
    """An executor that measures a cell when it is submitted."""

    capacity = per_machine = 1

    def submit(self, job: Path, log: Path) -> InThisProcess:
        assert worker.run(job, lambda message: None) == 0
        return self

    def wait(self, seconds: float) -> list[tuple[InThisProcess, Ended]]:
        return [(self, Ended())]

    def cancel(self) -> None: ...


def test_documents_fill_a_card() -> None:
    """Eight times the rows of a CPU's batch; queries come few at a time."""
    assert embedders._shape(64, "document", "cpu") == (32, 64)
    assert embedders._shape(64, "document", "cuda:0") == (256, 64)
    assert embedders._shape(512, "document", "cuda:0") == (128, 512)
    assert embedders._shape(64, "query", "cuda:0") == embedders._shape(64, "query", "cpu") == (8, 64)
