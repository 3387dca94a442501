"""What judges said of texts, beside what the metrics say."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.cases import Case, models_of
from bench.report.html.blocks import Section, as_blocks
from bench.report.tables import judged

_LEAD = "Answers as a model judges them that was held against people's judgements first."


def section(cases: Sequence[Case]) -> Section:
    """The tables of every judge, model by model."""
    tables = (table for run, model in models_of(cases) for table in judged.tables(run, model))
    return Section("judged", "Judged texts", _LEAD, tuple(as_blocks(tables)))
