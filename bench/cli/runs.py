"""Commands that measure, or say what measuring would take: run, plan."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from bench.cli import driver, signals
from bench.cli.outside import allow_outside
from bench.core.atomic import naming
from bench.core.errors import UsageError

if TYPE_CHECKING:
    from bench.config.suite import Suite
    from bench.runs.suite_run import Elsewhere
    from bench.runs.until_decided import Budget

Command = Callable[..., None]


def _suite_options(command: Command) -> Command:
    """The suite, the folder and what is changed for one run: the arguments that `run` and `plan` share."""
    path, count = click.Path(path_type=Path), click.IntRange(min=1)
    options = (
        click.argument("suite", default="quickstart"),
        click.option("--out", type=path, help="Run directory; default: results/local/<suite>[-I-of-N]."),
        click.option(
            "--limit",
            type=count,
            help="Measure on this many test items of each task at most; default: the suite's limit.",
        ),
        click.option("--device", help="cpu, cuda or cuda:N; default: the suite's, else CUDA where there is one."),
        click.option("--seeds", help="Comma-separated seeds in place of the suite's, e.g. 0,1,2."),
        click.option("--shard", metavar="I/N", help="The I-th of N parts alone; `adaptbench merge` joins them."),
        allow_outside,
    )
    for option in reversed(options):
        command = option(command)
    return command


def _place_options(command: Command) -> Command:
    """Which machines measure the cells."""
    file = click.Path(path_type=Path, dir_okay=False)
    command = click.option(
        "--cluster", type=file, help="Settings of --on; default: cluster.yaml beside the suite or here."
    )(command)
    return click.option("--on", metavar="NAME", help="Measure elsewhere: slurm, ray, rehearsal or another executor.")(
        command
    )


@click.command()
@_suite_options
@click.option(
    "--workers",
    metavar="N|auto",
    help="Cells measured at once; default: the suite's, else one on each GPU or one on the CPU; auto: several where a "
    "trial shows it to pay.",
)
@click.option("--keep-failed", is_flag=True, help="Do not try failed cells of an earlier run again.")
@_place_options
@click.option("--detach", is_flag=True, help="Run in the background; see status, attach, cancel.")
@click.option("--until-decided", is_flag=True, help="Stop once the chance that a verdict still changes is below 10%.")
@click.option(
    "--budget",
    metavar="N",
    help="With --until-decided: spend at most this money of the suite's prices (20), or this time (90s, 30m, 2h).",
)
@click.option("--full", is_flag=True, help="Print every table at the end.")
@click.pass_context
def run(
    context: click.Context, /, suite: str, out: Path | None, shard: str | None, on: str | None, cluster: Path | None,
    detach: bool, full: bool, until_decided: bool, budget: str | None, **changes: Any,
) -> None:  # fmt: skip
    """Measure every cell of SUITE (a file, or a bundled name) and show the verdict on each task.

    Running the same command again measures only what is missing.

    \b
    Exit codes: 0 all measured, 2 wrong input, 4 some cells failed, 130 interrupted, 143 terminated.
    Examples:
      adaptbench run
      adaptbench run my-suite.yaml --limit 200
      adaptbench run my-suite.yaml --shard 1/3
      adaptbench run my-suite.yaml --on slurm --detach
      adaptbench run my-suite.yaml --until-decided --budget 2h
    """
    from rich.console import Console

    from bench.cli import reports
    from bench.report.tables import chapters
    from bench.runs import progress, shards, suite_run
    from bench.store.run_folder import read_run

    until = _until(until_decided, budget, shard, on)
    of = shards.parse(shard) if shard is not None else None
    elsewhere, changes = _elsewhere(on, cluster, suite, changes)
    file, loaded = read_suite(suite, **changes)
    console = Console()
    folder = out or suite_run.default_folder(loaded.name, of)
    if detach:
        driver.detach(_arguments(context, "detach"), folder)
        return
    try:
        with naming(folder):
            shown = partial(progress.display_for, console)
            done = suite_run.measure(loaded, file, folder, of, shown, elsewhere, until)
    except KeyboardInterrupt as error:
        ended, code = signals.said(error)
        print(f"{ended}; finished cells are in {folder}, run the same command to go on", file=sys.stderr)
        sys.exit(code)
    measured = read_run(folder)
    if full:
        reports.show(None, lambda: chapters([measured]), dict)
    else:
        reports.overviews([measured])
    for line in done.until:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if of:
        console.print(
            f"shard {of}: {done.cells} of the suite's {done.suite_cells} cells", markup=False, highlight=False
        )
    console.print(f"records: {folder}", markup=False, soft_wrap=True)
    if loaded.keep != "none":
        console.print(_kept(folder), markup=False, soft_wrap=True)
    if done.outcome.failed:
        print(f"{done.outcome.failed} of {done.cells} cells failed; their reasons stand above", file=sys.stderr)
        sys.exit(4)


def _until(until_decided: bool, budget: str | None, shard: str | None, on: str | None) -> Budget | None:
    """What may be spent on settling the verdicts; None where every cell is to be measured."""
    from bench.runs.until_decided import Budget, budget_of

    if not until_decided:
        if budget is not None:
            raise UsageError("--budget says how much --until-decided may spend; name that too")
        return None
    for option, given in (("--shard", shard), ("--on", on)):
        if given is not None:
            raise UsageError(f"--until-decided looks at all cells as they end, on this machine; leave out {option}")
    return Budget() if budget is None else budget_of(budget)


def _elsewhere(
    on: str | None, cluster: Path | None, suite: str, changes: dict[str, Any]
) -> tuple[Elsewhere | None, dict[str, Any]]:
    """The machines that `--on` names, and the changes of the suite with the device that they have."""
    if on is None:
        if cluster is not None:
            raise UsageError("--cluster has the settings of --on, such as --on slurm; name that too")
        return None, changes
    from bench.config import suite as suites
    from bench.executors import named

    for option in ("device", "workers"):
        if changes.get(option) is not None:
            raise UsageError(
                f"--{option} is about this machine; with --on {on}, gpus and at_once in cluster.yaml count"
            )
    made, device = named.elsewhere(on, cluster, suites.find(suite))
    return made, {**changes, "device": device}


def _arguments(context: click.Context, without: str) -> list[str]:
    """The command line of a command as it was read, without one of its flags."""
    found = [str(context.info_name)]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if value is None or value is False or parameter.name == without:
            continue
        if isinstance(parameter, click.Option):
            found.append(parameter.opts[-1])
        if value is not True:
            found.append(str(value))
    return found


def _kept(folder: Path) -> str:
    """What the trained weights of a run take."""
    from bench.metrics.formats import size
    from bench.store.run_folder import kept_weights, weights_folders

    kept = weights_folders(folder).values()
    total = sum(kept_weights(each).stored_bytes for each in kept)
    return f"trained weights: of {len(kept)} cells, {size(total)}; `adaptbench export` takes them from there"


@click.command()
@_suite_options
@click.option("--no-pilot", is_flag=True, help="Do not time a pass of the model; estimate from finished cells only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_place_options
def plan(
    suite: str, out: Path | None, shard: str | None, no_pilot: bool, as_json: bool, on: str | None,
    cluster: Path | None, **changes: Any,
) -> None:  # fmt: skip
    """Say what `run` would do: the cells, which are measured already, estimated time, memory and money.

    With --on also which cells fit the machines there, hours and money in all, and the longest chain.
    """
    from rich.console import Console

    from bench.config.prices import replaced
    from bench.runs import cells as cells_module
    from bench.runs import placement, shards, suite_run
    from bench.runs import plan as planning
    from bench.store.run_folder import Store

    of = shards.parse(shard) if shard is not None else None
    there, changes = _elsewhere(on, cluster, suite, changes)
    file, loaded = read_suite(suite, **changes)
    around = partial(suite_run.surroundings_elsewhere, there.bfloat16) if there else suite_run.asked_surroundings
    every = cells_module.expand(loaded, file, around)
    cells = shards.part(every, of) if of else every
    folder = out or suite_run.default_folder(loaded.name, of)
    measured = Store(folder) if folder.is_dir() else None
    prices = replaced(loaded.prices, suite)
    pilot = not no_pilot and not (there and loaded.engine.device == "cuda")  # which this machine may not have
    estimates = planning.plan(cells, measured, device=loaded.engine.device, pilot=pilot, prices=prices)
    if as_json:
        print(json.dumps(planning.as_json(estimates), indent=1))
        return
    Console().print(planning.table(estimates, prices.currency))
    if there:
        ranks = loaded.engine.ranks
        others = [other.of(ranks) for other in there.others]
        for line in placement.lines(estimates, there.at_once, there.place.of(ranks), others):
            print(line)


def read_suite(suite: str, seeds: str | None, workers: str | None = None, **changes: Any) -> tuple[Path, Suite]:
    """The suite file and its checked content, with the command line's changes."""
    from bench.runs import suite_run

    count = None if workers is None else _workers(workers)
    return suite_run.read(suite, seeds=None if seeds is None else _seeds(seeds), workers=count, **changes)


def _workers(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if re.fullmatch(r"[1-9][0-9]{0,2}", text):
        return int(text)
    raise UsageError(f'--workers takes auto, or a whole number from 1 to 999; got "{text}"')


def _seeds(text: str) -> list[int]:
    try:
        return [int(piece) for piece in text.split(",")]
    except ValueError:
        raise UsageError(f'--seeds takes whole numbers joined by commas, such as 0,1,2; got "{text}"') from None
