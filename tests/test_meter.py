"""The meter's figures against ones known from elsewhere."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bench.energy import Energy
from bench.meter import Meter, peak_host_bytes

MIB = 1024 * 1024
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="peaks of single phases are Linux's")


def held(mib: int) -> torch.Tensor:
    return torch.ones(mib * MIB // 4)


@LINUX
def test_a_phase_has_a_peak_of_its_own() -> None:
    meter = Meter(torch.device("cpu"))
    with meter.phase("large"):
        block = held(300)
        del block
    with meter.phase("small"):
        time.sleep(0.02)
    large, small = meter.phases["large"], meter.phases["small"]
    assert large.peak_host_bytes - small.peak_host_bytes > 250 * MIB
    assert small.wall_s >= 0.02
    assert (small.peak_device_bytes, small.peak_reserved_bytes) == (None, None)


def test_a_phase_entered_again_adds_up() -> None:
    meter = Meter(torch.device("cpu"))
    for _ in range(3):
        with meter.phase("work"):
            time.sleep(0.01)
    assert 0.03 <= meter.phases["work"].wall_s < 1


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
        with meter.phase("work"):
            pass
    assert (meter.phases["work"].joules, meter.phases["work"].joules_missing) == (joules, missing)


def test_a_phase_that_fails_is_measured_too() -> None:
    meter = Meter(torch.device("cpu"))
    with pytest.raises(ValueError, match="no"), meter.phase("work"):
        raise ValueError("no")
    assert "work" in meter.phases


@pytest.mark.skipif(not Path("/usr/bin/time").exists(), reason="needs /usr/bin/time")
def test_the_peak_is_what_an_observer_sees() -> None:
    code = (
        "import torch; from bench.meter import Meter; meter = Meter(torch.device('cpu'))\n"
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
