"""Energy of a GPU with fakes of NVML: what it counts, and the reasons where it does not."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.meters.energy import Energy, Nvml, counter_for

CARD = torch.device("cuda", 0)


class NVMLError(Exception):
    """As pynvml's."""


def nvml(pids: list[list[int]], uuid: str = "GPU-1a2b", divided: bool | None = None, **changes: Any) -> Any:
    millijoules = iter((0, 1_000, 3_500))

    def handle(name: str) -> str:
        if name != uuid:
            raise NVMLError("Not Found")
        return name

    def mig_mode(of: str) -> list[int]:
        if divided is None:
            raise NVMLError("Not Supported")
        return [int(divided), 0]

    return SimpleNamespace(**{
        "NVMLError": NVMLError, "nvmlInit": lambda: None, "nvmlDeviceGetHandleByUUID": handle,
        "nvmlDeviceGetMigMode": mig_mode, "nvmlDeviceGetTotalEnergyConsumption": lambda of: next(millijoules),
        "nvmlDeviceGetComputeRunningProcesses": lambda of: [SimpleNamespace(pid=pid) for pid in pids.pop(0)],
        **changes,
    })  # fmt: skip


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A card of this UUID; what was put on it."""
    seen: list[str] = []
    monkeypatch.setattr(torch, "zeros", lambda size, device: seen.append(str(device)))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1a2b"))
    return seen


def measured(monkeypatch: pytest.MonkeyPatch, fake: Any) -> Energy:
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    counter = counter_for(CARD)
    return counter.between(counter.read(), counter.read())


def test_a_process_alone_on_a_card_is_measured(monkeypatch: pytest.MonkeyPatch, started: list[str]) -> None:
    own = [os.getpid()]
    assert measured(monkeypatch, nvml([own, own])) == Energy(2.5)
    assert started == ["cuda:0"]  # so that the process is listed from the first reading on


@pytest.mark.usefixtures("started")
def test_in_a_container_the_one_process_has_the_hosts_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, nvml([[4_000_001], [4_000_001]], divided=False)) == Energy(2.5)


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize(
    ("pids", "words"),
    [
        ([[4_000_001, 7], [4_000_001]], "1 other processes were on the GPU"),
        ([[4_000_001], [4_000_001, 7, 8]], "2 other processes were on the GPU"),
        ([[], []], "others cannot be ruled out"),
    ],
)
def test_what_others_may_have_used_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, pids: list[list[int]], words: str
) -> None:
    found = measured(monkeypatch, nvml(pids))
    assert found.joules is None
    assert words in found.why


def refused(*args: Any) -> Any:
    raise NVMLError("Not Supported")


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize(
    ("fake", "words"),
    [
        (nvml([[1]], nvmlDeviceGetComputeRunningProcesses=refused), "cannot be read: Not Supported"),
        (nvml([[1]], nvmlDeviceGetTotalEnergyConsumption=refused), "shows no energy counter: Not Supported"),
        (nvml([[1]], nvmlInit=refused), "shows no energy counter: Not Supported"),
        (nvml([[1]], uuid="GPU-else"), "shows no energy counter: Not Found"),
        (nvml([[1]], uuid="MIG-1a2b"), "divided (MIG)"),
        (nvml([[1]], divided=True), "divided (MIG)"),
    ],
    ids=["processes", "energy", "library", "unknown", "part", "divided"],
)
def test_a_query_that_is_not_supported_is_a_reason(monkeypatch: pytest.MonkeyPatch, fake: Any, words: str) -> None:
    found = measured(monkeypatch, fake)
    assert found.joules is None
    assert words in found.why


def test_a_counter_that_fails_later_is_a_reason_too() -> None:
    counter = Nvml(SimpleNamespace(NVMLError=NVMLError), "card")
    assert counter.between((1_000, frozenset({1})), "lost").why == "lost"


def test_without_the_library_the_reason_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "extra gpu" in counter_for(CARD).between(None, None).why
