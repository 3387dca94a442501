"""The meter's figures against ones known from elsewhere."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bench.meters.energy import Energy
from bench.meters.phases import MeasuredWork, Meter, peak_host_bytes

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
