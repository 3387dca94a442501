"""Runs in Weights & Biases, offline: a run for each cell, grouped over seeds, and one with the report.

Nothing is sent: the files are for `wandb sync`, which the user runs or does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError
from bench.core.missing_package import need
from bench.core.record import Run
from bench.metrics.formats import clean
from bench.report.trackers import environment
from bench.report.trackers.entries import Entry, entries

PROJECT = "adaptbench"
_LONGEST = 128  # of a name or group


def log(runs: Sequence[Run], html: Path | None, destination: str) -> str:
    """Write an offline run for every cell, and one for the report; returns one sentence on what is where.

    Args:
        html: the report of these runs as a file, or None; becomes an artefact, and is shown in its run.
        destination: a folder; the runs are in `wandb/offline-run-…` below it. "" for the current folder.

    Raises:
        UsageError: the extra is not installed, or the folder cannot be written.
    """
    folder = Path(destination or ".").absolute()
    try:
        (folder / "wandb").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from None
    own = {
        "WANDB_ERROR_REPORTING": "false",  # else it calls its makers, offline or not
        "WANDB_DATA_DIR": str(folder / "wandb"),  # what is uploaded with the runs stays with them
    }
    count = 0
    with environment(own):
        wandb = need("wandb", "wandb")
        for run in runs:
            for entry in entries(run):
                _log_cell(wandb, folder, run, entry)
                count += 1
        if html is not None:
            _log_report(wandb, folder, runs, html)
    also = " and one with the report" if html is not None else ""
    upload = f"wandb sync {folder}/wandb/offline-run-*"
    return f"W&B: {count} offline runs{also} in {folder}/wandb; upload them with: {upload}"


def _log_cell(wandb: Any, folder: Path, run: Run, entry: Entry) -> None:
    config = {**entry.params, **entry.tags}
    tracked = _start(wandb, folder, entry.name, entry.group, entry.role, config, clean(run.suite))
    for step, values in entry.steps:
        tracked.log(values, step=step)
    tracked.summary.update(dict(entry.metrics))
    tracked.finish(exit_code=int(entry.failed))


def _log_report(wandb: Any, folder: Path, runs: Sequence[Run], html: Path) -> None:
    suites = ", ".join(dict.fromkeys(clean(run.suite) for run in runs))
    config = {"runs": [clean(run.path) for run in runs]}
    tracked = _start(wandb, folder, f"report: {suites}", "report", "report", config, suites)
    artefact = wandb.Artifact("adaptbench-report", type="report")
    artefact.add_file(str(html))
    tracked.log_artifact(artefact)
    tracked.log({"report": wandb.Html(html, inject=False)})
    tracked.finish()


def _start(wandb: Any, folder: Path, name: str, group: str, kind: str, config: dict[str, Any], suite: str) -> Any:
    """An offline run that knows nothing of this machine: cells were measured on another, or at another time."""
    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_code=True,
        disable_git=True,
        save_code=False,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
    return wandb.init(
        project=PROJECT,
        dir=str(folder),
        name=name[:_LONGEST],
        group=group[:_LONGEST],
        job_type=kind,
        tags=[suite[:64]] if suite else None,
        config=config,
        mode="offline",
        reinit="create_new",
        settings=settings,
    )
