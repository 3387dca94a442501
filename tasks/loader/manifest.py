"""Reading a `task.yaml`, and one clear line for each thing wrong with it, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from bench.core.errors import TaskError, nearest
from bench.core.explain import explain
from bench.core.prompt import placeholders
from bench.core.quoting import listed, shown
from bench.core.yaml_file import read_mapping
from tasks.loader.paths import OUTSIDE, REMEDY, is_outside, roots
from tasks.loader.problems import Problems
from tasks.loader.spec import Split, TaskSpec

FILE = "task.yaml"
_PASSAGE_NAMES = ("id", "title", "text")


def read_spec(folder: Path) -> TaskSpec:
    """The `task.yaml` of `folder`; reads no data.

    Raises TaskError with one line for each problem.
    """
    file = spec_file(folder)
    problems = Problems()
    if is_outside(folder / FILE, roots(folder)):
        raise TaskError(f"{file} is a link to a file {OUTSIDE}; {REMEDY}")
    values = read_mapping(folder / FILE, file, "it must be a mapping of keys; begin with name: and kind:", TaskError)
    try:
        spec = TaskSpec.model_validate(values)
    except ValidationError as error:
        raise TaskError(f"{file}: {line}" for line in explain(error, TaskSpec, described=True)) from None
    for what, remedy in _contradictions(spec):
        problems.add(file, what, remedy)
    problems.check()
    return spec


def spec_file(folder: Path) -> str:
    """The name of the folder's `task.yaml` in messages."""
    return f"{folder.resolve().name}/{FILE}"


def _contradictions(spec: TaskSpec) -> Iterator[tuple[str, str]]:
    """(what, remedy) for keys that are fine alone but not together."""
    if (spec.splits is None) == (spec.hub is None):
        yield "the data must come from either splits or hub", "for example splits: {test: test.jsonl}"
    else:
        for name, split in spec.sources.present():
            yield from _split_contradictions(name, split, spec.kind)
        carved = [name for name, split in spec.sources.present() if split.carved_from]
        if carved and spec.sources.train is None:
            yield f"splits.{carved[0]} is carved from train, which is not there", "add splits.train"
    if bool(spec.answer) == bool(spec.answers):
        yield "the answer must come from either answer or answers", "name a column, for example answer: label"
    if spec.gold and spec.corpus is None:
        yield f"gold names {shown(spec.gold)}, but there is no corpus", "add corpus, or remove gold"
    if spec.answers and spec.kind != "text":
        yield "answers is for kind: text", f"use answer; a {spec.kind} item has one answer"
    if spec.kind == "choice":
        yield from _choice_contradictions(spec)
    else:
        for key in ("choices", "choices_file", "choices_field", "choice_keys", "choice_words", "answer_is"):
            if getattr(spec, key) != TaskSpec.model_fields[key].default:
                yield f"{key} is for kind: choice", "remove it, or set kind: choice"
    if spec.extract and spec.kind != "text":
        yield "extract is for kind: text", "remove it, or set kind: text"
    if spec.refusal and spec.kind == "prose":
        yield "refusal is for tasks with answers", "remove it, or set another kind"
    if spec.refusal and spec.refusal.unanswerable and spec.kind != "text":
        yield "refusal.unanswerable is for kind: text", "give such items the choice that refusal.answer names"
    if spec.history and spec.kind != "choice":
        yield "history is for kind: choice", "remove it, or set kind: choice"
    if spec.history and spec.history.column not in spec.columns:
        hint = nearest(spec.history.column, spec.columns)
        yield f"history names {shown(spec.history.column)}{hint}", f"allowed, from the template: {listed(spec.columns)}"
    if spec.judging and spec.kind != "text":
        yield "judging is for kind: text", "remove it; other answers are scored without a judge"
    yield from _template_contradictions(spec)
    if spec.image:
        yield from _picture_contradictions(spec)
    if spec.counterfactuals and spec.kind == "prose":
        yield "counterfactuals is for tasks with answers", "remove it, or set another kind"
    for name, one in spec.counterfactuals.items():
        for column in set(one.column).difference(spec.columns):
            yield (
                f"counterfactuals.{name} changes {shown(column)}, which the template does not show",
                "name its columns",
            )


def _split_contradictions(name: str, split: Split, kind: str) -> Iterator[tuple[str, str]]:
    if bool(split.path) == bool(split.carved_from):
        yield f"splits.{name} needs either path or from", "for example {path: data.jsonl}"
    elif split.carved_from and name == "train":
        yield "splits.train cannot be carved from train", "give it a path"
    elif split.carved_from and split.size is None:
        yield f"splits.{name} is carved from train without a size", "for example {from: train, size: 500}"
    elif split.path and split.size is not None:
        yield f"splits.{name}.size is for splits carved from train", "use sample for a fixed sample of a file"
    if split.carved_from and (split.where or split.group_by or split.sample or split.delimiter):
        yield f"splits.{name} is carved from train, so only from and size apply", "remove the other keys"
    if split.group_by and kind != "text":
        yield f"splits.{name}.group_by is for kind: text", f"remove it; a {kind} item has one answer"


def _choice_contradictions(spec: TaskSpec) -> Iterator[tuple[str, str]]:
    given = [key for key in ("choices", "choices_file", "choices_field") if getattr(spec, key)]
    if len(given) > 1:
        yield f"{' and '.join(given)} are given", "keep one of them"
    if spec.choices is not None and len(spec.choices) < 2:
        yield f"choices has {len(spec.choices)} entry", "a choice needs two or more"
    if spec.answer_is == "index" and not given:
        yield "answer_is: index needs a list to count in", "add choices, choices_file or choices_field"
    yield from _ranking_contradictions(spec)
    if spec.choice_keys and not spec.choices_field:
        yield "choice_keys is for items with their own choices", "remove it, or add choices_field"
    if spec.choice_keys and spec.answer_is == "index":
        yield "choice_keys and answer_is: index are given", "keep one of them"
    if spec.choice_words and spec.choices and any(stored != label for stored, label in spec.choices.items()):
        yield "choice_words has no effect where choices says what is shown", "remove one of them"


def _ranking_contradictions(spec: TaskSpec) -> Iterator[tuple[str, str]]:
    data = spec.hub.splits if spec.hub else spec.splits
    if len(spec.normalise) > 1 and data is not None and data.validation is None:
        yield "normalise lists several rules, and there is no validation split to choose on", "name one rule"
    if "pmi" in spec.normalise and not (placeholders(spec.template) and spec.prompt().cue()):
        yield "normalise: pmi compares with the cue alone, and none follows the template's last column", "end it in one"


def _picture_contradictions(spec: TaskSpec) -> Iterator[tuple[str, str]]:
    if spec.kind != "choice" or spec.choices_field:
        yield "image is for kind: choice with labels that all items share", "set kind: choice, and choices"
    if spec.template != f"{{{spec.image}}}":
        yield f"image: {spec.image} is all that a model of pictures reads", "remove template"
    for key in ("instruction", "query_template", "corpus", "gold", "counterfactuals", "refusal"):
        if getattr(spec, key):
            yield f"{key} is for tasks of texts, and image names pictures", "remove one of them"


def _template_contradictions(spec: TaskSpec) -> Iterator[tuple[str, str]]:
    if not placeholders(spec.template):
        yield f"template {shown(spec.template)} names no column", "name one in braces, for example {text}"
    secret = {*spec.references, spec.gold} - {""}
    for key in ("template", "query_template"):
        for name in secret.intersection(placeholders(getattr(spec, key))):
            yield f"{key} names {{{name}}}, so the answer would stand in the question", "take it out"
    for name in placeholders(spec.passage_template):
        if name not in _PASSAGE_NAMES:
            hint = nearest(name, _PASSAGE_NAMES)
            yield f"passage_template names {{{name}}}{hint}", f"allowed: {', '.join(_PASSAGE_NAMES)}"
    if "text" not in placeholders(spec.passage_template):
        yield "passage_template does not name {text}", "add {text}"
