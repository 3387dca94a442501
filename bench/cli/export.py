"""The command that makes a measured method usable: export."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.run_argument import RUN


@click.command()
@click.argument("run", type=RUN)
@click.option("--task", required=True, help="The task whose verdict is exported.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to make.")
@click.option("--model", help="The model, where the run has several.")
@click.option("--method", help="The method as reports name it; default: the one that the verdict chooses.")
@click.option("--seed", type=click.IntRange(min=0), help="The seed; default: the first that was measured.")
@click.option("--merged", is_flag=True, help="Write all weights of the model, in place of an adapter.")
@click.option(
    "--retrain-on",
    type=click.Choice(["train", "train+validation"]),
    help="Train it again: as it was measured, or on the validation split too.",
)
@click.option(
    "--base", type=click.Path(path_type=Path), help="Folder of the base model, where the run's suite does not find it."
)
def export(
    run: Path,
    task: str,
    out: Path,
    model: str | None,
    method: str | None,
    seed: int | None,
    merged: bool,
    retrain_on: str | None,
    base: Path | None,
) -> None:
    """Write what serves the method that RUN's verdict chooses: weights or prompt, index, a card and predict.py.

    Weights come from the run, where its suite has keep: winner or all; else --retrain-on trains them again.

    \b
    Examples:
      adaptbench export results/local/mine --task tickets --out tickets-model
      adaptbench export results/local/mine --task tickets --method lora --retrain-on train --out tickets-lora
    """
    from rich.console import Console

    from bench.export import chosen, folder
    from bench.metrics.formats import clean, size

    console = Console(stderr=True)
    with folder.as_folder(run) as place, console.status("reading", spinner="line") as status:

        def show(phase: str, done: int, total: int) -> None:
            status.update(f"{phase} {done} of {total}" if total else phase)

        found = chosen.find(place, task, model, method, seed, base)
        made = folder.export(found, out, merged, retrain_on, show)
    record = found.record
    print(f"{clean(record.method)} for {clean(record.task)} on {clean(record.model)}, seed {record.seed}: {out}")
    if made.again:
        same = f"{made.again.same_answers} of {record.items} test items answered as by the measured one"
        print(f"trained again on {made.again.on}: {same}")
    print(f"{size(sum(file.stat().st_size for file in out.rglob('*') if file.is_file()))}; read {out / 'README.md'}")
