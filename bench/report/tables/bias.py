"""What the table of counterfactual pairs says: how often answers change where they ought not to."""

from __future__ import annotations

from bench.analysis.counterfactuals import Bias, base_of, biases
from bench.analysis.summary import by_method
from bench.core.record import Run
from bench.metrics.formats import clean
from bench.report.table import NOTHING, ReportTable, cells

_SHARES = "share of pairs whose two forms got different answers, with its 95% interval over pairs"
_MORE = "against the base model: the share less that of the base model with the same context, pair by pair"


def tables(run: Run, model: str) -> list[ReportTable]:
    """For a model the pairs of every task that names some; no table where none was asked."""
    groups = by_method(run, model, lambda record: bool(record.counterfactual))
    lines = [
        cells(clean(method), clean(task), *_texts(bias))
        for (method, task), records in groups.items()
        for bias in biases(records, base_of(records[0], run.records))
    ]
    if not lines:
        return []
    heads = ("method", "task", "pairs", "changed", "against the\nbase model")
    return [ReportTable(f"{clean(model)}: counterfactual pairs", heads, tuple(lines), (_SHARES, _MORE))]


def _texts(bias: Bias) -> tuple[str, str, str]:
    changed = f"{bias.share:.3f} [{bias.interval.low:.3f}, {bias.interval.high:.3f}]"
    more = NOTHING
    if bias.more is not None and bias.more_interval is not None:
        more = f"{bias.more:+.3f} [{bias.more_interval.low:+.3f}, {bias.more_interval.high:+.3f}]"
    return f"{clean(bias.slot)}: {bias.pairs}", changed, more
