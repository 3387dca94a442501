"""Everything a cell measured, as named numbers with units: for tables that machines read, and experiment trackers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.core.record import Record, Score
from bench.metrics import NAMES

_TRAINING = {
    "steps": "step",
    "best_step": "step",
    "epochs": "epoch",
    "tokens": "token",
    "micro_batch": "item",
    "examples": "item",
    "examples_too_long": "item",
    "best_validation_loss": "nat",
    "validation_s": "s",
}
_SECONDS = ("p50", "p95", "retrieval_p50")
_PARAMETERS = {
    **dict.fromkeys(("total", "trained", "block_weights", "adapted_weights"), "parameter"),
    **dict.fromkeys(("stored_bytes", "index_bytes"), "B"),
}


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of one cell. `kind` and `name` together name it, `unit` is "" for a number without one."""

    kind: str  # score, time, memory, …
    name: str
    unit: str  # SI where there is one; "0-1" and "0-100" are the scales of scores
    value: float
    metric: str = field(default="", compare=False)  # of a score


def measures(record: Record) -> Iterator[Measure]:
    """The finite numbers of a cell: scores first, the primary one before the others."""
    for measure in _all(record):
        if math.isfinite(measure.value):
            yield measure


def unit(metric: str) -> str:
    """The scale a metric's values are on; "" for a metric this version does not know."""
    if metric not in NAMES:
        return ""
    return {1.0: "0-1", 100.0: "0-100"}.get(NAMES[metric].scale, "bit/byte")


def _all(record: Record) -> Iterator[Measure]:
    yield from _scores("score", record.scores)
    yield from _scores("on_train", record.on_train)
    for probe, scores in record.probes.items():
        yield from _scores("probe", scores, f"{probe}.")
    for slot, changed in record.counterfactual.items():
        if changed:
            yield Measure("counterfactual", f"{slot}.changed", "0-1", sum(changed.values()) / len(changed))
    if record.divergence is not None:
        yield Measure("divergence", "kl_from_base", "nat", record.divergence)
    for name, value in record.retrieval.items():
        yield Measure("retrieval", name, "item" if name == "questions" else "0-1", value)
    yield from _costs(record)
    if record.training:
        yield from _numbers("training", asdict(record.training), _TRAINING)
    if record.parameters:
        yield from _numbers("parameters", asdict(record.parameters), _PARAMETERS)
    yield Measure("items", "asked", "item", record.items)
    for reason, count in record.item_failures.items():
        yield Measure("items", f"failed.{reason}", "item", count)
    for what, count in record.dropped.items():
        yield Measure("dropped", what, "", count)


def _costs(record: Record) -> Iterator[Measure]:
    """Time, energy and operations of each phase; the highest memory of any; latency; tokens of a query."""
    for phase_name, phase in record.phases.items():
        yield Measure("time", phase_name, "s", phase.wall_s)
        if phase.joules is not None:
            yield Measure("energy", phase_name, "J", phase.joules)
        if phase.flops is not None:
            yield Measure("operations", phase_name, "flop", phase.flops)
    peaks: dict[str, list[int | None]] = {
        "peak_host": [phase.peak_host_bytes for phase in record.phases.values()],
        "peak_device": [phase.peak_device_bytes for phase in record.phases.values()],
        "peak_reserved": [phase.peak_reserved_bytes for phase in record.phases.values()],
    }
    for name, found in peaks.items():
        known = [value for value in found if value is not None]
        if known:
            yield Measure("memory", name, "B", max(known))
    for way, latency in record.latency.items():
        yield from _numbers("latency", asdict(latency), dict.fromkeys(_SECONDS, "s") | {"questions": "item"}, f"{way}.")
    if record.items:
        for name, count in record.tokens.items():
            yield Measure("tokens", name, "token/item", count / record.items)


def _scores(kind: str, scores: Mapping[str, Score], before: str = "") -> Iterator[Measure]:
    for metric, score in scores.items():
        yield Measure(kind, f"{before}{metric}", unit(metric), score.value, metric)


def _numbers(kind: str, content: Mapping[str, Any], units: Mapping[str, str], before: str = "") -> Iterator[Measure]:
    """The numbers among `content` and the mappings in it; lists are curves, which are no measure."""
    inside = {"loss": "nat", "step_seconds": "s"}
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _numbers(kind, value, {each: inside.get(name, "") for each in value}, f"{before}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield Measure(kind, f"{before}{name}", units.get(name, ""), value)
