"""Writes the notes task: `python .ci/gate/notes/generate.py`. What mini reads well, under names it never saw."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

from scripts.mini.corpus import names
from scripts.mini.corpus.document import bank

HERE = Path(__file__).parent
PEOPLE, NOTES = 30, 7  # and for every second note an entry with its question alone, as lists of open questions have
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "March", "May", "July", "August", "October", "November")


VALUES: dict[str, Callable[[random.Random], str]] = {  # of the kinds of notes that are used here
    "town": names.place,
    "day": lambda rng: rng.choice(DAYS),
    "month": lambda rng: rng.choice(MONTHS),
    "number": lambda rng: str(rng.randint(1, 99)),
    "age": lambda rng: str(rng.randint(4, 95)),
    "person": names.person,
    "firm": names.thing,
}


def filled(sentence: str, fills: dict[str, str]) -> str:
    """A sentence with its X and V put in at once, so that a name's own letters stay."""
    return re.sub(r"\b[XV]\b", lambda found: fills[found[0]], sentence)


def main() -> None:
    """Write corpus.jsonl and test.jsonl."""
    rng = random.Random("notes")
    relations = [one for one in bank("basics")["person"] if one["value"] in VALUES]
    corpus: list[dict[str, object]] = []
    questions: list[dict[str, object]] = []
    for person in {names.person(rng): None for _ in range(PEOPLE)}:
        for relation in rng.sample(relations, NOTES):
            told, key = VALUES[relation["value"]](rng), f"note-{len(corpus):03}"
            fills = {"X": person, "V": told}
            text, asked = (filled(rng.choice(relation[part]), fills) for part in ("say", "ask"))
            corpus.append({"id": key, "title": person, "text": text[0].upper() + text[1:]})
            questions.append({"id": key, "question": asked, "answer": told, "gold": [key]})
            if len(questions) % 2:
                corpus.append({"id": f"open-{len(corpus):03}", "title": "Asked", "text": asked})
    rng.shuffle(questions)
    for name, rows in (("corpus", corpus), ("test", questions)):
        (HERE / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
