"""Seconds of two runs whose cells were measured in turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.core.phases import Phase, PhaseName
from bench.core.record import Record
from bench.gate.interleaved import in_turns, ratio
from tests.gate.made import HARDWARE, Made
from tests.gate.test_gate import only, verdict
from tests.small import measure, write_suite

HERE = replace(HARDWARE, boot="b0")
COST = {"quality": [], "cost": [{"counter": "predict_s", "limit": "10%"}]}


def cells(made: Made, minutes: Sequence[int], seconds: Sequence[float], **changes: Any) -> list[Record]:
    """A cell for each minute that one ended in, with its seconds of prediction for each of ten items."""
    return [
        made.cell(
            "full", [1.0] * 10, seed=seed, created=f"2026-01-01T00:{minute:02}:00+00:00",
            phases={"predict": Phase(10 * own, 2**20)}, **{"environment": HERE, **changes},
        )
        for seed, (minute, own) in enumerate(zip(minutes, seconds, strict=True))
    ]  # fmt: skip


def test_three_turns_by_hand(tmp_path: Path) -> None:
    old = cells(Made(tmp_path / "old"), [0, 3, 4], [1.0, 2.0, 5.0])
    new = cells(Made(tmp_path / "new"), [1, 2, 5], [1.1, 2.4, 6.5])
    found = ratio(new, old, "predict_s", 0.05)
    # ln 1.1, 1.2, 1.3: mean 0.18000, standard deviation 0.083545; t(0.95; 2) = 2.91999
    assert found is not None
    assert found.mean == pytest.approx(1.19722, abs=1e-5)
    assert [found.low, found.high] == pytest.approx([1.03993, 1.37830], abs=1e-4)
    assert found.turns == 3


@pytest.mark.parametrize(
    ("minutes", "changes"),
    [
        ([10, 11, 12], {}),  # one after the other
        ([1, 2, 3], {}),  # 0 4 5 and 1 2 3: the second of these is before the turn of the first is over
        ([1, 6, 7], {"environment": replace(HERE, boot="b1")}),
        ([1, 6, 7], {"environment": HARDWARE}),  # before records said it
        ([1, 6, 7], {"environment": replace(HERE, cells_at_once=2)}),  # cells of other turns were measured meanwhile
    ],
)
def test_what_is_not_in_turns(tmp_path: Path, minutes: Sequence[int], changes: Any) -> None:
    old = cells(Made(tmp_path / "old"), [0, 4, 5], [1.0] * 3)
    new = cells(Made(tmp_path / "new"), minutes, [1.0] * 3, **changes)
    assert in_turns(new, old) == []
    assert ratio(new, old, "predict_s", 0.05) is None


def test_seconds_taken_over_from_another_cell_are_of_no_turn(tmp_path: Path) -> None:
    taken: dict[PhaseName, Phase] = {"predict": Phase(10.0, 2**20), "index": Phase(5.0, 2**20, reused_s=4.0)}
    old = cells(Made(tmp_path / "old"), [0, 2, 4], [1.0] * 3)
    new = [replace(record, phases=taken) for record in cells(Made(tmp_path / "new"), [1, 3, 5], [1.0] * 3)]
    assert len(in_turns(old, old)) == 3
    assert in_turns(new, old) == []


def test_fewer_than_three_turns_tell_nothing(tmp_path: Path) -> None:
    old, new = cells(Made(tmp_path / "old"), [0, 2], [1.0] * 2), cells(Made(tmp_path / "new"), [1, 3], [1.0] * 2)
    assert in_turns(new, old) == []


@pytest.mark.parametrize(
    ("seconds", "mode", "code", "reason"),
    [
        ([1.1, 1.2, 1.3], "regression", 1, "rose by 20% in 3 turns, beyond the limit of 10%"),
        ([1.05, 1.06, 1.05], "regression", 0, "rose by 5% in 3 turns, within the limit of 10%"),
        ([1.0, 1.01, 0.99], "regression", 0, ""),
        ([0.9, 1.5, 1.0], "regression", 3, "a rise of 20% cannot be ruled out in 3 turns"),
        ([1.05, 1.06, 1.05], "non-inferiority", 0, ""),
        ([1.05, 1.15, 1.05], "non-inferiority", 3, "a rise of 10% cannot be ruled out in 3 turns"),
        ([1.3, 1.31, 1.3], "non-inferiority", 1, "rose by 30% in 3 turns, all of the interval beyond 10%"),
    ],
)
def test_what_is_said_of_them(tmp_path: Path, seconds: Sequence[float], mode: str, code: int, reason: str) -> None:
    old, new = Made(tmp_path / "old"), Made(tmp_path / "new")
    cells(old, [0, 2, 4], [1.0] * 3)
    cells(new, [1, 3, 5], seconds)
    found = verdict(old.done(), new.done(), mode=mode, **COST)
    assert (found.exit_code, only(found).reason) == (code, reason)


@pytest.mark.skipif(
    not Path("/proc/sys/kernel/random/boot_id").exists(), reason="only Linux says what it was started as"
)
def test_two_runs_that_grow_seed_by_seed_are_in_turns(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    """As docs/gate.md does it with two installations."""
    full = {"full": {"learning_rate": 1e-3, "max_steps": 1}}
    unmeasured = dict.fromkeys(("latency", "training_items", "flop_check"), "off")
    file = write_suite(tmp_path, tiny_model, methods=[full], seeds=[0, 1, 2], measure=unmeasured)
    for seeds in ([0], [0, 1], [0, 1, 2]):
        for out in (tmp_path / "old", tmp_path / "new"):
            outcome, started, _ = measure(file, out, seeds=seeds)
            assert (len(started), outcome.ok) == (1, len(seeds))
    found = verdict(tmp_path / "old", tmp_path / "new", quality=[], cost=[{"counter": "predict_s", "limit": "900%"}])
    ratio_ = only(found).measured.ratio
    assert ratio_ is not None
    assert ratio_.turns == 3
    assert found.exit_code == 0
