"""A cell trained once more, for its weights: in a process of its own, as a run measures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from bench.core.errors import UsageError
from bench.core.measured import SideMeasure
from bench.core.record import Record
from bench.export.chosen import Chosen
from bench.runs.executor import Ended
from bench.runs.jobs import job_of
from bench.runs.workers import executor
from bench.store.json_files import write_json
from bench.store.lines import lines_of
from bench.store.run_folder import LOG, PREDICTIONS, RECORD, TAUGHT, WEIGHTS, Store, read_predictions, read_record

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Retrained:
    """Weights that were trained for an export."""

    weights: Path
    record: Record  # of the same test items
    same_answers: int  # of the test items: answered as in the run
    on: str  # "train" or "train+validation"


def retrain(chosen: Chosen, on: str, folder: Path, progress: Progress) -> Retrained:
    """Train the cell again with its options and seed, into `folder`.

    With `on="train+validation"` nothing is left to choose the best epoch by: it trains for as many as were best before.

    Raises:
        UsageError: the training ended with an error.
    """
    job = job_of(chosen.suite, chosen.cell, Store(folder), folder, chosen.chosen)
    training = chosen.record.training
    job = replace(
        job,
        micro_batch=(training.micro_batch if training else None) or job.micro_batch,  # as it was found to be quickest
        options={**job.options, **(as_long(chosen) if on != "train" else {})},
        counterfactuals=0,
        turned_off=list(get_args(SideMeasure)),
        found=chosen.found,
        keeps_weights=True,
        joins_validation=on != "train",
        vectors=None,
        taught=str(chosen.run.path / TAUGHT),  # what a teacher answered is not asked again
    )
    write_json(folder / "job.json", asdict(job))
    _follow(chosen, folder, progress)
    before, after = read_predictions(chosen.run.path, chosen.record.key), lines_of(folder / PREDICTIONS)
    same = sum(old["output"] == new["output"] for old, new in zip(before, after, strict=True))
    return Retrained(folder / WEIGHTS, read_record(folder / RECORD), same, on)


def _follow(chosen: Chosen, folder: Path, progress: Progress) -> None:
    """Run the job of a folder to its end."""
    one = executor(chosen.suite, 1)
    submission = one.submit(folder / "job.json", folder / LOG)
    try:
        while True:
            for _, event in one.wait(1.0):
                if not isinstance(event, Ended):
                    progress(event.phase, event.done, event.total)
                elif event.failure is not None:
                    raise UsageError(f"{chosen.record.method} could not be trained again: {event.failure}")
                else:
                    return
    finally:
        submission.cancel()


def as_long(chosen: Chosen) -> dict[str, Any]:
    """The epochs after which the measured training was best, where it says."""
    training = chosen.record.training
    if training is None or not (training.best_step and training.steps and training.epochs):
        return {}
    share = training.best_step / training.steps
    steps = getattr(chosen.method.weights.options, "max_steps", None)
    return {"max_steps": max(1, round(share * steps))} if steps else {"epochs": share * training.epochs}
