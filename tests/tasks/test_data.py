"""Rows become examples; each wrong cell is one line that names file, row and remedy."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tasks
from bench.core.spans import Span
from tasks.loader.read import read_task

Make = Callable[..., Path]
Find = Callable[..., list[str]]
TEXT: dict[str, Any] = {"kind": "text", "answer": "label"}


def jsonl(*rows: Mapping[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_choice_task(make_task: Make) -> None:
    task = tasks.load(make_task())
    assert [(e.fields, e.choices, e.references) for e in task.test] == [
        ({"text": "great"}, ("no", "yes"), ("yes",)),
        ({"text": "awful"}, ("no", "yes"), ("no",)),
    ]
    assert (len(task.train), len(task.validation), len(task.corpus)) == (4, 0, 0)
    assert task.prompt.ask(task.test[0]) == "Q: great\nA:"


def test_csv_jsonl_and_parquet_give_the_same_task(make_task: Make) -> None:
    folder = make_task()
    digests = {tasks.load(folder).digest}
    (folder / "test.csv").write_text("label,text,unused\nno,awful,1\nyes,great,2\n")
    make_task({"splits": {"train": "train.jsonl", "test": "test.csv"}})
    digests.add(tasks.load(folder).digest)
    pq.write_table(pa.table({"text": ["great", "awful"], "label": ["yes", "no"]}), folder / "test.parquet")
    make_task({"splits": {"train": "train.jsonl", "test": "test.parquet"}})
    digests.add(tasks.load(folder).digest)
    assert len(digests) == 1


def test_only_columns_of_the_templates_become_fields(make_task: Make) -> None:
    rows = jsonl({"text": "a", "topic": "t", "label": "yes", "secret": "s"})
    task = tasks.load(make_task({"query_template": "{topic}"}, {"test.jsonl": rows, "train.jsonl": TRAIN_TOPICS}))
    assert task.test[0].fields == {"text": "a", "topic": "t"}


TRAIN_TOPICS = jsonl({"text": "b", "topic": "t", "label": "no"}, {"text": "c", "topic": "t", "label": "yes"})


@pytest.mark.parametrize(
    ("spec", "files", "expected"),
    [
        ({"choices": ["yes", "no"]}, {}, ("yes", "no")),
        ({"choices": {"yes": "good thing", "no": "bad thing"}}, {}, ("good thing", "bad thing")),
        ({"choices_file": "c.txt"}, {"c.txt": "yes\n\nno\n"}, ("yes", "no")),
        ({"choices_file": "c.json"}, {"c.json": '["no", "yes"]'}, ("no", "yes")),
        ({"choices_file": "c.json"}, {"c.json": '{"yes": "Y", "no": "N"}'}, ("Y", "N")),
    ],
)
def test_where_choices_come_from(
    make_task: Make, spec: dict[str, Any], files: dict[str, str], expected: tuple[str, ...]
) -> None:
    task = tasks.load(make_task(spec, files))
    assert {example.choices for example in (*task.train, *task.test)} == {expected}
    yes = expected[0] if expected != ("no", "yes") else "yes"
    assert task.test[0].references == (yes,)


def test_choices_derived_from_train_are_noted(make_task: Make) -> None:
    assert read_task(make_task()).notes[0] == "choices: the 2 labels that occur in train, sorted"
    assert not any("choices" in note for note in read_task(make_task({"choices": ["yes", "no"]})).notes)


def test_choice_words(make_task: Make) -> None:
    train = jsonl({"text": "a", "label": "card_arrival"}, {"text": "b", "label": "top-up_failed"})
    test = jsonl({"text": "c", "label": "top-up_failed"})
    task = tasks.load(make_task({"choice_words": True}, {"train.jsonl": train, "test.jsonl": test}))
    assert task.test[0].choices == ("card arrival", "top up failed")
    assert task.test[0].references == ("top up failed",)


@pytest.mark.parametrize(
    ("answer_is", "answer", "right"),
    [("text", "two", "two"), ("index", 1, "two"), ("index", "0", "one"), ("index", 2.0, "three")],
)
def test_choices_of_each_item(make_task: Make, answer_is: str, answer: Any, right: str) -> None:
    spec = {"choices_field": "options", "answer_is": answer_is, "splits": {"test": "test.jsonl"}}
    rows = jsonl({"text": "a", "options": ["one", "two", "three"], "label": answer})
    (example,) = tasks.load(make_task(spec, {"test.jsonl": rows})).test
    assert (example.choices, example.references) == (("one", "two", "three"), (right,))


def test_choices_of_each_item_in_a_csv_cell(make_task: Make) -> None:
    spec = {"choices_field": "options", "splits": {"test": "test.csv"}, "template": "{text} {choices}:"}
    task = tasks.load(make_task(spec, {"test.csv": 'text,options,label\na,"[""x"", ""y z""]",y z\n'}))
    assert task.prompt.ask(task.test[0]) == "a x; y z:"
    assert task.test[0].references == ("y z",)


def test_index_into_shared_choices(make_task: Make) -> None:
    rows = jsonl({"text": "a", "label": 1})
    spec = {"choices": ["no", "yes"], "answer_is": "index", "splits": {"test": "test.jsonl"}}
    assert tasks.load(make_task(spec, {"test.jsonl": rows})).test[0].references == ("yes",)


def test_several_references(make_task: Make) -> None:
    rows = jsonl({"text": "a", "label": [" x ", "y", "x"]}, {"text": "b", "label": "z"})
    task = tasks.load(make_task({**TEXT, "splits": {"test": "test.jsonl"}}, {"test.jsonl": rows}))
    assert [example.references for example in task.test] == [("x", "y"), ("z",)]


def test_references_in_several_columns(make_task: Make) -> None:
    files = {"test.csv": "text,short,long\na,x,xx\nb,,yy\n"}
    spec = {"kind": "text", "answers": ["short", "long"], "splits": {"test": "test.csv"}}
    task = tasks.load(make_task(spec, files, without=["answer"]))
    assert [example.references for example in task.test] == [("x", "xx"), ("yy",)]


def test_group_by_gathers_references_in_order(make_task: Make) -> None:
    files = {"test.csv": "text,label\na,x\nb,z\na,y\na,x\n"}
    spec = {**TEXT, "splits": {"test": {"path": "test.csv", "group_by": "text"}}}
    task = tasks.load(make_task(spec, files))
    assert [(e.fields["text"], e.references) for e in task.test] == [("a", ("x", "y")), ("b", ("z",))]


def test_where_picks_rows_of_one_file(make_task: Make) -> None:
    files = {"all.csv": "text,label,split\na,yes,train\nb,no,train\nc,yes,test\nd,no,extra\n"}
    splits = {
        "train": {"path": "all.csv", "where": {"split": "train"}},
        "test": {"path": "all.csv", "where": {"split": ["test", "extra"]}},
    }
    task = tasks.load(make_task({"splits": splits}, files))
    assert [example.fields["text"] for example in (*task.train, *task.test)] == ["a", "b", "c", "d"]


def test_corpus_and_gold(make_task: Make) -> None:
    spec = {
        **TEXT,
        "corpus": {"path": "c.jsonl", "title": "head"},
        "gold": "gold",
        "splits": {"test": "test.jsonl"},
    }
    files = {
        "c.jsonl": jsonl({"id": 1, "text": "one", "head": "T"}, {"id": "2", "text": "two", "head": None}),
        "test.jsonl": jsonl(
            {"text": "a", "label": "x", "gold": [1, "2", 1]},
            {"text": "b", "label": "x", "gold": '["2"]'},
            {"text": "c", "label": "x", "gold": "2"},
            {"text": "d", "label": "x", "gold": []},
            {"text": "e", "label": "x", "gold": None},
        ),
    }
    task = tasks.load(make_task(spec, files))
    assert [(p.id, p.title, p.text) for p in task.corpus] == [("1", "T", "one"), ("2", "", "two")]
    assert [example.gold for example in task.test] == [("1", "2"), ("2",), ("2",), (), ()]


SPANS = {**TEXT, "corpus": "c.jsonl", "gold": "gold"}
CORPUS = {"c.jsonl": jsonl({"id": "1", "text": "Ten characters."}, {"id": "2", "text": "x"})}


def test_gold_may_be_spans_of_documents(make_task: Make) -> None:
    span = {"document": "1", "start": 0, "end": 15}
    rows = [("a", span), ("b", [span, "2", span]), ("c", json.dumps(span)), ("d", json.dumps([span, "2"]))]
    files = {**CORPUS, "test.jsonl": jsonl(*({"text": text, "label": "x", "gold": gold} for text, gold in rows))}
    task = tasks.load(make_task(SPANS, files))
    gold = Span("1", 0, 15)
    assert [example.gold for example in task.test] == [(gold,), (gold, "2"), (gold,), (gold, "2")]
    moved = {**files, "test.jsonl": files["test.jsonl"].replace("15", "14")}
    assert tasks.load(make_task(SPANS, moved)).digest != task.digest


@pytest.mark.parametrize(
    ("gold", "line"),
    [
        ({"document": "1", "start": 0, "end": 16}, 'a gold span ends at character 16 of "1", which has 15; correct'),
        ({"document": "3", "start": 0, "end": 1}, 'gold passage "3" is not in the corpus; correct the id'),
        ({"document": "1", "start": 5, "end": 5}, 'column "gold" holds a span from "5" to "5", where 0 <= start < end'),
        ("[" * 100_000, 'column "gold" holds no list, and no span'),
        ({"document": "1", "start": -1, "end": 5}, 'a span from "-1" to "5", where 0 <= start < end in characters'),
        ({"document": "1", "start": "0", "end": 5}, "where 0 <= start < end in characters"),
        ({"id": "1", "start": 0, "end": 5}, "where a span has document, start and end"),
        ('{"document": ', "no list, and no span"),
        (["1", ""], "a list with an empty entry"),
    ],
)
def test_a_wrong_span_is_one_line(problems: Callable[..., list[str]], gold: object, line: str) -> None:
    (found,) = problems(SPANS, {**CORPUS, "test.jsonl": jsonl({"text": "a", "label": "x", "gold": gold})})
    assert found.startswith("toy/test.jsonl:1: ")
    assert line in found


def test_gold_is_optional_in_train(make_task: Make) -> None:
    spec = {**TEXT, "corpus": "c.jsonl", "gold": "gold"}
    files = {
        "c.jsonl": jsonl({"id": "1", "text": "p"}),
        "test.jsonl": jsonl({"text": "a", "label": "b", "gold": "1"}),
    }
    assert {example.gold for example in tasks.load(make_task(spec, files)).train} == {()}


def test_environment_variables_in_paths(make_task: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "t.jsonl").write_text(jsonl({"text": "new", "label": "yes"}))
    monkeypatch.setenv("TOY_DATA", str(tmp_path / "elsewhere"))
    spec = {"splits": {"train": "train.jsonl", "test": "${TOY_DATA}/t.jsonl"}}
    assert tasks.load(make_task(spec)).test[0].fields == {"text": "new"}


def test_an_unset_variable_is_one_line(problems: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOY_DATA", raising=False)
    assert problems({"splits": {"train": "${TOY_DATA}/a/x.csv", "test": "${TOY_DATA}/b.csv"}}) == [
        "toy/task.yaml: the environment variable TOY_DATA is not set; "
        "set it to the folder that holds a/x.csv, b.csv: export TOY_DATA=/path/to/folder"
    ]


YES_NO = "correct it, or the choices; allowed: no, yes"
CASES: list[tuple[dict[str, Any], dict[str, str], str]] = [
    (
        {"template": "{txt}"},
        {},
        'toy/train.jsonl: no column "txt" (did you mean "text"?), which the template names; '
        "correct one of them; columns: text, label",
    ),
    (
        {"splits": {"train": "train.jsonl", "test": {"path": "a.csv", "delimiter": ","}}},
        {"a.csv": "text;label\na;b\n"},
        'toy/a.csv: no column "text" (did you mean "text;label"?), which the template names; '
        "set the split's delimiter; columns: text;label",
    ),
    (
        {"answer": "lable", "choices": ["a", "b"]},
        {},
        'toy/test.jsonl: no column "lable" (did you mean "label"?), ',
    ),
    (
        {"splits": {"train": "train.jsonl", "test": "tset.jsonl"}},
        {},
        'toy/tset.jsonl: no such file (did you mean "test.jsonl"?); correct the path or put the file there',
    ),
    ({}, {"train.jsonl": ""}, "toy/train.jsonl: no rows: the split is empty; add rows, or remove the split"),
    ({}, {"test.jsonl": "\n"}, "toy/test.jsonl: no rows: the split is empty; add rows, or remove the split"),
    (
        {},
        {"test.jsonl": jsonl({"text": "a", "label": "yes"}, {"text": " ", "label": "no"})},
        'toy/test.jsonl:2: column "text" is empty; fill it in or remove the row',
    ),
    (
        {},
        {"test.jsonl": jsonl({"text": "a", "label": None})},
        'toy/test.jsonl:1: column "label" is empty; fill it in or remove the row',
    ),
    (
        {},
        {"test.jsonl": jsonl({"text": ["a"], "label": "yes"})},
        'toy/test.jsonl:1: column "text" holds a list; write plain text',
    ),
    (
        {},
        {"test.jsonl": jsonl({"text": "a", "label": "yess"}, {"text": "b", "label": "yess"})},
        'toy/test.jsonl:1: "yess" in column "label" is not among the 2 choices (did you mean "yes"?) '
        f"(also row 2); {YES_NO}",
    ),
    (
        {},
        {"test.jsonl": jsonl({"id": 7, "text": "a", "label": "yes"}, {"id": "7", "text": "b", "label": "no"})},
        'toy/test.jsonl:2: id "7" stands twice; make ids unique',
    ),
    (
        {},
        {"test.jsonl": jsonl({"id": "", "text": "a", "label": "yes"})},
        'toy/test.jsonl:1: column "id" is empty; fill it in or remove the row',
    ),
    (
        {},
        {"test.jsonl": jsonl({"text": "new", "label": "yes"}, {"text": "bad", "label": "yes"})},
        "toy/test.jsonl:2: 1 test item also stands in train (row 2 = toy/train.jsonl:2); "
        "remove them, or set allow_overlap: true where the published split has them",
    ),
    (
        {"choice_words": True},
        {"train.jsonl": jsonl({"text": "x", "label": "a_b"}, {"text": "y", "label": "a-b"})},
        'toy/task.yaml: a-b, a_b are both shown as "a b"; show each choice differently: choices: {stored: shown}',
    ),
    (
        {"choices": ["track", "track\u200b", "Cancel", "cancel"]},
        {},
        "toy/task.yaml: track, track\\u200b look alike; show each choice differently: choices: {stored: shown}",
    ),
    ({"choices": ["Cancel", "cancel", "no"]}, {}, "toy/task.yaml: Cancel, cancel look alike; "),
    ({"choices": ["\uff21", "A", "no"]}, {}, "toy/task.yaml: \uff21, A look alike; "),  # full width
    ({"choices": ["caf\u00e9", "cafe\u0301"]}, {}, "toy/task.yaml: caf\\xe9, cafe\\u0301 look alike; "),
    (
        {},
        {"test.jsonl": jsonl({"text": "a", "label": {"text": ["yes"], "start": [0]}})},
        'toy/test.jsonl:1: column "label" holds an object with the fields text, start; '
        'name one of them, such as "label.text"',
    ),
    (
        {},
        {"train.jsonl": jsonl({"text": "x", "label": "yes"})},
        'toy/train.jsonl: 1 distinct label in column "label"; a choice needs two or more: add choices',
    ),
    (
        {"splits": {"test": "test.jsonl"}},
        {},
        "toy/task.yaml: no choices, and no train split to take them from; add choices",
    ),
    (
        {"choices_file": "c.txt"},
        {},
        "toy/c.txt: no such file, which choices_file names; correct the path or put",
    ),
    ({"choices_file": "c.txt"}, {"c.txt": "yes\n"}, "toy/c.txt: 1 choices; a choice needs two or more"),
    ({"choices_file": "c.txt"}, {"c.txt": "[1"}, "toy/c.txt: no list of choices ("),
    ({"choices_file": "c.txt"}, {"c.txt": "[" * 100_000}, "toy/c.txt: no list of choices (nested too deep)"),
    (
        {"choices_field": "label"},
        {},
        'toy/train.jsonl:1: column "label" holds no list (also rows 2, 3, 4); '
        'write a list of texts, in a CSV file as JSON: ["a", "b"]',
    ),
    (
        {"choices_field": "o", "splits": {"test": "test.jsonl"}},
        {"test.jsonl": jsonl({"text": "a", "o": ["yes"], "label": "yes"})},
        'toy/test.jsonl:1: fewer than two choices in column "o"; a choice needs two or more',
    ),
    (
        {"choices_field": "o", "splits": {"test": "test.jsonl"}},
        {"test.jsonl": jsonl({"text": "a", "o": ["yes", "yes "], "label": "yes"})},
        'toy/test.jsonl:1: the choices in column "o" are not distinct as shown; make them differ',
    ),
    (
        {"choices_field": "o", "answer_is": "index", "splits": {"test": "test.jsonl"}},
        {"test.jsonl": jsonl({"text": "a", "o": ["x", "y"], "label": 2})},
        'toy/test.jsonl:1: "2" in column "label" is no index of 2 choices; count from 0 to 1, or set answer_is: text',
    ),
    (
        {**TEXT, "stop": ["\n", "END"]},
        {"test.jsonl": jsonl({"text": "a", "label": ["fine", "the END"]})},
        'toy/test.jsonl:1: a reference holds the stop text "END", so it can never be generated; '
        "change stop, or the reference",
    ),
    (
        TEXT,
        {"test.jsonl": jsonl({"text": "a", "label": []})},
        'toy/test.jsonl:1: column "label" is empty; fill it in or remove the row',
    ),
    (
        {**TEXT, "template": "{text} {n}", "splits": {"test": {"path": "test.jsonl", "group_by": "text"}}},
        {"test.jsonl": jsonl({"text": "a", "n": 1, "label": "x"}, {"text": "a", "n": 2, "label": "y"})},
        'toy/test.jsonl:2: the rows of one "text" differ in a column that the template shows; '
        "group by a column that decides the question",
    ),
    (
        {**TEXT, "corpus": "c.jsonl", "gold": "g"},
        {
            "c.jsonl": jsonl({"id": "1", "text": "p"}),
            "test.jsonl": jsonl({"text": "a", "label": "x", "g": ["1", "9"]}),
        },
        'toy/test.jsonl:1: gold passage "9" is not in the corpus; correct the id, or add the passage',
    ),
    (
        {**TEXT, "corpus": "c.jsonl", "gold": "g"},
        {"c.jsonl": jsonl({"id": "1", "text": "p"})},
        'toy/test.jsonl: no column "g", which gold names; correct one of them; columns: text, label',
    ),
    (
        {**TEXT, "corpus": "c.jsonl"},
        {"c.jsonl": jsonl({"id": "1", "text": "p"}, {"id": "1", "text": "q"})},
        'toy/c.jsonl:2: passage id "1" stands twice; make ids unique',
    ),
    (
        {**TEXT, "corpus": "c.jsonl"},
        {"c.jsonl": jsonl({"id": "1", "text": ""})},
        'toy/c.jsonl:1: column "text" is empty; fill it in or remove the row',
    ),
    (
        {**TEXT, "corpus": "c.jsonl"},
        {"c.jsonl": ""},
        "toy/c.jsonl: no rows: the corpus is empty; add passages, or",
    ),
    (
        {**TEXT, "corpus": {"path": "c.jsonl", "title": "ttle"}},
        {"c.jsonl": jsonl({"id": "1", "text": "p", "title": "t"})},
        'toy/c.jsonl: no column "ttle" (did you mean "title"?), which corpus.title names; ',
    ),
    (
        {"splits": {"train": "train.jsonl", "test": {"path": "test.jsonl", "where": {"label": "maybe"}}}},
        {},
        "toy/test.jsonl: no row has label = maybe; correct where",
    ),
    (
        {"splits": {"train": "train.jsonl", "test": {"path": "test.jsonl", "where": {"lable": "yes"}}}},
        {},
        'toy/test.jsonl: no column "lable" (did you mean "label"?), which where names; ',
    ),
    (
        {
            "splits": {
                "train": "train.jsonl",
                "validation": {"from": "train", "size": 4},
                "test": "test.jsonl",
            }
        },
        {},
        "toy/task.yaml: splits.validation cannot take 4 of 4 train items and leave some; change size",
    ),
]


@pytest.mark.parametrize(("spec", "files", "line"), CASES)
def test_each_wrong_thing_is_one_clear_line(
    problems: Find, spec: dict[str, Any], files: dict[str, str], line: str
) -> None:
    found = problems(spec, files)
    assert any(one.startswith(line) for one in found), found


@pytest.mark.parametrize("name", ["train.jsonl", "test.jsonl", "c.jsonl"])
def test_an_empty_file_is_said_once(problems: Find, name: str) -> None:
    files = {"c.jsonl": jsonl({"id": "1", "text": "p"}), name: ""}
    (line,) = problems({"corpus": "c.jsonl"}, files)
    assert line.startswith(f"toy/{name}: no rows: the ")


def test_a_file_of_many_wrongs_names_them_all(problems: Find) -> None:
    rows = jsonl(
        {"id": 1, "text": "", "label": "yes"},
        {"id": 2, "text": "b", "label": "maybe"},
        {"id": 2, "text": "c", "label": "no"},
        {"id": 2, "text": "d", "label": "no"},
        {"id": 4, "text": "bad", "label": "no"},
    )
    lines = problems(files={"test.jsonl": rows, "train.jsonl": TRAIN_JSONL + "oops\n"})
    assert [line.split(";")[0].split(" (")[0] for line in lines] == [
        "toy/train.jsonl:3: not JSON",
        'toy/test.jsonl:1: column "text" is empty',
        'toy/test.jsonl:2: "maybe" in column "label" is not among the 2 choices',
        'toy/test.jsonl:4: id "2" stands twice',
        "toy/test.jsonl:5: 1 test item also stands in train",
    ]


TRAIN_JSONL = jsonl({"text": "bad", "label": "no"}, {"text": "good", "label": "yes"})


def test_a_wrong_answer_column_is_reported_quickly_and_capped(problems: Find) -> None:
    rows = jsonl(*({"text": f"t{n}", "label": f"wrong {n}"} for n in range(500)))
    lines = problems({"choices": ["yes", "no"], "splits": {"test": "test.jsonl"}}, {"test.jsonl": rows})
    assert len(lines) == 21
    assert lines[-1] == "(+480 more)"


LEAK = jsonl({"text": "good", "label": "yes"}, *({"text": f"t{n}", "label": "yes"} for n in range(4)))


def test_leaks_are_counted_and_the_first_three_named(problems: Find) -> None:
    train = LEAK + jsonl({"text": "else", "label": "no"})
    (line,) = problems(files={"train.jsonl": train, "test.jsonl": LEAK.replace("good", "new")})
    assert line.startswith(
        "toy/test.jsonl:2: 4 test items also stand in train (row 2 = toy/train.jsonl:2, "
        "row 3 = toy/train.jsonl:3, row 4 = toy/train.jsonl:4, …); remove them"
    )


def test_a_published_leak_is_a_warning(make_task: Make) -> None:
    train = LEAK + jsonl({"text": "else", "label": "no"})
    loaded = read_task(make_task({"allow_overlap": True}, {"train.jsonl": train, "test.jsonl": LEAK}))
    (warning,) = loaded.warnings
    assert warning.startswith("toy/test.jsonl:1: 5 test items also stand in train (row 1 = toy/train.jsonl:1, ")
    assert len(loaded.task.test) == 5


def test_a_leak_into_validation_is_found_and_train_validation_is_a_warning(make_task: Make, problems: Find) -> None:
    splits = {"train": "train.jsonl", "validation": "v.jsonl", "test": "test.jsonl"}
    (line,) = problems({"splits": splits}, {"v.jsonl": jsonl({"text": "great", "label": "yes"})})
    assert line.startswith("toy/test.jsonl:1: 1 test item also stands in validation (row 1 = toy/v.jsonl:1)")
    loaded = read_task(make_task({"splits": splits}, {"v.jsonl": jsonl({"text": "fine", "label": "yes"})}))
    assert loaded.warnings == ("toy/v.jsonl:1: 1 validation item also stands in train (row 1 = toy/train.jsonl:3)",)


def test_the_same_words_with_other_choices_are_no_leak(make_task: Make) -> None:
    files = {
        "train.jsonl": jsonl({"text": "pick", "o": ["a", "b"], "label": "a"}),
        "test.jsonl": jsonl({"text": "pick", "o": ["c", "d"], "label": "c"}),
    }
    spec = {"choices_field": "o", "template": "{text} {choices}:"}
    assert len(tasks.load(make_task(spec, files)).test) == 1
