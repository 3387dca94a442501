"""What was found for a prompt, and what finding it is worth: against the right passages and against random ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis.summary import summarise
from bench.report.cases import Case, of_runs
from bench.report.html.blocks import Block, Section, as_blocks
from bench.report.html.sections.quality import scores
from bench.report.tables import passages_used, retrieval, second_stage

_LEAD = (
    "hit@k: share of questions with a right passage among the first k. The control `oracle` is given the right "
    "passages, `random` is given any: what lies between them is what retrieval can be worth with this model."
)


def section(cases: Sequence[Case]) -> Section:
    """For each case with retrieval its scores; the table of what was found."""
    return Section("retrieval", "Retrieval", _LEAD, tuple(_blocks(cases)))


def _blocks(cases: Sequence[Case]) -> Iterator[Block]:
    for run, _ in of_runs(cases):
        rows = summarise(run)
        for model in dict.fromkeys(row.model for row in rows):
            yield from as_blocks(retrieval.tables(model, [row for row in rows if row.model == model]))
            yield from as_blocks(passages_used.tables(run, model))
            yield from as_blocks(second_stage.tables(run, model))
    for case in cases:
        controls = {record.method for record in case.records if record.parts.is_control}
        searching = controls | {record.method for record in case.records if record.parts.retrieves}
        if controls and case.family is not None:
            yield from scores(case, f"{case.id}-rag", searching, f"{case.title}: retrieval and its controls")
