"""`lm-eval:NAME`: a task of lm-evaluation-harness as a task folder of ours, with its own prompts, to the letter.

What every prompt says, lm-eval writes: few-shot examples and description with it. Of its tasks those are taken whose
score we compute as it does: choices ranked by likelihood (`acc`, `acc_norm`), and texts compared with `exact_match`.
Any other is refused by name; `adaptbench lm-eval` asks those as they are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from bench.core.errors import UsageError, unknown
from bench.core.missing_package import need
from bench.core.names import as_name
from bench.model.prepared import cache_folder, prepare

PREFIX = "lm-eval:"
_REFERENCE = re.compile(r"(?:(?P<folder>.*)/)?(?P<name>[^/:@]+)(?::(?P<metric>\w+))?(?:@(?P<shots>\d{1,3}))?")
_RULES = {"acc": "none", "acc_norm": "chars"}
_SEAL = "lm-eval.json"
_MOST_VALIDATION = 200  # items that are carved out of train where there is no split


@dataclass(frozen=True, slots=True)
class Reference:
    """A task as a suite names it: `lm-eval:[FOLDER/]NAME[:METRIC][@SHOTS]`."""

    text: str
    name: str
    folder: Path | None  # of its YAML file, where it is none of lm-eval's own
    metric: str  # "": its first
    shots: int | None  # None: what its YAML file says

    def refused(self, reason: str) -> UsageError:
        """Why it is no task of ours."""
        return UsageError(f"{self.text}: {reason}; `adaptbench lm-eval MODEL {self.name}` asks it as it is")


def read_reference(text: str, here: Path) -> Reference:
    """What `text` names; relative folders are beside `here`.

    Raises:
        UsageError: it is not of that form.
    """
    found = _REFERENCE.fullmatch(text.removeprefix(PREFIX))
    if found is None:
        raise UsageError(f'"{text}" is no task of lm-eval; write lm-eval:[FOLDER/]NAME[:METRIC][@SHOTS]')
    folder, shots = found["folder"], found["shots"]
    where = None if folder is None else here / folder
    return Reference(text, found["name"], where, found["metric"] or "", None if shots is None else int(shots))


def task_folder(text: str, here: Path) -> Path:
    """The folder, in adaptbench's cache, of the task that a suite in `here` names by `text`.

    Raises:
        UsageError: lm-eval is not installed, has no such task or no data for it, or its score is not one of ours.
    """
    reference = read_reference(text, here)
    need("lm_eval", "lm-eval")
    files = _files(reference)
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    folder = cache_folder() / "lm-eval" / f"{_name(reference)}-{digest[:12]}"
    return prepare(folder, _SEAL, {"task": text, "digest": digest}, partial(_write, files), "the task")


def _write(files: Mapping[str, str], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")


def _name(reference: Reference) -> str:
    shots = "" if reference.shots is None else f"{reference.shots}shot"
    return as_name("-".join(part for part in (reference.name, reference.metric, shots) if part))


def _files(reference: Reference) -> dict[str, str]:
    """task.yaml and the rows of each split."""
    from bench.bridges.lm_eval_model import SEED, quiet

    with quiet():
        task = _loaded(reference)
        if reference.shots is not None:
            task.set_config(key="num_fewshot", value=reference.shots)
        task.set_fewshot_seed(seed=SEED)
        convert = {"multiple_choice": _choice, "generate_until": _text}.get(task.OUTPUT_TYPE)
        if convert is None:
            raise reference.refused(f"its requests are of type {task.OUTPUT_TYPE}, which no task of ours has")
        _require_plain(reference, task)
        spec, splits = convert(reference, task)
    splits = {name: rows for name, rows in splits.items() if rows}
    said = {
        "name": _name(reference),
        "description": f"{reference.name} of lm-evaluation-harness, version {task.VERSION}, with its own prompts.",
        "source": f"lm-eval {reference.name}, data {task.DATASET_PATH} {task.DATASET_NAME or ''}".strip(),
        **spec,
        "splits": {name: f"{name}.jsonl" for name in splits} | _carved(splits),
        "allow_overlap": True,
    }
    rows = {f"{name}.jsonl": "".join(f"{json.dumps(row)}\n" for row in found) for name, found in splits.items()}
    return {"task.yaml": yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=1000), **rows}


def _loaded(reference: Reference) -> Any:
    from bench.bridges.lm_eval_model import manager

    tasks = manager(reference.folder)
    if reference.name not in tasks.all_tasks:
        if reference.name in (*tasks.all_groups, *tasks.all_tags):
            raise reference.refused("it is a group; name its tasks")
        raise UsageError(unknown("lm-eval task", reference.name, tasks.all_tasks))
    try:
        [task] = tasks.load([reference.name])["tasks"].values()
    except Exception as error:  # whatever the library, its YAML or the data set raises: one line
        first = (str(error).splitlines() or [""])[0]
        raise UsageError(f"{reference.text}: lm-eval cannot load it ({type(error).__name__}: {first})") from None
    return task


def _require_plain(reference: Reference, task: Any) -> None:
    """Refuse what changes prompts or scores in ways that a task of ours does not have."""
    named = {
        "process_results": task.config.process_results is not None,
        "gen_prefix": bool(task.config.gen_prefix),
        "doc_to_image": bool(task.config.doc_to_image),
        "doc_to_audio": bool(task.config.doc_to_audio),
        "several inputs to an item": bool(task.multiple_input),
    }
    for what, there in named.items():
        if there:
            raise reference.refused(f"it has {what}")


def _metric(reference: Reference, task: Any, allowed: Sequence[str]) -> str:
    """Which of the task's metrics counts."""
    there = [name for name in task._metric_fn_list if name in allowed]
    if not there or (reference.metric and reference.metric not in there):
        raise reference.refused(f"of its metrics, adaptbench computes {', '.join(there) or 'none'}")
    return reference.metric or str(there[0])


def _choice(reference: Reference, task: Any) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    rule = _RULES[_metric(reference, task, tuple(_RULES))]
    test = []
    for doc, requests in _requests(task):
        choices = task.doc_to_choice(doc)
        follows = {request.args[1].removesuffix(choice) for request, choice in zip(requests, choices, strict=False)}
        if len(follows) > 1 or not follows <= {" ", "\n"} or any(choice != choice.strip() for choice in choices):
            raise reference.refused("its choices do not follow a prompt after one space or line break")
        test.append({"prompt": requests[0].args[0], "choices": list(choices), "answer": _gold(reference, task, doc)})

    def solved(doc: Any) -> dict[str, Any]:
        gold = _gold(reference, task, doc)
        return {"prompt": task.fewshot_context(doc, 0), "choices": list(task.doc_to_choice(doc)), "answer": gold}

    rows = {"test": test, **_learnt(task, solved)}
    spec = {"kind": "choice", **_prompt(reference, task, rows), "answer": "answer", "answer_is": "index",
            "choices_field": "choices", "metrics": ["accuracy"], "normalise": rule}  # fmt: skip
    return spec, rows


def _gold(reference: Reference, task: Any, doc: Any) -> int:
    gold, choices = task.doc_to_target(doc), task.doc_to_choice(doc)
    place = choices.index(gold) if isinstance(gold, str) and gold in choices else gold
    if not isinstance(place, int) or not 0 <= place < len(choices):
        raise reference.refused(f"an item's target is {gold!r}, which is not one of its choices")
    return place


def _text(reference: Reference, task: Any) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    _metric(reference, task, ("exact_match",))
    options = task._metric_fn_kwargs["exact_match"]
    if any(options.values()):
        raise reference.refused(f"its exact_match has options ({', '.join(options)})")
    settings = dict(task.config.generation_kwargs)
    if settings.get("do_sample") or settings.get("temperature"):
        raise reference.refused("it samples")
    test = [{"prompt": requests[0].args[0], "answer": _targets(task, doc)} for doc, requests in _requests(task)]

    def solved(doc: Any) -> dict[str, Any]:
        return {"prompt": task.fewshot_context(doc, 0), "answer": _targets(task, doc)}

    rows = {"test": test, **_learnt(task, solved)}
    until = settings.get("until", [])
    spec = {"kind": "text", **_prompt(reference, task, rows), "answer": "answer", "metrics": ["exact_match_strict"],
            "stop": [until] if isinstance(until, str) else list(until),
            "max_new_tokens": int(settings.get("max_gen_toks", 256)), **_extract(reference, task)}  # fmt: skip
    return spec, rows


def _targets(task: Any, doc: Any) -> str | list[str]:
    target = task.doc_to_target(doc)
    if task.config.doc_to_choice is not None:
        return str(task.doc_to_choice(doc)[target])
    return list(map(str, target)) if isinstance(target, list) else str(target)


def _extract(reference: Reference, task: Any) -> dict[str, Any]:
    """What of a text is compared. Ours ignores white space at its ends; lm-eval does where a filter takes it away."""
    filters = task.config.filter_list or []
    if len(filters) != 1:
        raise reference.refused("its exact_match counts white space, or has several filters")
    steps = {step["function"]: step for step in filters[0]["filter"]}
    pattern = steps.get("regex", {})
    if not steps.keys() <= {"take_first", "remove_whitespace", "regex"} or pattern.get("group_select", 0) != 0:
        raise reference.refused(f"adaptbench has not all of its filters ({', '.join(steps)})")
    if "regex" in steps:
        return {"extract": {"regex": pattern.get("regex_pattern", r"#### (\-?[0-9\.\,]+)")}}
    if "remove_whitespace" not in steps:
        raise reference.refused("its exact_match counts white space")
    return {}


def _requests(task: Any) -> Iterator[tuple[Any, list[Any]]]:
    """(document, its requests) of every test item, as lm-eval makes them."""
    task.build_all_requests(rank=0, world_size=1)
    by_document: dict[int, list[Any]] = defaultdict(list)
    for request in task.instances:
        by_document[request.doc_id].append(request)
    for requests in by_document.values():
        yield requests[0].doc, sorted(requests, key=lambda request: int(request.idx))


def _learnt(task: Any, solved: Any) -> dict[str, list[dict[str, Any]]]:
    """Rows to learn from, which show no examples; none where the test prompts do."""
    if task.config.num_fewshot:
        return {}
    of_splits: dict[str, Any] = {}
    if task.has_training_docs():
        of_splits["train"] = task.training_docs()
    if task.has_validation_docs() and task.has_test_docs():
        of_splits["validation"] = task.validation_docs()
    return {name: [solved(doc) for doc in docs] for name, docs in of_splits.items()}


def _prompt(reference: Reference, task: Any, rows: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Instruction and template; a description in front of all prompts is taken out of the rows and stands once."""
    every = [row for split in rows.values() for row in split]
    if any(row["prompt"] != row["prompt"].rstrip(" \t") for row in every):
        raise reference.refused("a prompt ends in a space")
    template = "{prompt}\n" if task.config.target_delimiter == "\n" else "{prompt}"
    said = str(task.config.description or "")
    alone = said.removesuffix("\n\n")
    if not said or alone != said.strip() or not all(row["prompt"].startswith(f"{alone}\n\n") for row in every):
        return {"template": template}
    for row in every:
        row["prompt"] = row["prompt"].removeprefix(f"{alone}\n\n")
    return {"instruction": alone, "template": template}


def _carved(splits: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    size = min(_MOST_VALIDATION, len(splits.get("train", ())) // 5)
    return {"validation": {"from": "train", "size": size}} if size and "validation" not in splits else {}
