"""Memory that runs out on a GPU, shown with raised errors: it is recognised, answered with less, and remembered."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from bench.adapt import gradient
from bench.cell import worker
from bench.core.errors import OutOfMemoryError
from bench.core.training import Losses
from bench.engine.transformers_engine import Engine
from bench.meters.flop_check import Checked, of_training
from bench.model import budget, memory
from bench.training import loss as losses
from bench.training import trainer
from bench.training.batches import Arrangement
from bench.training.loss import mean_loss
from bench.training.trainer import train
from tests.test_training import drawn, setting
from tests.toy import adapted, choice_task

GIB = 2**30
CUDA = torch.device("cuda")
WORDINGS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 79.10 GiB in total"),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported asynchronously"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA driver error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    MemoryError(),
]


@pytest.mark.parametrize("error", WORDINGS, ids=str)
def test_every_wording_is_recognised(error: Exception) -> None:
    assert memory.is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("out of resource: shared memory, Required: 180224, Hardware limit: 101376"),
        ValueError("out of memory"),
    ],
    ids=str,
)
def test_other_failures_of_a_gpu_are_not(error: Exception) -> None:
    assert not memory.is_out_of_memory(error)


@pytest.fixture
def tiny(tiny_model: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_model).eval()


def test_a_limit_that_was_found_holds_for_the_batches_that_follow(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three batches of 16 with room for 4: 16 and 8 fail, then twelve batches of 4."""
    sizes: list[int] = []
    original = Engine._score_batch

    def roomy_for_four(self: Engine, prefix: Any, batch: Sequence[Any], choices: Any) -> Any:
        sizes.append(len(batch))
        if len(batch) > 4:
            raise torch.AcceleratorError("CUDA error: out of memory")
        return original(self, prefix, batch, choices)

    queries, choices = [[3 + i % 200, 5] for i in range(48)], [[[5], [6]]] * 48
    held: dict[str, int] = {}
    plain = Engine(tiny, 0, frozenset(), 96).score([], queries, choices)  # rows of 2 + 1 tokens, half of 96: 16
    monkeypatch.setattr(Engine, "_score_batch", roomy_for_four)
    limited = Engine(tiny, 0, frozenset(), 96, held=held).score([], queries, choices)
    assert sizes == [16, 8] + [4] * 12
    torch.testing.assert_close(torch.tensor(limited), torch.tensor(plain))
    sizes.clear()
    Engine(tiny, 0, frozenset(), 96, held=held).score([], queries, choices)  # another predictor of the cell
    assert sizes == [4] * 12


def full_above(rows: int) -> Any:
    original = losses.summed_loss

    def limited(model: Any, inputs: dict[str, Any], reduction: str = "sum") -> Any:
        if inputs["layout"].packed is False and len(inputs["input_ids"]) > rows and reduction == "sum":
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
        return original(model, inputs, reduction)

    return limited


@pytest.fixture
def padded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a batch stand below each other, as on a GPU."""
    monkeypatch.setattr(losses, "arrangement_of", lambda model: Arrangement.LEFT)


@pytest.mark.usefixtures("padded")
def test_a_mean_loss_takes_fewer_rows_where_memory_runs_out(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = drawn(13)
    expected = mean_loss(tiny, pairs, pad=0, rows=2)
    monkeypatch.setattr(losses, "summed_loss", full_above(2))
    assert mean_loss(tiny, pairs, pad=0, rows=8) == pytest.approx(expected, rel=1e-6)


def test_a_training_begins_with_what_an_earlier_one_of_the_cell_found(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, bool]] = []

    def room_for_two(make: Any, pairs: Any, validation: Any, given: Any, *beside: Any) -> Any:
        tried.append((given.micro_batch, given.checkpointing))
        if given.micro_batch > 2:
            raise torch.AcceleratorError("CUDA error: out of memory")
        return None

    monkeypatch.setattr(trainer, "_train_once", room_for_two)
    held: dict[str, int] = {}
    for _ in range(2):
        train(
            lambda: None, drawn(4), [], setting(options={"batch_size": 8}, micro_batch=8, held=held), lambda d, n: None
        )
    assert tried == [(8, False), (4, False), (2, False), (2, False)]


def test_a_step_keeps_its_size_whatever_its_micro_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine rows: after nine at once three, whose sum is nine; four would leave one out."""
    tried: list[int] = []

    def fails(make: Any, pairs: Any, validation: Any, given: Any, *beside: Any) -> Any:
        tried.append(given.micro_batch)
        raise MemoryError

    monkeypatch.setattr(trainer, "_train_once", fails)
    with pytest.raises(OutOfMemoryError):
        train(lambda: None, drawn(9), [], setting(options={"batch_size": 9}, micro_batch=9), lambda d, n: None)
    assert tried == [9, 3, 1, 1]


@pytest.mark.usefixtures("padded")
def test_the_model_of_a_failed_training_is_gone_when_the_next_is_loaded(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Any]] = []
    alive: list[int] = []

    def make() -> Any:
        alive.append(sum(model() is not None for model in made))
        model = AutoModelForCausalLM.from_pretrained(tiny_model)
        made.append(weakref.ref(model))
        return model

    monkeypatch.setattr(trainer, "summed_loss", full_above(1))
    _, result = train(make, drawn(4), [], setting(options={"max_steps": 1}), lambda d, n: None)
    assert (alive, result.micro_batch) == ([0, 0, 0], 1)


@pytest.mark.usefixtures("padded")
def test_what_is_measured_after_a_training_keeps_to_the_rows_that_fitted(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    original = mean_loss

    def watched(*args: Any, **kwargs: Any) -> float:
        rows.append(kwargs["rows"])
        return original(*args, **kwargs)

    monkeypatch.setattr(trainer, "summed_loss", full_above(2))
    monkeypatch.setattr(gradient, "mean_loss", watched)
    options = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 1}
    training = adapted(choice_task(), "full", options, tiny_model).training
    assert training
    assert (training.micro_batch, rows) == (2, [4])


def test_a_finished_training_outlives_a_loss_that_cannot_be_measured(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **kwargs: Any) -> float:
        raise torch.AcceleratorError("CUDA error: out of memory")

    monkeypatch.setattr(gradient, "mean_loss", fails)
    options = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 1}
    training = adapted(choice_task(), "full", options, tiny_model).training
    assert training
    assert (training.steps, training.loss) == (1, Losses(validation=training.best_validation_loss))


@pytest.mark.parametrize("bf16", [False, True])
def test_operations_are_counted_in_the_precision_of_training(tiny: Any, bf16: bool) -> None:
    seen: list[bool] = []
    tiny.register_forward_hook(lambda *args: seen.append(torch.is_autocast_enabled("cpu")))
    assert of_training(tiny, drawn(6), Checked(0, 2, bf16, recomputed=False))
    assert seen[-1] is bf16


def test_operations_are_counted_with_the_activations_recomputed_as_in_training(tiny: Any) -> None:
    tiny.gradient_checkpointing_enable()
    check = of_training(tiny, drawn(6), Checked(0, 1, False, recomputed=True))
    plain = of_training(tiny, drawn(6), Checked(0, 1, False, recomputed=False))
    assert check
    assert plain
    assert not tiny.training
    # the blocks' forward pass once more, of about three that there are without
    assert 1.2 < check.counted / plain.counted < 4 / 3
    assert check.worked_out > plain.worked_out


def on_a_card(monkeypatch: pytest.MonkeyPatch, free: int, reserved: int = 0, allocated: int = 0) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: reserved)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: allocated)


def llama_7b() -> Any:
    config = LlamaConfig(hidden_size=4096, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=32)
    return SimpleNamespace(device=CUDA, dtype=torch.bfloat16, config=config)


def test_keys_and_values_of_a_7b_llama_are_half_a_mebibyte_a_token() -> None:
    """131,072 tokens are 64 GiB: 2 x 32 layers x 4096 numbers x 2 bytes."""
    assert budget.cache_bytes(llama_7b()) * 131072 == 64 * GIB
    grouped = llama_7b()
    grouped.config.num_key_value_heads = 8
    assert budget.cache_bytes(grouped) * 131072 == 16 * GIB


@pytest.mark.parametrize(
    ("free", "reserved", "allocated", "expected"),
    [
        (66 * GIB, 0, 0, 32768),  # half of it holds 33 x 1024 tokens whose cache is copied once
        (10 * GIB, 30 * GIB, 4 * GIB, 16384),  # torch holds 26 GiB that it does not use
        (600 * GIB, 0, 0, 131072),
        (2**20, 0, 0, 1),
    ],
)
def test_a_batch_holds_what_is_free(
    monkeypatch: pytest.MonkeyPatch, free: int, reserved: int, allocated: int, expected: int
) -> None:
    on_a_card(monkeypatch, free, reserved, allocated)
    assert budget.batch_tokens(llama_7b()) == expected


def test_a_micro_batch_holds_what_weights_and_optimizer_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = 32 * 4096
    on_a_card(monkeypatch, 80 * GIB)
    # 34 bytes for each of 131,072 numbers are 4.25 MiB a token; half of 80 GiB are 9637 of them, of 12 GiB 1445
    assert budget.train_tokens(CUDA, numbers) == 8192
    assert budget.train_tokens(CUDA, numbers, 68 * GIB) == 1024
    assert budget.train_tokens(CUDA, numbers, 112 * GIB) == 1  # the smallest is tried


def test_segments_of_the_allocator_expand_unless_the_user_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "PYTORCH_CUDA_ALLOC_CONF"
    monkeypatch.setenv(name, "max_split_size_mb:64")
    memory.prepare_allocator()
    assert os.environ[name] == "max_split_size_mb:64"
    monkeypatch.delenv(name)
    with pytest.raises(FileNotFoundError):
        worker.run(Path("missing.json"), lambda message: None)
    assert os.environ[name] == "expandable_segments:True"
