"""Commands that read what was measured: report, compare, list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from bench.cli.measuring import RESULTS


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--markdown", "style", flag_value="markdown", help="Print Markdown.")
@click.option("--json", "style", flag_value="json", help="Print JSON: aggregated rows and the records.")
def report(runs: Sequence[Path], style: str | None) -> None:
    """Show the table of one or more RUNS from their records alone; nothing is measured again.

    \b
    Examples:
      adaptbench report results/local/quickstart
      adaptbench report results/local/quickstart --markdown > table.md
    """
    from bench import report as reporting
    from bench.store import read_run

    read = [read_run(path) for path in runs]
    if style == "json":
        print(json.dumps(reporting.to_json(read), indent=1, ensure_ascii=False))
    elif style == "markdown":
        print(reporting.markdown(read))
    else:
        from rich.console import Console

        Console().print(reporting.table(read))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("old", required=False, type=click.Path(path_type=Path))
@click.option("--task", help="Of this task alone.")
@click.option("--method", "methods", multiple=True, help="Of this method alone; may be given several times.")
@click.option("--metric", help="In this metric; default: the task's primary one.")
@click.option("--flips", type=click.IntRange(min=0), default=0, help="Show so many changed answers of each pair.")
@click.option("--markdown", "style", flag_value="markdown", help="Print Markdown.")
@click.option("--json", "style", flag_value="json", help="Print JSON.")
def compare(
    run: Path,
    old: Path | None,
    task: str | None,
    methods: Sequence[str],
    metric: str | None,
    flips: int,
    style: str | None,
) -> None:
    """Differences between the methods of RUN, or of each method between RUN and an OLD run, item by item.

    With intervals, p-values adjusted for their number, and what cannot be told apart.

    \b
    Exit codes: 0 compared, 2 wrong input, 5 not the same questions or scoring.
    Examples:
      adaptbench compare results/local/quickstart
      adaptbench compare results/local/new results/local/old --method lora --flips 10
    """
    from bench import comparison, comparison_sheets, report
    from bench.store import read_run

    new = read_run(run)
    if old is None:
        families = comparison.within(new, task, metric, methods)
    else:
        families = comparison.between(new, read_run(old), task, metric, methods)
    heading = f"{run} (a, b: its methods)" if old is None else f"a: {run}, b: {old}"
    chapters = [(heading, comparison_sheets.sheets(families, flips))]
    if style == "json":
        print(json.dumps(comparison_sheets.to_json(families, flips), indent=1, ensure_ascii=False))
    elif style == "markdown":
        print(report.as_markdown(chapters))
    else:
        from rich.console import Console

        Console().print(report.terminal(chapters))


@click.command("list")
@click.argument("what", type=click.Choice(["tasks", "methods", "models", "suites", "runs"]))
def list_(what: str) -> None:
    """List bundled tasks, methods, models or suites, or the runs below results/.

    \b
    Example:
      adaptbench list methods
    """
    from bench import listing

    for line in listing.lines(what, RESULTS.parent):
        print(line)
