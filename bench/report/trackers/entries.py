"""What trackers are told of a cell: its parameters, its metrics, its curves, and how it ended."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.analysis.measures import measures
from bench.analysis.summary import plain
from bench.core.errors import UsageError
from bench.core.record import Record, Run
from bench.core.training import Training
from bench.metrics.formats import clean

LONGEST_KEY = 200  # MLflow takes 250
LONGEST_VALUE = 5000  # MLflow takes 6000 of a parameter, 8000 of a tag

Curve = tuple[tuple[int, float], ...]  # (step, value)


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell. Names are safe as keys and hold one slash, between what a measure is of and which it is."""

    name: str
    group: str  # the same for all seeds
    role: str  # cell, or base probe: what the base model answers to a probe
    params: Mapping[str, Any]  # what was asked for, as JSON has it
    tags: Mapping[str, str]  # what else is known
    metrics: Mapping[str, float]  # what was measured
    curves: Mapping[str, Curve]
    ended: float  # seconds since 1970
    seconds: float  # that were measured before
    failed: bool

    @property
    def steps(self) -> Iterator[tuple[int, dict[str, float]]]:
        """(step, what the curves have there), in order of steps, for trackers that are told of a step once."""
        by_step: dict[int, dict[str, float]] = {}
        for name, curve in self.curves.items():
            for step, value in curve:
                by_step.setdefault(step, {})[name] = value
        yield from sorted(by_step.items())


def entries(run: Run) -> list[Entry]:
    """Every cell of a run that has a record, in its order; then the base models' answers to the probes.

    Raises:
        UsageError: a record does not say when it was made.
    """
    return [_entry(run, record, "cell") for record in run.records] + [_entry(run, r, "base probe") for r in run.base]


def _entry(run: Run, record: Record, role: str) -> Entry:
    group = f"{clean(record.model)} · {clean(record.task)} · {clean(record.method)}"
    return Entry(
        name=clean(record.name),
        group=group,
        role=role,
        params=params(record),
        tags=_tags(run, record, role),
        metrics={key(measure.kind, measure.name): measure.value for measure in measures(record)},
        curves=dict(_curves(record)),
        ended=_ended(record),
        seconds=sum(phase.wall_s for phase in record.phases.values() if math.isfinite(phase.wall_s)),
        failed=record.status != "ok",
    )


def _ended(record: Record) -> float:
    try:
        return datetime.fromisoformat(record.created).timestamp()
    except ValueError:
        raise UsageError(f'record {record.key[:12]}: "{clean(record.created)}" is no time') from None


def params(record: Record) -> dict[str, Any]:
    """What was asked for: names, seed, the method's parts with their options, and what a search chose.

    Options that can be searched for are lists; one with a single value is that value.
    """
    parts = {part.name: part.options for part in (record.parts.weights, record.parts.context) if part.name}
    asked = {
        **{name: getattr(record, name) for name in ("model", "task", "method", "seed")},
        **({} if record.train_size is None else {"train_size": record.train_size}),
        **dict(_flat("", parts)),
        **dict(_flat("chosen", record.tuning.chosen if record.tuning else {})),
    }
    return {key("", name): _one(plain(content)) for name, content in asked.items()}


def _one(content: Any) -> Any:
    found = content[0] if isinstance(content, list) and len(content) == 1 else content
    return clean(found)[:LONGEST_VALUE] if isinstance(found, str) else found


def key(kind: str, name: str) -> str:
    """ "kind/name" in signs that every tracker takes: letters, digits, and `_-. ` within the parts."""
    parts = [re.sub(r"[^A-Za-z0-9_.\- ]+", "_", clean(part).replace("@", "_at_")) for part in (kind, name) if part]
    found = "/".join(part.strip(". ") or "_" for part in parts)
    if len(found) <= LONGEST_KEY:
        return found
    return f"{found[:LONGEST_KEY]}-{hashlib.sha256(found.encode()).hexdigest()[:8]}"


def text_of(content: Any) -> str:
    """A parameter or tag as text: texts on one line, all else as JSON."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, default=str)
    return clean(text)[:LONGEST_VALUE]


def _flat(before: str, content: Any) -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of every leaf."""
    if not isinstance(content, Mapping):
        yield before, content
        return
    for name, inner in content.items():
        yield from _flat(f"{before}.{name}" if before else str(name), inner)


def _tags(run: Run, record: Record, role: str) -> dict[str, str]:
    environment = record.environment
    tags = {
        "adaptbench.role": role,
        "adaptbench.key": record.key,
        "adaptbench.suite": run.suite,
        "adaptbench.run": str(run.path),
        "adaptbench.group": f"{record.model} · {record.task} · {record.method}",
        "adaptbench.created": record.created,
        "adaptbench.questions": record.questions,
        "adaptbench.device": environment.device,
        "adaptbench.cells_at_once": str(environment.cells_at_once),
        "adaptbench.device_name": environment.device_name,
        "adaptbench.python": environment.python,
        "adaptbench.version": environment.adaptbench,
        **{f"adaptbench.package.{name}": version or "" for name, version in environment.packages.items()},
    }
    if record.failure:
        tags |= {"adaptbench.failure": record.failure.kind, "adaptbench.failure.message": record.failure.message}
    return {key("", name): text_of(content) for name, content in tags.items() if content}


def _curves(record: Record) -> Iterator[tuple[str, Curve]]:
    """Losses by step; scores on validation items and probes at the checkpoints."""
    training = record.training or Training()
    for name, points in (("train_loss", training.train_loss), ("validation_loss", training.validation_loss)):
        found = _curve(points)
        if found:
            yield key("curve", name), found
    scored_at: dict[str, list[tuple[int, float]]] = {}
    for moment in record.curve:
        scored = {"validation": moment.validation, **moment.probes}
        for of, scores in scored.items():
            for metric, score in scores.items():
                scored_at.setdefault(key("curve", f"{of}.{metric}"), []).append((moment.step, score.value))
    for name, pairs in scored_at.items():
        yield name, _curve(pairs)


def _curve(pairs: Iterable[Sequence[Any]]) -> Curve:
    return tuple((int(step), float(at)) for step, at in pairs if at is not None and math.isfinite(at))
