"""The meter's figures against ones known from elsewhere: memory, latency, steps of training, energy counters."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from dataclasses import astuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.core.training import StepSeconds
from bench.engine.backend import local
from bench.meters import energy
from bench.meters.energy import Energy
from bench.meters.latency import FEW, SAMPLE, WARM_UP, latency
from bench.meters.phases import MeasuredWork, Meter, peak_host_bytes
from bench.training.step_timer import FIRST, LAST, StepTimer
from tests.toy import adapted, blind, choice_task

MIB = 1024 * 1024
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="peaks of single phases are Linux's")


def held(mib: int) -> torch.Tensor:
    return torch.ones(mib * MIB // 4)


@LINUX
def test_a_phase_has_a_peak_of_its_own() -> None:
    meter = Meter(torch.device("cpu"))
    with meter.phase("train"):
        block = held(300)
        del block
    with meter.phase("predict"):
        time.sleep(0.02)
    large, small = meter.phases["train"], meter.phases["predict"]
    assert large.peak_host_bytes - small.peak_host_bytes > 250 * MIB
    assert small.wall_s >= 0.02
    assert (small.peak_device_bytes, small.peak_reserved_bytes) == (None, None)


def test_a_phase_entered_again_adds_up() -> None:
    meter = Meter(torch.device("cpu"))
    for _ in range(3):
        with meter.phase("train"):
            time.sleep(0.01)
    assert 0.03 <= meter.phases["train"].wall_s < 1


@pytest.mark.parametrize(
    ("readings", "joules", "missing"),
    [([1.5, 2.0], 3.5, ""), ([1.5, None], None, "why"), ([None, 2.0], None, "why")],
)
def test_energy_adds_up_and_a_gap_is_a_gap(readings: list[float | None], joules: float | None, missing: str) -> None:
    class Counter:
        def read(self) -> None: ...

        def between(self, before: None, after: None) -> Energy:
            found = readings.pop(0)
            return Energy(found, "" if found is not None else "why")

    meter = Meter(torch.device("cpu"))
    meter._energy = Counter()
    for _ in range(2):
        with meter.phase("train"):
            pass
    assert (meter.phases["train"].joules, meter.phases["train"].joules_missing) == (joules, missing)


class Joules:
    """A counter that says what it has been told."""

    def __init__(self) -> None:
        self.so_far: float | None = 0.0

    def read(self) -> float | None:
        return self.so_far

    def between(self, before: float | None, after: float | None) -> Energy:
        return Energy(None, "why") if before is None or after is None else Energy(after - before)


def test_what_is_taken_over_counts_in_the_phase_it_is_taken_over_in() -> None:
    meter, counter = Meter(torch.device("cpu")), Joules()
    meter._energy = counter
    with meter.phase("index"):
        meter.reuse(MeasuredWork(5.0, 2.0, (0,)))
        meter.reuse(MeasuredWork(1.0, 0.5, (0,)))
    with meter.phase("index"):
        meter.reuse(MeasuredWork(10.0, 4.0, (0,)))
    with meter.phase("load"):
        pass
    index, load = meter.phases["index"], meter.phases["load"]
    assert (index.reused_s, index.joules, index.joules_missing) == (16.0, 6.5, "")
    assert 16 <= index.wall_s < 17
    assert (load.reused_s, load.joules) == (0.0, 0.0)
    assert load.wall_s < 1


@pytest.mark.parametrize(("counted", "joules", "missing"), [(True, None, "without an energy"), (False, 1.0, "why")])
def test_energy_that_was_not_counted_once_is_not_known(counted: bool, joules: float | None, missing: str) -> None:
    meter, counter = Meter(torch.device("cpu")), Joules()
    meter._energy = counter
    if not counted:
        counter.so_far = None
    with meter.phase("index"):
        meter.reuse(MeasuredWork(5.0, joules, (0,)))
    assert meter.phases["index"].joules is None
    assert missing in meter.phases["index"].joules_missing


def test_a_part_of_a_phase_can_be_timed() -> None:
    meter, counter = Meter(torch.device("cpu")), Joules()
    meter._energy = counter

    def work() -> str:
        time.sleep(0.02)
        counter.so_far = 3.0
        return "done"

    with meter.phase("index"):
        result, took = meter.timed(work)
        time.sleep(0.02)
    assert (result, took.joules) == ("done", 3.0)
    assert 0.02 <= took.wall_s <= meter.phases["index"].wall_s - 0.02


@LINUX
def test_memory_is_taken_over_as_what_was_held_beside_the_rest() -> None:
    meter = Meter(torch.device("cpu"))
    with meter.phase("prepare"):
        block = held(400)
        del block
        _, took = meter.timed(lambda: held(200).sum())
        meter.reuse(MeasuredWork(grown=(0,)))
    [grown] = took.grown
    assert grown == pytest.approx(200 * MIB, rel=0.05)
    assert meter.phases["prepare"].peak_host_bytes > peak_host_bytes() + 150 * MIB  # also before what was timed
    with meter.phase("load"):
        pass
    with meter.phase("index"):
        meter.reuse(took)
    more = meter.phases["index"].peak_host_bytes - meter.phases["load"].peak_host_bytes
    assert more == pytest.approx(grown, rel=0.05)


def test_a_phase_that_fails_is_measured_too() -> None:
    meter = Meter(torch.device("cpu"))
    with pytest.raises(ValueError, match="no"), meter.phase("train"):
        raise ValueError("no")
    assert "train" in meter.phases


@pytest.mark.skipif(not Path("/usr/bin/time").exists(), reason="needs /usr/bin/time")
def test_the_peak_is_what_an_observer_sees() -> None:
    code = (
        "import torch; from bench.meters.phases import Meter; meter = Meter(torch.device('cpu'))\n"
        "with meter.phase('work'):\n    block = torch.ones(100_000_000)\n"
        "print(meter.phases['work'].peak_host_bytes)"
    )
    done = subprocess.run(
        ["/usr/bin/time", "-f", "%M", sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == pytest.approx(int(done.stderr.split()[-1]) * 1024, rel=0.05)


def test_the_peak_is_no_less_than_what_is_held() -> None:
    block = held(50)
    assert peak_host_bytes() >= block.numel() * 4


@pytest.mark.parametrize(("items", "most", "timed"), [(40, SAMPLE, SAMPLE), (40, FEW, FEW), (5, SAMPLE, 4)])
def test_so_many_questions_are_timed(tiny_model: Path, items: int, most: int, timed: int) -> None:
    task = choice_task(test=items)
    predictor = adapted(task, "few-shot", {"k": 2}, tiny_model).predictor
    asked: list[int] = []
    local(predictor.backend).model.register_forward_pre_hook(lambda module, given: asked.append(1))
    found = latency(predictor, blind(task.test), torch.device("cpu"), most=most)
    assert found.questions == timed == min(items, most + WARM_UP) - WARM_UP
    assert len(asked) >= min(items, most + WARM_UP)  # at least a pass for each
    assert 0 < found.retrieval_p50 < found.p50 <= (found.p95 or math.inf)
    assert (found.p95 is None) == (timed < 20)


def test_parts_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = StepTimer(torch.device("cpu"))
    clock = iter([0.0, 0.0, 1.0, 1.0, 2.0, 5.0, 12.0, 13.0, 15.0, 20.0])
    monkeypatch.setattr("bench.training.step_timer.now", lambda device: next(clock))
    step: list[Any] = [None, None, None]
    for number in (FIRST - 1, FIRST):
        watch.begin(number)  # 0
        with watch.part("data"):  # 0 to 1
            pass
        with watch.part("forward and backward"), watch.part("forward"):  # 1 to 12, and 2 to 5
            pass
        watch.on_pre_optimizer_step(*step)  # 13
        watch.on_optimizer_step(*step)  # 15
        watch.on_step_end(*step)  # 20
    assert watch.means() == StepSeconds(steps=1, data=1, forward=3, backward=8, optimizer=2, other=6)


def test_a_training_is_measured_but_for_its_first_steps(tiny_model: Path) -> None:
    options = {"batch_size": 4, "learning_rate": 1e-3}
    long, short = (adapted(choice_task(), "full", {**options, "max_steps": n}, tiny_model).training for n in (5, 2))
    assert long
    assert long.step_seconds
    assert long.step_seconds.steps == 5 - FIRST + 1 <= LAST
    assert all(seconds > 0 for seconds in astuple(long.step_seconds))
    assert short
    assert short.step_seconds is None


def test_what_is_kept_is_counted(tiny_model: Path) -> None:
    quick = {"max_steps": 1, "batch_size": 4, "learning_rate": 1e-3}
    full, lora, zero = (
        adapted(choice_task(), name, options, tiny_model).parameters
        for name, options in (("full", quick), ("lora", {**quick, "rank": 2}), ("zero-shot", {}))
    )
    assert full.stored_bytes == 4 * 115_200 == 4 * full.total
    assert 0 < (lora.stored_bytes or 0) == 4 * lora.trained < full.stored_bytes / 10
    assert zero.stored_bytes == 0


CPU = torch.device("cpu")


def package(root: Path, number: int, microjoules: int, top: int = 10_000_000) -> Path:
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{top}\n")
    return folder


def stat(file: Path, busy_seconds: float) -> Path:
    ticks = round(busy_seconds * os.sysconf("SC_CLK_TCK"))
    file.write_text(f"cpu {ticks} 0 0 999999 5 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7\n")
    return file


def test_packages_add_up_and_a_counter_that_wraps_goes_on(tmp_path: Path) -> None:
    file = stat(tmp_path / "stat", 100)
    rapl = energy.Rapl((package(tmp_path, 0, 9_000_000), package(tmp_path, 1, 500_000)), file)
    before = rapl.read()
    package(tmp_path, 0, 1_000_000)  # past the top: 2 J
    package(tmp_path, 1, 800_000)  # 0.3 J
    after = (rapl.read()[0], before[1] + 10, before[2] + 10.5)
    found = rapl.between(before, after)
    assert found.joules == pytest.approx(2.3)
    assert found.why == ""


def test_time_of_others_makes_a_reading_worth_nothing(tmp_path: Path) -> None:
    rapl = energy.Rapl((package(tmp_path, 0, 0),), stat(tmp_path / "stat", 100))
    found = rapl.between(([0], 50.0, 100.0), ([4_000_000], 55.0, 110.0))
    assert found.joules is None
    assert "took 50% of the CPU time" in found.why


def test_busy_time_is_all_but_idling(tmp_path: Path) -> None:
    rapl = energy.Rapl((package(tmp_path, 0, 0),), stat(tmp_path / "stat", 12.5))
    assert rapl.read()[2] == pytest.approx(12.5)


def test_a_machine_without_a_counter_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "_POWERCAP", tmp_path)
    none = energy.counter_for(CPU)
    assert none.between(none.read(), none.read()) == energy.Energy(
        None, "this machine shows no energy counter of its CPU (no RAPL in /sys/class/powercap)"
    )
    package(tmp_path, 0, 7)
    package(tmp_path, 0, 7).joinpath("intel-rapl:0:0").mkdir()
    assert isinstance(energy.counter_for(CPU), energy.Rapl)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "may not be read" in energy.counter_for(CPU).between(None, None).why


def nvml(millijoules: list[int], pids: list[list[int]]) -> Any:
    return SimpleNamespace(
        NVMLError=ValueError,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: millijoules.pop(0),
        nvmlDeviceGetComputeRunningProcesses=lambda handle: [SimpleNamespace(pid=pid) for pid in pids.pop(0)],
    )


def test_a_gpu_counts_while_no_other_process_is_on_it() -> None:
    counter = energy.Nvml(nvml([1_000, 3_500], [[os.getpid()], [os.getpid()]]), "gpu")
    assert counter.between(counter.read(), counter.read()) == energy.Energy(2.5)
    counter = energy.Nvml(nvml([1_000, 3_500], [[os.getpid()], [os.getpid(), 1]]), "gpu")
    assert "1 other processes" in counter.between(counter.read(), counter.read()).why


def test_what_is_measured_aside_is_no_part_of_the_phase_around_it() -> None:
    meter = Meter(torch.device("cpu"))
    with meter.phase("retrieve"):
        time.sleep(0.02)
        with meter.aside("rerank"):
            assert (meter.is_in("rerank"), meter.is_in("retrieve")) == (True, False)
            time.sleep(0.2)
        assert meter.is_in("retrieve")
        time.sleep(0.02)
    assert not meter.is_in("retrieve")
    assert 0.04 <= meter.phases["retrieve"].wall_s < 0.2 <= meter.phases["rerank"].wall_s
    with meter.aside("rerank"):
        pass
    assert not meter.is_in("rerank")
    with pytest.raises(ValueError, match="gone"), meter.phase("retrieve"), meter.aside("rerank"):
        raise ValueError("gone")
    assert not meter.is_in("retrieve")
