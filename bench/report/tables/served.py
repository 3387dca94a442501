"""What the table of a served model says: where and how it was asked, what that used, and how steady its answers are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis import costs
from bench.analysis.summary import by_method
from bench.config.prices import Prices, replaced
from bench.core.measured import ServedBy
from bench.core.record import Record, Run
from bench.metrics.formats import clean
from bench.report.table import NOTHING, ReportTable, cells

_READERS = {
    "decisions": "typed decisions",
    "systemone": "typed decisions",
    "echo": "likelihoods of the echoed prompt",
    "schema": "a schema of the choices",
    "generation": "written text",
}
_LEGEND = (
    "tokens: as the endpoint counts them, of the test alone; repeats: of test items asked twice, those that were "
    "answered otherwise the second time, which no change of method causes"
)


def tables(run: Run, model: str) -> list[ReportTable]:
    """One table for a served model; none for others."""
    found = by_method(run, model, lambda record: record.served is not None)
    if not found:
        return []
    prices = replaced(run.prices, str(run.path))
    lines = [cells(clean(method), clean(task), *_figures(own, prices)) for (method, task), own in found.items()]
    records = [record for own in found.values() for record in own]
    heads = ("method", "task", "answers\nread by", "requests", "prompt\ntokens", "of these\ncached", "output\ntokens",
             "money", "repeats\nanswered otherwise")  # fmt: skip
    return [ReportTable(f"{clean(model)}: served", heads, tuple(lines), (*_notes(records), _LEGEND))]


def _figures(records: Sequence[Record], prices: Prices) -> Iterator[str]:
    served = [record.served for record in records if record.served]
    used = [one.used["predict"] for one in served if "predict" in one.used]
    yield ", ".join(dict.fromkeys(_READERS.get(one.reader, clean(one.reader)) for one in served))
    for name in ("requests", "prompt", "cached", "output"):
        yield f"{sum(getattr(one, name) for one in used):,}"
    paid = [costs.paid(record, prices, "predict") for record in records]
    known = [value for value in paid if value is not None]
    yield f"{sum(known):.2g} {clean(prices.currency)}" if known and len(known) == len(paid) else NOTHING
    repeated = sum(one.repeated for one in served)
    yield f"{sum(one.changed for one in served):,} of {repeated:,}" if repeated else NOTHING


def _notes(records: Sequence[Record]) -> Iterator[str]:
    served = [record.served for record in records if record.served]
    for place in dict.fromkeys((one.base_url, one.model, one.stays) for one in served):
        url, name, stays = place
        where = "what is asked stays on this machine" if stays else "what is asked leaves this machine"
        yield f"{clean(url)} as {clean(name) or 'a model that it does not name'}; {where}"
    for reason in dict.fromkeys(reason for one in served for reason in one.dropped):
        yield f"not used: {clean(reason)}"
    unmetered = sum(used.unmetered for one in served for used in one.used.values())
    if unmetered:
        yield f"{unmetered:,} requests without a usage that can be right: their tokens are estimated from characters"
    yield from _unpriced(served)


def _unpriced(served: Sequence[ServedBy]) -> Iterator[str]:
    days = sorted({one.price.date for one in served if one.price and one.price.date})
    if days:
        yield f"prices of tokens of {', '.join(map(clean, days))}"
    if any(one.price is None for one in served):
        yield "no price of tokens: give `price` of the endpoint to count and to compare its cost"
