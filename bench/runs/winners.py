"""Which trained weights a run keeps: with `keep: winner` those that a verdict chooses, or may still choose."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.analysis.decision.verdict import Verdict, verdicts
from bench.config import assumptions
from bench.config.prices import replaced
from bench.core.errors import AdaptbenchError
from bench.core.record import Run
from bench.store.run_folder import read_run, weights_folders


def able(verdict: Verdict) -> tuple[str, ...]:
    """The methods that a verdict chooses: one, or where it is undecided all that may be the better choice."""
    if verdict.choice is None:
        return ()
    return (verdict.choice, *verdict.rivals) if verdict.undecided else (verdict.choice,)


def verdicts_of(run: Run, task: str | None = None) -> list[Verdict]:
    """The verdicts under the assumptions and prices of the run's own suite.

    Raises:
        UsageError, NotComparableError: there is nothing that can be compared.
    """
    where = str(run.path)
    return verdicts(run, replaced(run.prices, where), assumptions.read(run.decide, where), task)


def prune(folder: Path, model: str, task: str) -> None:
    """Remove the weights of all cells of a model and task but those that the verdict on them may choose.

    Where there is no verdict, all stay.
    """
    run = read_run(folder)
    try:
        [verdict] = [one for one in verdicts_of(run, task) if one.family.model == model]
    except (AdaptbenchError, ValueError):
        return
    kept, weights = able(verdict), weights_folders(folder)
    for record in run.records:
        if (record.model, record.task) == (model, task) and record.method not in kept and record.key[:12] in weights:
            shutil.rmtree(weights[record.key[:12]])
