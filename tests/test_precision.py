"""What `dtype: auto` means on a CPU, a suite that pins it, trials that are kept, and gradients in bfloat16."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch

from bench.cli import doctor_checks
from bench.core.weights_dtype import in_dtype
from bench.engine.predictor import ModelPredictor
from bench.engine.transformers_backend import TransformersBackend
from bench.model import precision
from bench.model.onednn_linear import OneDnnLinear
from bench.model.precision import CpuBf16, cpu_bf16, pick_dtype
from bench.model.trials_kept import kept
from bench.runs.surroundings import surroundings
from tests.small import cells_of, measure, write_suite
from tests.toy import adapted, choice_task

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A processor whose features a test gives, and a cache of its own."""
    monkeypatch.setenv("ADAPTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    cpu_bf16.cache_clear()
    yield
    cpu_bf16.cache_clear()


@pytest.mark.parametrize(
    ("flags", "tiles", "limit", "taken", "reason"),
    [
        ("avx2 avx512f", False, "", torch.float32, "no bfloat16 instructions"),
        ("avx512_bf16", False, "", torch.float32, "without tiles"),
        ("avx512_bf16 amx_bf16", True, "", torch.bfloat16, "in tiles (AMX)"),
        ("avx512_bf16 amx_bf16", False, "", torch.float32, "without tiles"),  # the system gives no tiles
        ("avx512_bf16 amx_bf16", True, "AVX512_CORE_BF16", torch.float32, "without tiles"),  # the user allows none
        ("bf16", False, "", torch.float32, "without tiles"),  # of Arm
    ],
)
def test_auto_by_the_processor(
    monkeypatch: pytest.MonkeyPatch, flags: str, tiles: bool, limit: str, taken: torch.dtype, reason: str
) -> None:
    monkeypatch.setattr(precision, "cpu", lambda what: flags if what == "flags" else "")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert pick_dtype("auto", CPU) is taken
    assert pick_dtype("float32", CPU) is torch.float32
    (found,) = doctor_checks._cpu()
    assert reason in found.detail
    assert f"dtype auto is {str(taken).removeprefix('torch.')}" in found.detail


def test_a_trial_that_cannot_be_kept_or_read_is_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    results = ({"n": n} for n in itertools.count())
    of = {"machine": "m"}
    assert kept("kind", of, lambda: next(results)) == ({"n": 0}, False)
    assert kept("kind", of, lambda: next(results)) == ({"n": 0}, True)
    (file,) = (tmp_path / "cache" / "trials").iterdir()
    file.write_text("{")
    assert kept("kind", of, lambda: next(results)) == ({"n": 1}, False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ADAPTBENCH_CACHE", str(tmp_path / "file"))
    assert kept("kind", of, lambda: next(results)) == ({"n": 2}, False)
    assert kept("kind", of, lambda: next(results)) == ({"n": 3}, False)


def test_of_cells_at_once_one_tries() -> None:
    both, tried = Barrier(2), list[int]()

    def trial() -> dict[str, Any]:
        tried.append(1)
        time.sleep(0.05)
        return {"n": len(tried)}

    def cell(_: int) -> tuple[dict[str, Any], bool]:
        both.wait()
        return kept("kind", {"model": "m"}, trial)

    with ThreadPoolExecutor(2) as threads:
        found = sorted(threads.map(cell, range(2)), key=lambda result: result[1])
    assert found == [({"n": 1}, False), ({"n": 1}, True)]


def test_a_suite_pins_what_auto_means_and_a_cell_follows_its_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, task_folder: Path, tiny_model: Path
) -> None:
    monkeypatch.setattr(precision, "cpu_bf16", lambda: CpuBf16(True, "it does"))
    changes = {"methods": ["zero-shot"]}
    pinned = write_suite(tmp_path, tiny_model, engine={"auto_dtype": "float32"}, **changes)
    assert surroundings(cells_of(pinned)[0]).auto_dtype == "float32"
    file = write_suite(tmp_path, tiny_model, **changes)
    assert surroundings(cells_of(file)[0]).auto_dtype == "bfloat16"
    # the cells of `measure` have float32 in their key, whatever this process now says of the processor
    outcome, _, run = measure(file, tmp_path / "run")
    (record,) = run.records
    assert (outcome.ok, record.identity.surroundings.auto_dtype) == (1, "float32")


@pytest.mark.parametrize("onednn", [False, True])
def test_gradients_in_bf16_are_those_of_fp32_but_for_rounding(onednn: bool) -> None:
    """Of a linear layer trained under autocast: its own, and those it hands on, by float64 products."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(96, 160)
    if onednn:
        layer.__class__ = OneDnnLinear
    x = torch.randn(7, 30, 96, requires_grad=True)
    slope = torch.randn(7, 30, 160)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    assert out.dtype is torch.bfloat16
    out.backward(slope.bfloat16())
    rows, slopes = x.detach().double().reshape(-1, 96), slope.double().reshape(-1, 160)
    expected = {"weight": slopes.T @ rows, "bias": slopes.sum(0)}
    for name, exact in expected.items():
        found = layer.get_parameter(name).grad
        assert found is not None
        assert found.dtype is torch.float32
        error = (found.double() - exact).norm() / exact.norm()
        assert error < 2**-7  # a bfloat16 number has 8 bits: rounding of inputs, slopes and result, each 2^-9 at most
    assert x.grad is not None
    handed = slopes @ layer.weight.detach().double()
    assert (x.grad.reshape(-1, 96).double() - handed).norm() / handed.norm() < 2**-7


@pytest.mark.parametrize("method", ["zero-shot", "lora"])
def test_in_bfloat16_positions_are_those_of_transformers(method: str, tiny_model: Path) -> None:
    """A model that was trained in float32 answers as a checkpoint of its weights that is loaded in bfloat16."""
    from transformers import AutoModelForCausalLM

    options = {} if method == "zero-shot" else {"learning_rate": 1e-3, "max_steps": 1}
    found = adapted(choice_task(), method, options, tiny_model, dtype="bfloat16")
    assert isinstance(found.predictor, ModelPredictor)
    assert isinstance(found.predictor.backend, TransformersBackend)
    model = found.predictor.backend.model
    loaded = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16)
    assert next(model.parameters()).dtype == torch.bfloat16
    theirs, ours = (dict(one.named_buffers()) for one in (loaded, model))
    assert {name: (one.dtype, one.tolist()) for name, one in ours.items()} == {
        name: (one.dtype, one.tolist()) for name, one in theirs.items()
    }
    loaded.load_state_dict(model.state_dict())
    ids = torch.arange(400)[None] % 250
    with torch.inference_mode():
        assert torch.equal(model(ids).logits, loaded(ids).logits)


def test_what_an_architecture_keeps_in_float32_stays_so() -> None:
    router = torch.nn.Module()
    router.register_parameter("weight", torch.nn.Parameter(torch.ones(2, 2)))
    router.register_buffer("e_score_correction_bias", torch.zeros(2))
    router.register_buffer("frequencies", torch.ones(2), persistent=False)
    model = torch.nn.Module()
    model.add_module("gate", router)
    model._get_dtype_plan = lambda dtype: {"e_score_correction_bias": torch.float32}  # type: ignore[assignment]
    in_dtype(model, torch.bfloat16)
    dtypes = (router.weight.dtype, router.e_score_correction_bias.dtype, router.frequencies.dtype)
    assert dtypes == (torch.bfloat16, torch.float32, torch.float32)
