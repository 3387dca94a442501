"""Writes the handbook task from its banks: `python -m scripts.tasks.handbook_qa.generate [OUT_FOLDER]`.

`bank.yaml` holds the documents by topic, each with its questions, and under `pairs` those that need two documents.
Every document stands on one side (train, validation or test), and so does every question about it.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.tasks.company.noise import careless

HERE = Path(__file__).resolve().parent
TASK = HERE.parents[2] / "tasks" / "handbook-qa"
SIDES = ("train", "validation", "test")
SILENT = "not in the handbook"
HASTY = 1 / 7  # share of the questions that are typed carelessly
LONGEST_SHARED = 5  # words in a row that a test question may share with one of the other sides
_TO_NINE = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_ONES = (*_TO_NINE, "ten", "eleven", "twelve", *_TEENS)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_FIGURES = {word: str(number) for number, word in enumerate(_ONES)} | {
    f"{ten}{f'-{_ONES[one]}' if one else ''}": str(10 * tens + one)
    for tens, ten in enumerate(_TENS, start=2)
    for one in range(10)
}
_SIGNS = {"kilos": "{} kg", "centimetres": "{} cm", "millimetres": "{} mm", "per cent": "{}%", "pounds": "£{}"}


@dataclass(frozen=True)
class Document:
    """One entry of the handbook."""

    key: str
    side: str
    title: str
    text: str


@dataclass(frozen=True)
class Question:
    """A question, its references (the first is trained on) and the documents that hold the answer."""

    side: str
    kind: str  # single, two or none
    text: str
    answers: tuple[str, ...]
    gold: tuple[str, ...]


def load(path: Path) -> Any:
    """A bank with every scalar as text: `7.30` and `no` are answers here, not a number and a truth value."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def read_handbook(bank: Mapping[str, Any]) -> tuple[list[Document], list[Question]]:
    """All documents, in the order of chapters and entries, and the questions that stand with them."""
    documents, questions = [], []
    for chapter in (entries for name, entries in bank.items() if name != "pairs"):
        for side, entries in chapter.items():
            for key, entry in entries.items():
                documents.append(Document(key, side, entry["title"], entry["text"]))
                for text, answer in entry["ask"].items():
                    questions.append(Question(side, "single", text, references(text, answer), (key,)))
                questions += [Question(side, "none", text, (SILENT,), ()) for text in entry.get("silent", ())]
    return documents, questions


def read_pairs(sides: Mapping[str, Any]) -> list[Question]:
    """The questions that need two documents."""
    questions = []
    for side in SIDES:
        for text, entry in sides[side].items():
            questions.append(Question(side, "two", text, references(text, entry["answer"]), tuple(entry["from"])))
    return questions


def references(question: str, answer: str) -> tuple[str, ...]:
    """The answers of a bank's cell, `first | second | ...`, and the other ways to write each of them."""
    given = [one.strip() for one in answer.split("|")]
    also = [text for one in given for text in rewritten(question, one)]
    return tuple(dict.fromkeys(given + also))


def rewritten(question: str, answer: str) -> Iterator[str]:
    """Other spellings of an answer: figures for words and the reverse, signs for units, 3.30 for half past three."""
    if answer.startswith("half past "):
        yield f"{_figures(answer.removeprefix('half past '))}.30"
    in_figures = _figures(answer)
    yield from (in_figures, _words(answer))
    amount, _, unit = in_figures.partition(" ")
    if not amount.isdecimal():
        return
    if unit in _SIGNS:
        yield _SIGNS[unit].format(amount)
    if not unit or f"how many {unit}" in question.casefold():
        yield from (_words(amount), amount)


def _figures(text: str) -> str:
    return re.sub(r"[a-z]+(-[a-z]+)?", lambda found: _FIGURES.get(found[0], found[0]), text)


def _words(text: str) -> str:
    words = {figure: word for word, figure in _FIGURES.items()}
    return " ".join(words.get(one, one) for one in text.split(" "))


def problems(documents: Sequence[Document], questions: Sequence[Question]) -> list[str]:
    """What is wrong with the banks; none of it may be."""
    by_key = {document.key: document for document in documents}
    found = [f"{one.key}: {len(one.text.split())} words" for one in documents if not 35 <= len(one.text.split()) <= 70]
    if len(by_key) < len(documents):
        found.append("a document's key stands twice")
    texts = [question.text.casefold() for question in questions]
    found += [f"stands twice: {text}" for text in sorted(set(texts)) if texts.count(text) > 1]
    for question in questions:
        found += _wrong(question, by_key)
    return found + shared_runs(questions)


def _wrong(question: Question, by_key: dict[str, Document]) -> Iterator[str]:
    wanted = {"single": 1, "two": 2, "none": 0}[question.kind]
    if len(question.gold) != wanted or not set(question.gold) <= set(by_key):
        yield f"wrong documents: {question.text}"
        return
    gold = [by_key[key] for key in question.gold]
    if any(document.side != question.side for document in gold):
        yield f"another side's document: {question.text}"
    held = " ".join(f"{document.title} {document.text}" for document in gold).casefold()
    if gold and not any(re.search(rf"(?<!\w){re.escape(one.casefold())}(?!\w)", held) for one in question.answers):
        yield f"no document holds the answer: {question.text}"


def shared_runs(questions: Sequence[Question]) -> list[str]:
    """Test questions that share too long a run of words with a question of the other sides."""
    known = {run: one.text for one in questions if one.side != "test" for run in _runs(one.text)}
    tests = [one for one in questions if one.side == "test"]
    pairs = [(one.text, known[run]) for one in tests for run in _runs(one.text) if run in known]
    return [f"worded alike: {test} / {other}" for test, other in dict(pairs).items()]


def _runs(text: str) -> list[str]:
    words = re.findall(r"\w+", text.casefold())
    length = LONGEST_SHARED + 1
    return [" ".join(words[start : start + length]) for start in range(len(words) - length + 1)]


def rows(side: str, questions: Sequence[Question]) -> list[dict[str, Any]]:
    """The rows of one split, in an order of their own; some are typed as by someone in a hurry."""
    rng = random.Random(f"handbook-qa {side}")
    own = [question for question in questions if question.side == side]
    rng.shuffle(own)
    made = []
    for number, one in enumerate(own, start=1):
        text = careless(one.text, rng).rstrip("?") if rng.random() < HASTY else one.text
        row = {"id": f"{side}-{number:04}", "question": text, "answer": list(one.answers), "gold": list(one.gold)}
        made.append({**row, "type": one.kind})
    return made


def write(path: Path, found: Sequence[dict[str, Any]]) -> None:
    """JSON lines."""
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in found)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def main(out: Path) -> None:
    """Read the banks, refuse them where they are wrong, and write corpus and splits into `out`."""
    bank = load(HERE / "bank.yaml")
    documents, questions = read_handbook(bank)
    questions += read_pairs(bank["pairs"])
    wrong = problems(documents, questions)
    if wrong:
        raise SystemExit("\n".join(wrong))
    out.mkdir(parents=True, exist_ok=True)
    write(out / "corpus.jsonl", [{"id": one.key, "title": one.title, "text": one.text} for one in documents])
    for side in SIDES:
        write(out / f"{side}.jsonl", rows(side, questions))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
