"""Commands that join runs or write one as one file: merge, pack, unpack."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from bench.cli.run_argument import RUN


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RUN)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The run directory to make.")
def merge(runs: Sequence[Path], out: Path) -> None:
    """Join RUNS of one suite, such as its shards, into one run directory.

    Of a cell that several runs have, a measured one is taken before one that failed. Nothing is measured.

    \b
    Exit codes: 0 all cells measured, 2 wrong input, 4 some cells missing or failed.
    Example:
      adaptbench merge results/local/mine-*-of-3 --out results/local/mine
    """
    from bench.metrics.formats import clean
    from bench.store import merge as merging

    merged = merging.merge(runs, out)
    sources = f"{len(runs):,} run{'' if len(runs) == 1 else 's'}"
    print(f"{merged.cells - len(merged.missing)} of {merged.cells} cells from {sources}")
    print(f"records: {out}")
    for what, names in (("missing", merged.missing), ("failed", merged.failed)):
        for name in names:
            print(f"{what}: {clean(name)}", file=sys.stderr)
    if merged.missing or merged.failed:
        sys.exit(4)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The archive to make; default: RUN.run.zip.")
@click.option(
    "--without-texts",
    is_flag=True,
    help="Leave logs out; hashes stand for answers, which may be text of the data.",
)
@click.option(
    "--without-choices",
    is_flag=True,
    help="Leave each choice's log-likelihood out, most of a run with many choices; no calibration then.",
)
@click.option("--with-weights", is_flag=True, help="Pack trained weights that the run keeps, too.")
def pack(run: Path, out: Path | None, without_texts: bool, without_choices: bool, with_weights: bool) -> None:
    """Write RUN as one archive, which every command that reads runs takes as it takes the folder.

    The archive is a zip of the run's files; the folder stays. The same run gives the same bytes.

    \b
    Example:
      adaptbench pack results/local/mine
    """
    from bench.store import pack as packing

    leave_out = {"without_texts": without_texts, "without_choices": without_choices}
    print(packing.pack(run, out, **leave_out, with_weights=with_weights))


@click.command()
@click.argument("archive", type=RUN)
@click.option("--out", type=click.Path(path_type=Path), help="The folder to make; default: ARCHIVE without .run.zip.")
def unpack(archive: Path, out: Path | None) -> None:
    """Write the files of ARCHIVE to a new folder, as they were when they were packed.

    \b
    Example:
      adaptbench unpack results/local/mine.run.zip
    """
    from bench.store import pack as packing

    print(packing.unpack(archive, out))
