"""Commands over several runs: merge, history."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The run directory to make.")
def merge(runs: Sequence[Path], out: Path) -> None:
    """Join RUNS of one suite, such as its shards, into one run directory.

    Of a cell that several runs have, a measured one is taken before one that failed. Nothing is measured.

    \b
    Exit codes: 0 all cells measured, 2 wrong input, 4 some cells missing or failed.
    Example:
      adaptbench merge results/local/mine-*-of-3 --out results/local/mine
    """
    from bench.metrics.formats import clean
    from bench.store import merge as merging

    found = merging.merge(runs, out)
    print(f"{found.cells - len(found.missing)} of {found.cells} cells from {_some(len(runs), 'run')}")
    print(f"records: {out}")
    for what, names in (("missing", found.missing), ("failed", found.failed)):
        for name in names:
            print(f"{what}: {clean(name)}", file=sys.stderr)
    if found.missing or found.failed:
        sys.exit(4)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--task", help="Of this task alone.")
@click.option("--method", "methods", multiple=True, help="Of this method alone; may be given several times.")
@click.option("--metric", help="In this metric; default: the primary one of each task's newest run.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write one self-contained HTML file.")
@click.option("--markdown", "style", flag_value="markdown", help="Print Markdown.")
@click.option("--json", "style", flag_value="json", help="Print JSON.")
def history(
    runs: Sequence[Path],
    task: str | None,
    methods: Sequence[str],
    metric: str | None,
    html: Path | None,
    style: str | None,
) -> None:
    """Show how scores changed over several RUNS, ordered by their records' dates, and which changes are steps.

    Runs with other items or another way of scoring are set apart. Beside FILE.html stands FILE.json.

    \b
    Examples:
      adaptbench history results/nightly/*
      adaptbench history results/nightly/* --method lora --html history.html
    """
    from bench.analysis.history import tracks
    from bench.cli.reports import show
    from bench.report.tables import history as tables
    from bench.store.run_folder import read_run

    dated = tracks.dated([read_run(path) for path in runs])
    panels = tracks.panels(dated, task, metric, methods)
    if html is not None:
        from bench.report.html import history as pages

        for file in pages.write(dated, panels, html):
            print(file)
    if style or html is None:
        show(style, tables.chapters(dated, panels), lambda: tables.to_json(dated, panels))


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
