"""The command line. Every command is thin: it parses, calls one module, prints. No torch until a command needs it."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from bench import __version__
from bench.errors import AdaptbenchError, UsageError, nearest

RESULTS = Path("results/local")
INTERNAL = AdaptbenchError.exit_code


class _Group(click.Group):
    """Commands in the order a user meets them, and a hint for a mistyped one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            known = ", ".join(self.commands)
            raise UsageError(f'no command "{args[0]}"{nearest(args[0], self.commands)}; there are: {known}')
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="adaptbench")
def cli() -> None:
    """Should you fine-tune, or will a prompt or retrieval do? Measure it.

    \b
    adaptbench run                 the bundled quickstart: five methods, one task
    adaptbench init tickets.csv    turn your data into a task and a starter suite
    adaptbench run my-suite.yaml   measure it; run again to go on where it stopped
    adaptbench report results/local/my-suite
    """


@cli.command()
@click.argument("suite", default="quickstart")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory; default: results/local/<suite name>.")
@click.option("--limit", type=click.IntRange(min=1), help="Measure on this many test items of each task at most.")
@click.option("--device", help="cpu, cuda or cuda:N; default: CUDA where there is one.")
@click.option("--seeds", help="Comma-separated seeds in place of the suite's, e.g. 0,1,2.")
@click.option("--keep-failed", is_flag=True, help="Do not try failed cells of an earlier run again.")
def run(
    suite: str, out: Path | None, limit: int | None, device: str | None, seeds: str | None, keep_failed: bool
) -> None:
    """Measure every cell of SUITE (a file, or a bundled name) and show the table.

    Running the same command again measures only what is missing.

    \b
    Exit codes: 0 all measured, 2 wrong input, 4 some cells failed, 130 interrupted.
    Examples:
      adaptbench run
      adaptbench run my-suite.yaml --limit 200
    """
    from rich.console import Console

    from bench import cells as cells_module
    from bench import display, report, runner, store
    from bench.plan import work

    file, loaded = _suite(suite, limit, device, seeds, keep_failed)
    console = Console()
    cells = cells_module.expand(loaded, file, _surroundings)
    folder = out or RESULTS / loaded.name
    with store.open_run(folder, file, loaded.name, cells) as opened:
        try:
            with display.display_for(console, {cell.key: work(cell) for cell in cells}) as shown:
                outcome = runner.run(loaded, cells, opened, shown)
        except KeyboardInterrupt:
            print(f"interrupted; finished cells are in {folder}, run the same command to go on", file=sys.stderr)
            sys.exit(130)
    console.print(report.table([store.read_run(folder)]))
    console.print(f"records: {folder}", markup=False, soft_wrap=True)
    if outcome.failed:
        print(f"{outcome.failed} of {len(cells)} cells failed; their reasons stand above", file=sys.stderr)
        sys.exit(4)


@cli.command()
@click.argument("suite", default="quickstart")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory; default: results/local/<suite name>.")
@click.option("--limit", type=click.IntRange(min=1), help="As for run.")
@click.option("--device", help="As for run.")
@click.option("--seeds", help="As for run.")
@click.option("--no-pilot", is_flag=True, help="Do not time a pass of the model; estimate from finished cells only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    suite: str,
    out: Path | None,
    limit: int | None,
    device: str | None,
    seeds: str | None,
    no_pilot: bool,
    as_json: bool,
) -> None:
    """Say what `run` would do: the cells, which are measured already, estimated time and memory."""
    from rich.console import Console

    from bench import cells as cells_module
    from bench import plan as planning
    from bench.store import Store

    file, loaded = _suite(suite, limit, device, seeds, False)
    cells = cells_module.expand(loaded, file, _surroundings)
    folder = out or RESULTS / loaded.name
    measured = Store(folder) if folder.is_dir() else None
    estimates = planning.plan(cells, measured, device=loaded.engine.device, pilot=not no_pilot)
    if as_json:
        print(json.dumps(planning.as_json(estimates), indent=1))
    else:
        Console().print(planning.table(estimates))


@cli.command()
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


@cli.command("list")
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


@cli.command()
@click.argument("task")
def check(task: str) -> None:
    """Check TASK (a folder, or a bundled name): every problem at once, then what the data looks like.

    \b
    Example:
      adaptbench check ./my-task
    """
    from rich.console import Console

    from bench import check as checking

    shown, problems = checking.report(task)
    Console().print(shown, soft_wrap=bool(problems))  # a problem is one line, however long
    if problems:
        sys.exit(2)


@cli.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write; default: the data file's name.")
@click.option("--test", type=click.Path(path_type=Path), help="A separate file of test rows.")
@click.option("--question", help="Column with the input.")
@click.option("--answer", help="Column with the answer.")
@click.option("--kind", type=click.Choice(["choice", "text"]), help="Fixed labels, or free text.")
def init(
    data: Path,
    out: Path | None,
    test: Path | None,
    question: str | None,
    answer: str | None,
    kind: str | None,
) -> None:
    """Turn DATA (CSV, TSV, JSONL or Parquet) into a task folder and a starter suite, guessing what it can.

    \b
    Example:
      adaptbench init tickets.csv --answer team
    """
    from bench import scaffold

    for line in scaffold.init(data, out, test=test, question=question, answer=answer, kind=kind):
        print(line)


@cli.command("pretrain-mini")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS / "mini", show_default=True)
@click.option("--steps", type=click.IntRange(min=1), help="Stop, with a checkpoint, after this many steps in all.")
def pretrain_mini(out: Path, steps: int | None) -> None:
    """Make the base model `mini` anew from its corpus, and measure what it can do.

    Takes some three hours on two CPU cores (48 million tokens at about 5,000 a second). Running the same command again
    goes on where it stopped.

    \b
    Examples:
      adaptbench pretrain-mini
      adaptbench pretrain-mini --out ~/mini --steps 500
    """
    from bench.mini import remake

    remake.run(out, steps)


@cli.command()
def doctor() -> None:
    """Look at this machine: versions, devices, memory, what is missing and the command that mends it."""
    from rich.console import Console

    from bench import doctor as examining

    findings = examining.examine()
    Console().print(examining.render(findings))
    if not examining.healthy(findings):
        sys.exit(4)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; a user's mistake is one line on standard error and its exit code."""
    try:
        code = cli.main(args=list(argv) if argv is not None else None, standalone_mode=False)
    except AdaptbenchError as error:
        _fail(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        sys.exit(0)
    except click.ClickException as error:
        _fail(" ".join(error.format_message().split()), UsageError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has gone: nothing is left to say
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or 'no file named'}; finished cells are kept", INTERNAL)
    except Exception:
        traceback.print_exc()
        _fail("this is a defect of adaptbench; please report the lines above", INTERNAL)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> NoReturn:
    for line in message.splitlines():
        print(f"error: {line}", file=sys.stderr)
    sys.exit(code)


def _suite(suite: str, limit: int | None, device: str | None, seeds: str | None, keep_failed: bool) -> tuple[Path, Any]:
    """The suite file and its checked content, with the command line's changes."""
    from bench import suite as suites

    file = suites.find(suite)
    changes: dict[str, Any] = {}
    if limit is not None:
        changes["limit"] = limit
    if seeds is not None:
        changes["seeds"] = _seeds(seeds)
    if keep_failed:
        changes["failed"] = "keep"
    if device is not None:
        changes["engine"] = {"device": device}
    return file, suites.load(file, changes)


def _seeds(text: str) -> list[int]:
    try:
        return [int(piece) for piece in text.split(",")]
    except ValueError:
        raise UsageError(f'--seeds takes whole numbers joined by commas, such as 0,1,2; got "{text}"') from None


def _surroundings(suite: Any) -> Any:
    from bench.environment import surroundings

    return surroundings(suite)
