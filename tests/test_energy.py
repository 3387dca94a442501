"""Energy counters: what they say, and that nothing is said where they are not this process's own."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.meters import energy

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
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: millijoules.pop(0),
        nvmlDeviceGetComputeRunningProcesses=lambda handle: [SimpleNamespace(pid=pid) for pid in pids.pop(0)],
    )


def test_a_gpu_counts_while_no_other_process_is_on_it() -> None:
    counter = energy.Nvml(nvml([1_000, 3_500], [[os.getpid()], [os.getpid()]]), "gpu")
    assert counter.between(counter.read(), counter.read()) == energy.Energy(2.5)
    counter = energy.Nvml(nvml([1_000, 3_500], [[os.getpid()], [os.getpid(), 1]]), "gpu")
    assert "1 other processes" in counter.between(counter.read(), counter.read()).why
