"""What the table of retrieval says: how often the right passage was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.analysis.summary import SummaryRow
from bench.metrics.formats import clean
from bench.report.table import NOTHING, ReportTable, cells

_RETRIEVAL = ("hit@1", "hit@5", "mrr")


def tables(model: str, rows: Sequence[SummaryRow]) -> list[ReportTable]:
    """For a model the methods that searched; no table where none did."""
    searched = [row for row in rows if row.retrieval]
    if not searched:
        return []
    lines = []
    for row in searched:
        if not any(name in row.retrieval for name in _RETRIEVAL):  # counts alone: no item has gold passages
            continue
        means = (f"{row.retrieval[name].mean:.3f}" if name in row.retrieval else NOTHING for name in _RETRIEVAL)
        questions = f"{row.retrieval['questions'].mean:,.0f}" if "questions" in row.retrieval else NOTHING
        lines.append(cells(clean(row.method), clean(row.task), *means, questions))
    heads = ("method", "task", *_RETRIEVAL, "questions")
    notes = tuple(_notes(searched))
    return [ReportTable(f"{clean(model)}: retrieval", heads, tuple(lines), notes)] if lines or notes else []


def _notes(rows: Sequence[SummaryRow]) -> Iterator[str]:
    """What a score may hide: documents that the encoder does not see whole, queries that match nothing."""
    for row in rows:
        where = f"{clean(row.method)} on {clean(row.task)}"
        counts = {name: spread.mean for name, spread in row.retrieval.items()}
        pieces = "chunks" if "chunks" in counts else "documents"
        if counts.get("documents_in_parts"):
            of = f"{counts['documents_in_parts']:,.0f} of {counts[pieces]:,.0f} {pieces}"
            yield f"{where}: {of} exceed the encoder's input and were embedded in parts"
        if counts.get("pairs_cut"):
            yield f"{where}: {counts['pairs_cut']:,.0f} pairs exceed the cross-encoder's input and were cut"
        if "chunks" in counts:
            unit = (
                "words, as no sentence encoder is at hand" if "chunks_by_words" in counts else "tokens of the encoder"
            )
            yield f"{where}: {counts['documents']:,.0f} documents in {counts['chunks']:,.0f} chunks by {unit}"
        if "seconds_per_query" in counts:
            money = f" and {counts['money_per_query']:.2g} of money" if counts["money_per_query"] else ""
            yield f"{where}: a query takes the retriever {counts['seconds_per_query']:.2g} s{money}"
        if "lists" in counts:
            yield f"{where}: {_index(counts)}"
        if counts.get("queries_without_match"):
            yield f"{where}: {counts['queries_without_match']:,.0f} queries share no token with any document"


def _index(counts: Mapping[str, float]) -> str:
    """How an index of many vectors is searched."""
    recall = f"recall@10 {counts['index_recall@10']:.3f} of an exact search's"
    if searched := counts["lists_searched"]:
        return f"{searched:,.0f} of {counts['lists']:,.0f} lists of vectors are searched, {recall}"
    return f"every vector is compared; half of {counts['lists']:,.0f} lists would find too little ({recall})"
