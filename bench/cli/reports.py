"""Commands that read what was measured: report, compare, decide, history, list."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import signals
from bench.cli.report_targets import sent_to
from bench.cli.run_argument import RUN
from bench.core.errors import UsageError
from bench.core.quoting import json_text
from bench.runs import RESULTS

if TYPE_CHECKING:
    from bench.analysis.decision.verdict import Verdict
    from bench.core.record import Run
    from bench.report.table import Chapter

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RUN)
@click.option("--full", is_flag=True, help="Print every table.")
@click.option("--html", type=_FILE, help="Write one self-contained HTML file.")
@click.option("--pdf", type=_FILE, help="Write the summary as a PDF of two pages; needs Chromium.")
@click.option("--pdf-full", type=_FILE, help="Write the whole report as a PDF; needs Chromium.")
@click.option("--markdown", "style", flag_value="markdown", help="Print Markdown, for a pull request or a wiki.")
@click.option("--csv", "style", flag_value="csv", help="Print tidy CSV: a line for each figure.")
@click.option("--latex", "style", flag_value="latex", help="Print LaTeX tables of the scores (booktabs).")
@click.option("--json", "style", flag_value="json", help="Print JSON: aggregated rows and the records.")
@click.option("--benchmark", "style", flag_value="benchmark", help="Print the timings as pytest-benchmark's JSON.")
@click.option("--schema", "style", flag_value="schema", help="Print the JSON Schema of --json.")
@click.option("--mlflow", metavar="URI", help="Log to MLflow at this tracking URI, such as sqlite:///mlflow.db.")
@click.option("--wandb", metavar="FOLDER", help="Log to Weights & Biases, offline, below this folder.")
@click.option("--trackio", metavar="FOLDER", help="Log to Trackio, on this machine, in this folder.")
@click.option("--inspect", metavar="FOLDER", help="Write a log of Inspect for each cell into this folder.")
@click.option("--every-eval-ever", metavar="FOLDER", help="Write Every Eval Ever's JSON of each cell into this folder.")
@click.option(
    "--eval-results", metavar="FOLDER", help="Write .eval_results/ for model cards of the Hub into this folder."
)
@click.option(
    "--hub-dataset",
    "hub_datasets",
    multiple=True,
    metavar="TASK=OWNER/NAME:TASK_ID",
    help="With --eval-results: the data set of the Hub that ranks a task; repeatable.",
)
@click.option("--serve", is_flag=True, help="Serve the HTML page to this machine while the runs grow; Ctrl-C ends it.")
@click.option("--port", type=click.IntRange(1, 65535), help="With --serve: the port; default: a free one.")
def report(
    runs: Sequence[Path],
    full: bool,
    html: Path | None,
    pdf: Path | None,
    pdf_full: Path | None,
    style: str | None,
    hub_datasets: Sequence[str],
    serve: bool,
    port: int | None,
    **sent: str | None,
) -> None:
    """Show what one or more RUNS measured, from their records alone; nothing is measured again.

    First the verdict on each task and one table of scores; --full prints every table. Beside FILE.html stands FILE.json
    with the full data.

    \b
    Examples:
      adaptbench report results/local/quickstart
      adaptbench report results/local/quickstart --html report.html --pdf report.pdf
      adaptbench report results/local/quickstart --markdown > table.md
      adaptbench report results/local/quickstart --html report.html --mlflow sqlite:///mlflow.db
      adaptbench report results/local/quickstart --serve
    """
    from bench.report import data, tables
    from bench.store.run_folder import read_run

    if serve or port is not None:
        if not serve or full or html or pdf or pdf_full or style or hub_datasets or any(sent.values()):
            raise UsageError("--serve goes with --port alone, and --port with --serve")
        _serve(runs, port or 0)
        return
    read = [read_run(path) for path in runs]
    sending = sent_to(read, html, hub_datasets, **sent)
    if html or pdf or pdf_full:
        from bench.report import files

        print(*files.write(read, html, pdf, pdf_full), sep="\n")
    for line in sending:
        print(line)
    if style in ("csv", "latex", "benchmark", "schema"):
        sys.stdout.write(_text(read, style))
    elif full or style:
        show(style, lambda: tables.chapters(read), lambda: data.to_json(read))
    elif not (html or pdf or pdf_full or any(sent.values())):
        overviews(read)


def _serve(runs: Sequence[Path], port: int) -> None:
    """Serve the page of `runs` until they have ended and nobody asks any more, or Ctrl-C."""
    from bench.report.live import IDLE_S, LiveReport

    served = LiveReport(runs, port)
    print(
        f"{served.url}\nfor this machine alone; ends with Ctrl-C, or {IDLE_S / 60:.0f} minutes after the last request",
        end="",
    )
    print(" once no run goes on", flush=True)
    try:
        served.serve()
    except KeyboardInterrupt as error:  # Ctrl-C is the way to end it
        if isinstance(error, signals.TerminatedError):
            raise


def _text(runs: Sequence[Run], style: str) -> str:
    from bench.report import benchmark, csv_latex, data

    if style == "schema":
        return json_text(data.schema()) + "\n"
    return {"csv": csv_latex.csv_text, "latex": csv_latex.latex, "benchmark": benchmark.pytest_json}[style](runs)


@click.command()
@click.argument("run", type=RUN)
@click.argument("old", required=False, type=RUN)
@click.option("--task", help="Only this task.")
@click.option("--method", "methods", multiple=True, help="Only this method; repeatable.")
@click.option("--metric", help="The metric; default: the task's primary one.")
@click.option("--full", is_flag=True, help="Print every pair, not only each method against the best.")
@click.option("--flips", type=click.IntRange(min=0), default=0, help="Show so many changed answers of each pair.")
@click.option("--markdown", "style", flag_value="markdown", help="Print Markdown.")
@click.option("--json", "style", flag_value="json", help="Print JSON.")
def compare(
    run: Path,
    old: Path | None,
    task: str | None,
    methods: Sequence[str],
    metric: str | None,
    full: bool,
    flips: int,
    style: str | None,
) -> None:
    """Differences between the methods of RUN, or of each method between RUN and an OLD run, item by item.

    With intervals, p-values adjusted for their number, and groups that are not significantly different.

    \b
    Exit codes: 0 compared, 2 wrong input, 5 not the same questions or scoring.
    Examples:
      adaptbench compare results/local/quickstart
      adaptbench compare results/local/new results/local/old --method lora --flips 10
    """
    from bench.api.measured import load
    from bench.report.tables import comparison as comparison_tables

    families = load(run).compare(old, task=task, metric=metric, methods=methods).families
    heading = f"{run} (a, b: its methods)" if old is None else f"a: {run}, b: {old}"
    shown = comparison_tables.tables if full or style or flips else comparison_tables.brief
    show(style, lambda: [(heading, shown(families, flips))], lambda: comparison_tables.to_json(families, flips))
    if shown is comparison_tables.brief:
        print("intervals of these checkpoints; --full: every pair, detectable differences, ties")


@click.command()
@click.argument("run", type=RUN)
@click.option("--task", help="Only this task.")
@click.option("--queries", "queries_per_month", type=float, help="Queries a month; default: 10,000.")
@click.option("--months", type=float, help="Months over which costs are added up; default: 12.")
@click.option(
    "--updates", "updates_per_month", type=float, help="Times a month that documents or labels change; default: 0."
)
@click.option("--hosting", "hosting_per_month", type=float, help="Money a month to keep a method at hand; default: 0.")
@click.option("--hourly-rate", type=float, help="Money for an hour of people's time; default: 0.")
@click.option("--setup-hours", type=float, help="People's hours to set a method up; default: 0.")
@click.option("--upkeep-hours", "upkeep_hours_per_month", type=float, help="Hours of upkeep a month; default: 0.")
@click.option(
    "--serving", type=click.Choice(["batches", "one by one"]), help="How questions are answered; default: batches."
)
@click.option("--value", "value_of_right", type=float, help="Money that a correct answer is worth; default: not given.")
@click.option(
    "--margin", type=float, help="A difference in the primary metric that matters; default: a fiftieth of its scale."
)
@click.option(
    "--require",
    "require",
    multiple=True,
    metavar="NAME=VALUE",
    help="quality, latency_p95_s, retention_loss, memory_gib, money_per_month, data_stays=true; repeatable.",
)
@click.option("--full", is_flag=True, help="Add every method, where costs cross, and the reasons in sentences.")
@click.option("--markdown", "style", flag_value="markdown", help="Print Markdown.")
@click.option("--json", "style", flag_value="json", help="Print JSON.")
def decide(
    run: Path, task: str | None, require: Sequence[str], full: bool, style: str | None, **assumed: float | str | None
) -> None:
    """What to choose of the methods of RUN, how sure that is, what it costs and what would change it.

    What is not given here comes from `decide:` of the run's suite, else it has the default. Money is in the currency of
    the suite's prices.

    \b
    Examples:
      adaptbench decide results/local/quickstart
      adaptbench decide results/local/quickstart --queries 50000 --updates 4 --require quality=0.8
    """
    from bench.api.measured import load
    from bench.report.tables import decision as decision_tables

    said = {name: value for name, value in assumed.items() if value is not None}
    measured = load(run)
    found = measured.decide(task, require=dict(_required(text) for text in require), **said)
    if full or style:
        chapters: list[Chapter] = [(str(run), decision_tables.tables(found.verdicts, found.currency))]
        show(style, lambda: chapters, lambda: decision_tables.to_json(found.verdicts, found.currency))
    else:
        _decisions(measured.content, found.verdicts, found.currency)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RUN)
@click.option("--task", help="Only this task.")
@click.option("--method", "methods", multiple=True, help="Only this method; repeatable.")
@click.option("--metric", help="The metric; default: the primary one of each task's newest run.")
@click.option("--html", type=_FILE, help="Write one self-contained HTML file.")
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
    from bench.report.tables import history as tables
    from bench.store.run_folder import read_run

    dated = tracks.dated([read_run(path) for path in runs])
    panels = tracks.panels(dated, task, metric, methods)
    if html is not None:
        from bench.report.html import history as pages

        for file in pages.write(dated, panels, html):
            print(file)
    if style or html is None:
        show(style, lambda: tables.chapters(dated, panels), lambda: tables.to_json(dated, panels))


def overviews(runs: Sequence[Run]) -> None:
    """Print the verdict on each task and a table of scores."""
    from rich.console import Console

    from bench.report import brief, terminal

    console = Console()
    terminal.show(*brief.overviews(runs, console), console=console)


def _decisions(run: Run, verdicts: Sequence[Verdict], currency: str) -> None:
    from bench.report import brief, terminal

    terminal.show(*brief.decisions(run, verdicts, currency))


def show(style: str | None, chapters: Callable[[], Sequence[Chapter]], content: Callable[[], dict[str, Any]]) -> None:
    """Print tables for a terminal or as Markdown, or what they are made of as JSON."""
    if style == "json":
        print(json_text(content()))
    elif style == "markdown":
        from bench.report.markdown import markdown

        print(markdown(chapters()))
    else:
        from bench.report import terminal

        terminal.show(terminal.terminal(chapters()))


def _required(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, 1.0 if value == "true" else float(value)
    except ValueError:
        raise UsageError(f"--require {text}: give NAME=VALUE, for example quality=0.8") from None


@click.command("list")
@click.argument("what", type=click.Choice(["tasks", "methods", "models", "suites", "runs"]))
def list_(what: str) -> None:
    """List bundled tasks, methods, models or suites, or the runs below results/.

    \b
    Example:
      adaptbench list methods
    """
    from bench.cli import listing

    for line in listing.lines(what, RESULTS.parent):
        print(line)
