"""The command that shows a prompt: show."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.outside import allow_outside
from bench.cli.run_argument import RUN
from bench.core.quoting import json_text

if TYPE_CHECKING:
    from bench.core.method import Method
    from bench.core.prompt_search import FoundPrompt


@click.command()
@click.argument("task")
@click.option(
    "--model", required=True, help="Folder, Hub id or name, as in a suite; with --suite a name that it gives."
)
@click.option(
    "--suite",
    type=click.Path(path_type=Path),
    help="The suite whose models --model names: endpoints are shown too, and none is asked.",
)
@click.option("--method", required=True, help="Such as few-shot, rag or lora+rag.")
@click.option("--item", help="Id of the item, e.g. test/17; default: the first of the test split.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of the method; repeatable.")
@click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the model, as in a suite; repeatable.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of what is drawn.")
@click.option("--run", metavar="RUN", type=RUN, help="A run whose search found the prompt (optimised, gain, fill).")
@click.option("--embedder", default="auto", show_default=True, help="Sentence encoder, as in a suite.")
@click.option("--json", "as_json", is_flag=True, help="Text and token ids as JSON.")
@allow_outside
def show(
    task: str,
    model: str,
    suite: Path | None,
    method: str,
    item: str | None,
    options: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
    run: Path | None,
    embedder: str,
    as_json: bool,
) -> None:
    """Show the exact prompt of an item of TASK: its tokens, what all items share, what is ranked or trained on.

    Of an endpoint the requests are shown that it would be sent.

    \b
    Examples:
      adaptbench show support-intents --model smollm2 --method few-shot --option k=4
      adaptbench show my-task --model ./qwen --method zero-shot --setting chat_template=off
      adaptbench show my-task --suite mine.yaml --model hosted --method few-shot
    """
    from rich.console import Console

    import methods
    import tasks
    from bench.cell import show as showing
    from bench.cell.show_served import show_served
    from bench.core.errors import UsageError
    from bench.model.resolve import resolve, without_key

    made = methods.create(method, _values(options, "--option"))
    if suite is None:
        resolved = resolve(_spec(model, _values(settings, "--setting")))
    elif settings:
        raise UsageError("--setting is for a model without --suite, whose settings the suite has")
    else:
        spec = _of_suite(suite, model)
        resolved = resolve(without_key(spec) if spec.endpoint else spec, suite.parent)
    shows = show_served if resolved.endpoint else showing.show
    found = _found(run, task, resolved.name, made, seed)
    shown = shows(tasks.load(task), resolved, made, item, seed, embedder, found)
    if as_json:
        print(json_text(shown.as_json()))
    else:
        Console(highlight=False, soft_wrap=True).print(shown.lines())


def _found(run: Path | None, task: str, model: str, method: Method, seed: int) -> FoundPrompt | None:
    """The prompt that a run's search found for a method with these options; None where it has none to find."""
    from bench.core.errors import UsageError
    from bench.core.method import parts_of
    from bench.store.run_folder import read_run

    if not method.context.searches:
        return None
    if run is None:
        raise UsageError(f"the prompt of {method.name} is found by a search in a run; name the run with --run")
    loaded = read_run(run)
    asked = parts_of(method).context
    for record in loaded.records:
        is_task = task in (record.task, loaded.task_paths.get(record.task))
        if (
            is_task
            and (record.model, record.seed, record.parts.context) == (model, seed, asked)
            and record.prompt_search
        ):
            return record.prompt_search.found
    raise UsageError(f"{run} holds no search of {method.name} with these options for {model} on {task}, seed {seed}")


def _of_suite(file: Path, model: str) -> Any:
    from bench.config.suite import load
    from bench.core.errors import UsageError, unknown

    specs = {spec.called: spec for spec in load(file).models}
    if model not in specs:
        raise UsageError(unknown(f"model of {file}:", model, specs))
    return specs[model]


def _spec(model: str, settings: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from bench.core.errors import UsageError
    from bench.core.explain import explain
    from bench.model.resolve import ModelSpec

    try:
        return ModelSpec.model_validate({"path": model, **settings})
    except ValidationError as error:
        raise UsageError("\n".join(f"--setting: {line}" for line in explain(error, ModelSpec))) from None


def _values(pairs: Iterable[str], option: str) -> dict[str, Any]:
    """KEY=VALUE pairs; a value is read as YAML."""
    from bench.core.errors import UsageError
    from bench.core.yaml_file import YamlError, parse

    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f'{option} takes KEY=VALUE; got "{pair}"')
        try:
            values[key] = parse(value)
        except YamlError as error:
            raise UsageError(f"{option} {key}: {error}") from None
    return values
