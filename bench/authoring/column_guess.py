"""What a table seems to be: which column asks, which answers, and whether answers are choices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.core.errors import UsageError, unknown
from bench.core.prompt import CHOICES
from bench.core.quoting import listed, shown
from tasks.loader.rows import list_of, objects_in, text_of, text_or_none

Row = dict[str, Any]
Kind = Literal["choice", "text"]
QUESTIONS = ("question", "text", "input", "prompt", "message", "query", "utterance", "sentence", "mr", "source")
ANSWERS = (
    *("label", "answer", "answers", "answers.text", "answerkey", "category", "intent", "class", "target"),
    *("output", "response", "ref", "reference", "completion", "summary", "sentiment", "topic", "y"),
)
PASSAGES = ("context", "passage", "paragraph", "article", "document")
CHOICE_LISTS = ("choices", "options", "endings", "choices.text")
_FEW = 3  # a label stands this often on average before answers count as choices
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
    notes: list[str] = field(default_factory=list)


def guess(rows: Sequence[Row], question: str | None, answer: str | None, kind: str | None) -> Guess:
    """Settle what is not given. Raises UsageError for a column that does not exist or cannot be used."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for wanted in (question, answer):
        if wanted is not None and wanted not in columns:
            raise UsageError(unknown("column", wanted, columns))
    notes: list[str] = []
    choices_field = "" if kind == "text" else _choices_column(rows, columns, {question, answer})
    choice_keys = _keys_column(choices_field, columns)
    used = {"id", choices_field, choice_keys, question, answer, choices_field.removesuffix(".text")}
    free = [name for name in columns if name not in used and not _holds_objects(name, rows)]
    if answer is None:
        answer = _named(free, ANSWERS) or _last_but_longest(free, rows, question is None)
        notes.append(f"answer: column {shown(answer)} (guessed; change it with --answer)")
        free = [name for name in free if name != answer]
    if question is None:
        question = _named(free, QUESTIONS) or _longest(free, rows)
        notes.append(f"question: column {shown(question)} (guessed; change it with --question)")
    _refuse_columns(question, answer)
    for column in (question, answer):
        if _holds_objects(column, rows):
            fields = listed(name for name in columns if name.startswith(f"{column}."))
            raise UsageError(f"column {shown(column)} holds objects; name one of their fields: {fields}")
    free = [name for name in free if name not in (question, answer)]
    guessed = Guess(question, answer, "choice", _passage(free, rows), choices_field, choice_keys, notes=notes)
    _say_unasked(guessed, [name for name in free if "." not in name])
    _settle_kind(guessed, [row for row in rows if text_or_none(row.get(question)) is not None], kind)
    return guessed


def _passage(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The column of the texts that questions are about, as SQuAD and RACE have them; or ''."""
    name = _named(columns, PASSAGES)
    return name if name and all(text_or_none(row.get(name)) is not None for row in rows) else ""


def _say_unasked(guessed: Guess, columns: Sequence[str]) -> None:
    """Note which columns the prompt shows in addition to the question, and which it does not."""
    if guessed.passage:
        guessed.notes.append(f"passage: column {shown(guessed.passage)} (guessed; change it in the template)")
    others = [name for name in columns if name != guessed.passage]
    if others:
        guessed.notes.append(f"not in the prompt: {listed(map(shown, others))}; add to the template what answers need")


def is_usable(row: Row, guessed: Guess) -> bool:
    """Whether a row has a question and an answer that the task can take."""
    answers = answers_of(row, guessed)
    if not answers or text_or_none(row.get(guessed.question)) is None:
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
    """The texts in a row's answer cell; none where one of them is no text."""
    value = row.get(guessed.answer)
    try:
        texts = [text_of(one) for one in (value if isinstance(value, (list, tuple)) else [value])]
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
        single = not any(isinstance(row.get(guessed.answer), (list, tuple)) for row in rows)
        short = all(len(text) <= _LONGEST_LABEL for text in distinct)
        guessed.kind = "choice" if single and short and 2 <= len(distinct) <= len(answers) / _FEW else "text"
    if kind is None:
        guessed.notes.append(f"kind: {guessed.kind}, from {reason} (guessed; change it with --kind)")
    if guessed.choices_field:
        if guessed.choice_keys and not all(set(answers_of(row, guessed)) <= set(_keys(row, guessed)) for row in rows):
            guessed.choice_keys = ""
        named = guessed.choice_keys or _by_text(guessed, rows)
        guessed.by_index = all(text.isdecimal() for text in distinct) and not named
    elif guessed.kind == "choice" and len(distinct) < 2:
        column = shown(guessed.answer)
        raise UsageError(f"kind choice needs two or more distinct answers; column {column} has {len(distinct)}")


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


def _named(columns: Iterable[str], known: Sequence[str]) -> str:
    lowered = {name.lower(): name for name in reversed(list(columns))}
    return next((lowered[name] for name in known if name in lowered), "")


def _last_but_longest(columns: Sequence[str], rows: Sequence[Row], question_open: bool) -> str:
    """The last column; the longest one is left for the question while that is open."""
    kept = [name for name in columns if not question_open or name != _longest(columns, rows)]
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
