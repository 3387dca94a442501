"""What the tables of cost say: time, memory and tokens; latency and money at the prices of the suite."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.analysis import costs
from bench.analysis.costs import CellCost
from bench.analysis.summary import SummaryRow, by_method
from bench.config.prices import Prices, replaced
from bench.core.measured import TAIL_ITEMS, Parameters, Serving
from bench.core.phases import PhaseName
from bench.core.record import Record, Run
from bench.metrics.formats import clean, duration, size
from bench.report.table import NOTHING, ReportTable, Text, cells

_LEGEND = (
    "wall time, mean over seeds; highest memory of any phase",
    "tokens per query: of the prompt + of the answer, unpadded",
)
_TIMED: tuple[PhaseName, ...] = (
    "teach",
    "retriever",
    "index",
    "prepare",
    "tune",
    "train",
    "retrieve",
    "rerank",
    "predict",
)
_ALWAYS: tuple[PhaseName, ...] = ("train", "predict")
STEP_PARTS = ("data", "forward", "backward", "optimizer", "other")
_KEPT = ("trained", "stored_bytes", "index_bytes")
_FULL_REACH = 0.9  # share of block weights below which it is said how far adapters reach
_LEFT_OUT = 4  # kinds of matrices without an adapter that are named
_MONEY: tuple[tuple[str, Callable[[CellCost], float | None]], ...] = (
    ("1,000\nin batches", lambda cost: cost.thousand_queries),
    ("1,000\none by one", lambda cost: cost.thousand_single),
    ("a correct\nanswer", lambda cost: cost.correct_answer),
)


def tables(run: Run, model: str, tasks: Sequence[str], rows: Sequence[SummaryRow]) -> list[ReportTable]:
    """For each task of a model: what was spent; where latency was measured, what serving costs."""
    spent = [_costs(model, task, [row for row in rows if row.task == task]) for task in tasks]
    spent[-1] = replace(spent[-1], notes=_LEGEND)
    served = [table for task in tasks for table in _serving(run, model, task)]
    if served:
        legend = _serving_legend(run, replaced(run.prices, str(run.path)))
        served[-1] = replace(served[-1], notes=legend)
    return [*spent, *_steps(run, model), *_kept(run, model), *served]


def _costs(model: str, task: str, rows: Sequence[SummaryRow]) -> ReportTable:
    """Time, memory and tokens. Phases that take no time to speak of in any row have no column."""
    phases = [
        phase
        for phase in _TIMED
        if phase in _ALWAYS or any(phase in row.seconds and row.seconds[phase].mean >= 0.05 for row in rows)
    ]
    sources = {row.peak_of for row in rows if row.peak_of}
    memory = f"{sources.pop()}\nmemory" if len(sources) == 1 else "peak\nmemory"
    validates = any(row.validation_s for row in rows)
    lines = [(Text(clean(row.method)), *_spent(row, phases, bool(sources), validates)) for row in rows]
    aside = ("validation\nlosses",) if validates else ()
    columns = ("method", *phases, *aside, memory, "tokens\nper query")
    return ReportTable(f"{clean(model)}: cost on {clean(task)}", columns, tuple(lines))


def _spent(row: SummaryRow, phases: Sequence[PhaseName], name_source: bool, validates: bool) -> list[Text]:
    if not row.seeds:
        return [Text(NOTHING, "faint")] * (len(phases) + validates + 2)
    times = [duration(row.seconds[phase].mean) if phase in row.seconds else NOTHING for phase in phases]
    times += [NOTHING if row.validation_s is None else duration(row.validation_s)] if validates else []
    memory = NOTHING if row.peak_bytes is None else size(row.peak_bytes)
    source = f" {row.peak_of}" if name_source else ""
    return [Text(each) for each in (*times, memory + source, _tokens(row))]


def _tokens(row: SummaryRow) -> str:
    prompt = row.tokens.get("prompt_tokens", row.tokens.get("prompt"))
    output = row.tokens.get("output_tokens", row.tokens.get("output", 0.0))
    return NOTHING if prompt is None else f"{prompt:,.0f} + {output:,.1f}"


def _steps(run: Run, model: str) -> list[ReportTable]:
    """What the steps of trained methods spend their time on; no table where none was measured."""
    lines = []
    timed = by_method(run, model, lambda record: bool(record.training and record.training.step_seconds))
    for (method, task), own in timed.items():
        found = [record.training.step_seconds for record in own if record.training]
        parts = {name: statistics.median(getattr(one, name) for one in found) for name in STEP_PARTS}
        whole = sum(parts.values())
        shares = (f"{value / whole:.0%}" for value in parts.values())
        lines.append(cells(clean(method), clean(task), f"{whole * 1000:,.0f} ms", *shares))
    heads = ("method", "task", "a step", *STEP_PARTS)
    legend = (
        "timed on the first few steps, median over seeds; other: gradient clipping, LR schedule, framework overhead"
    )
    return [ReportTable(f"{clean(model)}: training steps", heads, tuple(lines), (legend,))] if lines else []


def _kept(run: Run, model: str) -> list[ReportTable]:
    """What has to be kept of each method in addition to the base model, and where adapters reach little of it."""
    lines, notes = [], []
    sized = by_method(run, model, lambda r: r.parameters is not None and r.parameters.stored_bytes is not None)
    for (method, task), own in sized.items():
        kept = [record.parameters for record in own if record.parameters]
        least = min(kept, key=_reach)
        if _reach(least) < _FULL_REACH:
            notes.append(f"{clean(method)} on {clean(task)}: {_reached(least)}")
        most = {name: max(getattr(one, name) or 0 for one in kept) for name in _KEPT}
        shown = (f"{most['trained']:,}", *(size(most[name]) if most[name] else NOTHING for name in _KEPT[1:]))
        lines.append(cells(clean(method), clean(task), *shown))
    heads = ("method", "task", "trained\nparameters", "their bytes", "bytes of\nthe index")
    title = f"{clean(model)}: what is kept in addition to the base model"
    return [ReportTable(title, heads, tuple(lines), tuple(notes))] if lines else []


def _reach(sizes: Parameters) -> float:
    """Share of the blocks' weights that an adapter stands beside; 1 where there is none, or it was not counted."""
    return (sizes.adapted_weights or 0) / sizes.block_weights if sizes.block_weights else 1.0


def _reached(sizes: Parameters) -> str:
    """How far adapters reach, and the largest kinds of what they leave out."""
    named, more = sizes.unadapted[:_LEFT_OUT], len(sizes.unadapted) - _LEFT_OUT
    left_out = ", ".join(map(clean, named)) + (f" and {more} more" if more > 0 else "")
    return f"adapters reach {_reach(sizes):.0%} of the blocks' weights" + (f", not {left_out}" if named else "")


def _serving(run: Run, model: str, task: str) -> list[ReportTable]:
    """Latency at batch 1 and money, medians over seeds; no table where no cell has a latency."""
    found = by_method(run, model, lambda record: record.task == task and bool(record.latency))
    groups = {method: own for (method, _), own in found.items()}
    if not groups:
        return []
    prices = replaced(run.prices, str(run.path))
    compared: tuple[Serving, ...] = ("uncached", "unmerged")
    ways = [way for way in compared if any(way in r.latency for own in groups.values() for r in own)]
    lines = []
    for method, own in groups.items():
        paid = [costs.cost(record, prices) for record in own]
        figures = [
            *(_latency(own, "served", figure) for figure in ("p50", "p95", "retrieval_p50")),
            *(_latency(own, way, "p50") for way in ways),
            _amount([max(cost.search for cost in paid)]),  # done with the first seed alone
            "unknown" if own[0].parts.trained_elsewhere else _amount([cost.production for cost in paid]),
            *(_amount([read(cost) for cost in paid]) for _, read in _MONEY),
        ]
        lines.append(cells(clean(method), *figures))
    compared_heads = (f"p50\n{way}" for way in ways)
    paid_heads = ("tuning", "setup", *(head for head, _ in _MONEY))
    heads = ("method", "p50", "p95", "of p50:\nprompt", *compared_heads, *paid_heads)
    return [ReportTable(f"{clean(model)}: serving {clean(task)}, and cost (compute only)", heads, tuple(lines))]


def _serving_legend(run: Run, prices: Prices) -> tuple[str, ...]:
    served = [record.latency["served"] for record in run.records if "served" in record.latency]
    few = any(latency.p95 is None for latency in served)
    tail = f"no p95: fewer than {TAIL_ITEMS} items were timed, so that all evaluations take a quarter of a cell at most"
    return (
        *([tail] if few else []),
        "latency of one question at a time, from fields to answer; prompt: of it, finding and writing the prompt",
        "uncached: the shared prefix of prompts is computed anew; unmerged: the adapter is not merged into the weights",
        f"{clean(prices.currency)}, prices of {prices.as_of:%Y-%m-%d}; setup: index, train",
    )


def _latency(records: Sequence[Record], way: Serving, figure: str) -> str:
    timed = [getattr(record.latency[way], figure) for record in records if way in record.latency]
    found = [seconds for seconds in timed if seconds is not None]
    return f"{statistics.median(found) * 1000:,.0f} ms" if found else NOTHING


def _amount(values: Sequence[float | None]) -> str:
    """The median in two significant digits; nothing where any is not known."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return NOTHING
    median = statistics.median(known)
    return "0" if median == 0 else f"{median:,.0f}" if median >= 100 else f"{median:.2g}"
