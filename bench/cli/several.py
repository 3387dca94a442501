"""Commands over several runs: merge, history."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The run directory to make.")
def merge(runs: Sequence[Path], out: Path) -> None:
    """Join RUNS of one suite, such as its shards, into one run directory.

    Of a cell that several runs have, a measured one is taken before one that failed. Nothing is measured.

    \b
    Exit codes: 0 all cells measured, 2 wrong input, 4 some cells missing or failed.
    Example:
      adaptbench merge results/local/mine-*-of-3 --out results/local/mine
    """
    from bench import merge as merging

    found = merging.merge(runs, out)
    print(f"{found.cells - len(found.missing)} of {found.cells} cells from {_some(len(runs), 'run')}")
    print(f"records: {out}")
    for name in found.missing:
        print(f"missing: {name}", file=sys.stderr)
    for name in found.failed:
        print(f"failed: {name}", file=sys.stderr)
    if found.missing or found.failed:
        sys.exit(4)


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
