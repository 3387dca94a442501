"""What the table of retrieval says: how often the right passage was found."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.summary import SummaryRow
from bench.metrics.formats import clean
from bench.report.table import NOTHING, ReportTable, Text

_RETRIEVAL = ("hit@1", "hit@5", "mrr")


def tables(model: str, rows: Sequence[SummaryRow]) -> list[ReportTable]:
    """For a model the methods that searched; no table where none did."""
    own = [row for row in rows if any(name in row.retrieval for name in _RETRIEVAL)]
    if not own:
        return []
    lines = [
        (
            Text(clean(row.method)),
            Text(clean(row.task)),
            *(Text(f"{row.retrieval[n].mean:.3f}" if n in row.retrieval else NOTHING) for n in _RETRIEVAL),
            Text(f"{row.retrieval['questions'].mean:,.0f}" if "questions" in row.retrieval else NOTHING),
        )
        for row in own
    ]
    return [ReportTable(f"{clean(model)}: retrieval", ("method", "task", *_RETRIEVAL, "questions"), tuple(lines))]
