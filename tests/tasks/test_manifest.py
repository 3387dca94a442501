"""task.yaml: what it says, and one line for each thing wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import tasks
from bench.core.errors import TaskError
from tasks.loader.spec import Corpus, Hub, Judging, Split, TaskSpec

ROOT = Path(__file__).resolve().parents[2]
SHA = "0123456789abcdef0123456789abcdef01234567"
FILES = "needs either path or from; for example {path: data.jsonl}"
CARVE = "for example {from: train, size: 500}"


def test_defaults_of_a_choice_task(make_task: Callable[..., Path]) -> None:
    spec = tasks.describe(make_task())
    assert (spec.name, spec.kind, spec.version, spec.normalise) == ("toy", "choice", 1, ("none",))
    assert spec.stop == ("\n\n",)
    assert spec.primary_first() == ("accuracy", "macro_f1")


def test_defaults_of_other_kinds(make_task: Callable[..., Path]) -> None:
    assert tasks.describe(make_task({"kind": "text"})).primary_first() == ("exact_match", "token_f1")
    # macro-F1 is over labels; items with their own choices share none
    assert tasks.describe(make_task({"choices_field": "options"})).primary_first() == ("accuracy",)
    assert tasks.describe(make_task({"metrics": ["macro_f1", "accuracy"]})).primary_first()[0] == "macro_f1"


def test_describe_reads_no_data(make_task: Callable[..., Path]) -> None:
    folder = make_task()
    (folder / "train.jsonl").unlink()
    (folder / "test.jsonl").unlink()
    assert tasks.describe(folder).columns == ("text",)


def test_one_text_stands_for_a_list_and_a_path_for_a_mapping(make_task: Callable[..., Path]) -> None:
    spec = tasks.describe(make_task({"stop": "\n", "metrics": "accuracy", "corpus": "c.jsonl"}))
    assert (spec.stop, spec.metrics) == (("\n",), ("accuracy",))
    assert spec.corpus == Corpus(path="c.jsonl")
    assert spec.sources.test == Split(path="test.jsonl")


def test_instruction_blocks_lose_their_outer_line_breaks(make_task: Callable[..., Path]) -> None:
    assert tasks.describe(make_task({"instruction": "Be brief.\n"})).prompt().preamble() == "Be brief.\n\n"


def described(make_task: Callable[..., Path], text: str) -> TaskSpec:
    return tasks.describe(make_task(files={"task.yaml": text}))


HEAD = 'name: toy\nkind: choice\ntemplate: "{text}"\nanswer: label\nsplits: {test: test.jsonl}\n'


def test_yes_and_no_are_labels(make_task: Callable[..., Path]) -> None:
    assert described(make_task, HEAD + "choices: [yes, no, off]\n").choices == {
        "yes": "yes",
        "no": "no",
        "off": "off",
    }
    mapped = described(make_task, HEAD + "choices: {0: no, 2: yes, true: Yes}\n").choices
    assert mapped == {"0": "no", "2": "yes", "true": "Yes"}
    assert described(make_task, HEAD + "lowercase: true\n").lowercase is True


def test_clock_times_and_dates_are_labels(make_task: Callable[..., Path]) -> None:
    assert described(make_task, HEAD + "choices: [12:30, 2026-01-31]\n").choices == {
        "12:30": "12:30",
        "2026-01-31": "2026-01-31",
    }


def test_merge_keys_of_splits(make_task: Callable[..., Path]) -> None:
    merged = "splits:\n  train: &few {path: train.jsonl, sample: 10}\n  test: {<<: *few, path: test.jsonl}\n"
    splits = described(make_task, HEAD.replace("splits: {test: test.jsonl}\n", merged)).sources
    assert (splits.train, splits.test) == (Split(path="train.jsonl", sample=10), Split(path="test.jsonl", sample=10))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEAD + "kind: text\n", 'toy/task.yaml:6: the key "kind" stands twice; keep one of them'),
        (HEAD + "choices: {1: a, true: b}\n", 'toy/task.yaml:6: the key "true" stands twice; keep one of them'),
        (
            "name: toy\ntemplate: Message: {text}\n",
            "toy/task.yaml:2: not valid YAML (mapping values are not allowed",
        ),
        ("- a\n- b\n", "toy/task.yaml: it must be a mapping of keys; begin with name: and kind:"),
        ("", "toy/task.yaml: it must be a mapping of keys; begin with name: and kind:"),
        ("name: \x07\n", "toy/task.yaml: not valid YAML ("),
    ],
)
def test_what_is_no_yaml_mapping(make_task: Callable[..., Path], text: str, line: str) -> None:
    with pytest.raises(TaskError) as caught:
        described(make_task, text)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_task_yaml_that_is_not_utf8(make_task: Callable[..., Path]) -> None:
    with pytest.raises(TaskError, match=r"^toy/task.yaml: not UTF-8 at byte 9; save the file as UTF-8$"):
        tasks.describe(make_task(files={"task.yaml": b"name: to\n\xff"}))


def test_yaml_is_loaded_safely(make_task: Callable[..., Path]) -> None:
    with pytest.raises(TaskError, match=r"task.yaml:1: the tag .*python/object/apply:os.getcwd.* is not allowed"):
        described(make_task, "name: !!python/object/apply:os.getcwd []\n")


CASES: list[tuple[dict[str, Any], str]] = [
    ({"templat": "x"}, 'unknown key "templat" (did you mean "template"?); allowed: name, kind, version, '),
    ({"license": "MIT"}, 'unknown key "license" (did you mean "licence"?); allowed: '),
    ({"kind": "chioce"}, 'kind is "chioce" (did you mean "choice"?); allowed: choice, text or prose'),
    ({"normalise": "words"}, "normalise: it must be none, tokens, chars or pmi, or a list of these, each once; got"),
    ({"normalise": ["pmi", "pmi"]}, "normalise: it must be none, tokens, chars or pmi, or a list of these, each once"),
    ({"normalise": ["none", "pmi"]}, "normalise lists several rules, and there is no validation split to choose on"),
    ({"normalise": "pmi", "template": "{text}"}, "normalise: pmi compares with the cue alone, and none follows"),
    (
        {"kind": "text", "extract": "last_line"},
        "extract: it must be first_line, last_number, json, or a mapping with regex",
    ),
    ({"kind": "text", "extract": {"regex": "("}}, 'extract: "(" is no regular expression: missing )'),
    ({"extract": "json"}, "extract is for kind: text; remove it, or set kind: text"),
    ({"name": "a b"}, 'name is "a b"; it must be letters, digits, dots, hyphens and underscores'),
    (
        {"template": {"text": None}},
        'template is {"text": null}; it must be text (in quotes) that names columns',
    ),
    ({"template": "Hi"}, 'template "Hi" names no column; name one in braces, for example {text}'),
    ({"max_new_tokens": 0}, "max_new_tokens is 0; it must be the longest answer in tokens, 1 or more"),
    ({"version": "new"}, 'version is "new"; it must be a whole number, raised when the task changes'),
    ({"metrics": {"a": 1}}, 'metrics is {"a": 1}; it must be a list of metric names'),
    (
        {"choices": "yes"},
        "choices: it must be a list of labels, or a mapping of stored label to shown text; got",
    ),
    ({"choices": ["a", "b", "a"]}, 'choices: "a" is listed twice; name each choice once'),
    ({"choices": ["a", ""]}, "choices: a choice is empty; every choice needs text"),
    ({"choices": ["a", ["b"]]}, "choices: a choice is a list; it must be text"),
    ({"choices": ["a"]}, "choices has 1 entry; a choice needs two or more"),
    ({"choices": ["a", "b"], "choices_field": "c"}, "choices and choices_field are given; keep one of them"),
    (
        {"choices": {"a": "b", "c": "d"}, "choice_words": True},
        "choice_words has no effect where choices says",
    ),
    ({"answer_is": "index"}, "answer_is: index needs a list to count in; add choices, choices_file or"),
    ({"history": "txt"}, 'history names "txt" (did you mean "text"?); allowed, from the template: text'),
    (
        {"history": {"colum": "text"}},
        'unknown key "history.colum" (did you mean "column"?); allowed: column, separator',
    ),
    ({"history": {"column": "text", "separator": 3}}, "history.separator is 3; it must be text between two products"),
    ({"kind": "text", "history": "text"}, "history is for kind: choice; remove it, or set kind: choice"),
    ({"answers": ["a"]}, "the answer must come from either answer or answers; name a column, for example"),
    ({"answer": "", "answers": "a"}, "answers is for kind: text; use answer; a choice item has one answer"),
    (
        {"kind": "text", "choice_words": True},
        "choice_words is for kind: choice; remove it, or set kind: choice",
    ),
    ({"kind": "text", "answer_is": "index"}, "answer_is is for kind: choice; remove it, or set kind: choice"),
    (
        {"template": "{text} {label}"},
        "template names {label}, so the answer would stand in the question; take it",
    ),
    (
        {"query_template": "{label}"},
        "query_template names {label}, so the answer would stand in the question",
    ),
    (
        {"passage_template": "{txt}"},
        'passage_template names {txt} (did you mean "text"?); allowed: id, title, text',
    ),
    ({"passage_template": "{title}"}, "passage_template does not name {text}; add {text}"),
    ({"gold": "g"}, 'gold names "g", but there is no corpus; add corpus, or remove gold'),
    ({"corpus": {"id": "x"}}, 'missing key "corpus.path"; add it, for example path: corpus.jsonl'),
    ({"splits": {"train": "a.csv"}}, 'missing key "splits.test"; add it, for example test: test.jsonl'),
    (
        {"splits": {"tset": "a", "test": "b"}},
        'unknown key "splits.tset" (did you mean "test"?); allowed: train, ',
    ),
    (
        {"splits": {"test": {"pth": "a"}}},
        'unknown key "splits.test.pth" (did you mean "path"?); allowed: path, ',
    ),
    ({"splits": {"test": {}}}, f"splits.test {FILES}"),
    ({"splits": {"test": 3}}, "splits.test is 3; it must be a path, or a mapping with path"),
    ({"splits": {"test": {"path": "a", "from": "train"}}}, f"splits.test {FILES}"),
    (
        {"splits": {"test": {"path": "a", "where": "x"}}},
        "splits.test.where: it must be a mapping of column to value",
    ),
    (
        {"splits": {"test": {"path": "a", "size": 3}}},
        "splits.test.size is for splits carved from train; use sample",
    ),
    (
        {"splits": {"test": {"path": "a", "sample": 0}}},
        "splits.test.sample is 0; it must be a fixed sample of this",
    ),
    (
        {"splits": {"test": {"path": "a", "group_by": "x"}}},
        "splits.test.group_by is for kind: text; remove it",
    ),
    (
        {"splits": {"train": {"from": "train"}, "test": "a"}},
        "splits.train cannot be carved from train; give it a path",
    ),
    (
        {"splits": {"train": "a", "validation": {"from": "train"}, "test": "b"}},
        f"splits.validation is carved from train without a size; {CARVE}",
    ),
    (
        {"splits": {"train": "a", "validation": {"from": "train", "size": 3, "sample": 2}, "test": "b"}},
        "splits.validation is carved from train, so only from and size apply; remove the other keys",
    ),
    (
        {"splits": {"validation": {"from": "test", "size": 3}, "test": "b"}},
        'splits.validation.from is "test"; allowed: train',
    ),
    (
        {"splits": {"validation": {"from": "train", "size": 3}, "test": "b"}},
        "splits.validation is carved from train, which is not there; add splits.train",
    ),
    (
        {"hub": {"dataset": "o/n", "revision": SHA, "splits": {"test": "test"}}},
        "the data must come from either splits or hub; for example splits: {test: test.jsonl}",
    ),
    (
        {"hub": {"dataset": "o/n", "revision": "main", "splits": {"test": "test"}}},
        'hub.revision is "main"; it must be the full 40-digit commit hash of the data set\'s repository',
    ),
    (
        {"hub": {"dataset": "o/n"}},
        'missing key "hub.revision"; add it, for example revision: <40-digit commit hash>',
    ),
]


@pytest.mark.parametrize(("change", "line"), CASES)
def test_each_mistake_is_one_clear_line(problems: Callable[..., list[str]], change: dict[str, Any], line: str) -> None:
    assert any(found.startswith(f"toy/task.yaml: {line}") for found in problems(change)), problems(change)


@pytest.mark.parametrize("key", ["name", "kind", "template"])
def test_a_missing_key_is_shown_with_an_example(problems: Callable[..., list[str]], key: str) -> None:
    (line,) = problems(without=[key])
    assert line.startswith(f'toy/task.yaml: missing key "{key}"; add it, for example {key}: ')


@pytest.mark.parametrize("key", ["answer", "splits"])
def test_one_of_two_keys_is_needed(problems: Callable[..., list[str]], key: str) -> None:
    (line,) = problems(without=[key])
    assert "must come from either" in line


def test_all_mistakes_are_named_at_once(problems: Callable[..., list[str]]) -> None:
    lines = problems({"kind": "x", "stopp": "y", "max_new_tokens": -1, "splits": {"test": {"smple": 1}}})
    named = {re.search(r"(kind|stopp|max_new_tokens|splits\.test\.smple)", line)[0] for line in lines}  # type: ignore[index]
    assert named == {"kind", "stopp", "max_new_tokens", "splits.test.smple"}
    assert len(lines) == 4


def test_no_line_carries_a_control_character(problems: Callable[..., list[str]]) -> None:
    (line,) = problems({"kind": "\x1b[31m"})
    assert line.isprintable()


def keys_of(model: type[BaseModel]) -> set[str]:
    return {info.alias or name for name, info in model.model_fields.items()}


def test_the_reference_names_every_key_and_no_other() -> None:
    text = (ROOT / "docs" / "task-format.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))
    assert documented == keys_of(TaskSpec) | keys_of(Split) | keys_of(Corpus) | keys_of(Hub)


def test_the_page_of_judging_names_every_key_and_no_other() -> None:
    text = (ROOT / "docs" / "judging.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)) == keys_of(Judging)


EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "task-format.md").read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_reference_examples_are_right(make_task: Callable[..., Path], example: str) -> None:
    assert described(make_task, example).name


def test_the_reference_has_examples() -> None:
    assert len(EXAMPLES) == 5
