"""Runs in Trackio, on this machine: a run for each cell, grouped over seeds, in one project.

Nothing is sent: `trackio show` opens what is in the folder.
"""

from __future__ import annotations

import contextlib
import io
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
# It asks for no dashboard, measures no machine (cells were measured elsewhere, or before), and reaches no server.
_QUIET = {"auto_log_gpu": False, "auto_log_cpu": False, "embed": False}


def log(runs: Sequence[Run], html: Path | None, destination: str) -> str:
    """Log every cell; returns one sentence on what is where. Trackio keeps no files, so `html` is not logged.

    Args:
        destination: a folder, which Trackio takes for its own (`TRACKIO_DIR`).

    Raises:
        UsageError: the extra is not installed, or the folder cannot be written.
    """
    folder = Path(destination or "trackio").absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from None
    count = 0
    quiet = contextlib.redirect_stdout(io.StringIO())
    with environment({"TRACKIO_DIR": str(folder)}), quiet:  # the variable is read when it is imported
        trackio = need("trackio", "trackio")
        for run in runs:
            for entry in entries(run):
                _log_cell(trackio, run, entry)
                count += 1
    return f"Trackio: {count} cells in {folder}; look at them with TRACKIO_DIR={folder} trackio show"


def _log_cell(trackio: Any, run: Run, entry: Entry) -> None:
    config = {**entry.params, **entry.tags, "suite": clean(run.suite), "failed": entry.failed}
    tracked = trackio.init(project=PROJECT, name=entry.name, group=entry.group, config=config, **_QUIET)
    last = 0
    for last, values in entry.steps:
        tracked.log(values, step=last)
    tracked.log(dict(entry.metrics), step=last)
    tracked.finish()
