"""What the tables of a second stage of retrieval say: what it found beyond the first stage, and what it took."""

from __future__ import annotations

from collections.abc import Iterator

from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.paired import PairedTable, newcombe
from bench.analysis.summary import by_method
from bench.core.measured import PairedHits
from bench.core.record import Record, Run
from bench.metrics.formats import clean, duration, size
from bench.report.table import NOTHING, ReportTable, Text, cells

_HITS = ("method", "task", "k", "hit@k,\nfirst", "hit@k,\nsecond", "difference, 95%", "helps", "questions")
_COSTS = ("method", "task", "reranker", "parameters", "loading", "in\nbatches", "one by\none", "FLOPs", "memory")
_LEGEND = (
    "hit@k with the second stage less without it, on the same questions; Newcombe's paired interval, for each k alone",
    "helps: yes or no where the interval leaves 0 out; neighbours take up places of the ranking, as each is shown",
)
_OF_COSTS = "of the second stage alone, for a question; in batches: the test; one by one: median at batch size 1"


def tables(run: Run, model: str) -> list[ReportTable]:
    """For a model the methods whose retrieval has a second stage; no table where none has."""
    found = by_method(run, model, lambda record: record.second_stage is not None)
    records = [own[0] for own in found.values()]  # seeds share their retrieval
    hits = tuple(line for record in records for line in _hits(record))
    spent = tuple(_spent(record) for record in records if "rerank" in record.phases)
    shown = [ReportTable(f"{clean(model)}: retrieval with its second stage", _HITS, hits, _LEGEND)] if hits else []
    if spent:
        shown.append(ReportTable(f"{clean(model)}: cost of the second stage", _COSTS, spent, (_OF_COSTS,)))
    return shown


def change(hits: PairedHits) -> tuple[float, Interval]:
    """Hit@k with the second stage less without it, in [-1, 1], and its 95% interval."""
    counts = PairedTable(hits.both, hits.gained, hits.lost, hits.neither)
    return (hits.gained - hits.lost) / counts.n, newcombe(counts)


def _hits(record: Record) -> Iterator[tuple[Text, ...]]:
    assert record.second_stage is not None
    for k, hits in record.second_stage.hits.items():
        questions = hits.both + hits.gained + hits.lost + hits.neither
        difference, interval = change(hits)
        helps = "yes" if interval.low > 0 else "no" if interval.high < 0 else "not shown"
        shares = (f"{(hits.both + own) / questions:.3f}" for own in (hits.lost, hits.gained))
        said = f"{difference:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
        yield cells(clean(record.method), clean(record.task), k, *shares, said, helps, f"{questions:,}")


def _spent(record: Record) -> tuple[Text, ...]:
    assert record.second_stage is not None
    stage, phase, served = record.second_stage, record.phases["rerank"], record.latency.get("served")
    alone = served.second_stage_p50 if served else None
    return cells(
        clean(record.method),
        clean(record.task),
        clean(stage.reranker) or "none",
        f"{stage.parameters:,}" if stage.parameters else NOTHING,
        duration(stage.load_s) if stage.reranker else NOTHING,
        f"{1000 * phase.wall_s / record.items:,.1f} ms" if record.items else NOTHING,
        NOTHING if alone is None else f"{1000 * alone:,.1f} ms",
        NOTHING if phase.flops is None or not record.items else f"{phase.flops / record.items:.3g}",
        size(phase.peak_device_bytes or phase.peak_host_bytes),
    )
