"""How to see the exact prompt of an item: records keep none, and a command writes it anew."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from bench.core.record import Record, Run
from bench.metrics.formats import clean

NOTE = (
    "A run keeps no prompts. These commands write that of an item with all its special tokens; ID is what stands above "
    "the item. They need the task and the model at hand."
)


def command(run: Run, records: Sequence[Record], method: str) -> str:
    """`adaptbench show` for the items of a method, with the options that it was measured with."""
    first = next(record for record in records if record.method == method)
    weights, context = first.parts.weights, first.parts.context
    tuned = next((one.tuning.chosen for one in records if one.method == method and one.tuning), {})
    options = {name: tuned.get(name, value) for name, value in context.options.items()}
    name = "+".join(part.name for part in (weights, context) if part.name not in ("", "frozen", "zero-shot"))
    words = ["adaptbench", "show", run.task_paths.get(first.task, first.task), "--model", first.model]
    words += ["--method", name or "zero-shot", "--item", "ID", "--seed", str(first.seed)]
    for option, value in options.items():
        if value is not None and not isinstance(value, tuple):
            words += ["--option", f"{option}={_written(value)}"]
    if any(record.prompt_search for record in records if record.method == method):
        words += ["--run", str(run.path)]
    return f"{clean(method)}: `{' '.join(shlex.quote(clean(word)) for word in words)}`"


def _written(value: object) -> str:
    """As YAML reads it, which JSON is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
