"""Answers that change where nothing that matters did."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.cases import Case, models_of
from bench.report.html.blocks import Section, as_blocks
from bench.report.tables import bias

_LEAD = "The same question twice, with a name, a way of speaking or a tone swapped: how often the answer is another."


def section(cases: Sequence[Case]) -> Section:
    """The table of counterfactual pairs of every model."""
    tables = (table for run, model in models_of(cases) for table in bias.tables(run, model))
    return Section("bias", "Counterfactual pairs", _LEAD, tuple(as_blocks(tables)))
