"""A task of ours as a task of lm-evaluation-harness: its YAML file, its rows with written prompts, and a small module.

Choices need nothing of adaptbench where they are asked; texts are scored by our metrics, so that module imports them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.core.errors import UsageError
from bench.core.item import Example
from bench.core.task import Task
from bench.metrics import NAMES

_METRICS = {"none": "acc", "chars": "acc_norm"}  # lm-eval's name for accuracy by a rule of ours
_LOAD = '''"""Data{and_scores} of the task {name}, which adaptbench wrote for lm-evaluation-harness."""

from pathlib import Path

from datasets import load_dataset


def load(**_):
    here = Path(__file__).parent
    return load_dataset("json", data_files={{split: str(here / f"{{split}}.jsonl") for split in {splits}}})
'''
_SCORE = """

def process_results(doc, results):
    from bench.core.task import Extract
    from bench.metrics.extract import extract

    rule, text = {rule}, results[0].strip()
    answer = extract(Extract(*rule), text) if rule else text
    return {{name: (answer, doc["references"]) for name in {metrics}}}


def _scored(name, pairs):
    from bench.metrics import compute

    answers, references = zip(*pairs)
    return compute(name, answers, references, lowercase={lowercase}).value
"""
_AGGREGATE = """

def {name}(pairs):
    return _scored("{name}", pairs)
"""


def export(task: Task, out: Path) -> list[Path]:
    """Write `task` into the folder `out`; the files written.

    Raises:
        UsageError: lm-eval has no such score or prompt, or the folder cannot be written.
    """
    _require_expressible(task)
    splits = {name: getattr(task, name) for name in ("train", "validation", "test") if getattr(task, name)}
    files = {f"{task.name}.yaml": _yaml(task, list(splits)), f"{_module(task)}.py": _python(task, list(splits))}
    files |= {f"{name}.jsonl": "".join(_lines(task, found)) for name, found in splits.items()}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (out / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from None
    return [out / name for name in files]


def _require_expressible(task: Task) -> None:
    problem = ""
    if task.kind == "prose" or task.picture_field:
        problem = "its items are pictures" if task.picture_field else "it is of kind prose"
    elif task.kind == "choice" and (task.rules or task.normalise not in _METRICS):
        rules = ", ".join(task.rules or (task.normalise,))
        problem = f"it ranks choices by {rules}, and lm-eval has our rules {' and '.join(_METRICS)}"
    elif task.normalise == "chars" and task.prompt.answer("") != " ":
        problem = "its answers begin on a line of their own, which lm-eval counts among the characters"
    if problem:
        raise UsageError(f"{task.name} cannot be a task of lm-eval: {problem}")


def _module(task: Task) -> str:
    return f"{task.name.replace('-', '_').replace('.', '_')}_data"


def _yaml(task: Task, splits: Sequence[str]) -> str:
    said: dict[str, Any] = {
        "task": task.name,
        "custom_dataset": f"!function {_module(task)}.load",
        "test_split": "test",
        **({"training_split": "train", "fewshot_split": "train"} if "train" in splits else {}),
        **({"validation_split": "validation"} if "validation" in splits else {}),
        "description": "instruction",  # columns of the rows
        "doc_to_text": "prompt",
        "doc_to_target": "answer",
        "target_delimiter": task.prompt.answer(""),
        "fewshot_delimiter": "\n\n",
        "num_fewshot": 0,
        "metadata": {"version": 1.0},
        **(_of_choices(task) if task.kind == "choice" else _of_texts(task)),
    }
    text = yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=1000)
    return "".join(f"{_tagged(line)}\n" for line in text.splitlines())


def _tagged(line: str) -> str:
    """YAML's writer puts quotes around a tag, which it does not know."""
    return line.replace("'!function ", "!function ").removesuffix("'") if "'!function " in line else line


def _of_choices(task: Task) -> dict[str, Any]:
    metric = {"metric": _METRICS[task.normalise], "aggregation": "mean", "higher_is_better": True}
    return {"output_type": "multiple_choice", "doc_to_choice": "choices", "metric_list": [metric]}


def _of_texts(task: Task) -> dict[str, Any]:
    metrics = [
        {
            "metric": name,
            "aggregation": f"!function {_module(task)}.{name}",
            "higher_is_better": NAMES[name].higher_is_better,
        }
        for name in task.metrics
    ]
    settings = {"until": list(task.stop), "max_gen_toks": task.max_new_tokens, "do_sample": False}
    results = f"!function {_module(task)}.process_results"
    return {
        "output_type": "generate_until",
        "generation_kwargs": settings,
        "process_results": results,
        "metric_list": metrics,
    }


def _python(task: Task, splits: Sequence[str]) -> str:
    texts = task.kind == "text"
    said = _LOAD.format(and_scores=" and scores" if texts else "", name=task.name, splits=list(splits))
    if texts:
        rule = (task.extract.rule, task.extract.pattern) if task.extract else None
        said += _SCORE.format(rule=rule, metrics=list(task.metrics), lowercase=task.lowercase)
        said += "".join(_AGGREGATE.format(name=name) for name in task.metrics)
    return said


def _lines(task: Task, examples: Sequence[Example]) -> Iterator[str]:
    for example in examples:
        row: dict[str, Any] = {
            "id": example.id,
            "instruction": task.prompt.preamble(),
            "prompt": task.prompt.ask(example),
        }
        if task.kind == "choice":
            row |= {"choices": list(example.choices), "answer": example.choices.index(example.references[0])}
        else:
            row |= {"answer": example.references[0], "references": list(example.references)}
        yield f"{json.dumps(row, ensure_ascii=False)}\n"
