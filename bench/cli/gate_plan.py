"""What a baseline has the power for: `gate init` writes it as a policy, `gate --plan` says it of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.run_argument import RUN
from bench.core.errors import UsageError

if TYPE_CHECKING:
    from bench.gate.policy import Policy


@click.command()
@click.option("--baseline", type=RUN, required=True, help="A run, or a baseline that was accepted.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("gate.yaml"), show_default=True, help="The file to write."
)
@click.option("--task", "tasks", multiple=True, help="Gate only this task; a name or a glob; repeatable.")
@click.option("--method", "methods", multiple=True, help="Gate only this method; a name or a glob; repeatable.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def init(baseline: Path, out: Path, tasks: tuple[str, ...], methods: tuple[str, ...], force: bool) -> None:
    """Write a policy with the checks that BASELINE has the power for, and say what it cannot see.

    Fewer tasks and methods let each check find a smaller drop: gate what you ship.

    \b
    Exit codes: 0 written, 2 wrong input, 4 the baseline is damaged or holds nothing.
    Examples:
      adaptbench gate init --baseline results/local/main
      adaptbench gate init --baseline baselines/main --method lora --out gate.yaml --force
    """
    from bench.core.atomic import write_atomically
    from bench.gate import noise
    from bench.gate.draft import draft
    from bench.gate.outputs.policy_file import policy_file
    from bench.gate.outputs.terminal import drafted
    from bench.gate.run import read_baseline
    from bench.report.terminal import Folded, show

    if out.exists() and not force:
        raise UsageError(f"{out} exists; choose another --out, or replace it with --force")
    if not out.parent.is_dir():
        raise UsageError(f"{out}: there is no folder {out.parent}")
    run = read_baseline(baseline)
    made = draft(run, noise.read(baseline), tasks, methods)
    write_atomically(out, policy_file(made, run, whole=not (tasks or methods)))
    show(*map(Folded, drafted(made, str(out))))


def plan(baseline: Path, policy: Policy, where: str, full: bool) -> None:
    """Say what a policy could find with a baseline; exit code 2 where a critical check could not do what it is for."""
    from bench.gate import noise
    from bench.gate.expand import expand
    from bench.gate.outputs.terminal import plan_sheet, planned
    from bench.gate.plan import plan
    from bench.gate.run import read_baseline
    from bench.report.terminal import Folded, show, terminal

    old = read_baseline(baseline)
    needs = plan(expand(policy, old, where), old, policy, noise.read(baseline))
    show(*map(Folded, planned(needs)))
    if full:
        show(terminal([(f"{where} on {baseline}", [plan_sheet(needs, policy.mode, policy.power)])]))
    refused = sum(need.refused for need in needs)
    if refused:
        remedy = f"`adaptbench gate init --baseline {baseline}` writes a policy without them"
        raise UsageError(f"{where}: {refused} of {len(needs)} checks could not do what they are for; {remedy}")
