"""Runs as the gate reads them: what is damaged is incomplete, and a part of a run is no run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from bench.core.errors import AdaptbenchError, IncompleteError, UsageError, unknown
from bench.core.record import Record, Run
from bench.gate.policy import Rename
from bench.store.archive import RunPath, files_of
from bench.store.listing import RUN_FILE
from bench.store.run_folder import read_run

T = TypeVar("T")


def read(path: Path, what: str) -> Run:
    """A run directory or an accepted baseline; `what` names it in messages.

    Raises:
        UsageError: `path` is no run directory.
        IncompleteError: a file of it is damaged, or it is one shard of several.
    """
    there = False
    try:
        there = (files_of(path) / RUN_FILE).is_file()
        run = read_run(path)
    except (AdaptbenchError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if not there:
            raise UsageError(f"{what}: {error}") from None
        said = str(error) if isinstance(error, AdaptbenchError) else f"{path / RUN_FILE} is not what adaptbench writes"
        raise IncompleteError(f"{what}: {said}") from None
    if run.shard:
        raise IncompleteError(f"{what}: {path} is shard {run.shard}; join all of them with `adaptbench merge` first")
    return run


def read_beside(file: RunPath, kind: type[T], remedy: str) -> T | None:
    """What a file of ours beside a run holds, None where there is none; raises IncompleteError."""
    if not file.is_file():
        return None
    try:
        return TypeAdapter(kind).validate_json(file.read_bytes())
    except (OSError, UsageError) as error:
        raise IncompleteError(f"{file} cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise IncompleteError(f"{file} is damaged ({place}: {first['msg']}); {remedy}") from None


def renamed(candidate: Run, baseline: Run, rename: Rename) -> tuple[Run, list[str]]:
    """The candidate under the baseline's names, and what was renamed without being asked for.

    Where each run has one model, these two are compared whatever they are called: a new base model is a change like
    any other.

    Raises:
        UsageError: a name that the candidate or the baseline does not have.
    """
    models = dict(rename.models)
    mine, theirs = ({record.model for record in run.records} for run in (candidate, baseline))
    _refuse(models, mine, theirs, "model")
    _refuse(rename.methods, {r.method for r in candidate.records}, {r.method for r in baseline.records}, "method")
    notes = []
    if not models and len(mine) == len(theirs) == 1 and mine != theirs:
        (new,), (old,) = mine, theirs
        models = {new: old}
        notes.append(f"model {new} of the candidate stands for {old} of the baseline")

    def name(record: Record) -> Record:
        method = rename.methods.get(record.method, record.method)
        return replace(record, model=models.get(record.model, record.model), method=method)

    records, base = (tuple(name(record) for record in some) for some in (candidate.records, candidate.base))
    return replace(candidate, records=records, base=base), notes


def _refuse(given: Mapping[str, str], mine: set[str], theirs: set[str], what: str) -> None:
    for new, old in given.items():
        if new not in mine:
            raise UsageError(f"rename: {unknown(f'{what} of the candidate:', new, mine)}")
        if old not in theirs:
            raise UsageError(f"rename: {unknown(f'{what} of the baseline:', old, theirs)}")
