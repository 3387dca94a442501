"""The sections of the page, a module each, in its order."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.cases import Case
from bench.report.html.blocks import Section
from bench.report.html.sections import (
    about,
    bias,
    cost,
    failures,
    items,
    judged,
    learning,
    quality,
    refusals,
    retention,
    retrieval,
    training,
    verdict,
)

_ORDER = (
    verdict,
    quality,
    judged,
    cost,
    retention,
    retrieval,
    refusals,
    training,
    learning,
    bias,
    items,
    failures,
    about,
)


def sections(cases: Sequence[Case]) -> list[Section]:
    """Every section; one with nothing to say has no blocks."""
    return [one.section(cases) for one in _ORDER]
