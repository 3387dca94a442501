"""What the table of teachers says: whose answers a method learnt from, how many, how right they are, what they took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis import costs
from bench.analysis.summary import by_method
from bench.config.prices import Prices, replaced
from bench.core.measured import TaughtBy
from bench.core.phases import TEACHING
from bench.core.record import Record, Run
from bench.metrics import NAMES
from bench.metrics.formats import clean, duration, number, title
from bench.report.table import NOTHING, ReportTable, cells

_LEGEND = (
    "agreement: of the answers with the labels, where items have any; without an answer: items that nothing was learnt "
    "from; time and money: of all answers, also where an earlier cell had asked; money is part of setup"
)


def tables(run: Run, model: str) -> list[ReportTable]:
    """One table for a model that was taught; none for others."""
    found = by_method(run, model, lambda record: record.taught is not None)
    if not found:
        return []
    prices = replaced(run.prices, str(run.path))
    lines = [cells(clean(method), clean(task), *_figures(own, prices)) for (method, task), own in found.items()]
    heads = ("method", "task", "taught on", "items", "without\nan answer", "agreement", "prompt\ntokens",
             "output\ntokens", "time", "money")  # fmt: skip
    taught = [record.taught for own in found.values() for record in own if record.taught]
    return [ReportTable(f"{clean(model)}: teachers", heads, tuple(lines), (*_notes(taught), _LEGEND))]


def _figures(records: Sequence[Record], prices: Prices) -> Iterator[str]:
    """Of the first seed: all learn from the same answers, but on a learning curve."""
    record = records[0]
    taught = record.taught
    assert taught is not None
    yield "items without labels" if taught.unlabelled else "training items"
    yield f"{taught.items:,}"
    yield ", ".join(f"{clean(reason)} {count:,}" for reason, count in taught.failures.items()) or "0"
    name = taught.metric
    agrees = taught.agreement is not None and name in NAMES
    yield f"{title(name)} {number(name, taught.agreement or 0.0)}" if agrees else NOTHING
    used = taught.used
    yield f"{taught.prompt_tokens if used is None else used.prompt:,}"
    yield f"{taught.output_tokens if used is None else used.output:,}"
    yield duration(record.phases[TEACHING].wall_s) if TEACHING in record.phases else NOTHING
    paid = costs.teaching(record, prices)
    yield NOTHING if paid is None else f"{paid:.2g} {clean(prices.currency)}"


def _notes(taught: Sequence[TaughtBy]) -> Iterator[str]:
    for one in {(each.model, each.digest): each for each in taught}.values():
        if one.base_url:
            where = "stay on this machine" if one.stays else "leave this machine"
            yield f"{clean(one.model)}: {clean(one.base_url)}; the items that it answers {where}"
        else:
            yield f"{clean(one.model)}: a model on this machine, digest {clean(one.digest)[:12]}"
        if one.used is not None and one.price is None:
            yield f"{clean(one.model)}: no price of tokens: give `price` of the endpoint, to compare what it costs"
