"""Results do not depend on how a suite is measured: one suite of methods, measured in every way there is.

By default some methods of every kind, in all ways; with `-m slow` every method that is found. `tests/test_contract.py`
turns the items round and asks them one by one for each of them, by default too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from bench.cell import worker
from bench.cell.job import Message
from bench.core import unfinished
from bench.core.record import Record, Run
from bench.executors import batch, slurm
from bench.executors.batch import BatchJobs
from bench.executors.cluster import SlurmSettings
from bench.runs import runner, shards
from bench.runs.executor import Event, Executor, LocalProcesses, event_of
from bench.store import merge, run_folder
from methods.set_fit import SetFit
from tests import test_contract
from tests.pictures import COLOURS, png
from tests.small import Silent, cells_of, write_suite, write_task
from tests.test_contract import CASES, METHODS
from tests.test_recommending import write_shop

ROOT = Path(__file__).parent.parent
TASKS = {"choice": "paint", "text": "boxes", "pictures": "painted", "shop": "shop"}
RATES = [1e-3, 1e-2]
FEW: list[Any] = [
    {"zero-shot": {"models": ["tiny"], "tasks": ["boxes"]}},
    {"few-shot": {"k": [1, 2], "models": ["tiny"], "tasks": ["paint"]}},
    {"lora+rag": {"learning_rate": RATES, "max_steps": 4, "batch_size": 4, "rank": 2, "top_k": 1, "tasks": ["boxes"]}},
    {"head": {"c": 1.0, "models": ["encoder"]}},
    {"nearest-answer": {"models": ["words"], "tasks": ["paint"]}},
    {"last-layers": {"learning_rate": 1e-3, "max_steps": 3, "batch_size": 4, "tasks": ["painted"]}},
]
# What tells how a cell was measured, and not what came of it.
MEASURED = {"created", "phases", "latency", "environment", "batch_limits", "over_budget", "resumed"}
OF_TRAINING = {"validation_s", "step_seconds", "metric_s", "work", "micro_batch", "packed", "shape_trial"}
OFF = dict.fromkeys(("latency", "flop_check"), "off")


class StoppedError(BaseException):
    """As a kill, from within."""


@dataclass(eq=False)
class Job:
    """A cell that waits to be measured in this process."""

    executor: Here
    file: Path

    def cancel(self) -> None:
        if self in self.executor.jobs:
            self.executor.jobs.remove(self)


@dataclass
class Here:
    """An executor that measures in this process, while the driver waits; `hear` may stop it."""

    hear: Callable[[Path, Message], None] = lambda file, message: None
    capacity: int = 1
    per_machine: int = 1
    jobs: list[Job] = field(default_factory=list)

    def submit(self, job: Path, log: Path) -> Job:
        self.jobs.append(Job(self, job))
        return self.jobs[-1]

    def wait(self, seconds: float) -> Iterator[tuple[Job, Event]]:
        said: list[Message] = []

        def say(message: Message) -> None:
            said.append(message)
            self.hear(job.file, message)

        job = self.jobs[0]
        worker.run(job.file, say)
        yield job, event_of(said[-1])


def measured(folder: Path, executor: Executor, out: str = "run", shard: str | None = None, **changes: Any) -> Run:
    """The suite of a folder, or a shard of it, measured by an executor."""
    file = folder / "small.yaml"
    suite, cells = cells_of(file, **changes)
    own = cells if shard is None else shards.part(cells, shards.parse(shard))
    part = None if shard is None else run_folder.Part(shard, frozenset(cell.key for cell in own))
    with run_folder.open_run(folder / out, file, suite.name, [cell.ref for cell in cells], part) as store:
        runner.run(suite, own, store, Silent(), executor)
    return run_folder.read_run(folder / out)


def in_small_batches(folder: Path, patch: pytest.MonkeyPatch) -> Run:
    return measured(folder, Here(), engine={"batch_size": 1, "micro_batch": 1})


def turned_round(folder: Path, patch: pytest.MonkeyPatch, **changes: Any) -> Run:
    """The test items, and the methods of the suite."""
    for name in TASKS.values():
        rows = (folder / name / "test.jsonl").read_text().splitlines(keepends=True)
        (folder / name / "test.jsonl").write_text("".join(rows[::-1]))
    suite = yaml.safe_load((folder / "small.yaml").read_text())
    return measured(folder, Here(), methods=suite["methods"][::-1], **changes)


def both(folder: Path, patch: pytest.MonkeyPatch) -> Run:
    return turned_round(folder, patch, engine={"batch_size": 1, "micro_batch": 1})


def on_three_threads(folder: Path, patch: pytest.MonkeyPatch) -> Run:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        return measured(folder, Here())
    finally:
        torch.set_num_threads(before)


def in_two_processes(folder: Path, patch: pytest.MonkeyPatch) -> Run:
    return measured(folder, LocalProcesses(["", ""], threads=1))


def stopped_in_every_phase(folder: Path, patch: pytest.MonkeyPatch) -> Run:
    """And gone on with, with what was learnt until then."""
    patch.setattr(unfinished, "INTERVAL_S", 0.0)
    patch.setattr(unfinished, "SHARE", 0.0)
    patch.setattr(unfinished, "sync", lambda path: None)
    stops: set[tuple[str, str]] = set()

    def hear(file: Path, message: Message) -> None:
        phase, done, _ = message.get("progress", ("", 0, 0))
        stop = (json.loads(file.read_text())["key"], phase)
        if done and phase in ("tune", "train", "predict") and stop not in stops:
            stops.add(stop)
            raise StoppedError

    while True:
        try:
            run = measured(folder, Here(hear))
        except StoppedError:
            continue
        steps = [record for record in run.records if record.training and record.training.steps]
        learnt = [record for record in steps if record.parts.weights.name != SetFit.name]  # which begins anew
        assert stops >= {(record.key, "train") for record in learnt}
        assert all(record.resumed for record in learnt)
        return run


def in_shards(folder: Path, patch: pytest.MonkeyPatch) -> Run:
    for number in (1, 2):
        measured(folder, Here(), f"shard{number}", f"{number}/2")
    merge.merge([folder / "shard2", folder / "shard1"], folder / "run")
    return run_folder.read_run(folder / "run")


def on_a_rehearsed_cluster(folder: Path, patch: pytest.MonkeyPatch) -> Run:
    """submitit's processes, two at once."""
    pytest.importorskip("submitit")
    patch.setattr(batch, "LOOK_EVERY_S", 0.05)
    settings = SlurmSettings(setup=[f"export PYTHONPATH={ROOT}"])
    return measured(folder, BatchJobs(slurm.Rehearsal(folder / "run", settings), 2, ask_every_s=0.2))


Way = Callable[[Path, pytest.MonkeyPatch], Run]
EXACT: tuple[Way, ...] = (in_two_processes, stopped_in_every_phase, in_shards)
BOUNDS: dict[Way, float] = {  # of any number that is no count
    turned_round: 1e-5,
    on_three_threads: 1e-5,
    on_a_rehearsed_cluster: 1e-5,  # where a process takes its own number of threads
    in_small_batches: 1e-3,
    both: 1e-3,
}
HEAD = 1e-3  # of `head`: its classifier is fitted until a step gains little, so last bits of its inputs grow
CHEAP = [("few", way) for way in (*EXACT, both)]
DEAR = [("few" if way is on_a_rehearsed_cluster else "all", way) for way in (*EXACT, *BOUNDS)]


def write_questions(folder: Path) -> None:
    """A text task with documents, of which each holds an answer."""
    folder.mkdir()
    (folder / "corpus.jsonl").write_text(
        "".join(json.dumps({"id": f"p{i}", "text": f"In box {i} lies stone {i}."}) + "\n" for i in range(12))
    )
    for split, count in (("train", 12), ("validation", 4), ("test", 6)):
        rows = [{"id": i, "q": f"{split} box {i}", "a": f"stone {i}", "gold": [f"p{i}"]} for i in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {
        "name": folder.name, "kind": "text", "instruction": "Answer.", "template": "What is in {q}?\nAnswer:",
        "answer": "a", "gold": "gold", "corpus": "corpus.jsonl", "max_new_tokens": 4,
        "splits": {split: f"{split}.jsonl" for split in ("train", "validation", "test")},
    }  # fmt: skip
    (folder / "task.yaml").write_text(yaml.safe_dump(spec))


def write_pictures(folder: Path) -> None:
    """A choice task of pictures of one colour each, none twice."""
    folder.mkdir()
    for place, (split, count) in enumerate((("train", 12), ("validation", 4), ("test", 6))):
        rows = []
        for number in range(count):
            label = list(COLOURS)[number % 3]
            red, green, blue = (shade + 15 * place + number for shade in COLOURS[label])
            (folder / f"{split}{number}.png").write_bytes(png((red, green, blue)))
            rows.append({"id": number, "file": f"{split}{number}.png", "label": label})
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    splits = {split: f"{split}.jsonl" for split in ("train", "validation", "test")}
    spec = {"name": folder.name, "kind": "choice", "image": "file", "answer": "label", "splits": splits}
    (folder / "task.yaml").write_text(yaml.safe_dump(spec))


def every_method() -> list[Any]:
    """Each part that is found, with options that keep it quick, on the kinds of tasks that it can do."""
    kinds: dict[str, list[str]] = {}
    for method, kind in CASES:
        kinds.setdefault(method, []).append(TASKS[kind])
    return [{method: {**METHODS[method], "tasks": names}} for method, names in kinds.items()]


def without_dropout(encoder: Path, folder: Path) -> Path:
    """A copy that drops nothing: what is dropped follows the rows of a micro-batch, as another seed would have it."""
    shutil.copytree(encoder, folder)
    [file] = [each for each in folder.rglob("config.json") if "hidden_dropout_prob" in each.read_text()]
    config = json.loads(file.read_text())
    file.write_text(json.dumps({**config, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}))
    return folder


@pytest.fixture(scope="module")
def measured_here(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, prompted: Path, seeing: Path
) -> Callable[[str], Path]:
    """The folder of a suite of few methods or of all, with its tasks, measured in `run`, in this process."""
    encoder = without_dropout(prompted, tmp_path_factory.mktemp("encoder") / "model")
    named = {"tiny": tiny_model, "encoder": encoder, "seeing": seeing, "words": "classical"}
    models = [{"path": str(path), "name": name} for name, path in named.items()]

    @cache
    def made(which: str) -> Path:
        folder = tmp_path_factory.mktemp(which)
        write_task(folder)
        write_questions(folder / "boxes")
        write_pictures(folder / "painted")
        write_shop(folder)
        few: dict[str, Any] = {"methods": FEW, "seeds": [0, 1], "probes": ["paint"]}
        chosen = few if which == "few" else {"methods": every_method(), "seeds": [0]}
        content = {"models": models, "tasks": list(TASKS.values()), "defaults": {}, "measure": OFF}
        write_suite(folder, tiny_model, **content, **chosen)
        measured(folder, Here())
        return folder

    return made


def result(record: Record) -> dict[str, Any]:
    """What came of a cell."""
    found = {name: value for name, value in asdict(record).items() if name not in MEASURED}
    if found["training"]:
        found["training"] = {k: v for k, v in found["training"].items() if k not in OF_TRAINING}
    return found


def answers(run: Run, folder: Path) -> dict[str, dict[str, Any]]:
    """Result and answers of each cell, by its name; those of a base model to probes too."""
    found: dict[str, dict[str, Any]] = {}
    for record in (*run.base, *run.records):
        [cell] = (folder / "run" / "cells").glob(f"*-{record.key[:12]}")
        rows = [json.loads(row) for row in (cell / run_folder.PREDICTIONS).read_text().splitlines()]
        name = f"{record.name} {record.key[:6]}"
        found[name] = {"record": result(record), "answers": {row["id"]: row for row in rows}}
    return found


def differences(one: Any, other: Any, within: float, where: str = "") -> Iterator[str]:
    """What differs, by its path; numbers that are no counts may by so much."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from differences(one[name], other[name], within, f"{where}/{name}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, within, f"{where}/{place}")
    elif one != other and not (isinstance(one, float) and other == pytest.approx(one, rel=within, abs=within)):
        yield f"{where}: {one} became {other}"


@pytest.mark.parametrize(
    ("which", "way"),
    [*CHEAP, *(pytest.param(*each, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]) for each in DEAR)],
)
def test_how_it_is_measured_changes_no_result(
    which: str,
    way: Way,
    measured_here: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suite = measured_here(which)
    usual = run_folder.read_run(suite / "run")
    folder = tmp_path / "other"
    shutil.copytree(suite, folder, ignore=shutil.ignore_patterns("run"))
    other = way(folder, monkeypatch)
    assert {record.status for record in (*usual.records, *other.records)} == {"ok"}
    assert (usual.missing, other.missing) == ((), ())
    before, after, within = answers(usual, suite), answers(other, folder), BOUNDS.get(way, 0.0)
    assert before.keys() == after.keys()
    found: list[str] = []
    for cell in before:
        bound = max(within, HEAD) if within and " · head · " in cell else within
        found += differences(before[cell], after[cell], bound, cell)
    assert found == []


def test_every_kind_of_task_has_a_folder() -> None:
    assert TASKS.keys() == test_contract.TASKS.keys()


def test_what_differs_is_named() -> None:
    usual = {"a": [1, 0.5], "b": {"c": "x"}}
    assert list(differences(usual, {"a": [1, 0.5004], "b": {"c": "x"}}, 1e-3)) == []
    assert list(differences(usual, {"a": [2, 0.502], "b": {"c": "y"}}, 1e-3)) == [
        "/a/0: 1 became 2", "/a/1: 0.5 became 0.502", "/b/c: x became y",
    ]  # fmt: skip
    assert list(differences(usual, {"a": [1], "b": None}, 1e-3)) == [
        "/a: [1, 0.5] became [1]", "/b: {'c': 'x'} became None",
    ]  # fmt: skip
