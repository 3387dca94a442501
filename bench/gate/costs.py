"""What a cell cost: counters that any machine gives alike, and quantities that the hardware took part in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench.analysis import cells_at_once
from bench.core.phases import ANSWERING, PRODUCTION, TEACHING, PhaseName
from bench.core.record import Record

Reader = Callable[[Record], float | None]
_HARDWARE = ("device", "device_name", "cpu_count", "threads", "platform")


@dataclass(frozen=True, slots=True)
class Counter:
    """A cost of one cell; None where the record does not hold it."""

    unit: str
    read: Reader


def _per_item(name: str, record: Record) -> float | None:
    return record.tokens[name] / record.items if name in record.tokens and record.items else None


def _parameter(name: str, record: Record) -> float | None:
    return getattr(record.parameters, name) if record.parameters else None


def _training(name: str, record: Record) -> float | None:
    return getattr(record.training, name) if record.training else None


def _latency(name: str, record: Record) -> float | None:
    return getattr(record.latency["served"], name) if "served" in record.latency else None


def _sum(phases: Sequence[PhaseName], figure: str, record: Record) -> float | None:
    """Sum over the phases that have the figure; None where none does."""
    figures = [getattr(record.phases[name], figure) for name in phases if name in record.phases]
    known = [value for value in figures if value is not None]
    return sum(known) if known else None


def _answering(figure: str, record: Record) -> float | None:
    """Over the answers, for each item."""
    total = _sum(ANSWERING, figure, record)
    return total / record.items if total is not None and record.items else None


def _peak(figure: str, record: Record) -> float | None:
    figures = [getattr(phase, figure) for phase in record.phases.values()]
    return max((value for value in figures if value is not None), default=None)


def _production(figure: str, record: Record) -> float | None:
    """Over what makes a method ready, the answers of a teacher on this machine among it.

    What an endpoint answers takes no work here, and waiting for it is no cost.
    """
    is_here = record.taught is not None and record.taught.used is None
    return _sum((*PRODUCTION, TEACHING) if is_here else PRODUCTION, figure, record)


COUNTERS: Mapping[str, Counter] = {
    "prompt_tokens": Counter("tokens per item", partial(_per_item, "prompt_tokens")),
    "context_tokens": Counter("tokens per item", partial(_per_item, "context_tokens")),
    "output_tokens": Counter("tokens per item", partial(_per_item, "output_tokens")),
    "trained_parameters": Counter("parameters", partial(_parameter, "trained")),
    "total_parameters": Counter("parameters", partial(_parameter, "total")),
    "stored_bytes": Counter("bytes", partial(_parameter, "stored_bytes")),
    "index_bytes": Counter("bytes", partial(_parameter, "index_bytes")),
    "steps": Counter("optimizer steps", partial(_training, "steps")),
    "train_tokens": Counter("tokens", partial(_training, "tokens")),
    "train_flops": Counter("FLOPs", partial(_production, "flops")),
    "predict_flops": Counter("FLOPs per item", partial(_answering, "flops")),
}
MEASURED: Mapping[str, Counter] = {
    "train_s": Counter("s", partial(_production, "wall_s")),
    "predict_s": Counter("s per item", partial(_answering, "wall_s")),
    "latency_p50_s": Counter("s", partial(_latency, "p50")),
    "latency_p95_s": Counter("s", partial(_latency, "p95")),
    "peak_host_bytes": Counter("bytes", partial(_peak, "peak_host_bytes")),
    "peak_device_bytes": Counter("bytes", partial(_peak, "peak_device_bytes")),
    "train_joules": Counter("J", partial(_production, "joules")),
    "predict_joules": Counter("J per item", partial(_answering, "joules")),
}
ALL: Mapping[str, Counter] = {**COUNTERS, **MEASURED}
_SIZES = ("trained_parameters", "total_parameters", "stored_bytes")
_OF_SEEDS = ("prompt_tokens", "context_tokens", "index_bytes", "steps", "train_tokens", "train_flops")


def value(records: Sequence[Record], counter: str) -> float | None:
    """Mean over cells (seeds); None where any of them does not hold it."""
    found = [ALL[counter].read(record) for record in records]
    known = [one for one in found if one is not None]
    return sum(known) / len(known) if known and len(known) == len(found) else None


def seeded(records: Sequence[Record]) -> bool:
    """Whether another seed could have answered otherwise: trained, or with examples or passages drawn by the seed."""
    return any(record.uses_seed for record in records)


def varies(counter: str, records: Sequence[Record]) -> bool:
    """Whether a counter can differ though nothing was changed, so that a rise is tested; others go by their ratio.

    What a model writes always can, as sums in another order end in another token. What it reads can where the seed
    draws examples or passages, and what training takes where it draws the training set or stops early. Without a
    language model all that is stored comes from the training items, so its size differs with them.
    """
    if counter in ("output_tokens", "predict_flops"):
        return True
    if counter in _SIZES:
        return seeded(records) and all(record.identity.model.kind == "classical" for record in records)
    if not seeded(records) or counter not in _OF_SEEDS:
        return False
    if counter in ("prompt_tokens", "context_tokens"):
        return any(record.tokens.get("context_tokens") for record in records)
    return counter != "steps" or any(
        options.get("patience") for record in records for options in record.identity.method.values()
    )


def hardware(records: Sequence[Record]) -> set[tuple[object, ...]]:
    """The fingerprints of the machines that measured these cells."""
    return {tuple(getattr(record.environment, name) for name in _HARDWARE) for record in records}


def same_conditions(a: Sequence[Record], b: Sequence[Record]) -> bool:
    """Whether measured costs of both compare: the same hardware, with as many cells at once."""
    return same_hardware(a, b) and len(cells_at_once.counts([*a, *b])) == 1


def why_not_comparable(new: Sequence[Record], old: Sequence[Record]) -> str:
    """Why measured costs of two runs do not compare; "" where they do."""
    now, before = (cells_at_once.counts(records) for records in (new, old))
    if now.keys() != before.keys() or len(now) > 1:
        measured, baseline = cells_at_once.words(now), cells_at_once.words(before)
        return f"measured {measured}, the baseline {baseline}: costs of cells alone and at once do not compare"
    return "" if same_hardware(new, old) else "measured on other hardware than the baseline"


def same_hardware(a: Sequence[Record], b: Sequence[Record]) -> bool:
    """Whether all cells of both were measured on one kind of machine, and it is known which."""
    found = hardware([*a, *b])
    return len(found) == 1 and all(next(iter(found)))
