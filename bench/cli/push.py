"""The command that sends what a run measured to the Hub, when it is told to: push."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from bench.cli.report_targets import named_datasets
from bench.cli.run_argument import RUN
from bench.core.errors import UsageError, unknown

if TYPE_CHECKING:
    from bench.core.record import Run

_FRONT = "---\ntags: [adaptbench]\nviewer: false\n---\n\n"


@click.command()
@click.argument("run", type=RUN)
@click.argument("repository", metavar="OWNER/NAME")
@click.option(
    "--results-of", "method", metavar="METHOD", help="Send the scores of this method to a model's repository."
)
@click.option(
    "--hub-dataset",
    "hub_datasets",
    multiple=True,
    metavar="TASK=OWNER/NAME:TASK_ID",
    help="With --results-of: the data set of the Hub that ranks a task; repeatable.",
)
@click.option("--send", is_flag=True, help="Send it; without this nothing leaves the machine.")
def push(run: Path, repository: str, method: str | None, hub_datasets: Sequence[str], send: bool) -> None:
    """Send the report of RUN to a dataset repository of the Hub, or a method's scores to a model's.

    A report is README.md (unless there is one), report.html, report.json and Every Eval Ever's files in data/. The page
    and data/ hold texts of test items. Without --send the files are listed and nothing is sent. A repository that does
    not exist is made, private. The token is HF_TOKEN, or that of the login.

    \b
    Examples:
      adaptbench push results/local/mine acme/mine-report
      adaptbench push results/local/mine acme/mine-report --send
      adaptbench push results/local/mine acme/my-model --results-of lora --hub-dataset mail=acme/mail --send
    """
    from bench.bridges import hub_push
    from bench.store.run_folder import read_run

    hub_push.require_name(repository)
    if hub_datasets and method is None:
        raise UsageError("--hub-dataset goes with --results-of METHOD")
    measured = read_run(run)
    kind: hub_push.Kind = "dataset" if method is None else "model"
    with TemporaryDirectory(prefix="adaptbench-push-") as place:
        folder = (
            _report(measured, Path(place)) if method is None else _scores(measured, Path(place), method, hub_datasets)
        )
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        for file in files:
            print(f"{file.relative_to(folder).as_posix()}  {file.stat().st_size:,} bytes")
        if not send:
            print(
                f"nothing was sent: --send makes a commit of these {len(files)} to the {kind} repository {repository}"
            )
            return
        print(f"sent: {hub_push.commit(folder, repository, kind, f'adaptbench: {measured.suite}')}")


def _report(run: Run, folder: Path) -> Path:
    from bench.bridges import every_eval_ever
    from bench.metrics.formats import clean
    from bench.report import files, tables
    from bench.report.markdown import escaped, markdown

    files.write([run], folder / "report.html", None)
    every_eval_ever.write([run], folder)
    text = f"{_FRONT}# {escaped(clean(run.suite))}\n\n{markdown(tables.chapters([run]))}"
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder


def _scores(run: Run, folder: Path, method: str, hub_datasets: Sequence[str]) -> Path:
    """The folder with `.eval_results` of a method; where several models have it, it is named with its model."""
    from bench.bridges import eval_results
    from bench.bridges.cells import file_name

    every = {file_name(f"{one.model}-{one.method}"): one.method for one in run.records}
    if method not in (*every, *every.values()):
        raise UsageError(unknown("method of the run", method, every.values()))
    eval_results.write([run], folder, named_datasets(hub_datasets))
    fitting = [name for name in every if method in (name, every[name]) and (folder / name).is_dir()]
    if not fitting:
        raise UsageError(f"no cell of {method} is measured on a task that the Hub ranks")
    if len(fitting) > 1:
        raise UsageError(f"several models have {method}; name one with it: {', '.join(fitting)}")
    return folder / fitting[0]
