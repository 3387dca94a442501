"""One process writes a run, on disks without locks and on machines whose clocks differ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.core.errors import UsageError
from bench.store import lease, run_folder
from bench.store.lease import Lease, LeaseLostError, Owner
from bench.store.run_folder import Store
from bench.store.staging import unwritten
from tests.small import cells_of, write_suite

ROOT = Path(__file__).parent.parent


def refusal(owner: Owner | None) -> UsageError:
    return UsageError(f"held by {owner}")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_S", 0.05)
    monkeypatch.setattr(lease, "SILENCE_S", 0.5)


@contextmanager
def elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lease]:
    """A lease that a process on another machine holds."""
    with monkeypatch.context() as patch:
        patch.setattr(lease, "_place", lambda: "another machine")
        held = lease.hold(folder, refusal)
        taken = held.__enter__()
    yield taken
    held.__exit__(None, None, None)


def test_one_holds_it_and_the_next_gets_it_when_it_is_released(tmp_path: Path) -> None:
    with lease.hold(tmp_path, refusal) as first:
        assert lease.holder(tmp_path) == first.owner
        first.check()
    assert lease.holder(tmp_path) is None
    with lease.hold(tmp_path, refusal) as second:
        assert second.number == first.number + 1
        with pytest.raises(LeaseLostError, match=f"is written by another process now \\(process {os.getpid()} on "):
            first.check()


@pytest.mark.usefixtures("quick")
def test_a_live_holder_elsewhere_is_seen_by_its_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with elsewhere(tmp_path, monkeypatch) as held:
        with pytest.raises(UsageError, match=f"held by process {os.getpid()} on "), lease.hold(tmp_path, refusal):
            pass
        held.check()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("skew", [-3600, 3600])
def test_clocks_of_machines_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skew: float) -> None:
    """A live holder with a clock that is an hour off is not robbed; a dead one is not waited for longer."""
    with elsewhere(tmp_path, monkeypatch):
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + skew)
        assert lease.is_held(tmp_path)
    dead = tmp_path / "000002"
    dead.mkdir()
    owner = {"host": "far", "place": "another machine", "pid": 1, "started": 1.0, "token": "token"}
    (dead / "owner.json").write_text(json.dumps(owner))
    (dead / "beat").write_text("7")
    os.utime(dead / "beat", (real() + skew, real() + skew))
    since = time.monotonic()
    with lease.hold(tmp_path, refusal) as held:
        assert 0.5 <= time.monotonic() - since < 5
        assert held.number == 3


def test_a_holder_of_this_machine_that_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    code = (
        "import os, sys; from bench.store import lease; from pathlib import Path\n"
        "held = lease.hold(Path(sys.argv[1]), RuntimeError); held.__enter__(); os._exit(9)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert lease.holder(tmp_path)
    since = time.monotonic()
    with lease.hold(tmp_path, refusal) as held:
        assert held.number == 2
    assert time.monotonic() - since < 1


@pytest.mark.usefixtures("quick")
def test_who_was_stopped_for_too_long_learns_that_it_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_beat", lambda held, stop: None)
    with elsewhere(tmp_path / "run" / lease.FOLDER, monkeypatch) as stopped:
        store = Store(tmp_path / "run", stopped)
        with lease.hold(tmp_path / "run" / lease.FOLDER, refusal), pytest.raises(LeaseLostError):
            store.check()


@settings(max_examples=40)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_whatever_is_tried_and_when_one_holds_it(tmp_path_factory: pytest.TempPathFactory, judged: list[int]) -> None:
    """Processes that each saw some number free, perhaps long ago, try to take the next."""
    folder = tmp_path_factory.mktemp("lease")
    taken: list[Lease] = []
    for before in judged:
        got = lease._taken(folder, before + 1)
        highest = max((each.number for each in taken), default=0)
        assert (got is not None) == (before + 1 > highest)
        taken += [got] if got else []
        holding = [each for each in taken if each.number == lease._latest(folder)]
        assert len(holding) == (1 if taken else 0)
        assert [each for each in taken if not _lost(each)] == holding


def _lost(held: Lease) -> bool:
    try:
        held.check()
    except LeaseLostError:
        return True
    return False


CONTENDER = """
import sys, time
from pathlib import Path
from bench.store import lease
folder, left = Path(sys.argv[1]), 10
while left:
    try:
        with lease.hold(folder / "lease", lambda owner: RuntimeError()) as held:
            count = int((folder / "count").read_text())
            time.sleep(0.002)
            held.check()
            (folder / "count").write_text(str(count + 1))
            left -= 1
    except RuntimeError:
        time.sleep(0.001)
"""


def test_processes_at_once_exclude_each_other_without_any_lock(tmp_path: Path) -> None:
    """Each adds one to a number, ten times, by reading and writing it: nothing is lost."""
    (tmp_path / "count").write_text("0")
    code = CONTENDER.replace("lease\nfolder", "lease\nlease.BEAT_S, lease.SILENCE_S = 0.02, 20\nfolder")
    command = [sys.executable, "-c", code, str(tmp_path)]
    running = [subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}) for _ in range(4)]
    assert [process.wait(timeout=60) for process in running] == [0] * 4
    assert (tmp_path / "count").read_text() == "40"


@pytest.mark.usefixtures("quick")
def test_a_run_is_refused_on_a_disk_without_locks_too(
    task_folder: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite_file = write_suite(tmp_path, tiny_model)
    suite, cells = cells_of(suite_file)

    def no_locks(handle: int, *, blocking: bool) -> bool:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("filelock.lock_descriptor", no_locks)
    refs = [cell.ref for cell in cells]
    with run_folder.open_run(tmp_path / "run", suite_file, suite.name, refs):
        with (
            pytest.raises(UsageError, match=r"another process is writing .*run \(process \d+ on .*\); wait for it"),
            run_folder.open_run(tmp_path / "run", suite_file, suite.name, refs),
        ):
            pass
        with pytest.raises(UsageError, match="another process is writing"), unwritten(tmp_path / "run"):
            pass
    with unwritten(tmp_path / "run"):
        pass
