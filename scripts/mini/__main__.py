"""`python -m scripts.mini`: make the base model `mini` anew."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.mini import remake


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/local/mini"), show_default=True)
@click.option("--steps", type=click.IntRange(min=1), help="Stop, with a checkpoint, after this many steps in all.")
def main(out: Path, steps: int | None) -> None:
    """Make the base model `mini` anew from its corpus, and measure what it can do.

    Takes about two hours on two CPU cores (41 million tokens at 5,000 to 6,000 a second). Running the same command
    again continues where it stopped.
    """
    remake.run(out, steps)


main()
