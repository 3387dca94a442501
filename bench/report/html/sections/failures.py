"""What failed, was left out or was not run, with its denominators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis.summary import summarise
from bench.report.html.blocks import Block, Paragraph, Section, as_blocks
from bench.report.html.cases import Case, of_runs
from bench.report.tables import notes

_LEAD = "What failed counts as wrong and stays in the denominator; a method whose cells did not all end is never best."


def section(cases: Sequence[Case]) -> Section:
    """The notes of every run; that there are none is said."""
    return Section("failures", "Failures and what was left out", _LEAD, tuple(_blocks(cases)))


def _blocks(cases: Sequence[Case]) -> Iterator[Block]:
    found = False
    for run, _ in of_runs(cases):
        for block in as_blocks(notes.tables(run, summarise(run))):
            found = True
            yield block
    if not found:
        yield Paragraph("Every cell ended, every item was answered, and nothing was left out.")
