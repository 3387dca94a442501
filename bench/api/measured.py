"""A measured run and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.analysis import comparison
from bench.analysis.comparison import Family
from bench.analysis.decision.verdict import Verdict
from bench.config import assumptions, prices
from bench.core.record import Record, Run
from bench.store.archive import as_named
from bench.store.run_folder import read_run

if TYPE_CHECKING:
    from pandas import DataFrame

    from bench.gate.policy import Mode
    from bench.gate.verdict import GateVerdict
    from bench.report.live import LiveReport


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """Differences between methods, a family of tests for each model and task; shown as their frame."""

    families: tuple[Family, ...]

    def __repr__(self) -> str:
        return repr(self.frame())

    def _repr_html_(self) -> str:
        return str(self.frame().to_html(index=False))

    def frame(self) -> DataFrame:
        """A row for each difference: a less b with its interval, p-values and the smallest detectable difference."""
        from bench.api import frames

        return frames.differences(self.families)


@dataclass(frozen=True, slots=True, repr=False)
class Decision:
    """What to choose, a verdict for each model and task, shown as its sentences. Money is in `currency`."""

    verdicts: tuple[Verdict, ...]
    currency: str

    def __repr__(self) -> str:
        from bench.analysis.decision import words

        return "\n".join(
            line
            for verdict in self.verdicts
            for line in (
                f"{verdict.family.task} with {verdict.family.model}",
                *words.sentences(verdict, self.currency),
            )
        )

    def _repr_html_(self) -> str:
        """The sentences in a notebook: names and texts of records are escaped."""
        return "<br>".join(escape(line) for line in repr(self).split("\n"))

    def sentences(self) -> list[str]:
        """The verdicts as a report says them."""
        from bench.analysis.decision import words

        return [sentence for verdict in self.verdicts for sentence in words.sentences(verdict, self.currency)]


@dataclass(frozen=True)
class MeasuredRun:
    """A run, read from its records alone. Frames have a row for each cell, metric, probe or item, seeds apart."""

    path: Path  # a folder or an archive

    @cached_property
    def content(self) -> Run:
        """The records, typed; read once.

        Raises:
            UsageError: there is no run at the path, or a file of it is not what adaptbench writes.
        """
        return read_run(self.path)

    @property
    def suite(self) -> str:
        """The name of its suite."""
        return self.content.suite

    @property
    def records(self) -> tuple[Record, ...]:
        """What each cell measured."""
        return self.content.records

    def cells(self) -> DataFrame:
        """A row for each cell of the suite: ok, failed with its reason, or missing."""
        from bench.api import frames

        return frames.cells(self.content)

    def scores(self) -> DataFrame:
        """A row for each measured cell and metric; `primary` marks the task's own."""
        from bench.api import frames

        return frames.scores(self.content)

    def costs(self) -> DataFrame:
        """A row for each measured cell: seconds and joules of phases, memory, latency, tokens of an item, and money."""
        from bench.api import frames

        return frames.costs(self.content, self._prices())

    def retention(self) -> DataFrame:
        """A row for each measured cell and probe: the score before and after. Empty without probes."""
        from bench.api import frames

        return frames.retention(self.content)

    def predictions(self, task: str | None = None, method: str | None = None) -> DataFrame:
        """A row for each test item of each measured cell, of one task or method if named: the answer and its scores.

        Raises:
            UsageError: a cell's answers are not there.
        """
        from bench.api import frames

        return frames.predictions(self.content, task, method)

    def compare(
        self,
        old: MeasuredRun | str | PathLike[str] | None = None,
        *,
        task: str | None = None,
        metric: str | None = None,
        methods: Sequence[str] = (),
    ) -> Comparison:
        """The methods of this run against each other, or each against itself in an `old` run, item by item.

        Raises:
            UsageError: no such task, metric or method, or nothing to compare.
            NotComparableError: the items, prompts or ways of scoring are not the same.
        """
        if old is None:
            return Comparison(tuple(comparison.within(self.content, task, metric, methods)))
        return Comparison(tuple(comparison.between(self.content, _loaded(old).content, task, metric, methods)))

    def decide(
        self, task: str | None = None, *, require: Mapping[str, float] | None = None, **assumed: Any
    ) -> Decision:
        """What to choose under assumptions; what is not said here comes from `decide:` of the suite.

        `assumed`: `queries_per_month`, `months` and the other fields of `bench.config.assumptions.Assumptions`.

        Raises:
            UsageError: an assumption is unknown or out of range, or there is nothing to choose from.
        """
        from bench.analysis.decision.verdict import verdicts

        of_suite = self.content.decide.get("require", {})
        required = {**of_suite, **(require or {})} if isinstance(of_suite, dict) else of_suite
        merged = assumptions.read({**self.content.decide, **assumed, "require": required}, str(self.path))
        priced = self._prices()
        return Decision(tuple(verdicts(self.content, priced, merged, task)), priced.currency)

    def gate(
        self,
        baseline: MeasuredRun | str | PathLike[str],
        policy: str | PathLike[str] | None = None,
        *,
        mode: Mode | None = None,
    ) -> GateVerdict:
        """Whether this run may take the place of a baseline: `exit_code` 0, or the findings that say why not.

        Raises:
            UsageError: a policy that is wrong or does not fit the baseline.
            IncompleteError, NotComparableError: a run that is damaged, or not of the same questions.
        """
        from bench.gate import policy as policies
        from bench.gate.run import gate

        file = None if policy is None else Path(policy)
        where = str(file or "the default policy")
        return gate(_loaded(baseline).path, self.path, policies.load(file, mode), where).verdict

    def report(self, html: str | PathLike[str]) -> list[Path]:
        """Write the report as one HTML file, and its data beside it; the files written.

        Raises:
            UsageError: the folder cannot be written.
        """
        from bench.report import files

        return files.write([self.content], Path(html), None)

    def _prices(self) -> prices.Prices:
        return prices.replaced(self.content.prices, str(self.path))

    def _repr_html_(self) -> str:
        """The scores in a notebook: mean over seeds of the primary metric."""
        table = self.scores().query("primary").pivot_table("value", ["model", "method"], ["task", "metric"], sort=False)
        return str(table.to_html())


def load(path: str | PathLike[str]) -> MeasuredRun:
    """A run that was measured before: its folder or its archive, with or without the ending `.run.zip`.

    Raises:
        UsageError: there is no run.
    """
    run = MeasuredRun(as_named(Path(path)))
    _ = run.content  # a wrong path is told here
    return run


def _loaded(run: MeasuredRun | str | PathLike[str]) -> MeasuredRun:
    return run if isinstance(run, MeasuredRun) else load(run)


def live(*runs: str | PathLike[str], port: int = 0) -> LiveReport:
    """Serve the report of runs to this machine while they grow, until `stop`; a notebook shows the link.

    The runs need not be there yet. `port`: 0 takes a free one.

    Raises:
        UsageError: the port is taken.
    """
    from bench.report.live import LiveReport

    return LiveReport([as_named(Path(run)) for run in runs], port).start()
