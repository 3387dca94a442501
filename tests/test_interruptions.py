"""Signals that end a command, and disks that are full: what is said, and what is left."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cell.setup import task_and_method
from bench.cli import main, signals
from bench.core import unfinished
from bench.core.atomic import naming, write_atomically, write_changed
from bench.core.errors import CellError
from bench.gate import baseline
from bench.runs import scratch
from bench.runs.jobs import job_of
from bench.runs.unchanged import Weights
from bench.store import run_folder
from tests.gate.made import simple
from tests.small import Silent, cells_of, measure, write_suite, write_task

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full(*_: object, **__: object) -> None:
    raise OSError(FULL.errno, FULL.strerror)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), ("interrupted", 130)),
        (signals.TerminatedError(signal.SIGTERM), ("ended by SIGTERM", 143)),
        (signals.TerminatedError(signal.SIGHUP), ("ended by SIGHUP", 129)),
    ],
)
def test_an_interruption_has_its_name_and_the_code_of_shells(error: KeyboardInterrupt, said: tuple[str, int]) -> None:
    assert signals.said(error) == said


@pytest.mark.parametrize(("before", "heeded"), [("SIG_DFL", True), ("SIG_IGN", False)])
def test_a_signal_that_nohup_ignores_stays_ignored(before: str, heeded: bool) -> None:
    code = (
        f"import signal, os; from bench.cli import signals; signal.signal(signal.SIGHUP, signal.{before})\n"
        "signals.heed()\n"
        "try: os.kill(os.getpid(), signal.SIGHUP); print('went on')\n"
        "except KeyboardInterrupt as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("ended by SIGHUP" if heeded else "went on")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, 4),
        (errno.EDQUOT, 4),
        (errno.EIO, 4),
        (errno.EACCES, 2),
        (errno.EROFS, 2),
        (errno.ENAMETOOLONG, 2),
    ],
)
def test_an_error_of_a_file_names_it(
    number: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("bench.store.pack.pack", lambda run, out, **_: write(out, fails))
    (tmp_path / "run").mkdir()
    with pytest.raises(SystemExit) as ended:
        main(["pack", str(tmp_path / "run"), "--out", str(tmp_path / "new.run.zip")])
    said = capsys.readouterr().err
    assert ended.value.code == code
    assert "new.run.zip" in said
    assert "Traceback" not in said


def write(file: Path, fails: object) -> None:
    with naming(file):
        fails()  # type: ignore[operator]


def test_an_error_that_names_a_file_keeps_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such") as raised, naming(tmp_path / "other"):
        (tmp_path / "missing").read_text()
    assert raised.value.filename == str(tmp_path / "missing")


@pytest.mark.parametrize("error", [OSError("no tokenizer for x"), ConnectionError("refused by host")])
def test_what_a_library_says_stays_as_it_is(error: OSError, tmp_path: Path) -> None:
    said = str(error)
    with pytest.raises(OSError, match=said) as raised, naming(tmp_path):
        raise error
    assert str(raised.value) == said


def test_a_full_disk_is_worded_as_the_system_does(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as raised, naming(tmp_path):
        full()
    assert str(raised.value) == f"[Errno {errno.ENOSPC}] {os.strerror(errno.ENOSPC)}: '{tmp_path}'"


def test_a_temporary_file_is_called_what_it_was_to_become(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such") as raised:
        write_atomically(tmp_path / "nowhere" / "file.json", "{}")
    assert raised.value.filename == str(tmp_path / "nowhere" / "file.json")


def test_what_is_there_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_changed(tmp_path / "file", "one\n")
    monkeypatch.setattr("bench.core.atomic.write_atomically", full)
    write_changed(tmp_path / "file", "one\n")
    with pytest.raises(OSError, match="No space left"):
        write_changed(tmp_path / "file", "two\n")


def test_a_full_disk_hinders_no_run_with_nothing_to_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (suite := tmp_path / "suite.yaml").write_text("name: s\n")
    with run_folder.open_run(tmp_path / "run", suite, "s", []):
        pass
    monkeypatch.setattr(run_folder, "hold", full)
    with run_folder.open_run(tmp_path / "run", suite, "s", []) as opened:
        assert opened.lease is None


def test_a_state_that_torch_cannot_write_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "INTERVAL_S", 0.0)
    monkeypatch.setattr(unfinished, "SHARE", 0)
    kept = unfinished.Unfinished(tmp_path, {})
    kept.save_when_due(lambda folder: {"name": "first"})
    (tmp_path / ".left-by-a-kill").mkdir()

    def refused(folder: Path) -> dict[str, str]:
        raise RuntimeError("PytorchStreamWriter failed writing file data/0")

    kept.save_when_due(refused)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("state-")] == ["state-000001"]
    kept.save_when_due(lambda folder: {"name": "second"})
    assert [path.name for path in tmp_path.iterdir()] == ["state-000002"]


def test_folders_of_killed_processes_are_swept_and_others_left(tmp_path: Path) -> None:
    code = (
        "import tempfile, sys, os, signal; tempfile.tempdir = sys.argv[1]\n"
        "from bench.runs.scratch import scratch; print(scratch(), flush=True)\n"
        "sys.stdin.read()\n"
    )

    def begun() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    killed, left = begun()
    killed.kill()
    killed.communicate()
    assert left.is_dir()
    unlocked, fresh = tmp_path / "new-ab-old", tmp_path / "new-ab-fresh"  # of processes without a lock yet
    for folder in (unlocked, fresh):
        folder.mkdir()
    os.utime(unlocked, (0, 0))
    alive, held = begun()  # sweeps what the first has left
    (tmp_path / "ab-of-somebody").mkdir()
    assert not left.exists()
    assert (unlocked.exists(), fresh.exists()) == (False, True)
    fresh.rmdir()
    scratch._sweep(tmp_path)
    assert held.is_dir()
    alive.communicate(timeout=60)  # ends with its input, and takes its folder along
    assert [path.name for path in tmp_path.iterdir()] == ["ab-of-somebody"]
    shutil.rmtree(tmp_path / "ab-of-somebody")


def test_data_that_change_under_way_are_not_measured(tmp_path: Path) -> None:
    """Else the record would stand under the key of what the data were."""
    train = write_task(tmp_path) / "train.jsonl"
    file = write_suite(tmp_path, Path("classical"), models=["classical"], methods=["tf-idf"], defaults={})
    suite, [cell] = cells_of(file)
    job = job_of(suite, cell, run_folder.Store(tmp_path / "run"), tmp_path, None)
    assert len(task_and_method(job)[0].train) == 12
    train.write_text("".join(train.read_text().splitlines(keepends=True)[:9]))
    with pytest.raises(CellError, match="task paint has changed since the run began"):
        task_and_method(job)


def test_weights_that_change_under_way_are_not_measured(
    tmp_path: Path, task_folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the record would stand under the key of what they were."""
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    file = write_suite(tmp_path, model, methods=["zero-shot", {"lora": {"label": "later"}}])
    settings = model / "tokenizer_config.json"
    monkeypatch.setattr(Silent, "progress", lambda *_: settings.write_text(settings.read_text() + "\n"))
    outcome, _, run = measure(file, tmp_path / "run")
    assert (outcome.ok, outcome.failed) == (0, 2)
    for record in run.records:  # one while it was measured, one before it began
        assert record.failure is not None
        assert f"weights have changed since the run began: look at {model}" in record.failure.message
    assert not run.records[1].phases


def test_other_files_beside_weights_may_change(tmp_path: Path, task_folder: Path, tiny_model: Path) -> None:
    """A log beside them, say: no key holds it."""
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    _, cells = cells_of(write_suite(tmp_path, model, methods=["zero-shot"]))
    weights = Weights(cells)
    (model / "training.log").write_text("step 1")
    weights.require_unchanged(cells[0])
    (model / "model.safetensors").touch()
    with pytest.raises(CellError, match="weights have changed"):
        weights.require_unchanged(cells[0])


def test_a_full_disk_names_the_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = simple(tmp_path / "run", [1.0, 0.0])
    monkeypatch.setattr("bench.gate.baseline._write_lines", full)
    with pytest.raises(OSError, match="No space left") as raised:
        baseline.accept(run, "main", tmp_path / "baselines")
    assert raised.value.filename == str(tmp_path / "baselines" / "main")
    assert [path.name for path in (tmp_path / "baselines").iterdir()] == []
