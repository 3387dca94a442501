"""What failed, was left out or was not run, with its denominators."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.summary import summarise
from bench.report.cases import Case, of_runs
from bench.report.html.blocks import Paragraph, Section, as_blocks
from bench.report.tables import notes

_LEAD = "What failed counts as wrong and stays in the denominator; a method whose cells did not all end is never best."


def section(cases: Sequence[Case]) -> Section:
    """The notes of every run; that there are none is said."""
    tables = (table for run, _ in of_runs(cases) for table in notes.tables(run, summarise(run)))
    nothing = Paragraph("Every cell ended, every item was answered, and nothing was left out.")
    return Section("failures", "Failures and what was left out", _LEAD, tuple(as_blocks(tables)) or (nothing,))
