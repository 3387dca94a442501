"""What a terminal shows of runs at first: three lines for each task, one table of scores, and what failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from bench.analysis.decision.across import says_nothing_more
from bench.analysis.decision.headline import headline
from bench.analysis.decision.headline_words import facts, three_lines
from bench.analysis.decision.verdict import Verdict
from bench.analysis.summary import summarise
from bench.core.record import Run
from bench.metrics.formats import clean
from bench.report.cases import Case, cases, to_decide
from bench.report.tables import notes, overview
from bench.report.terminal import Folded, lay_out

_FAILURES = 3  # shown with their reasons


def overviews(runs: Sequence[Run], console: Console) -> Iterator[RenderableType]:
    """The runs, one after another: verdicts first."""
    found = cases(runs)
    for run in runs:
        shard = f", shard {clean(run.shard)}" if run.shard else ""
        yield Text(f"{clean(run.suite)}{shard} ({clean(run.path)})", style="bold")
        yield from map(Folded, notes.warnings([run]))
        own = [case for case in found if case.run is run]
        for case in to_decide(own):
            yield from _lines(case)
        for model in dict.fromkeys(case.model for case in own):
            of_model = [case for case in own if case.model == model]
            table = overview.table(run, model, of_model, console.width)
            yield from lay_out(table, console)
        yield from _troubles(run)
        yield Text(f"more: adaptbench report {clean(run.path)} --full, or --html FILE", style="dim")


def decisions(run: Run, verdicts: Sequence[Verdict], currency: str) -> Iterator[RenderableType]:
    """What each decision rests on, a line for each fact."""
    several = len({verdict.family.model for verdict in verdicts}) > 1
    for verdict in (one for one in verdicts if not says_nothing_more(one, verdicts)):
        model = f" with {clean(verdict.family.model)}" if several else ""
        yield Text(f"{clean(verdict.family.task)}{model}", style="bold")
        for term, text in facts(headline(run, verdict), currency):
            yield Folded(f"  {term}: {text}", len(term) + 1)
    yield Text(f"more: adaptbench decide {clean(run.path)} --full", style="dim")


def _lines(case: Case) -> Iterator[Folded]:
    if case.headline is None:
        yield Folded(f"{case.title}: {case.problem}", len(case.title) + 1)
        return
    first, *others = three_lines(case.title, case.headline, case.prices.currency)
    yield Folded(first, len(case.title) + 1)
    yield from (Folded(f"  {line}") for line in others)


def _troubles(run: Run) -> Iterator[RenderableType]:
    """Failed cells with their reasons; of the other notes, that there are some."""
    others = []
    for table in notes.tables(run, summarise(run)):
        if table.title != "Failed cells":
            others.append(f"{table.title.lower()}: {len(table.notes)}")
            continue
        yield Text(table.title, style="bold")
        yield from (Folded(f"  {line}") for line in table.notes[:_FAILURES])
        if len(table.notes) > _FAILURES:
            yield Folded(f"  and {len(table.notes) - _FAILURES} more")
    if others:
        yield Folded(f"notes with --full: {'; '.join(others)}")
