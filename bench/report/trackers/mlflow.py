"""Runs in MLflow: an experiment for a suite, a parent run for a run directory, a child run for each of its cells.

The extra `mlflow` brings the small package (`mlflow-skinny`) and what a tracking store in a file needs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError
from bench.core.missing_package import need
from bench.core.record import Run
from bench.metrics.formats import clean
from bench.report.trackers import environment
from bench.report.trackers.entries import Entry, entries, text_of

DEFAULT = "sqlite:///mlflow.db"  # MLflow's own; its folder of files is no longer kept up
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true"}  # else it asks a server of its makers
_BATCH = {"metrics": 1000, "params": 100, "tags": 100}  # what it takes at a time


def log(runs: Sequence[Run], html: Path | None, destination: str) -> str:
    """Log every cell and the report; returns one sentence on what is where.

    Args:
        html: the report of these runs as a file, or None; becomes an artefact of each parent run.
        destination: a tracking URI (`http://…`, `sqlite:///FILE`); "" for `sqlite:///mlflow.db`.

    Raises:
        UsageError: the extra is not installed, or MLflow does not take the destination.
    """
    uri = destination or DEFAULT
    file = _file(uri)
    if file is not None and file.is_dir():  # it would try for minutes
        raise UsageError(f"{file} is a folder; the tracking store is a file in it, such as sqlite:///{file}/mlflow.db")
    with environment(_QUIET):
        client_of = need("mlflow.tracking", "mlflow").MlflowClient
        refusals = [need("mlflow.exceptions", "mlflow").MlflowException]
        if file is not None:
            need("alembic", "mlflow")
            refusals.append(need("sqlalchemy.exc", "mlflow").SQLAlchemyError)
        try:
            client = client_of(tracking_uri=uri)
            logged = [_log_run(client, file, run, html) for run in runs]
        except (OSError, *refusals) as error:
            first = clean(str(error).partition("\n")[0]) or type(error).__name__
            raise UsageError(f"MLflow refused: {first}") from None
    names = ", ".join(dict.fromkeys(name for name, _ in logged))
    look = f'; look at them with the package mlflow: mlflow ui --backend-store-uri "{uri}"' if file else ""
    return f"MLflow: {sum(count for _, count in logged)} cells in {names or 'no experiment'} at {_public(uri)}{look}"


def _public(uri: str) -> str:
    """Without a name and password."""
    return re.sub(r"//[^/@]*@", "//", uri)


def _log_run(client: Any, file: Path | None, run: Run, html: Path | None) -> tuple[str, int]:
    """(the experiment's name, how many cells)."""
    experiment = f"adaptbench/{clean(run.suite)}"[:200]
    there = client.get_experiment_by_name(experiment)
    # Beside a store in a file, else artefacts would lie in the folder this was started in; a server has its own place.
    artefacts = None if file is None else str(file.parent / "mlartifacts")
    place = there.experiment_id if there else client.create_experiment(experiment, artefacts)
    found = entries(run)
    now = time.time()
    began = min((entry.ended - entry.seconds for entry in found), default=now)
    tags = {"adaptbench.suite": clean(run.suite), "adaptbench.run": clean(run.path)}
    parent = client.create_run(place, round(began * 1000), tags, clean(run.path.name)).info.run_id
    for entry in found:
        _log_cell(client, place, parent, entry)
    if html is not None:
        client.log_artifact(parent, str(html))
    ended = max((entry.ended for entry in found), default=now)
    client.set_terminated(parent, "FAILED" if any(entry.failed for entry in found) else "FINISHED", round(ended * 1000))
    return experiment, len(found)


def _file(uri: str) -> Path | None:
    """The file a tracking store is in; None where it is none of ours to look at."""
    path = uri.removeprefix("sqlite:///")
    return Path(path).absolute() if path != uri else None


def _log_cell(client: Any, experiment: str, parent: str, entry: Entry) -> None:
    kinds = need("mlflow.entities", "mlflow")
    ended = round(entry.ended * 1000)
    tags = {**entry.tags, "mlflow.parentRunId": parent}
    began = round((entry.ended - entry.seconds) * 1000)
    run = client.create_run(experiment, began, {"mlflow.parentRunId": parent}, entry.name[:250]).info.run_id
    points = [(name, value, 0) for name, value in entry.metrics.items()]
    points += [(name, value, step) for name, curve in entry.curves.items() for step, value in curve]
    content = {
        "metrics": [kinds.Metric(name, value, ended, step) for name, value, step in points],
        "params": [kinds.Param(name, text_of(value)) for name, value in entry.params.items()],
        "tags": [kinds.RunTag(name, value) for name, value in tags.items()],
    }
    for kind, values in content.items():
        for batch in _batches(values, _BATCH[kind]):
            client.log_batch(run, **{kind: batch})
    client.set_terminated(run, "FAILED" if entry.failed else "FINISHED", ended)


def _batches(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
