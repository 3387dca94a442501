"""Which device a cell computes on, in which precision, and what is recorded of it; cards are fakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from bench.analysis.summary import summarise
from bench.cell import worker
from bench.cli import doctor_checks
from bench.config.suite import load
from bench.core.errors import UsageError
from bench.core.identity import Identity, Surroundings
from bench.core.measured import Environment
from bench.core.record import Run
from bench.meters import environment, phases
from bench.meters.energy import Energy
from bench.meters.environment import describe
from bench.meters.phases import Meter
from bench.model import devices, onednn_linear
from bench.model.devices import now, pick_device
from bench.model.precision import multiplies_bf16_apart, pick_dtype
from bench.report.tables import notes
from bench.runs.surroundings import surroundings
from bench.training.arguments import arguments
from bench.training.trainer import train
from tests.report.test_report import record
from tests.small import write_suite
from tests.test_training import drawn, setting

CARD = torch.device("cuda", 0)


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cards that nothing may be put on."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize(
    ("asked", "expected"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:7", "cuda:7"), ("cpu", "cpu")]
)
def test_a_device_is_the_one_that_is_asked_for(asked: str, expected: str) -> None:
    assert str(pick_device(asked)) == expected


@pytest.mark.usefixtures("cards")
def test_a_card_that_is_not_there_is_one_line_before_anything_runs(
    tmp_path: Path, task_folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    suite = load(write_suite(tmp_path, tiny_model, engine={"device": "cuda:9"}), {})
    with pytest.raises(UsageError) as caught:
        surroundings(suite)
    assert str(caught.value) == ('device "cuda:9" is not there; allowed here: auto, cpu, cuda:0, cuda:1')


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize(("device", "count"), [("cuda:0", 1), ("cuda:3", 1), ("cpu", 0)])
def test_a_training_takes_the_device_of_its_model_and_no_other(tmp_path: Path, device: str, count: int) -> None:
    told = arguments(str(tmp_path), 4, None, setting(), torch.device(device))
    assert (str(told.device), told.n_gpu) == (device, count)
    assert told.train_batch_size == 4  # eight cards would take eight times as many rows
    assert told.dataloader_pin_memory is (device != "cpu")


@pytest.mark.usefixtures("cards")
def test_a_training_on_the_cpu_stays_there(tiny_model: Path) -> None:
    made = lambda: AutoModelForCausalLM.from_pretrained(tiny_model)  # noqa: E731
    model, result = train(made, drawn(4), [], setting(options={"max_steps": 1}), lambda done, steps: None)
    assert (model.device.type, result.steps) == ("cpu", 1)


@pytest.mark.parametrize(("device", "expected"), [("cuda", "GPU-7"), ("auto", "GPU-7"), ("cpu", "")])
def test_a_job_repeated_by_hand_sees_one_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, expected: str
) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps({"device": device}))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-7, GPU-8")
    monkeypatch.setattr(worker, "run", lambda job, say: 0)
    assert worker.main([str(file)]) == 0
    assert os.environ["CUDA_VISIBLE_DEVICES"] == expected


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize(("major", "dtype", "shown"), [(7, torch.float32, "no"), (8, torch.bfloat16, "yes")])
def test_bf16_is_for_cards_that_multiply_it_and_doctor_says_the_same(
    monkeypatch: pytest.MonkeyPatch, major: int, dtype: torch.dtype, shown: str
) -> None:
    """A card before Ampere emulates it: torch says that it is supported."""
    card = SimpleNamespace(name="Some GPU", major=major, minor=5)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1, 2))
    assert pick_dtype("auto", CARD) is dtype
    (found,) = doctor_checks._devices()
    assert f"bf16 {shown}" in found.detail


@pytest.mark.usefixtures("cards")
def test_a_run_asks_for_the_precision_in_another_process(
    tmp_path: Path, task_folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def run(command: list[str], env: dict[str, str], **kwargs: Any) -> Any:
        asked.append((command[0], env["CUDA_VISIBLE_DEVICES"]))
        return SimpleNamespace(stdout="True\n", stderr="")

    def no_context(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("CUDA would start in the process of the run")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", no_context)
    monkeypatch.setattr(torch.cuda, "_lazy_init", no_context)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 5, 6")
    suite = load(write_suite(tmp_path, tiny_model, engine={"device": "cuda:1", "batch_size": 3}), {})
    assert surroundings(suite) == Surroundings("cuda", "bfloat16", None, batches={"batch_size": 3})
    assert asked == [(sys.executable, "5")]


def test_the_other_process_really_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """On this machine: without CUDA it says no; one that cannot start is a line."""
    assert multiplies_bf16_apart(CARD) is (torch.cuda.is_available() and pick_dtype("auto", CARD) is torch.bfloat16)
    failed = subprocess.CompletedProcess([], 1, "", "Traceback\nRuntimeError: CUDA unknown error\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(UsageError, match=r"CUDA does not start on cuda:0: RuntimeError: CUDA unknown error"):
        multiplies_bf16_apart(CARD)


def test_limits_of_batches_belong_to_a_key_on_a_gpu_alone() -> None:
    """Greedy answers in bf16 can change with the shape of a batch; keys of cells on a CPU stay."""
    cpu = Identity(surroundings=Surroundings("cpu", "float32", None)).content()
    gpu = Identity(surroundings=Surroundings("cuda", "bfloat16", None, batches={"batch_tokens": 512})).content()
    assert cpu["surroundings"] == {"device": "cpu", "auto_dtype": "float32", "embedder": None}
    assert gpu["surroundings"] == {
        "device": "cuda", "auto_dtype": "bfloat16", "embedder": None, "batches": {"batch_tokens": 512},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC 12.2",
            "550.54.15",
        ),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86  Release Build\n", "570.86"),
    ],
)
def test_a_record_tells_cards_drivers_and_libraries_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, version: str
) -> None:
    (tmp_path / "version").write_text(said)
    monkeypatch.setattr(environment, "_DRIVER", tmp_path / "version")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA L4")
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    found = describe(CARD)
    assert (found.device_name, found.driver, found.cuda) == ("NVIDIA L4", version, "12.8")
    assert found.packages["accelerate"]
    here = describe(torch.device("cpu"))
    assert (here.driver, here.cuda) == ("", "")


def test_the_report_says_where_a_run_was_resumed_on_another_card(tmp_path: Path) -> None:
    places = [
        Environment(device="cuda", device_name=name, driver="550.54", cuda="12.8")
        for name in ("NVIDIA L4", "NVIDIA H200")
    ]
    own = tuple(replace(record(seed=seed), environment=places[seed > 0]) for seed in range(3))
    run = Run(tmp_path, "trial", own)
    (table,) = (table for table in notes.tables(run, summarise(run)) if "GPUs" in table.title)
    assert table.notes == (
        "NVIDIA L4, driver 550.54, CUDA 12.8: 1 cells", "NVIDIA H200, driver 550.54, CUDA 12.8: 2 cells",
    )  # fmt: skip
    alike = Run(tmp_path, "trial", own[1:])
    assert not [table for table in notes.tables(alike, summarise(alike)) if "GPUs" in table.title]


def test_the_device_has_finished_before_a_clock_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def clock() -> float:
        calls.append("clock")
        return 1.0

    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append("wait"))
    monkeypatch.setattr(devices, "time", SimpleNamespace(perf_counter=clock))
    assert now(CARD) == 1.0
    assert calls == ["wait", "clock"]
    now(torch.device("cpu"))
    assert calls == ["wait", "clock", "clock"]


def test_peaks_of_a_phase_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake allocator: what is freed stays reserved until the cache is emptied."""
    held = {"allocated": 0, "reserved": 0}
    peaks = dict(held)

    def reach(allocated: int, reserved: int) -> None:
        held.update(allocated=allocated, reserved=reserved)
        peaks.update({name: max(peaks[name], value) for name, value in held.items()})

    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: held.update(reserved=held["allocated"]))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: peaks.update(held))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: peaks["allocated"])
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: peaks["reserved"])
    nothing = SimpleNamespace(read=lambda: None, between=lambda before, after: Energy(None, "a fake"))
    monkeypatch.setattr(phases, "counter_for", lambda device: nothing)
    meter = Meter(CARD)
    with meter.phase("train"):
        reach(60, 80)
        reach(10, 80)  # freed, and kept by the allocator
    with meter.phase("predict"):
        reach(20, 30)
    found = {name: (phase.peak_device_bytes, phase.peak_reserved_bytes) for name, phase in meter.phases.items()}
    assert found == {"train": (60, 80), "predict": (20, 30)}


def test_a_model_on_a_gpu_has_no_layers_of_a_cpu_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn_linear, "onednn_pays", lambda: True)
    with torch.device("meta"):
        elsewhere = torch.nn.Sequential(torch.nn.Linear(2, 2))
    assert type(onednn_linear.use_onednn(elsewhere)[0]) is torch.nn.Linear
    here = onednn_linear.use_onednn(torch.nn.Sequential(torch.nn.Linear(2, 2)))
    assert type(here[0]) is onednn_linear.OneDnnLinear
