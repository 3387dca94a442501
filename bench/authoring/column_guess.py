"""What a table seems to be: which column asks, which answers, and whether answers are choices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from bench.authoring.column_names import ANSWERS, CHOICE_LISTS, LABELS, PASSAGES, QUESTIONS, REFERENCES, first_named
from bench.core.errors import UsageError, unknown
from bench.core.prompt import CHOICES
from bench.core.quoting import listed, shown
from bench.metrics.scripts import words
from tasks.loader.rows import list_of, objects_in, text_of, text_or_none

Row = dict[str, Any]
Kind = Literal["choice", "text"]
_FEW = 3  # a label stands this often on average before answers count as choices
_FEW_LABELS = 2  # where the column is named as labels are
_WORDS_OF_A_SENTENCE = 6  # an answer of this many words in the median is a sentence, not a name or a number
_NUMBERED = re.compile(r"[ _.-]?\d+$")
_MOST_COLUMNS = 2000  # of a table that is one: what is guessed looks at each of them several times
_LONGEST_LABEL = 80  # characters


@dataclass
class Guess:
    """What the rows seem to be; `notes` says how each thing was settled, and how to change it."""

    question: str
    answer: str
    kind: Kind
    passage: str = ""  # the column that the question is about
    choices_field: str = ""
    choice_keys: str = ""  # the column that names each choice, such as A, B, C
    by_index: bool = False
    more_answers: tuple[str, ...] = ()  # further columns of references
    sentences: bool = False  # whether the answers of a text task are sentences
    gold: str = ""  # the column of the ids of an item's documents
    group: str = ""  # the column that says which items are about one document
    notes: list[str] = field(default_factory=list)


def guess(
    rows: Sequence[Row], question: str | None, answer: str | None, kind: str | None, passage: str | None = None
) -> Guess:
    """Settle what is not given. Raises UsageError for a column that does not exist or cannot be used.

    Answers that are JSON lists in text cells become lists, in `rows`.
    """
    columns = [name for name in dict.fromkeys(name for row in rows for name in row) if name.strip()]
    if len(columns) > _MOST_COLUMNS:
        raise UsageError(f"{len(columns):,} columns, more than {_MOST_COLUMNS:,}; keep those of question and answer")
    for wanted in (question, answer, passage):
        if wanted is not None and wanted not in columns:
            raise UsageError(unknown("column", wanted, columns))
    notes: list[str] = []
    choices_field = "" if kind == "text" else _choices_column(rows, columns, {question, answer})
    choice_keys = _keys_column(choices_field, columns)
    used = {"id", choices_field, choice_keys, question, answer, passage, choices_field.removesuffix(".text")}
    free = [name for name in columns if name not in used and not _holds_objects(name, rows)]
    more_answers: tuple[str, ...] = ()
    if answer is None:
        answer, *others = _numbered(free, kind) or [
            first_named(free, ANSWERS) or _last_but_longest(free, rows, question is None)
        ]
        more_answers = tuple(others)
        several = f"columns {listed(map(shown, (answer, *others)))}, each a reference" if others else ""
        notes.append(f"answer: {several or f'column {shown(answer)}'} (guessed; change it with --answer)")
        free = [name for name in free if name not in (answer, *others)]
    if question is None:
        question = first_named(free, QUESTIONS) or _longest(free, rows)
        notes.append(f"question: column {shown(question)} (guessed; change it with --question)")
    _refuse_columns(question, answer)
    for column in (question, answer):
        if _holds_objects(column, rows):
            fields = listed(name for name in columns if name.startswith(f"{column}."))
            raise UsageError(f"column {shown(column)} holds objects; name one of their fields: {fields}")
    free = [name for name in free if name not in (question, answer)]
    _unpack_lists(rows, answer, notes)
    passage = passage or _passage(free, rows)
    guessed = Guess(question, answer, "choice", passage, choices_field, choice_keys, False, more_answers, notes=notes)
    _settle_kind(guessed, [row for row in rows if text_or_none(row.get(question)) is not None], kind)
    return guessed


def _numbered(columns: Sequence[str], kind: str | None) -> list[str]:
    """Columns such as reference_1 and reference_2, which hold several references of one item; none of them alone."""
    stems: dict[str, list[str]] = {}
    for name in columns if kind != "choice" else ():
        stems.setdefault(_NUMBERED.sub("", name.lower()), []).append(name)
    named = first_named(columns, ANSWERS)  # answer1 to answer4 are choices where a label says which
    found = next((stems[stem] for stem in REFERENCES if len(stems.get(stem, ())) > 1), [])
    return found if not named or named in found else []


def _unpack_lists(rows: Sequence[Row], column: str, notes: list[str]) -> None:
    """Write JSON lists in the text cells of a column as lists, where all its cells are such."""
    cells = [row.get(column) for row in rows if text_or_none(row.get(column)) is not None]
    if cells and all(isinstance(cell, str) and cell.lstrip().startswith("[") and _list(cell) for cell in cells):
        for row in rows:
            row[column] = _list(row.get(column))
        notes.append(f"answer: the JSON lists in column {shown(column)} are lists of references")


def _passage(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The column of the texts that questions are about, as SQuAD and RACE have them; or ''."""
    name = first_named(columns, PASSAGES)
    return name if name and all(text_or_none(row.get(name)) is not None for row in rows) else ""


def left_out(guessed: Guess, columns: Iterable[str]) -> list[str]:
    """The columns that the prompt does not show and the task does not read."""
    read = (guessed.question, guessed.answer, *guessed.more_answers, guessed.passage, guessed.choices_field)
    read += (guessed.choice_keys, guessed.gold, guessed.group, "id", guessed.choices_field.removesuffix(".text"))
    inner = tuple(f"{name}." for name in columns)  # fields of cells that are objects
    return [name for name in columns if name not in read and not name.startswith(inner)]


def is_usable(row: Row, guessed: Guess) -> bool:
    """Whether a row has a question, its passage and an answer that the task can take."""
    answers = answers_of(row, guessed)
    shown_columns = filter(None, (guessed.question, guessed.passage))
    if not answers or any(text_or_none(row.get(name)) is None for name in shown_columns):
        return False
    if guessed.kind == "text":
        return True
    if isinstance(row[guessed.answer], (list, tuple)):
        return False
    if not guessed.choices_field:
        return True
    choices = _list(row.get(guessed.choices_field))
    right = [str(n) for n in range(len(choices))] if guessed.by_index else _keys(row, guessed) or choices
    return len(set(choices)) == len(choices) >= 2 and answers[0] in right


def answers_of(row: Row, guessed: Guess) -> list[str]:
    """The texts in a row's answer cells; none where one of them is no text."""
    cells = [row.get(name) for name in (guessed.answer, *guessed.more_answers)]
    try:
        texts = [text_of(text) for cell in cells for text in (cell if isinstance(cell, (list, tuple)) else [cell])]
    except TypeError:
        return []
    return [text.strip() for text in texts if text is not None]


def _refuse_columns(question: str, answer: str) -> None:
    if question == answer:
        raise UsageError(f"question and answer are the same column {shown(answer)}")
    if set("{}\n") & set(question) or question == CHOICES:
        raise UsageError(f"a template cannot name the column {shown(question)}; rename it in the data")


def _settle_kind(guessed: Guess, rows: Sequence[Row], kind: str | None) -> None:
    answers = [text for row in rows for text in answers_of(row, guessed)]
    distinct = set(answers)
    reason = f"{len(distinct)} distinct answers in {len(rows)} rows"
    if kind is not None:
        guessed.kind = "text" if kind == "text" else "choice"
    elif guessed.choices_field:
        reason = f"the lists in column {shown(guessed.choices_field)}"
    else:
        guessed.kind = "choice" if _are_labels(guessed, rows, answers) else "text"
    if kind is None:
        guessed.notes.append(f"kind: {guessed.kind}, from {reason} (guessed; change it with --kind)")
    guessed.sentences = guessed.kind == "text" and _words(answers) >= _WORDS_OF_A_SENTENCE
    if guessed.choices_field:
        if guessed.choice_keys and not all(set(answers_of(row, guessed)) <= set(_keys(row, guessed)) for row in rows):
            guessed.choice_keys = ""
        named = guessed.choice_keys or _by_text(guessed, rows)
        guessed.by_index = all(text.isdecimal() for text in distinct) and not named
    elif guessed.kind == "choice" and len(distinct) < 2:
        column = shown(guessed.answer)
        raise UsageError(f"kind choice needs two or more distinct answers; column {column} has {len(distinct)}")


def _are_labels(guessed: Guess, rows: Sequence[Row], answers: Sequence[str]) -> bool:
    """Whether the answers are labels of a closed set: single, short and often the same."""
    distinct = set(answers)
    if guessed.more_answers or any(isinstance(row.get(guessed.answer), (list, tuple)) for row in rows):
        return False
    named = guessed.answer.lower() in LABELS
    if any(len(text) > _LONGEST_LABEL for text in distinct) or (_words(answers) >= _WORDS_OF_A_SENTENCE and not named):
        return False
    return 2 <= len(distinct) <= len(answers) / (_FEW_LABELS if named else _FEW)


def _words(texts: Sequence[str]) -> float:
    """Words in the median; 0 of none."""
    return median(len(words(text)) for text in texts) if texts else 0


def _by_text(guessed: Guess, rows: Sequence[Row]) -> bool:
    """Whether every answer is one of its row's own choices."""
    pairs = ((answers_of(row, guessed), _list(row.get(guessed.choices_field))) for row in rows)
    return all(answer in choices for answers, choices in pairs for answer in answers)


def _keys(row: Row, guessed: Guess) -> list[str]:
    return _list(row.get(guessed.choice_keys)) if guessed.choice_keys else []


def _keys_column(choices_field: str, columns: Sequence[str]) -> str:
    """The column that names the choices in `choices.text`, as ARC's tables do: `choices.label`; or ''."""
    name = choices_field.removesuffix(".text") + ".label"
    return name if choices_field.endswith(".text") and name in columns else ""


def _holds_objects(column: str, rows: Sequence[Row]) -> bool:
    return any(objects_in(row.get(column)) for row in rows)


def _choices_column(rows: Sequence[Row], columns: Sequence[str], taken: set[str | None]) -> str:
    """A column that holds a list of choices for each row, or ''."""
    names = [name for name in columns if name.lower() in CHOICE_LISTS and name not in taken]
    return next((name for name in names if any(_list(row.get(name)) for row in rows)), "")


def _last_but_longest(columns: Sequence[str], rows: Sequence[Row], question_open: bool) -> str:
    """The last column; the longest one is left for the question while that is open."""
    longest = _longest(columns, rows) if question_open else ""
    kept = [name for name in columns if name != longest]
    if not kept:
        raise UsageError(f"no column is left for the answer; name it with --answer; columns: {listed(columns)}")
    return kept[-1]


def _longest(columns: Sequence[str], rows: Sequence[Row]) -> str:
    if not columns:
        raise UsageError("no column is left for the question; name it with --question")
    return max(columns, key=lambda name: sum(len(text_or_none(row.get(name)) or "") for row in rows))


def _list(value: Any) -> list[str]:
    try:
        return list_of(value)
    except TypeError:
        return []
