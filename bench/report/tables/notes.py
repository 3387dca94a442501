"""What is said below the tables: failures, what was left out, and what was not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.analysis import cells_at_once, costs
from bench.analysis.decision.across import ALL_MODELS
from bench.analysis.summary import SummaryRow
from bench.config.prices import replaced
from bench.core.record import Failure, Run
from bench.metrics.formats import clean
from bench.report.table import ReportTable

_MOST_NOTES = 20  # of one kind; the JSON has all of them
_LONGEST_MESSAGE = 300
_DROPPED = {
    "examples_dropped": "few-shot examples dropped",
    "passages_dropped": "passages dropped",
    "passages_truncated": "passages shortened",
    "thinking_truncated": "thoughts cut at their budget",
}


_SIDE = {"latency": "latency", "training_items": "training items", "flop_check": "check of FLOPs"}


def tables(run: Run, rows: Sequence[SummaryRow]) -> list[ReportTable]:
    """A table of notes for each kind of which there are any."""
    unread = [f"not run: {clean(cell.full_name)}" for cell in run.missing if cell.is_base]
    kinds: list[tuple[str, Callable[[SummaryRow], Iterable[str]]]] = [
        ("Failed cells", _failures),
        ("Failed items, counted as wrong", _item_failures),
        ("Left out to fit the model's context", _left_out),
        ("Not run", _missing),
    ]
    shared = cells_at_once.sentence((*run.base, *run.records))
    turned_off = sorted({_SIDE[name] for record in run.records for name in record.turned_off})
    found = [(heading, [line for row in rows for line in write(row)]) for heading, write in kinds]
    found[-1][1].extend(unread)
    found.append(("Methods that a model cannot have", [clean(line) for line in run.left_out]))
    found.append(("Measured on different GPUs, whose rounding differs", _cards(run)))
    found.append(("Contamination", list(contamination(run))))
    found.append(("No price, so in no decision", list(dict.fromkeys(_unpriced(run)))))
    if shared:
        found.append(("Cells measured at once", [shared]))
    unmeasured = [f"{', '.join(turned_off)}: turned off by `measure` of the suite"] if turned_off else []
    over = Counter(clean(what) for record in run.records for what in record.over_budget)
    unmeasured += [f"{what}: of {cells:,} cells, a quarter of whose time was spent" for what, cells in over.items()]
    if unmeasured:
        found.append(("Not measured", unmeasured))
    if not rows and not unread:
        found.append(("Nothing yet", ["no cell of this run has been measured"]))
    return [ReportTable(heading, notes=_capped(lines)) for heading, lines in found if lines]


def _unpriced(run: Run) -> Iterator[str]:
    """Methods whose queries, or whose teacher's, go to an endpoint that nobody gave a price for."""
    prices = replaced(run.prices, str(run.path))
    for record in run.records:
        paid = costs.cost(record, prices) if record.status == "ok" and (record.served or record.taught) else None
        if paid and (paid.teaching is None or (record.served and paid.thousand_queries is None)):
            yield f"{clean(record.method)} on {clean(record.task)} with {clean(record.model)}"


def _cards(run: Run) -> list[str]:
    """The GPUs of a run with their cells, where there are several: one that was resumed elsewhere."""
    cells: Counter[str] = Counter()
    for record in (*run.base, *run.records):
        place = record.environment
        if place.device == "cuda":
            cells[f"{place.device_name}, driver {place.driver or '?'}, CUDA {place.cuda or '?'}"] += 1
    return [f"{clean(card)}: {count:,} cells" for card, count in cells.items()] if len(cells) > 1 else []


_NATURES = {
    "toy": "{} is a small demonstration model: it shows how the methods work, not how well they do with a model to be "
    "deployed.",
    "random": "{} has random weights: it knows nothing, its scores mean nothing, and only time and memory can be read.",
}


def warnings(runs: Sequence[Run]) -> list[str]:
    """What has to be known before any figure is read: of the models, and of costs of cells that shared a machine."""
    shared = (cells_at_once.sentence(run.records) for run in runs)
    seen = (f"Contamination of {line}" for run in runs for line in contamination(run))
    return [*models(runs), *dict.fromkeys(seen), *dict.fromkeys(filter(None, shared))]


def contamination(run: Run, model: str = ALL_MODELS, task: str | None = None) -> Iterator[str]:
    """What the models and tasks of a run say of having been seen; of one model or task where it is named."""
    for what, noted in run.contamination.items():
        wanted = model if what == "model" else task
        for name, note in noted.items():
            if wanted in (ALL_MODELS, None, name):
                yield f"{clean(name)}: {clean(note)}"


def models(runs: Sequence[Run]) -> list[str]:
    """What has to be known of models whose scores say nothing of others, as their records do."""
    found = {
        record.model: record.identity.model.nature
        for run in runs
        for record in run.records
        if record.identity.model.nature
    }
    return [_NATURES[nature].format(clean(model)) for model, nature in found.items()]


def _capped(lines: list[str]) -> tuple[str, ...]:
    more = len(lines) - _MOST_NOTES
    return (*lines[:_MOST_NOTES], f"(+{more} more; the JSON report has all)") if more > 0 else tuple(lines)


def _place(row: SummaryRow) -> str:
    return f"{clean(row.method)} on {clean(row.task)} with {clean(row.model)}"


def _failures(row: SummaryRow) -> Iterable[str]:
    seeds: dict[Failure, list[int]] = {}
    for seed, failure in row.failures:
        seeds.setdefault(failure, []).append(seed)
    for failure, failed in seeds.items():
        message = clean(failure.message)
        short = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"
        yield f"{_place(row)}, {_seeds(failed)}: {clean(failure.kind)}: {short}"


def _item_failures(row: SummaryRow) -> Iterable[str]:
    for reason, count in Counter(row.item_failures).most_common():
        yield f"{_place(row)}: {count:,} of {row.items:,} items: {clean(reason)}"


def _left_out(row: SummaryRow) -> Iterable[str]:
    parts = [f"{n:,} {_DROPPED.get(k, clean(k).replace('_', ' '))}" for k, n in row.dropped.items() if n]
    if parts:
        yield f"{_place(row)}: {', '.join(parts)} over {row.items:,} items"
    if row.training_too_long:
        yield f"{_place(row)}: {row.training_too_long:,} training examples too long"


def _missing(row: SummaryRow) -> Iterable[str]:
    if row.missing:
        yield f"{_place(row)}, {_seeds(row.missing)}"


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
