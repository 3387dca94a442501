"""Tables as people have them: what `init` takes them for is right or said; task and suite can be used as they are."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import tasks
from bench.authoring.check import report
from bench.authoring.init import init
from bench.authoring.metric_choice import power_note
from bench.config.suite import load as load_suite
from bench.core.errors import UsageError
from bench.core.spans import document_of
from bench.core.task import Task

ROOT = Path(__file__).parent.parent
GOODS = ("kettle", "lamp", "chair", "desk", "rug", "clock", "fan", "heater", "bed", "sofa", "shelf", "mirror")
Row = Sequence[object]


def table(header: Sequence[str], rows: Sequence[Row], delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([header, *rows] if header else rows)
    return text.getvalue()


SHEETS = [
    (f"d{n}", f"Heron {name}", f"It weighs {n + 3} kilos and was made in Town{n}.") for n, name in enumerate(GOODS)
]
ASKED = [
    (f"{ask} the Heron {name}?", answer, f"d{n}", "Jo")
    for n, name in enumerate(GOODS)
    for ask, answer in (("How heavy is", f"{n + 3} kilos"), ("Where did they make", f"Town{n}"))
]
RETURNS = [
    (f"{ask} the {name}?", f"You can return the {name} within {n + 10} days if it is unused.", "2024-01-02")
    for n, name in enumerate(GOODS)
    for ask in ("How do I return", "Can I give back")
]
FINE = [
    (
        f"name[Heron {name}] price[{n}]",
        f"The Heron {name} can be yours for {n} pounds.",
        f"{n} pounds buy it." * (n % 2),
    )
    for n, name in enumerate(GOODS * 2)
]
TEXT = ("rouge_l", "bleu", "contains")
SHORT = ("exact_match", "token_f1", "contains")


@dataclass(frozen=True)
class Case:
    """One table, what `init` is told, and what must come out."""

    content: str
    kind: str
    template: str
    metrics: tuple[str, ...]
    said: tuple[str, ...]  # beginnings of lines
    labels: int = 0
    options: dict[str, Any] = field(default_factory=dict)


def sides(n: int) -> str:
    return ("red", "blue")[n % 2]


CASES = {
    "two labels": Case(
        table(("id", "review", "channel", "sentiment"), [(n, f"text {n}", "web", sides(n)) for n in range(60)]),
        "choice",
        "Review: {review}\nLabel:",
        ("accuracy", "macro_f1"),
        ('not in the prompt: "channel"', 'instruction: "Classify the review.'),
        labels=2,
    ),
    "150 labels": Case(
        table(
            ("utterance", "intent"), [(f"matter {m}, case {n}", f"topic_{m}") for m, n in product(range(150), range(2))]
        ),
        "choice",
        "Utterance: {utterance}\nLabel:",
        ("accuracy", "macro_f1"),
        ("kind: choice, from 150 distinct answers in 300 rows", "labels: 150, too many for the instruction"),
        labels=150,
    ),
    "integers as labels": Case(
        table(("text", "stars"), [(f"text {n}", n % 5 + 1) for n in range(50)]),
        "choice",
        "Text: {text}\nLabel:",
        ("accuracy", "macro_f1"),
        ("labels are numbers: if they stand for names, write those in task.yaml",),
        labels=5,
    ),
    "integers as answers": Case(
        table(("question", "answer"), [(f"What is {n} plus {3 * n}?", 4 * n) for n in range(40)]),
        "text",
        "Question: {question}\nAnswer:",
        ("exact_match",),
        ("metrics: exact_match of the last number", 'instruction: "Answer the question with a number."'),
    ),
    "FAQ": Case(
        table(("Question", "Answer", "updated"), RETURNS),
        "text",
        "Question: {Question}\nAnswer:",
        TEXT,
        ('not in the prompt: "updated"', 'splits: rows with the same "Answer" stay on one side'),
    ),
    "question + context": Case(
        table(("context", "question", "answer"), [(SHEETS[n // 2][2], q, a) for n, (q, a, *_) in enumerate(ASKED)]),
        "text",
        "Context: {context}\nQuestion: {question}\nAnswer:",
        SHORT,
        ('passage: column "context" stands in the prompt', 'splits: rows with the same "context" stay on one side'),
    ),
    "question + context, searched": Case(
        table(("context", "question", "answer"), [(SHEETS[n // 2][2], q, a) for n, (q, a, *_) in enumerate(ASKED)]),
        "text",
        "Question: {question}\nAnswer:",
        SHORT,
        ('retrieval: 12 distinct texts of column "context"', "splits: rows with the same document stay on one side"),
        options={"retrieve": True},
    ),
    "documents + questions": Case(
        table(("question", "reply", "doc_id", "asked_by"), ASKED),
        "text",
        "Question: {question}\nAnswer:",
        SHORT,
        (
            'documents: 12 rows of corpus.csv, text from column "body", ids from column "doc_id"',
            'gold: column "doc_id"',
        ),
        options={"corpus": table(("doc_id", "heading", "body"), SHEETS)},
    ),
    "several references": Case(
        table(("mr", "reference_1", "reference_2"), FINE),
        "text",
        "Mr: {mr}\nAnswer:",
        TEXT,
        ('answer: columns "reference_1", "reference_2", each a reference',),
    ),
    "twelve rows": Case(
        table(("text", "label"), [(f"text {n}", sides(n)) for n in range(12)]),
        "choice",
        "Text: {text}\nLabel:",
        ("accuracy", "macro_f1"),
        ("rows: train 9, validation 1, test 2", "test items: 2, too few to tell anything"),
        labels=2,
    ),
    "no header": Case(
        table((), [(f"my order {n} has not come yet", sides(n)) for n in range(30)]),
        "choice",
        "Text: {text}\nLabel:",
        ("accuracy", "macro_f1"),
        ("rows: train 21, validation 3, test 6",),
        labels=2,
        options={"header": ["text", "team"]},
    ),
    "semicolons": Case(
        table(("Nachricht", "Abteilung"), [(f"Lampe {n}, kaputt", sides(n)) for n in range(30)], ";"),
        "choice",
        "Nachricht: {Nachricht}\nLabel:",
        ("accuracy", "macro_f1"),
        ('instruction: "Classify the Nachricht.',),
        labels=2,
    ),
    "a phrase for a name": Case(
        table(("What they wrote", "Team (final)"), [(f"Lamp {n} is broken", sides(n)) for n in range(30)], ";"),
        "choice",
        "What they wrote: {What they wrote}\nLabel:",
        ("accuracy", "macro_f1"),
        ('instruction: "Classify the text.',),
        labels=2,
    ),
}


def made(folder: Path, case: Case) -> tuple[Task, list[str]]:
    """(the task of a case, what was said); the task passes `check`, the suite can be read."""
    options = dict(case.options)
    if "corpus" in options:
        (folder / "corpus.csv").write_text(options["corpus"])
        options["corpus"] = folder / "corpus.csv"
    (folder / "mine.csv").write_text(case.content)
    notes = init(folder / "mine.csv", folder / "out", **options)
    assert report(folder / "out")[1] == []
    load_suite(folder / "out.suite.yaml")
    return tasks.load(folder / "out"), notes


@pytest.mark.parametrize("name", CASES)
def test_a_table_is_taken_for_what_it_is_or_it_is_said(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    task, notes = made(tmp_path, case)
    assert (task.kind, task.prompt.template, task.metrics) == (case.kind, case.template, case.metrics)
    assert len(task.test[0].choices) == case.labels
    for beginning in case.said:
        assert any(note.startswith(beginning) for note in notes), notes
    questions = [{task.prompt.ask(example) for example in split} for split in (task.train, task.validation, task.test)]
    assert sum(map(len, questions)) == len(set().union(*questions))


def shared(task: Task, of: Callable[[Any], object]) -> set[object]:
    """What stands in train and in test."""
    return {of(example) for example in task.train} & {of(example) for example in task.test}


def test_what_would_leak_stands_on_one_side(tmp_path: Path) -> None:
    for number, (name, of) in enumerate(
        {
            "FAQ": lambda example: example.references,
            "question + context": lambda example: example.fields["context"],
            "question + context, searched": lambda example: example.gold,
            "documents + questions": lambda example: example.gold,
        }.items()
    ):
        (tmp_path / str(number)).mkdir()
        task, _ = made(tmp_path / str(number), CASES[name])
        assert task.test
        assert shared(task, of) == set(), name


def test_what_ties_most_rows_together_may_stand_on_two_sides(tmp_path: Path) -> None:
    rows = [("We answer every letter within two days.", f"How long is wait {n}?", f"{n} days") for n in range(20)]
    _, notes = made(tmp_path, Case(table(("context", "question", "answer"), rows), "", "", (), ()))
    assert 'splits: rows of one "context" may stand on two sides, as it ties too many rows together' in notes


def test_a_label_keeps_a_row_to_learn_from(tmp_path: Path) -> None:
    task, _ = made(tmp_path, CASES["150 labels"])
    assert {example.references for example in task.train} == {(label,) for label in task.test[0].choices}


@pytest.mark.parametrize("name", ["documents + questions", "question + context, searched"])
def test_gold_ids_point_to_the_documents_that_hold_the_answers(tmp_path: Path, name: str) -> None:
    task, _ = made(tmp_path, CASES[name])
    assert sorted(passage.text for passage in task.corpus) == sorted(text for *_, text in SHEETS)
    texts = {passage.id: passage.text for passage in task.corpus}
    for example in (*task.train, *task.test):
        assert example.references[0] in texts[document_of(example.gold[0])]
        assert example.group == example.gold[0]


def test_items_about_one_passage_are_a_group(tmp_path: Path) -> None:
    task, _ = made(tmp_path, CASES["question + context"])
    pairs = {(example.group, example.fields["context"]) for example in (*task.train, *task.validation, *task.test)}
    assert len(pairs) == len(GOODS) == len({group for group, _ in pairs})


def test_empty_references_are_passed_over(tmp_path: Path) -> None:
    task, _ = made(tmp_path, CASES["several references"])
    counts = [len(example.references) for split in (task.train, task.validation, task.test) for example in split]
    assert sorted(counts) == [1] * 12 + [2] * 12


def test_several_ids_in_one_cell_and_unknown_ones(tmp_path: Path) -> None:
    rows = [(f"question {n}?", f"answer {n}", f"d{n % 12}; d{(n + 1) % 12}" if n else "d99") for n in range(24)]
    case = Case(
        table(("question", "answer", "source"), rows), "", "", (), (), options=CASES["documents + questions"].options
    )
    task, notes = made(tmp_path, case)
    by_question = {example.fields["question"]: example.gold for example in (*task.train, *task.validation, *task.test)}
    assert by_question["question 5?"] == ("d5", "d6")
    assert by_question["question 0?"] == ()
    assert "gold: ids left out because no document has them: 1" in notes


def test_documents_that_no_column_names(tmp_path: Path) -> None:
    content = table(("question", "answer"), [(f"question {n}?", f"answer {n}") for n in range(24)])
    task, notes = made(tmp_path, Case(content, "", "", (), (), options=CASES["documents + questions"].options))
    assert len(task.corpus) == 12
    assert any(note.startswith("gold: no column names the documents of a question") for note in notes)
    assert "control: oracle" not in (tmp_path / "out.suite.yaml").read_text()


def test_a_script_without_spaces_gets_metrics_that_see_it(tmp_path: Path) -> None:
    rows = [(f"第{n}个问题是什么?", f"这是第{n}个问题的答案,请看说明书。") for n in range(20)]
    task, _ = made(tmp_path, Case(table(("question", "answer"), rows), "", "", (), ()))
    assert task.metrics == ("rouge_l_unicode", "bleu_zh", "contains")


@pytest.mark.parametrize(
    "lines",
    [
        [
            "my order has not come,billing",
            "my lamp is broken,repair",
            "where is it,billing",
        ],  # a label that comes again
        ["What is a rug?,a carpet", "What is a bed?,a place to sleep", "What is a fan?,it blows"],  # a sentence
        ["3,4", "5,6", "7,8"],
        ["2024-01-02,wet", "2024-01-03,dry", "2024-01-04,cold"],
    ],
)
def test_a_table_without_a_header_is_refused_with_the_remedy(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError) as caught:
        init(tmp_path / "a.csv", tmp_path / "out")
    line = str(caught.value)
    assert "seems to have no header line: the first line holds" in line
    assert "--header a,b, or a first line of names" in line
    assert "\n" not in line
    assert not (tmp_path / "out").exists()
    init(tmp_path / "a.csv", tmp_path / "out", header=["a", "b"], kind="text")
    task = tasks.load(tmp_path / "out")
    assert len(task.train) + len(task.validation) + len(task.test) == len(lines)


@pytest.mark.parametrize(
    "header", ["text,y", "Message,Label", "Nachricht,Abteilung", ",question,answer", "How happy are you today?,label"]
)
def test_names_are_no_data(tmp_path: Path, header: str) -> None:
    cells = [f"{n}," * (header.count(",") - 1) + f"text {n},{'yn'[n % 2]}" for n in range(12)]
    (tmp_path / "a.csv").write_text("\n".join([header, *cells]) + "\n")
    init(tmp_path / "a.csv", tmp_path / "out")


def test_columns_named_by_hand_prove_a_header(tmp_path: Path) -> None:
    rows = [(f"text {n}", sides(n)) for n in range(12)]
    (tmp_path / "a.csv").write_text(table(("0", "1"), rows))
    with pytest.raises(UsageError, match='the first line holds "0"'):
        init(tmp_path / "a.csv", tmp_path / "out")
    init(tmp_path / "a.csv", tmp_path / "out", question="0", answer="1")


def test_a_header_of_another_width_and_one_of_a_file_with_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n")
    with pytest.raises(Exception, match="2 cells where the header has 3"):
        init(tmp_path / "a.csv", tmp_path / "out", header=["a", "b", "c"])
    (tmp_path / "a.jsonl").write_text('{"text": "x", "label": "y"}\n')
    with pytest.raises(UsageError, match="names its own columns; --header is for CSV and TSV files"):
        init(tmp_path / "a.jsonl", tmp_path / "out", header=["a", "b"])


def test_an_answer_that_is_called_as_titles_are_stays_an_answer(tmp_path: Path) -> None:
    rows = [f"Who keeps key {n}?,Key {n // 2} is kept by name {n}.,name {n}" for n in range(12)]
    (tmp_path / "a.csv").write_text("\n".join(["question,context,name", *rows]) + "\n")
    init(tmp_path / "a.csv", tmp_path / "out", question="question", answer="name", retrieve=True)
    task = tasks.load(tmp_path / "out")
    every = (*task.train, *task.validation, *task.test)
    assert {example.references for example in every} == {(f"name {n}",) for n in range(12)}


def test_what_contradicts_itself_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CASES["two labels"].content)
    with pytest.raises(UsageError, match="leave one of them out"):
        init(tmp_path / "a.csv", tmp_path / "out", corpus=tmp_path / "b.csv", retrieve=True)
    with pytest.raises(UsageError, match="--retrieve needs a column of passages, such as context, passage"):
        init(tmp_path / "a.csv", tmp_path / "out", retrieve=True)
    with pytest.raises(UsageError, match=r'^unknown column "contxt"'):
        init(tmp_path / "a.csv", tmp_path / "out", passage="contxt")


def test_a_name_that_a_bundled_task_has_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reading.csv").write_text(CASES["two labels"].content)
    init(Path("reading.csv"))
    assert tasks.load("reading-task").name == "reading-task"
    init(Path("reading.csv"), Path("reading"))
    assert tasks.load(tmp_path / "reading").name == "reading-task"


def test_a_folder_of_splits_may_hold_a_corpus(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.csv").write_text(CASES["documents + questions"].content)
    (data / "corpus.csv").write_text(CASES["documents + questions"].options["corpus"])
    init(data, tmp_path / "out")
    assert len(tasks.load(tmp_path / "out").corpus) == len(SHEETS)


def test_what_so_many_items_can_show() -> None:
    # By hand: with 5 items all on one side McNemar's p is 2 × 0.5⁵ = 0.0625; with 6 it is 0.031, if all 6 differ.
    assert power_note("accuracy", 5).startswith("test items: 5, too few to tell anything; one of 0.10 takes about ")
    assert "which show a difference of" in power_note("accuracy", 6)
    # Connor 1987: 233 for a difference of 0.10 where 30% differ; the exact test needs somewhat more.
    needed = int(power_note("accuracy", 40).split("takes about ")[1].split()[0])
    assert 233 < needed < 233 + 20
    assert "takes about" not in power_note("accuracy", 300)
    # Cohen 1988: n = (1.96 + 0.84)² × (0.25 / 0.10)² = 49, and two or three more for the t distribution.
    assert 49 < int(power_note("rouge_l", 10).split("takes about ")[1].split()[0]) < 49 + 5


def test_without_data_a_newcomer_gets_an_example_to_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); from adaptbench import main; main()",
            "init",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "next: adaptbench run example.suite.yaml"
    task = tasks.load(tmp_path / "example")
    assert (task.kind, len(task.test[0].choices)) == ("choice", 16)
    assert (tmp_path / "example.csv").read_text().startswith("message,intent\n")
    with pytest.raises(UsageError, match="exists already and is left as it is"):
        init(None, tmp_path / "example")
