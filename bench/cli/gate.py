"""Commands of the regression gate: gate, calibrate, baseline."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import gate_plan
from bench.cli.run_argument import RUN
from bench.core.errors import IncompleteError, NotComparableError, UsageError
from bench.core.quoting import json_text, plain
from bench.runs import RESULTS

if TYPE_CHECKING:
    from bench.gate.flips import Flips
    from bench.gate.policy import Mode, Policy
    from bench.gate.verdict import GateVerdict
    from bench.report.table import ReportTable

_FOLDER = click.Path(path_type=Path)


@click.group(invoke_without_command=True)
@click.option("--baseline", type=RUN, help="A run, or a baseline that was accepted.")
@click.option("--candidate", type=RUN, help="The run of the change.")
@click.option("--policy", type=_FOLDER, help="YAML of checks and margins; default: the bundled one.")
@click.option(
    "--mode",
    type=click.Choice(["regression", "non-inferiority"]),
    help="The rule that decides, in place of the policy's.",
)
@click.option("--plan", is_flag=True, help="Only say what the policy could find with the baseline's items and seeds.")
@click.option("--full", is_flag=True, help="Print every figure: of the checks that did not pass, or of the plan.")
@click.option("--out", type=_FOLDER, help="Write gate.json, junit.xml, summary.md and comment.md there.")
@click.option("--markdown", "style", flag_value="markdown", help="Print a pull request's comment; --full: every check.")
@click.option("--json", "style", flag_value="json", help="Print gate.json.")
@click.option("--schema", "style", flag_value="schema", help="Print the JSON Schema of gate.json.")
@click.pass_context
def gate(
    context: click.Context,
    baseline: Path | None,
    candidate: Path | None,
    policy: Path | None,
    mode: Mode | None,
    plan: bool,
    full: bool,
    out: Path | None,
    style: str | None,
) -> None:
    """Decide whether a candidate run may take the place of a baseline: quality, retention, cost.

    \b
    Exit codes: 0 pass, 1 regression, 2 wrong input or a policy that could find nothing, 3 inconclusive,
    4 incomplete, 5 not comparable, 70 a defect.
    Examples:
      adaptbench gate init --baseline baselines/main
      adaptbench gate --baseline baselines/main --candidate results/local/mine
      adaptbench gate --baseline baselines/main --policy gate.yaml --plan
      adaptbench gate --baseline baselines/main --candidate results/local/mine --policy gate.yaml --out gate
    """
    from bench.gate import policy as policies

    if context.invoked_subcommand:
        return
    if style == "schema":
        from bench.gate.outputs import data

        print(json_text(data.schema()))
        return
    if baseline is None:
        raise UsageError("--baseline is missing: the run, or the accepted baseline, to gate against")
    if candidate is None and not plan:
        raise UsageError("--candidate is missing: the run of the change; or say --plan")
    if out:
        from bench.gate.outputs import files

        files.prepare(out)
    loaded = policies.load(policy, mode)
    where = str(policy or "the default policy")
    if plan:
        gate_plan.plan(baseline, loaded, where, full)
    elif candidate is not None:
        paths = {"baseline": str(baseline), "candidate": str(candidate), "policy": str(policy) if policy else ""}
        sys.exit(_gate(baseline, candidate, loaded, where, paths, out, style, full))


def _gate(
    baseline: Path,
    candidate: Path,
    policy: Policy,
    where: str,
    paths: Mapping[str, str],
    out: Path | None,
    style: str | None,
    full: bool,
) -> int:
    from bench.gate import run
    from bench.gate.outputs import files
    from bench.gate.verdict import GateVerdict

    items: dict[int, Flips] = {}
    name = baseline.name
    try:
        gated = run.gate(baseline, candidate, policy, where)
        verdict = gated.verdict
        if out or style in ("markdown", "json"):
            items = files.shown(gated)
    except (IncompleteError, NotComparableError) as error:
        if out is None and style is None and not full:
            raise
        problems = tuple(plain(line) for line in str(error).split("\n"))
        print("\n".join(f"error: {line}" for line in problems), file=sys.stderr)
        verdict = GateVerdict(error.exit_code, policy.mode, policy.alpha, 0, (), problems)
    if out:
        files.write(out, verdict, paths, name, items)
    _show(verdict, paths, name, items, style, full)
    return verdict.exit_code


def _show(
    verdict: GateVerdict, paths: Mapping[str, str], name: str, items: Mapping[int, Flips], style: str | None, full: bool
) -> None:
    from bench.gate.outputs import data, markdown, terminal
    from bench.gate.outputs.words import headline
    from bench.report.terminal import Folded, show

    if style == "json":
        print(json_text(data.to_json(verdict, paths, items)))
    elif style == "markdown":
        print((markdown.summary if full else markdown.comment)(verdict, items, name), end="")
    elif not full:
        show(*map(Folded, terminal.brief(verdict)))
    else:
        print(headline(verdict))
        _print(f"{paths['candidate']} against {paths['baseline']}", terminal.table(verdict))


def _print(heading: str, table: ReportTable) -> None:
    from bench.report.terminal import show, terminal

    show(terminal([(heading, [table])]))


gate.add_command(gate_plan.init)


@click.command()
@click.argument("baseline", type=RUN)
@click.argument("repeats", nargs=-1, type=RUN)
@click.option("--suite", help="Measure the repeats first: this suite, the baseline's own.")
@click.option("--times", type=click.IntRange(min=3), default=3, show_default=True, help="With --suite: how often.")
@click.option("--out", type=_FOLDER, help="With --suite: folder for the repeats; default: results/local/calibration.")
@click.option("--limit", type=click.IntRange(min=1), help="With --suite: as for run.")
@click.option("--device", help="With --suite: as for run.")
@click.option("--seeds", help="With --suite: as for run.")
def calibrate(
    baseline: Path,
    repeats: Sequence[Path],
    suite: str | None,
    times: int,
    out: Path | None,
    limit: int | None,
    device: str | None,
    seeds: str | None,
) -> None:
    """Learn from REPEATS of BASELINE, at least three, how far unchanged runs lie apart; kept as noise.json beside it.

    The gate claims no change below that floor.

    \b
    Exit codes: 0 calibrated, 2 wrong input, 4 a repeat is incomplete, 5 a repeat of something else.
    Examples:
      adaptbench calibrate baselines/main repeats/1 repeats/2 repeats/3
      adaptbench calibrate baselines/main --suite my-suite.yaml --times 3
    """
    from bench.gate import noise
    from bench.gate.reading import read
    from bench.gate.run import read_baseline

    old = read_baseline(baseline)
    for option, value in (("--out", out), ("--limit", limit), ("--device", device), ("--seeds", seeds)):
        if suite is None and value is not None:
            raise UsageError(f"{option} goes with --suite, which measures the repeats; name that too")
    if suite is not None and repeats:
        raise UsageError("give either the repeats or --suite to measure them")
    if suite is not None:
        repeats = _measure(suite, times, out, limit, device, seeds)
    paths = list(repeats)
    floors = noise.calibrate(old, [read(path, "repeat") for path in paths])
    file = noise.write(baseline, floors, paths)
    moved = sum(one.floor > 0 for one in floors)
    print(f"{len(floors)} figures over {len(paths) + 1} runs, {moved} of them not the same every time: {file}")


def _measure(
    suite: str, times: int, out: Path | None, limit: int | None, device: str | None, seeds: str | None
) -> list[Path]:
    """Run a suite so many times, each into a fresh folder."""
    from bench.cli import runs

    root = out or RESULTS / "calibration"
    folders = [root / f"repeat-{number}" for number in range(1, times + 1)]
    there = [folder for folder in folders if folder.exists()]
    if there:
        raise UsageError(f"{there[0]} exists; a repeat must be measured anew: remove it, or choose another --out")
    context = click.get_current_context()
    for folder in folders:
        context.invoke(runs.run, suite=suite, out=folder, limit=limit, device=device, seeds=seeds)
    return folders


@click.group()
def baseline() -> None:
    """Baselines of the gate: accept."""


@baseline.command()
@click.argument("run", type=RUN)
@click.option("--name", required=True, help="Name of the baseline and of its folder.")
@click.option("--to", type=_FOLDER, help="Folder of baselines; default: baselines.")
@click.option("--replace", is_flag=True, help="Put it in the place of a baseline of that name.")
@click.option("--no-outputs", is_flag=True, help="Leave the answers' texts out, for data that must not be committed.")
def accept(run: Path, name: str, to: Path | None, replace: bool, no_outputs: bool) -> None:
    """Accept RUN as a baseline: a folder to commit, with records, scores of each item and digests; no weights, no logs.

    \b
    Exit codes: 0 accepted, 2 wrong input, 4 the run is incomplete.
    Example:
      adaptbench baseline accept results/local/mine --name main
    """
    from bench.gate import baseline as baselines
    from bench.metrics.formats import clean

    folder = baselines.accept(run, name, to or baselines.FOLDER, replace=replace, outputs=not no_outputs)
    print(f"accepted: {folder}")
    for task in map(clean, baselines.unread_items(folder)):
        print(f"items of {task} are not at hand as they were asked; no change of them is noticed", file=sys.stderr)
    if not (folder / "noise.json").is_file():
        print("its noise is not known yet; `adaptbench calibrate` measures it", file=sys.stderr)
