"""`adaptbench init`: a table becomes a task that passes check, and what was guessed is said."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import tasks
from bench.authoring.check import report
from bench.authoring.init import init
from bench.config import assumptions
from bench.config import suite as suites
from bench.config.suite import labelled_methods
from bench.config.suite import load as load_suite
from bench.core.errors import TaskError, UsageError
from bench.core.task import Task
from tests.pictures import png

SIMILAR = "few-shot (k=4, select=similar)"
TICKETS = "text,team\n" + "".join(f"ticket number {n},{('billing', 'tech_help')[n % 2]}\n" for n in range(20))


def made(tmp_path: Path, name: str, content: str, **options: Any) -> tuple[Task, list[str]]:
    """(the task that `init` makes of a file with this content, what it said); the task passes check."""
    (tmp_path / name).write_text(content, encoding="utf-8")
    notes = init(tmp_path / name, tmp_path / "out", **options)
    assert report(tmp_path / "out")[1] == []
    return tasks.load(tmp_path / "out"), notes


def jsonl(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_csv_of_labelled_texts(tmp_path: Path) -> None:
    task, notes = made(tmp_path, "tickets.csv", TICKETS)
    assert (task.kind, len(task.train), len(task.validation), len(task.test)) == ("choice", 14, 2, 4)
    assert task.test[0].choices == ("billing", "tech help")
    assert task.prompt.template == "Text: {text}\nLabel:"
    assert notes == [
        'answer: column "team" (guessed; change it with --answer)',
        'question: column "text" (guessed; change it with --question)',
        "kind: choice, from 2 distinct answers in 20 rows (guessed; change it with --kind)",
        "rows: train 14, validation 2, test 4 (test and validation taken out by hash of the question)",
        "choice_words: labels are shown with spaces for underscores and hyphens",
        'instruction: "Classify the text. Answer with the label alone. The labels …" (drafted; edit it in task.yaml)',
        # by hand: with 4 items McNemar's smallest two-sided p is 2 × 0.5⁴ = 0.125, so nothing can be found
        "test items: 4, too few to tell anything; one of 0.10 takes about 249 "
        "(assumed: two methods differ on 30% of the items or more; power 80%)",
        f"wrote {tmp_path / 'out'}: train.jsonl, validation.jsonl, test.jsonl, task.yaml",
        f"wrote {tmp_path / 'out.suite.yaml'}",
        f"next: adaptbench run {tmp_path / 'out.suite.yaml'}",
    ]


def test_the_starter_suite_can_be_read(tmp_path: Path) -> None:
    made(tmp_path, "tickets.csv", TICKETS)
    suite = load_suite(tmp_path / "out.suite.yaml")
    assert list(labelled_methods(suite)) == ["zero-shot", "few-shot (k=4)", SIMILAR, "lora", "full"]
    assert (suite.seeds, suite.probes, suite.models[0].path) == ([0, 1, 2], ["world-facts", "reading"], "mini")
    assert "`adaptbench fetch smollm2` brings a real small model" in (tmp_path / "out.suite.yaml").read_text()


def test_every_key_of_decide_that_the_suite_explains_may_be_set(tmp_path: Path) -> None:
    made(tmp_path, "tickets.csv", TICKETS)
    text = (tmp_path / "out.suite.yaml").read_text()
    head, block = text.split("decide:")
    opened = yaml.safe_load("decide:" + block.replace("\n  # ", "\n  "))["decide"]
    assert text.count("\n  # ") - head.count("\n  # ") == len(opened) - 3  # all but three are set by taking a sign away
    assert assumptions.read(opened, "decide").require.quality == 0.8
    assert yaml.safe_load(head)["tasks"] == ["./out"]


def test_the_split_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    header, *lines = TICKETS.splitlines()
    first, _ = made(tmp_path, "a.csv", TICKETS)
    (tmp_path / "b.csv").write_text("\n".join([header, *lines[::-1]]))
    init(tmp_path / "b.csv", tmp_path / "other")
    assert tasks.load(tmp_path / "other").digest == first.digest


def test_free_answers_make_a_text_task(tmp_path: Path) -> None:
    rows = [{"question": f"what is {n}?", "answer": f"it is number {n}"} for n in range(10)]
    task, notes = made(tmp_path, "qa.jsonl", jsonl(rows))
    assert (task.kind, task.stop, task.max_new_tokens) == ("text", ("\n",), 32)
    assert task.prompt.template == "Question: {question}\nAnswer:"
    assert "max_new_tokens: 32, from the longest answer of 14 characters" in notes
    assert 'stop: "\\n", which no answer holds' in notes


@pytest.mark.parametrize(("answer", "stop"), [("a\nb", ("\n\n",)), ("a\n\nb", ())])
def test_stop_texts_stand_in_no_answer(tmp_path: Path, answer: str, stop: tuple[str, ...]) -> None:
    rows = [{"question": f"q{n}", "answer": f"{n} {answer}"} for n in range(5)]
    task, _ = made(tmp_path, "qa.jsonl", jsonl(rows))
    assert task.stop == stop


def test_lists_of_answers_are_references(tmp_path: Path) -> None:
    rows = [{"id": n, "question": f"q{n}", "answers": ["yes", f"y{n}"]} for n in range(9)]
    task, _ = made(tmp_path, "qa.jsonl", jsonl(rows))
    assert task.kind == "text"
    assert {len(example.references) for example in task.test} == {2}
    assert {example.id.split("/")[1] for example in task.test} <= {str(n) for n in range(9)}


def test_repeated_questions_of_a_text_task_become_one_item(tmp_path: Path) -> None:
    rows = [{"mr": f"m{n // 3}", "ref": f"answer {n}"} for n in range(60)]
    task, notes = made(tmp_path, "e2e.jsonl", jsonl(rows))
    assert (len(task.train), len(task.validation), len(task.test)) == (42, 2, 4)
    assert {len(example.references) for example in task.test} == {3}
    assert 'test: rows with the same "mr" are one item with several references' in notes


@pytest.mark.parametrize("by_index", [True, False])
def test_choices_of_each_item(tmp_path: Path, by_index: bool) -> None:
    rows = [
        {"question": f"q{n}", "options": [f"a{n}", f"b{n}"], "answer": n % 2 if by_index else f"a{n}"}
        for n in range(10)
    ]
    task, notes = made(tmp_path, "mc.jsonl", jsonl(rows))
    assert task.kind == "choice"
    assert all(e.references[0] in e.choices and len(e.choices) == 2 for e in (*task.train, *task.test))
    assert 'kind: choice, from the lists in column "options" (guessed; change it with --kind)' in notes


def test_many_labels_go_into_a_file(tmp_path: Path) -> None:
    rows = [{"text": f"t{n}", "label": f"l{n % 25:02}"} for n in range(100)]
    task, _ = made(tmp_path, "many.jsonl", jsonl(rows))
    assert json.loads((tmp_path / "out" / "choices.json").read_text()) == [f"l{n:02}" for n in range(25)]
    assert len(task.test[0].choices) == 25


def test_parquet(tmp_path: Path) -> None:
    table = pa.table({"sentence": [f"s{n}" for n in range(12)], "label": [n % 2 for n in range(12)]})
    pq.write_table(table, tmp_path / "a.parquet")
    init(tmp_path / "a.parquet", tmp_path / "out")
    assert report(tmp_path / "out")[1] == []
    assert tasks.load(tmp_path / "out").test[0].choices == ("0", "1")


def test_decimals_of_a_parquet_file(tmp_path: Path) -> None:
    amounts = [Decimal("0E-8"), Decimal("1.00000000")] * 10
    table = pa.table({"text": [f"t{n}" for n in range(20)], "label": pa.array(amounts, pa.decimal128(10, 8))})
    pq.write_table(table, tmp_path / "a.parquet")
    init(tmp_path / "a.parquet", tmp_path / "out")
    assert report(tmp_path / "out")[1] == []
    assert tasks.load(tmp_path / "out").test[0].choices == ("0.00000000", "1.00000000")


@pytest.mark.parametrize("labels", [("-1", "0"), ("A-", "A"), ("1-2", "3-4"), ("C++", "C_")], ids=str)
def test_labels_that_words_would_change_stay_as_they_are(tmp_path: Path, labels: tuple[str, str]) -> None:
    rows = [{"text": f"t{n}", "label": labels[n % 2]} for n in range(20)]
    task, _ = made(tmp_path, "a.jsonl", jsonl(rows))
    assert task.test[0].choices == tuple(sorted(labels))


def test_the_instruction_lists_up_to_forty_labels(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    task, _ = made(tmp_path / "few", "a.csv", TICKETS)
    assert task.prompt.instruction.endswith("The labels are: billing; tech help.")
    (tmp_path / "many").mkdir()
    rows = [{"text": f"t{n}", "label": f"l{n % 41:02}"} for n in range(164)]
    task, _ = made(tmp_path / "many", "a.jsonl", jsonl(rows))
    assert task.prompt.instruction == "Classify the text. Answer with the label alone."


def test_labels_that_look_alike_are_said_and_refused_by_check(tmp_path: Path) -> None:
    rows = [{"text": f"t{n}", "label": ("Cancel", "cancel", "keep")[n % 3]} for n in range(30)]
    (tmp_path / "a.jsonl").write_text(jsonl(rows))
    notes = init(tmp_path / "a.jsonl", tmp_path / "out")
    assert "labels look alike: 'Cancel', 'cancel'; merge them in the data" in notes
    assert any("Cancel, cancel look alike" in line for line in report(tmp_path / "out")[1])


@pytest.mark.parametrize("lists", ["of fields", "of objects"])  # as `datasets` and as the original files have them
def test_answers_as_squad_holds_them(tmp_path: Path, lists: str) -> None:
    fields = [{"text": [f"a{n}", f"b{n}"], "answer_start": [1, 5]} for n in range(12)]
    objects = [[{"text": f"a{n}", "answer_start": 1}, {"text": f"b{n}", "answer_start": 5}] for n in range(12)]
    answers = fields if lists == "of fields" else objects
    rows = [{"question": f"q{n}", "answers": answers[n]} for n in range(12)]
    task, _ = made(tmp_path, "a.jsonl", jsonl(rows))
    assert task.kind == "text"
    for example in task.test:
        number = example.fields["question"][1:]
        assert example.references == (f"a{number}", f"b{number}")
    with pytest.raises(UsageError, match=r"holds objects; name one of their fields: answers\.text, answers\.answer"):
        init(tmp_path / "a.jsonl", tmp_path / "other", answer="answers")


def test_a_question_is_shown_with_its_passage(tmp_path: Path) -> None:
    rows = [
        {"title": "boxes", "context": f"In box {n} lies stone {n}.", "question": "Which stone?", "answer": f"stone {n}"}
        for n in range(12)
    ]
    task, notes = made(tmp_path, "a.jsonl", jsonl(rows * 2))
    assert task.prompt.template == "Context: {context}\nQuestion: {question}\nAnswer:"
    stones = {example.references for split in (task.train, task.validation, task.test) for example in split}
    assert stones == {(row["answer"],) for row in rows}  # one question, twelve items
    reading = "stands in the prompt, as a reading task (guessed; --retrieve makes it documents to search)"
    assert f'passage: column "context" {reading}' in notes
    assert 'not in the prompt: "title"; add to the template what answers need' in notes


def test_a_column_that_lacks_passages_in_places_is_not_shown(tmp_path: Path) -> None:
    rows = [{"context": f"c{n}" if n else "", "question": f"q{n}", "answer": f"a{n}"} for n in range(12)]
    task, notes = made(tmp_path, "a.jsonl", jsonl(rows))
    assert task.prompt.template == "Question: {question}\nAnswer:"
    assert 'not in the prompt: "context"; add to the template what answers need' in notes


@pytest.mark.parametrize("lists", ["of fields", "of objects"])
def test_choices_as_arc_holds_them(tmp_path: Path, lists: str) -> None:
    fields = [{"text": [f"a{n}", f"b{n}"], "label": ["A", "B"]} for n in range(12)]
    objects = [[{"text": f"a{n}", "label": "A"}, {"text": f"b{n}", "label": "B"}] for n in range(12)]
    choices = fields if lists == "of fields" else objects
    rows = [{"question": f"q{n}", "choices": choices[n], "answerKey": "AB"[n % 2]} for n in range(12)]
    task, _ = made(tmp_path, "a.jsonl", jsonl(rows))
    for example in task.test:
        number = example.fields["question"][1:]
        assert example.choices == (f"a{number}", f"b{number}")
        assert example.references == ((f"a{number}", f"b{number}")[int(number) % 2],)
    assert task.prompt.template == "Question: {question}\nChoices: {choices}\nAnswer:"


def test_given_columns_and_kind_are_taken(tmp_path: Path) -> None:
    content = "text,label,body\n" + "".join(f"t{n},l{n % 2},b{n}\n" for n in range(12))
    task, notes = made(tmp_path, "a.csv", content, question="body", answer="text", kind="text")
    assert (task.kind, task.prompt.template) == ("text", "Body: {body}\nAnswer:")
    assert not [note for note in notes if "guessed" in note]


def test_unusable_rows_and_ids_are_left_out_and_said(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": 1, "text": f"t{n}", "label": f"l{n % 2}"} for n in range(12)]
    rows += [{"id": 2, "text": "", "label": "l1"}, {"id": 3, "text": "x", "label": None}, {"text": ["x"]}]
    task, notes = made(tmp_path, "a.jsonl", jsonl(rows))
    assert len(task.train) + len(task.validation) + len(task.test) == 12
    assert "rows left out for want of a usable question or answer: 3" in notes
    assert 'left out the column "id": it is empty or repeated in places' in notes


def test_a_list_is_no_answer_of_a_choice_task(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": f"t{n}", "label": f"l{n % 2}"} for n in range(12)]
    _, notes = made(tmp_path, "a.jsonl", jsonl([*rows, {"text": "x", "label": ["l0"]}]), kind="choice")
    assert "rows left out for want of a usable question or answer: 1" in notes


def test_a_folder_of_split_files_keeps_its_splits(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.csv").write_text("text,label\n" + "".join(f"t{n},l{n % 2}\n" for n in range(8)) + "shared,l1\n")
    (data / "dev.tsv").write_text("text\tlabel\nv\tl0\n")
    (data / "test.jsonl").write_text(jsonl([{"text": "shared", "label": "l1"}, {"text": "new", "label": "l0"}]))
    notes = init(data, tmp_path / "out")
    assert report(tmp_path / "out")[1] == []
    task = tasks.load(tmp_path / "out")
    assert (len(task.train), len(task.validation), len(task.test)) == (8, 1, 2)
    assert "train: rows left out because their question stands in a later split: 1" in notes


def test_a_separate_test_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,team\nnew one,billing\nnew two,tech_help\n")
    task, _ = made(tmp_path, "tickets.csv", TICKETS, test=tmp_path / "t.csv")
    assert (len(task.train), len(task.validation), len(task.test)) == (18, 2, 2)


def test_the_default_place_is_named_after_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets.csv").write_text(TICKETS)
    init(Path("tickets.csv"))
    assert tasks.load("tickets").name == "tickets"
    assert (tmp_path / "tickets.suite.yaml").is_file()
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.csv").write_text(TICKETS)
    init(Path("data"))
    assert tasks.load("data-task").name == "data-task"


def test_odd_folder_names_make_a_sound_task_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TICKETS)
    init(tmp_path / "a.csv", tmp_path / "My täsk: v2")
    assert tasks.load(tmp_path / "My täsk: v2").name == "My-t-sk--v2"
    assert yaml.safe_load((tmp_path / "My täsk: v2.suite.yaml").read_text())["tasks"] == ["./My täsk: v2"]


@pytest.mark.parametrize("existing", ["out/task.yaml", "out/test.jsonl", "out.suite.yaml"])
def test_nothing_is_overwritten(tmp_path: Path, existing: str) -> None:
    (tmp_path / "a.csv").write_text(TICKETS)
    (tmp_path / "out").mkdir()
    (tmp_path / existing).write_text("mine")
    with pytest.raises(UsageError, match=f'^"{tmp_path / existing}" exists already and is left as it is'):
        init(tmp_path / "a.csv", tmp_path / "out")
    assert (tmp_path / existing).read_text() == "mine"
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 2  # the data and what was there


def refused(tmp_path: Path, content: str, **options: Any) -> str:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UsageError) as caught:
        init(tmp_path / "a.csv", tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "options", "line"),
    [
        (TICKETS, {"answer": "taem"}, 'unknown column "taem" (did you mean "team"?); allowed: team, text'),
        (TICKETS, {"question": "team", "answer": "team"}, 'question and answer are the same column "team"'),
        (
            TICKETS,
            {"kind": "chioce"},
            'unknown kind "chioce" (did you mean "choice"?); allowed: choice, text',
        ),
        ("a\nx\n", {}, "no column is left for the answer; name it with --answer; columns: a"),
        (
            "text,label\nx,a\ny,b\n",
            {},
            "too few rows: nothing is left for train; three splits need three distinct",
        ),
        ("text,label\n,a\n,b\n", {"kind": "text"}, "no row has a usable question and answer"),
        (
            "text,label\nx,a\ny,a\n",
            {"kind": "choice"},
            "kind choice needs two or more distinct answers; column",
        ),
        (
            "text,label\nx,a\ny,a\nz,a\n,b\n",
            {"kind": "choice"},
            "kind choice needs two or more distinct answers",
        ),
        ("a{b},label\nx,a\ny,b\n", {}, 'a template cannot name the column "a{b}"; rename it in the data'),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, content: str, options: dict[str, Any], line: str) -> None:
    found = refused(tmp_path, content, **options)
    assert found.startswith(line)
    assert "\n" not in found


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^no such file or folder: "):
        init(tmp_path / "none.csv", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no train file in"):
        init(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "a.csv").write_bytes(b"a,b\n\xff,x\n")
    with pytest.raises(TaskError, match="not UTF-8 at byte 4"):
        init(tmp_path / "a.csv", tmp_path / "out")


CELLS = st.one_of(st.none(), st.text(max_size=12), st.integers(), st.booleans(), st.lists(st.text(max_size=3)))
ANYTHING = st.lists(st.fixed_dictionaries({"text": CELLS, "label": CELLS, "id": CELLS}), max_size=40)
LABELS = st.sampled_from(["yes", " yes", "no", "b_c", "b-c", "", None, 1, True])
TEXTS = st.text("abcd {}%\n", min_size=1, max_size=4)
LABELLED = st.lists(st.fixed_dictionaries({"text": TEXTS, "label": LABELS}), min_size=5, max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.one_of(ANYTHING, LABELLED), st.sampled_from([None, "text", "choice"]))
def test_whatever_comes_out_passes_check(rows: list[dict[str, Any]], kind: str | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "a.jsonl").write_text(jsonl(rows))
        with contextlib.suppress(UsageError):  # too few rows
            init(Path(name) / "a.jsonl", Path(name) / "out", kind=kind)
        if (Path(name) / "out").exists():
            left = [line for line in report(Path(name) / "out")[1] if "look alike" not in line]
            assert left == []  # labels that look alike are left for the author to merge


class TestPictures:
    """Folders of classes."""

    def folder(self, root: Path, split: str = "", count: int = 10, shade: int = 0) -> Path:
        for label, green in (("warm", 0), ("cold", 200)):
            place = root / "photos" / split / label
            place.mkdir(parents=True)
            for number in range(count):
                (place / f"{number}.png").write_bytes(png((number, green, shade)))
        return root / "photos"

    def test_every_class_is_in_every_split_and_the_pictures_stay_where_they_are(self, tmp_path: Path) -> None:
        folder = self.folder(tmp_path)
        (folder / "warm" / "copy.png").write_bytes((folder / "warm" / "3.png").read_bytes())
        (folder / "cold" / "notes.txt").write_text("not a picture")
        (folder / "cold" / "broken.png").write_bytes(b"\x89PNG")
        said = init(folder, tmp_path / "task")
        task = tasks.load(tmp_path / "task")
        assert task.picture_field == "picture"
        counts = [Counter(e.references[0] for e in split) for split in (task.train, task.validation, task.test)]
        distinct = [len({e.fields["picture"] for e in split}) for split in (task.train, task.validation, task.test)]
        assert distinct == [14, 2, 4]  # of each class a tenth and a fifth of ten; the copy is where its original is
        assert sum(map(sum, (each.values() for each in counts))) == 21
        assert all(set(each) == {"warm", "cold"} for each in counts)
        assert "files left out: 2: cold/broken.png is no picture that is read, no picture by its name (.txt)" in said
        assert not list((tmp_path / "task").glob("*.png"))
        assert report(tmp_path / "task")[1] == []
        assert load_suite(tmp_path / "task.suite.yaml").models[0].path == "efficientnet-lite0"

    def test_folders_of_splits_are_taken_as_they_are(self, tmp_path: Path) -> None:
        for split, shade in (("train", 1), ("val", 2), ("test", 3)):
            folder = self.folder(tmp_path, split, 5, shade)
        (folder / "train" / "warm" / "leak.png").write_bytes((folder / "test" / "warm" / "0.png").read_bytes())
        said = init(folder, tmp_path / "task")
        task = tasks.load(tmp_path / "task")
        assert [len(split) for split in (task.train, task.validation, task.test)] == [10, 10, 10]
        assert "pictures left out of train or validation, as another split holds the same: 1" in said

    def test_what_is_no_folder_of_classes(self, tmp_path: Path) -> None:
        (tmp_path / "one.png").write_bytes(png((1, 2, 3)))
        with pytest.raises(UsageError, match="has 0 class folders with 0 pictures that can be read"):
            init(tmp_path, tmp_path / "task")
        with pytest.raises(UsageError, match="of the options only --out is for it"):
            init(tmp_path, tmp_path / "task", answer="label")


def test_the_suite_of_init_is_found_by_the_name_that_reports_give_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path, "tickets.csv", TICKETS)
    [file] = tmp_path.glob("*.suite.yaml")
    assert suites.find(suites.argument(suites.load(file).name)).resolve() == file
    (tmp_path / "tickets.yaml").write_text("x")
    assert suites.find("tickets.yaml") == Path("tickets.yaml")
