"""Committed runs, measured again until decided by an executor that hands out the cells of their archives."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.analysis.decision.across import ALL_MODELS
from bench.analysis.decision.verdict import Verdict, verdicts
from bench.config import assumptions
from bench.config.prices import replaced
from bench.config.suite import Suite, find, load
from bench.core.record import Record, Run
from bench.forecast.next_cells import settled_on
from bench.runs import runner
from bench.runs.cells import Cell, expand
from bench.runs.executor import Ended, Event
from bench.runs.suite_run import asked_surroundings
from bench.runs.until_decided import Budget, UntilDecided
from bench.store.archive import RunPath
from bench.store.run_folder import RECORD, cell_folders, open_run, read_record, read_run, write_record
from scripts.forecasts.archived import RESULTS, name_of, name_of_record, seconds_of

POLICIES: Mapping[str, dict[str, Any]] = {
    "as the suite says": {},
    "a correct answer is worth 0.001": {"value_of_right": 0.001},
    "at most 0.05 of a probe is lost": {"require": {"retention_loss": 0.05}},
}


@dataclass(frozen=True, slots=True)
class Replay:
    """A task of a run, measured until decided, beside all of its cells."""

    run: str
    policy: str
    task: str
    full: str  # the choice of all cells; "": not enough evidence, or nothing meets the requirements
    leads: str  # the choice or, where there is not enough evidence, the best so far
    chose: str  # what it was settled on
    chose_leads: str
    cells: int
    measured: int
    share: float  # of the seconds of all cells


@dataclass(eq=False)
class _Copied:
    """A cell that an archive holds."""

    def cancel(self) -> None:
        pass


@dataclass
class Archived:
    """Hands out cells of an archive in the place of measuring them."""

    cells: Mapping[str, Cell]
    folders: Mapping[tuple[object, ...], RunPath]
    capacity: int = 1
    per_machine: int = 1
    ended: list[_Copied] = field(default_factory=list)

    def submit(self, job: Path, log: Path) -> _Copied:
        key = json.loads(job.read_text(encoding="utf-8"))["key"]
        cell = self.cells[key]
        for file in self.folders[name_of(cell)].iterdir():
            if file.is_file():
                (job.parent / file.name).write_bytes(file.read_bytes())
        write_record(job.parent, replace(read_record(job.parent / RECORD), key=key))
        self.ended.append(_Copied())
        return self.ended[-1]

    def wait(self, seconds: float) -> Iterable[tuple[_Copied, Event]]:
        ended, self.ended = self.ended, []
        return [(one, Ended()) for one in ended]


class Silent:
    """Shows nothing."""

    def say(self, text: str) -> None: ...

    def start(self, cell: Cell) -> None: ...

    def progress(self, cell: Cell, phase: str, done: int, total: int) -> None: ...

    def finish(self, cell: Cell, record: Record, cached: bool) -> None: ...


def replay(name: str, policy: str) -> list[Replay]:
    """Each task of a committed run under a policy; cells that the archive lacks are no part of it."""
    file, archive = find(name), RESULTS / f"{name}.run.zip"
    suite = load(file, {"decide": POLICIES[policy]})
    whole, folders = read_run(archive), cell_folders(archive)
    there: dict[tuple[object, ...], RunPath] = {
        (one.model, one.task, one.method, one.seed, is_base): folders[one.key[:12]]
        for records, is_base in ((whole.records, False), (whole.base, True))
        for one in records
    }
    cells = [cell for cell in expand(suite, file, asked_surroundings) if name_of(cell) in there]
    with tempfile.TemporaryDirectory() as folder, open_run(Path(folder), file, name, [c.ref for c in cells]) as store:
        order = UntilDecided(suite, cells, store, Budget())
        executor = Archived({cell.key: cell for cell in cells}, there)
        runner.run(suite, cells, store, Silent(), executor, order)
        print(name, policy, *order.lines(), sep="\n  ", flush=True)
        short, names = read_run(Path(folder)), {name_of(cell) for cell in cells}
        whole = replace(whole, records=tuple(one for one in whole.records if name_of_record(one) in names))
        full, chosen = (_verdicts(run, suite) for run in (whole, short))
        found = []
        for task in full:
            done, every = _of(short, task), _of(whole, task)
            share = sum(map(seconds_of, done)) / sum(map(seconds_of, every))
            outcome, leads = settled_on(order.outlooks[task]), _told(chosen.get(task))[1]
            chose = "open" if outcome is None else outcome
            found.append(Replay(name, policy, task, *_told(full[task]), chose, leads, len(every), len(done), share))
            print("   ", found[-1], flush=True)
        return found


def _verdicts(run: Run, suite: Suite) -> dict[str, Verdict]:
    """The verdict on each task, over all models where there are several."""
    found = verdicts(run, replaced(suite.prices, suite.name), assumptions.read(suite.decide, suite.name))
    by_task = {one.family.task: one for one in reversed(found)}
    return by_task | {one.family.task: one for one in found if one.family.model == ALL_MODELS}


def _told(verdict: Verdict | None) -> tuple[str, str]:
    if verdict is None or verdict.choice is None:
        return "", ""
    return "" if verdict.undecided else verdict.choice, verdict.choice


def _of(run: Run, task: str) -> list[Record]:
    return [record for record in run.records if record.task == task]


def in_short(replays: Sequence[Replay]) -> dict[str, Any]:
    """How often the outcome is the same, and at what share of the cost."""
    same = [one.full == one.chose for one in replays]
    return {
        "replays": len(replays),
        "same_outcome": sum(same),
        "decided_by_all_cells": sum(bool(one.full) for one in replays),
        "of_these_the_same": sum(bool(one.full) and one.full == one.chose for one in replays),
        "same_method_leads": sum(one.leads == one.chose_leads for one in replays),
        "median_share": float(np.median([one.share for one in replays])),
        "mean_share": float(np.mean([one.share for one in replays])),
        "at_most_half": sum(one.share <= 0.5 for one in replays),
        "same_and_at_most_half": sum(one.share <= 0.5 and ok for one, ok in zip(replays, same, strict=True)),
    }
