"""A training that was stopped goes on where it was: what comes of it is what would have come of it undisturbed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from bench.cell.job import Job
from bench.cell.measure import measure
from bench.core import unfinished
from bench.core.errors import OutOfMemoryError
from bench.core.identity import Identity, TuningSettings
from bench.core.record import CellRef, Record
from bench.core.training import Training
from bench.core.unfinished import Unfinished
from bench.meters.phases import Meter
from bench.store import run_folder
from bench.training import batches
from bench.training.arguments import Setting
from bench.training.checkpoints import CheckpointCallback
from bench.training.epochs import Scorer
from bench.training.resume import Resume
from bench.training.trainer import train
from methods.full import FullOptions
from tests.small import cells_of, write_suite, write_task
from tests.test_training import drawn
from tests.test_tuning import job_of

ROOT = Path(__file__).parent.parent
VERSIONS = {"key": "a cell", "torch": torch.__version__}
WORKER = """
import sys
from bench.core import unfinished
unfinished.INTERVAL_S = unfinished.SHARE = 0.0  # a state before every step
from bench.cell import worker
sys.exit(worker.main(sys.argv[1:]))
"""


class StoppedError(Exception):
    """As a kill, from within."""


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state before every step."""
    monkeypatch.setattr(unfinished, "INTERVAL_S", 0.0)
    monkeypatch.setattr(unfinished, "SHARE", 0.0)
    monkeypatch.setattr(unfinished, "sync", lambda path: None)


def made(model: Path, adapter: bool) -> Any:
    """With dropout in the adapter, or in the attention."""
    torch.manual_seed(5)
    base = AutoModelForCausalLM.from_pretrained(model, attention_dropout=0.0 if adapter else 0.2)
    if not adapter:
        return base
    return get_peft_model(base, LoraConfig(r=2, target_modules="all-linear", lora_dropout=0.3, task_type="CAUSAL_LM"))


def trained(
    model: Path,
    folder: Path | None = None,
    stop: int | None = None,
    *,
    adapter: bool = False,
    versions: Mapping[str, str] = VERSIONS,
    scored: bool = False,
    **changes: Any,
) -> tuple[dict[str, Any], Training, Unfinished]:
    """13 steps of 4 epochs at most, in two micro-batches each; stopped after `stop` of them."""
    options = {"batch_size": 4, "epochs": 4, "patience": 3, "warmup": 0.0, "learning_rate": 3e-3, **changes}
    setting = Setting(FullOptions(**options), 3e-3, 1, 0, 2, False)
    kept = Unfinished(folder, versions)
    counted: list[int] = []

    def step(done: int, steps: int) -> None:
        if done == stop:
            raise StoppedError

    def score(model: Any) -> float:  # of which the second epoch's is the best
        counted.append(7)
        return [0.1, 0.5, 0.2, 0.3][len(counted) - 1]

    scorer = Scorer(score, True, lambda: sum(counted), lambda tokens: counted.extend([7] * (tokens // 7)))
    resume = Resume(kept, "train", lambda: {"s": 1.0}, lambda taken: float(taken["s"]))
    pairs = drawn(14)
    result, training = train(
        lambda: made(model, adapter), pairs[:13], pairs[10:], setting, step, (), scorer if scored else None, resume
    )
    untimed = dataclasses.replace(training, validation_s=None, step_seconds=None, metric_s=None)
    return result.state_dict(), untimed, kept


@pytest.mark.parametrize(
    ("stop", "how"),
    [
        (3, {}),  # within the first epoch
        (5, {"adapter": True}),  # after the first step of the second epoch, whose state is one of its beginning
        (11, {"adapter": True, "scored": True}),  # after losses were written down, with a best epoch behind it
        (14, {"scored": True}),
    ],
)
@pytest.mark.usefixtures("always")
def test_what_comes_of_it_is_the_same_to_the_last_bit(
    stop: int, how: dict[str, Any], tiny_model: Path, tmp_path: Path
) -> None:
    whole, training, _ = trained(tiny_model, **how)
    with pytest.raises(StoppedError):
        trained(tiny_model, tmp_path, stop, **how)
    with pytest.raises(StoppedError):  # and again, a step later, if it had come to one
        trained(tiny_model, tmp_path, stop + 1, **how)
    again, resumed, kept = trained(tiny_model, tmp_path, **how)
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    assert resumed == training
    assert (training.steps, training.best_step) == (16, 8 if how.get("scored") else 16)
    assert kept.resumed
    assert (kept.resumed.stops, kept.resumed.step) == (2, stop)
    assert len(list(tmp_path.glob("state-*"))) == 1


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("change", [{"versions": {**VERSIONS, "torch": "1.0"}}, {"weight_decay": 0.1}])
def test_another_training_begins_anew(change: dict[str, Any], tiny_model: Path, tmp_path: Path) -> None:
    whole, training, _ = trained(tiny_model, **change)
    with pytest.raises(StoppedError):
        trained(tiny_model, tmp_path, 2)
    again, other, kept = trained(tiny_model, tmp_path, **change)
    assert kept.resumed is None
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    assert other == training


@pytest.mark.usefixtures("always")
def test_a_state_that_is_damaged_is_not_gone_on_with(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        trained(tiny_model, tmp_path, 6)
    [state] = tmp_path.glob("state-*")
    (state / "about.json").write_text('{"of": ')
    assert trained(tiny_model, tmp_path)[2].resumed is None


def test_a_short_training_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    trained(tiny_model, folder)
    assert not folder.exists()


@pytest.mark.usefixtures("always")
def test_where_memory_runs_out_it_begins_anew_with_fewer_rows(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from the state that the rows which did not fit have left."""
    with pytest.raises(StoppedError):
        trained(tiny_model, tmp_path, 6)
    steps: list[tuple[int, int]] = []

    def collated(rows: Any, pad: int, arrangement: Any) -> Any:
        steps.append((len(rows), 0))
        if len(rows) > 1:
            raise OutOfMemoryError("too many")
        return plain(rows, pad, arrangement)

    from bench.training import trainer

    plain = batches.collate
    monkeypatch.setattr(trainer, "collate", collated)
    monkeypatch.setattr(trainer, "is_out_of_memory", lambda error: isinstance(error, OutOfMemoryError))
    _, training, _ = trained(tiny_model, tmp_path)
    assert training.micro_batch == 1
    assert len(steps) == 1 + (training.steps or 0) // 4 * 13


def test_writing_takes_a_small_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    kept = Unfinished(tmp_path)

    def written(folder: Path) -> dict[str, Any]:
        times.append(now[0])
        now[0] += 3.0
        return {"name": "x"}

    times: list[float] = []
    while now[0] < 500:
        kept.save_when_due(written)
        now[0] += 1.0
    assert times == [60.0, 213.0, 366.0]  # a minute, then fifty times the three seconds after what ended at 63


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: Path, always: None) -> None:
    file = tmp_path / "file"
    file.touch()
    kept = Unfinished(file / "folder")
    kept.ended("a", 1)
    assert kept.trial("a") == 1


def test_weights_at_steps_are_there_when_a_training_goes_on(tmp_path: Path) -> None:
    class State:
        max_steps, global_step = 8, 5

    callback = CheckpointCallback(tmp_path, 3)
    callback.on_train_begin(None, State, None)
    assert [step for step, _ in callback.taken] == [2, 4]


def test_costs_of_an_attempt_before_are_counted_once() -> None:
    meter = Meter(torch.device("cpu"))
    with meter.phase("tune"):
        trial = meter.watch()
        time.sleep(0.02)
        meter.multiplied("tune", 5)
        first = trial()
    assert 0.02 <= first.work.wall_s < 1
    assert (dict(first.flops), first.side_s) == ({"tune": 5}, 0.0)
    later = Meter(torch.device("cpu"))
    taken = dataclasses.replace(first, work=dataclasses.replace(first.work, wall_s=100.0), side_s=2.0)
    with later.phase("tune"):
        outer = later.watch()
        later.take_over(taken)
        assert 100 <= outer().work.wall_s < 101
        assert dict(outer().flops) == {"tune": 5}
    phase = later.phases["tune"]
    assert 100 <= phase.wall_s < 101
    assert (phase.flops, phase.reused_s, later.side_s) == (5, 0.0, 2.0)


def test_the_store_keeps_it_until_the_cell_is_published(task_folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    file = write_suite(tmp_path, tiny_model)
    suite, cells = cells_of(file)
    refs = [cell.ref for cell in cells]
    stranger = dataclasses.replace(refs[0], key="f" * 64)

    def opened() -> Any:
        return run_folder.open_run(tmp_path / "run", file, suite.name, refs)

    with opened() as store:
        for ref in (*refs, stranger):
            store.unfinished(ref).mkdir()
    with opened() as store:
        assert [store.unfinished(ref).exists() for ref in (*refs, stranger)] == [True] * len(refs) + [False]
        staging = store.staging(refs[0])
        write(staging, refs[0])
        store.publish(staging, refs[0])
        assert [store.unfinished(ref).exists() for ref in refs] == [False] + [True] * (len(refs) - 1)
        store.unfinished(refs[0]).mkdir()  # as a worker that was given up would
    with opened() as store:
        assert not store.unfinished(refs[0]).exists()


def write(folder: Path, ref: CellRef) -> None:
    record = Record(ref.key, ref.model, ref.task, ref.method, ref.seed, "ok", "2026-01-01T00:00:00+00:00")
    run_folder.write_record(folder, record)


@pytest.mark.slow  # tests/test_invariance.py stops every cell from within, in each of its phases
def test_a_cell_that_is_killed_goes_on_in_another_process(tiny_model: Path, tmp_path: Path) -> None:
    """By signal 9, when its options are found and it has learnt for a while."""
    whole = measure(cell(tiny_model, tmp_path / "whole"), lambda phase, done, total: None)
    killed = cell(tiny_model, tmp_path / "killed", tmp_path / "kept")
    job = tmp_path / "job.json"
    job.write_text(json.dumps(dataclasses.asdict(killed)))
    assert killed_at(job, "train", 10) >= 10
    record = measure(cell(tiny_model, tmp_path / "again", tmp_path / "kept"), lambda phase, done, total: None)
    assert record.resumed
    assert (record.resumed.stops, record.resumed.trials) == (1, 2)
    assert (record.resumed.step or 0) >= 9
    assert 0 < record.resumed.seconds < record.phases["tune"].wall_s + record.phases["train"].wall_s
    assert record.scores == whole.scores
    assert record.kept
    assert record.kept == whole.kept
    assert record.training
    assert whole.training
    for name in ("train_loss", "validation_loss", "best_step", "steps", "work", "validation_metric"):
        assert getattr(record.training, name) == getattr(whole.training, name)
    assert record.tuning == whole.tuning
    assert {name: phase.flops for name, phase in record.phases.items()} == {
        name: phase.flops for name, phase in whole.phases.items()
    }


def cell(model: Path, out: Path, kept: Path | None = None) -> Job:
    """Full fine-tuning: two rates are tried, the epoch is chosen by the answers to validation items."""
    given = {"learning_rate": [1e-3, 3e-3], "epochs": 8, "batch_size": 4, "criterion": "metric", "trial_share": 0.5}
    out.mkdir()
    return dataclasses.replace(
        job_of("full", model, out, given), identity=Identity(tuning=TuningSettings(2, 0)), task=str(write_task(out)),
        keeps_weights=True, unfinished=str(kept) if kept else None, micro_batch="width",
        turned_off=["latency", "training_items", "flop_check"],
    )  # fmt: skip


def killed_at(job: Path, phase: str, step: int) -> int:
    """The step of a phase that the worker of a job said when it was ended by signal 9."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (job.parent / "log.txt").open("wb") as log, subprocess.Popen(
        [sys.executable, "-c", WORKER, str(job)], env=environment, stdout=subprocess.PIPE, stderr=log
    ) as process:  # fmt: skip
        assert process.stdout
        for line in process.stdout:
            said = json.loads(line).get("progress", ("", 0, 0))
            if said[0] == phase and said[1] >= step:
                process.send_signal(signal.SIGKILL)
                return int(said[1])
    raise AssertionError((job.parent / "log.txt").read_text())
