"""A `task.yaml` and its data files, drafted from rows and from what they seem to be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

import tasks
from bench.authoring.column_guess import Guess, Row, answers_of
from bench.authoring.column_names import USUAL_NAMES
from bench.authoring.metric_choice import power_note, text_metrics, why
from bench.authoring.split_rows import question_of
from bench.core.errors import UsageError
from bench.core.prompt import CHOICE_SEPARATOR
from bench.core.quoting import listed, shown
from bench.core.yaml_file import means_text
from tasks.loader.choices import look_alikes
from tasks.loader.examples import as_words
from tasks.loader.manifest import FILE
from tasks.loader.rows import text_or_none

_LISTED = 20  # choices that are still written into task.yaml itself
_IN_PROMPT = 40  # choices that the instruction still lists
# Names whose parts are parted by hyphens or underscores alone: what as_words makes of them loses nothing.
_PARTED = re.compile(r"[^\W_]+(_[^\W_]+|-[^\W\d_][^\W_]*)*")
_NUMBERED = re.compile(r" ?\d+$")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_SAY_NOTHING = ("answers", "output", "target", "completion", "input", "source", "reference", "references")
_ASKING = ("question", "query", "prompt", "utterance")  # columns that hold questions; of others, an output is written


class _Dumper(yaml.SafeDumper):
    """YAML with templates and empty texts in double quotes on one line, as people write them."""


def _text_node(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    quoted = "\n" in text or "{" in text or not means_text(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if quoted else None)


_Dumper.add_representer(str, _text_node)


def task_files(out: Path, splits: Mapping[str, list[Row]], documents: Sequence[Row], guessed: Guess) -> dict[Path, str]:
    """File -> content: the rows of each split, the documents, choices where they are many, and the task.yaml.

    Raises UsageError where a choice task has a single label.
    """
    rows = [row for found in splits.values() for row in found]
    drop_id = _bad_ids(splits)
    if drop_id:
        guessed.notes.append('left out the column "id": it is empty or repeated in places')
    files = {out / f"{split}.jsonl": _jsonl(found, drop_id) for split, found in splits.items()}
    cue = "Label" if guessed.kind == "choice" else "Answer"
    spec: dict[str, Any] = {"name": task_name(out), "kind": guessed.kind}
    spec |= dict.fromkeys(("description", "licence", "source"), "")
    spec |= {"instruction": _instruction(guessed), "template": f"{_template(guessed)}{cue}:"}
    spec |= {"answers": [guessed.answer, *guessed.more_answers]} if guessed.more_answers else {"answer": guessed.answer}
    if guessed.kind == "text":
        spec |= _text_keys(rows, guessed)
    elif guessed.choices_field:
        spec |= _own_choice_keys(guessed)
    else:
        spec |= _choice_keys(rows, guessed, out, files)
    guessed.notes.append(f"instruction: {shown(spec['instruction'])} (drafted; edit it in task.yaml)")
    spec["splits"] = {split: _split_entry(split, found, guessed) for split, found in splits.items()}
    if documents:
        files[out / "corpus.jsonl"] = _jsonl(documents, drop_id=False)
        titled = {"title": "title"} if "title" in documents[0] else {}
        spec["corpus"] = {"path": "corpus.jsonl", **titled} if titled else "corpus.jsonl"
    spec |= {key: column for key, column in (("gold", guessed.gold), ("group", guessed.group)) if column}
    grouped = isinstance(spec["splits"]["test"], dict)
    items = len({question_of(row, guessed) for row in splits["test"]}) if grouped else len(splits["test"])
    guessed.notes.append(power_note(spec.get("metrics", ["accuracy"])[0], items))
    head = "# Every key is described in docs/task-format.md. Check the task with: adaptbench check\n"
    files[out / FILE] = head + yaml.dump(spec, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return files


def _instruction(guessed: Guess) -> str:
    """A first instruction in the words of the columns."""
    question = _noun(guessed.question, "text")
    if guessed.kind == "choice":
        return f"Classify the {question}. Answer with the label alone."
    if guessed.question.lower() not in _ASKING and not guessed.passage:
        return f"Read the {question} and write the {_noun(guessed.answer, 'answer')}."
    source = f" from the {_noun(guessed.passage, 'text')}" if guessed.passage else ""
    return f"Answer the question{source}{'.' if guessed.sentences else ' in a few words.'}"


def _noun(column: str, otherwise: str) -> str:
    """A column's name as a word or two of a sentence; `otherwise` for one that says nothing, such as `ref`, or more."""
    word = _NUMBERED.sub("", as_words(column.split(".")[0]))
    word = word.lower() if word.lower() in USUAL_NAMES else word
    short = len(word) > 3 and len(word.split()) < 3
    return word if short and word.replace(" ", "").isalpha() and word not in _SAY_NOTHING else otherwise


def _template(guessed: Guess) -> str:
    """The lines of a prompt that show the row."""
    columns = (guessed.passage, guessed.question)
    return "".join(f"{_title(name)}: {{{name}}}\n" for name in columns if name)


def _split_entry(split: str, rows: Sequence[Row], guessed: Guess) -> str | dict[str, str]:
    """Where a text task asks one question several times, its answers are references of one item."""
    path = f"{split}.jsonl"
    prompts = {question_of(row, guessed) for row in rows}
    questions = {(text_or_none(row.get(guessed.question)) or "").rstrip(" \t") for row in rows}
    repeats = len(prompts) < len(rows) and len(questions) == len(prompts)  # one question, several passages: items apart
    if split == "train" or guessed.kind == "choice" or not repeats:
        return path
    guessed.notes.append(f"{split}: rows with the same {shown(guessed.question)} are one item with several references")
    return {"path": path, "group_by": guessed.question}


def _text_keys(rows: Sequence[Row], guessed: Guess) -> dict[str, Any]:
    answers = [text for row in rows for text in answers_of(row, guessed)]
    longest = max(len(text) for text in answers)
    tokens = min(1024, 32 * math.ceil(longest / 2 / 32))  # two characters a token: ample for most tokenisers
    guessed.notes.append(f"max_new_tokens: {tokens}, from the longest answer of {longest} characters")
    stop = next((stop for stop in ("\n", "\n\n") if not any(stop in text for text in answers)), None)
    guessed.notes.append(f"stop: {shown(stop) + ', which no answer holds' if stop else 'only the EOS token'}")
    keys: dict[str, Any] = {"max_new_tokens": tokens, "stop": [stop] if stop else []}
    if all(_NUMBER.fullmatch(text) for text in answers):
        guessed.notes.append("metrics: exact_match of the last number that is written, because all answers are numbers")
        instruction = f"{_instruction(guessed).removesuffix(' in a few words.').removesuffix('.')} with a number."
        keys |= {"instruction": instruction} if guessed.question.lower() in _ASKING or guessed.passage else {}
        return {**keys, "extract": "last_number", "metrics": ["exact_match"]}
    metrics = text_metrics(answers, guessed.sentences)
    guessed.notes.append(why(metrics, guessed.sentences))
    return {**keys, "metrics": list(metrics)}


def _own_choice_keys(guessed: Guess) -> dict[str, Any]:
    keys = {"instruction": "Choose the correct answer.", "choices_field": guessed.choices_field}
    keys |= {"template": f"{_template(guessed)}Choices: {{choices}}\nAnswer:"}
    keys |= {"choice_keys": guessed.choice_keys} if guessed.choice_keys else {}
    return keys | ({"answer_is": "index"} if guessed.by_index else {})


def _choice_keys(rows: Sequence[Row], guessed: Guess, out: Path, files: dict[Path, str]) -> dict[str, Any]:
    labels = sorted({text for row in rows for text in answers_of(row, guessed)})
    if len(labels) < 2:
        raise UsageError(f"only the answer {shown(labels[0])} is left; a choice needs two or more")
    words = [as_words(label) for label in labels]
    for alike in look_alikes(dict(zip(labels, labels, strict=True))).values():
        guessed.notes.append(f"labels look alike: {listed(map(ascii, alike))}; merge them in the data")
    if all(_NUMBER.fullmatch(label) for label in labels):
        meanings = f"choices: {{'{labels[0]}': ..., '{labels[1]}': ...}}"
        guessed.notes.append(f"labels are numbers: if they stand for names, write those in task.yaml: {meanings}")
    keys: dict[str, Any] = {"choices": labels}
    if len(labels) > _LISTED:
        files[out / "choices.json"] = json.dumps(labels, ensure_ascii=False, indent=1) + "\n"
        keys = {"choices_file": "choices.json"}
    plain = all(_PARTED.fullmatch(label) or label == word for label, word in zip(labels, words, strict=True))
    if words != labels and len(set(words)) == len(labels) and plain:
        keys["choice_words"] = True
        labels = words
        guessed.notes.append("choice_words: labels are shown with spaces for underscores and hyphens")
    if len(labels) <= _IN_PROMPT:
        keys["instruction"] = f"{_instruction(guessed)} The labels are: {CHOICE_SEPARATOR.join(labels)}."
    else:
        guessed.notes.append(f"labels: {len(labels)}, too many for the instruction; every one is ranked all the same")
    return keys


def _bad_ids(splits: Mapping[str, list[Row]]) -> bool:
    for rows in splits.values():
        ids = {(text_or_none(row.get("id")) or "").strip() for row in rows}
        if any("id" in row for row in rows) and ("" in ids or len(ids) < len(rows)):
            return True
    return False


def _jsonl(rows: Iterable[Row], drop_id: bool) -> str:
    kept = ({k: _json_value(v) for k, v in row.items() if k != "id" or not drop_id} for row in rows)

    def as_read(value: Any) -> str:  # such as a decimal
        return text_or_none(value) or str(value)

    return "".join(json.dumps(row, ensure_ascii=False, default=as_read) + "\n" for row in kept)


def _json_value(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value  # JSON has no NaN


def _title(column: str) -> str:
    words = as_words(column)
    return words[:1].upper() + words[1:]


def task_name(out: Path) -> str:
    """The folder's name, with what a task name may not hold replaced by hyphens; never that of a bundled task."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in out.name)
    name = name.lstrip("._-") or "task"
    return f"{name}-task" if name in tasks.available() else name
