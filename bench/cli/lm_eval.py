"""Commands towards lm-evaluation-harness: its tasks asked with our engine, and our tasks written as its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click


@click.command("lm-eval")
@click.argument("model")
@click.argument("names", metavar="TASK...", nargs=-1, required=True)
@click.option("--include", type=click.Path(path_type=Path), help="A folder of lm-eval's YAML files.")
@click.option("--shots", type=click.IntRange(min=0), help="Worked examples; default: as the task has it.")
@click.option("--limit", type=click.IntRange(min=1), help="Ask this many items of each task at most, the first ones.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda or cuda:N.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def lm_eval(
    model: str,
    names: Sequence[str],
    include: Path | None,
    shots: int | None,
    limit: int | None,
    device: str,
    as_json: bool,
) -> None:
    """Ask MODEL the tasks of lm-evaluation-harness: its prompts and metrics, answered by adaptbench's engine.

    In a suite, `lm-eval:TASK` is a task or a probe.

    \b
    Examples:
      adaptbench lm-eval smollm2 arc_easy --shots 5
      adaptbench lm-eval ./my-model my_task --include ./harness
    """
    from bench.core.missing_package import need

    need("lm_eval", "lm-eval")
    from bench.bridges import lm_eval_model

    found = lm_eval_model.evaluate(lm_eval_model.EngineModel.load(model, device), names, include, shots, limit)
    if as_json:
        kept = {name: found[name] for name in ("results", "n-shot", "n-samples", "versions", "higher_is_better")}
        print(json.dumps(kept, indent=1, default=float))
    else:
        from lm_eval.utils import make_table

        print(make_table(found))


@click.command("export-task")
@click.argument("task")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write into.")
def export_task(task: str, out: Path) -> None:
    """Write TASK (a folder, or a bundled name) as a task of lm-evaluation-harness: YAML, rows, and a small module.

    \b
    Example:
      adaptbench export-task support-intents --out harness/support-intents
    """
    import tasks
    from bench.bridges import lm_eval_export

    loaded = tasks.load(task)
    for file in lm_eval_export.export(loaded, out):
        print(file)
    print(f"lm_eval run --model hf --model_args pretrained=MODEL --include_path {out} --tasks {loaded.name}")
