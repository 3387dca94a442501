"""Commands for a run as one file: pack, unpack."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The archive to make; default: RUN.run.zip.")
@click.option("--records-only", is_flag=True, help="Leave predictions and logs out, which may hold text of the data.")
def pack(run: Path, out: Path | None, records_only: bool) -> None:
    """Write RUN as one archive, which every command that reads runs takes as it takes the folder.

    The archive is a zip of the run's files; the folder stays. The same run gives the same bytes.

    \b
    Example:
      adaptbench pack results/local/mine
    """
    from bench.store import pack as packing

    print(packing.pack(run, out, records_only=records_only))


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The folder to make; default: ARCHIVE without .run.zip.")
def unpack(archive: Path, out: Path | None) -> None:
    """Write the files of ARCHIVE to a new folder, as they were when they were packed.

    \b
    Example:
      adaptbench unpack results/local/mine.run.zip
    """
    from bench.store import pack as packing

    print(packing.unpack(archive, out))
