"""The benchmarks' ratios: worked out right, and in a file that pytest-benchmark's own command reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.benchmarks import kernels

ROOT = Path(__file__).parent.parent


class Fixture:
    """What pytest-benchmark's does, with rounds that take 6, 8 and 10 seconds."""

    disabled = False

    def __init__(self) -> None:
        self.stats = SimpleNamespace(stats=SimpleNamespace(data=[]))
        self.extra_info: dict[str, object] = {}

    def pedantic(self, work: Callable[[], object], *, setup: Callable[[], None], rounds: int) -> None:
        for number in range(rounds):
            setup()
            work()
            self.stats.stats.data.append(6.0 + 2 * number)


def test_a_round_is_divided_by_the_kernel_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # warming up 8 for the work and 2 for the kernel, so four kernels each time: 1, 3, 5 before the rounds and 3 after
    # the last, with means of 2, 4 and 4
    times = iter([9.0, 8.0, 2.0, 2.5, 1.0, 3.0, 5.0, 3.0])
    counts: list[int] = []

    def seconds(work: kernels.Kernel, count: int = 1) -> float:
        counts.append(count)
        return next(times)

    monkeypatch.setattr(kernels, "ROUNDS", 3)
    monkeypatch.setattr(kernels, "WARM_UP", 2)
    monkeypatch.setattr(kernels, "seconds", seconds)
    fixture = Fixture()
    kernels.measure(fixture, lambda: None, kernels.in_python)
    assert counts == [1] * 4 + [4] * 4
    assert fixture.stats.stats.data == [3.0, 2.0, 2.5]
    assert fixture.extra_info == {"unit": "times the kernel", "kernel": "in_python", "kernel_s": 3.0, "work_s": 8.0}


@pytest.mark.parametrize("kernel", [kernels.in_torch, kernels.in_numpy, kernels.in_python])
def test_a_kernel_does_the_same_each_time(kernel: kernels.Kernel) -> None:
    one, other = kernel(), kernel()
    assert np.array_equal(np.asarray(one, dtype=object), np.asarray(other, dtype=object))


def test_the_file_of_ratios_is_read_by_pytest_benchmark(tmp_path: Path) -> None:
    file = tmp_path / "ratios.json"
    options = ("-q", "-n", "0", "-p", "no:cacheprovider", "--benchmark-enable", "-m", "benchmark", "-k", "packing")
    command = [sys.executable, "-m", "pytest", *options, f"--benchmark-json={file}", "tests/benchmarks"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    content = json.loads(file.read_text())
    assert content["machine_info"]["node"] == "unknown"
    [found] = content["benchmarks"]
    known = found["extra_info"]
    assert found["stats"]["rounds"] == kernels.ROUNDS
    ratio = known["work_s"] / known["kernel_s"]
    assert found["stats"]["median"] == pytest.approx(ratio, rel=0.5)  # the median of ratios is near that of medians
    other = tmp_path / "other.json"
    other.write_text(file.read_text())
    compare = [sys.executable, "-m", "pytest_benchmark", "compare", str(file), str(other), "--columns=median,rounds"]
    said = subprocess.run(compare, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    assert "2 tests" in said.stdout
    assert said.stdout.count("test_packing") == 2


def test_they_are_no_part_of_the_default_run() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--collect-only", "tests/benchmarks"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "7 deselected" in ended.stdout
