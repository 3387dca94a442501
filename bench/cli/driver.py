"""Commands about a run that is under way, perhaps on another machine: status, attach, cancel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.run_argument import RUN
from bench.core import own_packages
from bench.core.errors import UsageError
from bench.core.quoting import plain

if TYPE_CHECKING:
    from bench.store.lease import Owner
    from bench.store.status import Status, UnderWay

LOG = "log.txt"  # of a driver that runs in the background, in the folder of its lease
_SHOWN = 20  # cells under way, and lines of a log
_PATIENCE_S = 30.0  # until a driver has heeded a request


def detach(arguments: Sequence[str], run: Path) -> None:
    """Start adaptbench with these arguments in the background; returns when it writes `run`.

    Raises:
        UsageError: another process writes `run`, or it cannot be written.
        SystemExit: it ended before, with its own words and exit code.
    """
    from bench.store import lease

    log = run / lease.FOLDER / LOG
    if owner := _living(log.parent):  # whose output stands in the log
        raise UsageError(f"another process is writing {run} ({owner}); wait for it, or choose another --out")
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = log.open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {run}: {error.strerror}; choose another folder with --out") from None
    with stream:
        command = [sys.executable, str(own_packages.ROOT / "adaptbench.py"), *arguments]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
    while True:
        code = process.poll()
        if code is not None:
            sys.stderr.write(_harmless(log.read_text(encoding="utf-8", errors="replace")))
            sys.exit(code)
        owner = lease.holder(run / lease.FOLDER)
        if owner and owner.pid == process.pid:
            break
        time.sleep(0.1)
    print(f"running as {owner}; its output: {log}")
    print(f"adaptbench status {run} | attach {run} | cancel {run}")


@click.command()
@click.argument("run", type=RUN)
def status(run: Path) -> None:
    """Say how far a run is: cells measured, under way and left, and whether its driver lives.

    RUN is a run's folder; it may be written on another machine. Exit code 0.
    """
    from bench.store.status import status as status_of

    found = status_of(run)
    print(f"{plain(found.suite)}: {found.ok} of {found.cells} cells measured, {_counts(found)}")
    print(plain(_driver(found)))
    for cell in found.under_way[:_SHOWN]:
        print(plain(f"  {cell.name}: {_place(cell)}"))
    if len(found.under_way) > _SHOWN:
        print(f"  and {len(found.under_way) - _SHOWN} more under way")
    for name in found.failed[:_SHOWN]:
        print(plain(f"  {name}: failed"))
    if len(found.failed) > _SHOWN:
        print(f"  and {len(found.failed) - _SHOWN} more failed")


def _living(folder: Path) -> Owner | None:
    """The holder of the lease in `folder`, unless it has ended or was silent for too long."""
    from bench.store import lease

    owner = lease.holder(folder)
    lives = owner is not None and not owner.gone and (lease.silent_s(folder) or 0.0) < lease.SILENCE_S
    return owner if lives else None


def _harmless(text: str) -> str:
    """Lines of a log, in which libraries may repeat what a file says: no sign of it moves the terminal's cursor."""
    return "\n".join(map(plain, text.split("\n")))


def _counts(found: Status) -> str:
    return f"{len(found.failed)} failed, {len(found.under_way)} under way, {found.left} left"


def _driver(found: Status) -> str:
    if found.driver is None:
        end = "all is measured" if found.ok == found.cells else "the same `adaptbench run` goes on"
        return f"driver: none; {end}"
    seen = "" if found.silent_s is None else f", last sign of life {found.silent_s:.0f} s ago"
    return f"driver: {found.driver}{seen}"


def _place(cell: UnderWay) -> str:
    job = f"{cell.ticket.executor} job {cell.ticket.job_id}" if cell.ticket else "a process of the driver"
    if cell.ticket and not cell.host:
        return f"{job}, waiting"
    where = f" on {cell.host}" if cell.host else ""
    if cell.at is None:
        return f"{job}{where}"
    phase, done, total = cell.at
    return f"{job}{where}, {phase} {done:,} of {total:,}" if total else f"{job}{where}, {phase}"


@click.command()
@click.argument("run", type=RUN)
def attach(run: Path) -> None:
    """Show the output of a run that was started with --detach, until it ends; Ctrl-C leaves it running.

    \b
    Exit codes: 0 all measured, 4 some cells failed or are missing.
    """
    from bench.store import lease
    from bench.store.status import status as status_of

    log = run / lease.FOLDER / LOG
    if not log.is_file():
        raise UsageError(f'"{run}" was not started with --detach; `adaptbench status RUN` says how far a run is')
    try:
        _follow(log, run / lease.FOLDER)
    except KeyboardInterrupt:
        print(f"it goes on; `adaptbench cancel {run}` ends it", file=sys.stderr)
        return
    found = status_of(run)
    if found.ok < found.cells:
        print(f"{found.ok} of {found.cells} cells measured, {_counts(found)}", file=sys.stderr)
        sys.exit(4)


def _follow(log: Path, folder: Path) -> None:
    """Print the end of a log, and what comes, until its driver has ended or was silent for too long."""

    lines = log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    sys.stdout.write(_harmless("".join(lines[-_SHOWN:])))
    with log.open(encoding="utf-8", errors="replace") as stream:
        stream.seek(log.stat().st_size if lines else 0)
        while True:
            lives = _living(folder) is not None
            text = stream.read()
            sys.stdout.write(_harmless(text))
            sys.stdout.flush()
            if not lives and not text:
                return
            time.sleep(0.5)


@click.command()
@click.argument("run", type=RUN)
def cancel(run: Path) -> None:
    """End a run, on whichever machine it is driven; cells that are measured stay, those under way are lost.

    \b
    Exit codes: 0 it has ended, or none was running, 4 its driver has not answered.
    """
    from bench.store import lease
    from bench.store.listing import read_listing

    read_listing(run)  # says what is no run
    folder = run / lease.FOLDER
    owner = lease.ask_to_end(folder)
    if owner is None or owner.gone:
        _cancel_jobs(run)
        return
    print(f"asked {owner} to end")
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        if lease.holder(folder) != owner:
            print("it has ended; the same `adaptbench run` goes on where it stopped")
            return
        time.sleep(0.2)
    silent = lease.silent_s(folder)
    since = f" (last sign of life {silent:.0f} s ago)" if silent is not None else ""
    print(f"it has not answered for {_PATIENCE_S:.0f} s{since}; it ends when it reads the request", file=sys.stderr)
    sys.exit(4)


def _cancel_jobs(run: Path) -> None:
    """Where no driver lives: its jobs end by themselves once their folders are gone."""
    from bench.store import lease
    from bench.store.run_folder import Store
    from bench.store.status import status as status_of

    jobs = [cell for cell in status_of(run).under_way if cell.ticket]
    print("no driver is running" + ("" if jobs else "; there is nothing to end"))
    if not jobs:
        return
    with lease.hold(run / lease.FOLDER, lambda owner: UsageError(f"{owner} has taken the run over just now")):
        for staging in Store(run).stagings():
            shutil.rmtree(staging, ignore_errors=True)
    print(f"{len(jobs)} jobs were left; they end at their next word, or as soon as they start")
