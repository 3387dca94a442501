"""The command that has a model judge a run's texts: judge."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.outside import allow_outside
from bench.cli.run_argument import RUN
from bench.core.errors import UsageError

if TYPE_CHECKING:
    from bench.core.record import Record, Run
    from bench.runs.cells import Cell


@click.command()
@click.argument("run", type=RUN)
@click.option("--task", required=True, help="The task whose answers are judged; it brings labels of people.")
@click.option("--model", "by", help="The judge: as in a suite's models, or a YAML file with one entry.")
@click.option("--similarity", is_flag=True, help="Likeness to the reference by the sentence encoder at hand.")
@click.option("--entailment", metavar="NLI", help="Whether the passages shown entail the answers, by this model.")
@click.option(
    "--against", default="reference", show_default=True, help="A method of the run, in place of the reference."
)
@click.option("--limit", type=click.IntRange(min=2), help="Judge the answers to this many items at most.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda or cuda:N.")
@allow_outside
def judge(
    run: Path, task: str, by: str | None, similarity: bool, entailment: str | None, against: str, limit: int | None,
    device: str,
) -> None:  # fmt: skip
    """Have a model judge the answers of RUN to a task, if it agrees with people on the task's own labels.

    The judge is asked about the labels first, each pair in both orders. One that agrees too little with people, that
    contradicts itself when the order is swapped, or that favours length, is refused: exit code 4, and no answer of the
    run is judged. Reports show judgements beside the metrics; decisions rest on the metrics alone.

    \b
    Examples:
      adaptbench judge results/local/mine --task replies --model judge.yaml
      adaptbench judge results/local/mine --task replies --model smollm2 --against few-shot
      adaptbench judge results/local/mine --task replies --similarity
      adaptbench judge results/local/mine --task handbook --entailment cross-encoder/nli-deberta-v3-small
    """
    from bench.cli import reports
    from bench.report.tables import judged as tables
    from bench.store.run_folder import read_run

    if not (by or similarity or entailment):
        raise UsageError("name a judge with --model, or ask for --similarity or --entailment")
    measured = read_run(run)
    if similarity:
        _compare(measured, task)
    if entailment:
        _infer(measured, task, entailment, device)
    refused = by is not None and _judge(measured, task, by, against, limit, device)
    models = dict.fromkeys(record.model for record in measured.records)
    shown = [table for model in models for table in tables.tables(measured, model, task)]
    reports.show(None, lambda: [(str(run), shown)], dict)
    if refused:
        print(f"{by} is refused as a judge of {task}; no answer was judged", file=sys.stderr)
        sys.exit(4)


def _compare(run: Run, task: str) -> None:
    from bench.judging.similarity import alike
    from bench.store.judged import write_alike

    write_alike(run.path, alike(run, task))


def _infer(run: Run, task: str, model: str, device: str) -> None:
    from bench.judging.entailment import entailed
    from bench.store.judged import write_entailed

    write_entailed(run.path, entailed(run, task, model, device))


def _judge(run: Run, task: str, by: str, against: str, limit: int | None, device: str) -> bool:
    """Judge and write what was said; whether the judge is refused."""
    from rich.console import Console

    from bench.judging import judge as judging
    from bench.judging.asking import Judge
    from bench.store.judged import write_judged

    with Console(stderr=True).status("reading", spinner="line") as status:
        display = _Status(status.update)
        judged = judging.judge(run, task, Judge(_entry(by), device), against, lambda _: nullcontext(display), limit)
    write_judged(run.path, judged)
    return bool(judged.calibration.refused)


@dataclass(frozen=True)
class _Status:
    """Shows how far the judge is, and no score: what it chooses is neither right nor wrong."""

    update: Callable[[str], None]

    def say(self, text: str) -> None:
        self.update(text)

    def start(self, cell: Cell) -> None:
        self.update(f"{cell.task.name}: starting")

    def progress(self, cell: Cell, phase: str, done: int, total: int) -> None:
        self.update(f"{cell.task.name}: {phase} {done} of {total}" if total else f"{cell.task.name}: {phase}")

    def finish(self, cell: Cell, record: Record, cached: bool) -> None:
        self.update(f"{cell.task.name}: done")


def _entry(by: str) -> dict[str, Any]:
    """A model as a suite names it; a path as seen from here, or from the folder of the YAML file."""
    from bench.core.yaml_file import read_mapping

    here, entry = Path(), {"path": by}
    if by.endswith((".yaml", ".yml")):
        here = Path(by).parent
        form = "a judge is one entry of a suite's models, such as {path: …} or {endpoint: …}"
        entry = read_mapping(Path(by), by, form)
    path = entry.get("path")
    place = os.path.abspath(here / path) if isinstance(path, str) and path else ""
    return {**entry, "path": place} if os.path.exists(place) else entry
