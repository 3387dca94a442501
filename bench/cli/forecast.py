"""The command that says what cells to come would come to: forecast."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bench.cli.outside import allow_outside
from bench.cli.run_argument import RUN
from bench.cli.runs import read_suite


@click.command()
@click.argument("suite", default="quickstart")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory; default: results/local/<suite>.")
@click.option("--pilots", multiple=True, type=RUN, help="Learn from the cells of this run too; repeatable.")
@click.option("--limit", type=click.IntRange(min=1), help="As for `run`: test items of each task at most.")
@click.option("--device", help="As for `run`: cpu, cuda or cuda:N.")
@click.option("--seeds", help="As for `run`: comma-separated seeds in place of the suite's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@allow_outside
def forecast(suite: str, out: Path | None, pilots: Sequence[Path], as_json: bool, **changes: Any) -> None:
    """Say what the cells of SUITE that are not measured yet would score and cost, and what the choice will be.

    Told from cells that are measured: smaller training sizes, some of the seeds, or a pilot run. What cannot be told is
    refused by name.

    \b
    Examples:
      adaptbench forecast my-suite.yaml
      adaptbench forecast my-suite.yaml --pilots results/local/pilot --json
    """
    from rich.console import Console

    from bench.runs import cells, foreseen, foreseen_table, suite_run

    file, loaded = read_suite(suite, **changes)
    every = cells.expand(loaded, file, suite_run.asked_surroundings)
    found = foreseen.foresee(loaded, every, out or suite_run.default_folder(loaded.name), pilots)
    if as_json:
        print(json.dumps(foreseen.as_json(found), indent=1))
    else:
        Console().print(foreseen_table.table(found))
