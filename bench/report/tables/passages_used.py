"""What the table of passages says: why answers were wrong, and whether what is said stands in what was shown."""

from __future__ import annotations

from bench.analysis.passages_used import Citations, PassageUse, passage_use
from bench.analysis.summary import by_method
from bench.core.record import Run
from bench.metrics.formats import clean
from bench.report.table import NOTHING, ReportTable, Text, cells

_HEADS = (
    "method",
    "task",
    "not\nfound",
    "found,\nnot shown",
    "shown,\nnot used",
    "shown\nand right",
    "right\nwithout",
    "known\nbefore",
    "words in\npassages",
)
_LEGEND = (
    "not found to right without: shares of the questions with a right passage, which add up to 1; right: at least half "
    "of a perfect score in the task's primary metric",
    "known before: of shown and right, what the model has right without any passage",
    "words in passages: mean share of an answer's words that stand in the passages shown to the model",
)

_CITED = ("method", "task", "cited", "precision", "recall", "questions")
_CITED_LEGEND = (
    "of the questions whose right passage was shown: share with a citation; precision: mean share of an answer's "
    "citations that hold the answer; recall: mean share of the right passages that are cited",
)


def tables(run: Run, model: str) -> list[ReportTable]:
    """For a model the methods that show passages; no table where nothing can be said of any."""
    found = by_method(run, model, lambda record: record.parts.context.name == "rag")
    uses = [(where, use) for where, records in found.items() if (use := passage_use(run, records)) is not None]
    if not uses:
        return []
    lines = tuple(_line(*where, use) for where, use in uses)
    shown = [ReportTable(f"{clean(model)}: what became of the right passages", _HEADS, lines, _LEGEND)]
    cited = tuple(_cited(*where, use.citations) for where, use in uses if use.citations is not None)
    return [*shown, *([ReportTable(f"{clean(model)}: citations", _CITED, cited, _CITED_LEGEND)] if cited else [])]


def _cited(method: str, task: str, found: Citations) -> tuple[Text, ...]:
    precision = NOTHING if found.precision is None else f"{found.precision:.3f}"
    said = (f"{found.cited:.3f}", precision, f"{found.recall:.3f}", f"{found.questions:,}")
    return cells(clean(method), clean(task), *said)


def _line(method: str, task: str, use: PassageUse) -> tuple[Text, ...]:
    last = (NOTHING if value is None else f"{value:.3f}" for value in (use.known, use.grounded))
    return cells(clean(method), clean(task), *(f"{share:.3f}" for share in use.shares.values()), *last)
