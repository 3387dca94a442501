"""Answers that change where nothing that matters did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report.html.blocks import Block, Section, as_blocks
from bench.report.html.cases import Case, of_runs
from bench.report.tables import bias

_LEAD = "The same question twice, with a name, a way of speaking or a tone swapped: how often the answer is another."


def section(cases: Sequence[Case]) -> Section:
    """The table of counterfactual pairs of every model."""
    return Section("bias", "Counterfactual pairs", _LEAD, tuple(_blocks(cases)))


def _blocks(cases: Sequence[Case]) -> Iterator[Block]:
    for run, own in of_runs(cases):
        for model in dict.fromkeys(case.model for case in own):
            yield from as_blocks(bias.tables(run, model))
