"""What tables say of a second stage of retrieval and of a tuned retriever: what they found more, and what they took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

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
_TUNED = ("method", "task", "k", "hit@k,\nuntuned", "hit@k,\ntuned", "difference, 95%", "helps", "questions")
_OF_TUNED = "of the first stage, by seed; the interval is that of the questions, for these weights of the encoder"
_LEARNT = ("method", "task", "pairs", "rate", "kept\nstep", "training", "FLOPs", "memory", "stored")
_OF_LEARNT = "step 0: no epoch ranked validation questions better than the encoder as it was, which is kept"
_OF_COSTS = "of the second stage alone, for a question; in batches: the test; one by one: median at batch size 1"


def tables(run: Run, model: str) -> list[ReportTable]:
    """For a model the methods whose retrieval has a second stage; no table where none has."""
    found = by_method(run, model, lambda record: record.second_stage is not None)
    records = [own[0] for own in found.values()]  # seeds share their retrieval
    hits = tuple(line for record in records if record.second_stage for line in _hits(record, record.second_stage.hits))
    spent = tuple(_spent(record) for record in records if "rerank" in record.phases)
    shown = [ReportTable(f"{clean(model)}: retrieval with its second stage", _HITS, hits, _LEGEND)] if hits else []
    if spent:
        shown.append(ReportTable(f"{clean(model)}: cost of the second stage", _COSTS, spent, (_OF_COSTS,)))
    return [*shown, *_tuned(run, model)]


def _tuned(run: Run, model: str) -> list[ReportTable]:
    """What tuning the retriever's encoder changed, and what it took; no table where none was tuned."""
    records = list(chain.from_iterable(by_method(run, model, lambda record: record.retriever is not None).values()))
    hits = tuple(line for record in records if record.retriever for line in _hits(record, record.retriever.hits))
    spent = tuple(_learnt(record) for record in records)
    shown = (
        [ReportTable(f"{clean(model)}: the retriever, tuned and untuned", _TUNED, hits, (_OF_TUNED,))] if hits else []
    )
    if spent:
        shown.append(ReportTable(f"{clean(model)}: cost of tuning the retriever", _LEARNT, spent, (_OF_LEARNT,)))
    return shown


def _learnt(record: Record) -> tuple[Text, ...]:
    assert record.retriever is not None
    told, phase = record.retriever, record.phases.get("retriever")
    best = told.training.best_step
    return cells(
        f"{clean(record.method)}, seed {record.seed}",
        clean(record.task),
        f"{told.pairs:,}",
        NOTHING if told.training.rate is None else f"{told.training.rate:g}",
        f"{'last' if best is None else f'{best:,}'} of {told.training.steps or 0:,}",
        NOTHING if phase is None else duration(phase.wall_s),
        NOTHING if phase is None or phase.flops is None else f"{phase.flops:.3g}",
        NOTHING if phase is None else size(phase.peak_device_bytes or phase.peak_host_bytes),
        size(told.stored_bytes),
    )


def change(hits: PairedHits) -> tuple[float, Interval]:
    """Hit@k with the second stage less without it, in [-1, 1], and its 95% interval."""
    counts = PairedTable(hits.both, hits.gained, hits.lost, hits.neither)
    return (hits.gained - hits.lost) / counts.n, newcombe(counts)


def _hits(record: Record, found: Mapping[str, PairedHits]) -> Iterator[tuple[Text, ...]]:
    for k, hits in found.items():
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
