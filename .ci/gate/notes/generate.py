"""Writes the notes task: `python .ci/gate/notes/generate.py`. What mini reads well, under names it never saw."""

from __future__ import annotations

import json
import random
from pathlib import Path

from bench.mini.corpus import names
from bench.mini.corpus.document import bank

HERE = Path(__file__).parent
PEOPLE, NOTES = 30, 7  # and for every second note an entry with its question alone, as lists of open questions have
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "March", "May", "July", "August", "October", "November")


def value(rng: random.Random, kind: str) -> str | None:
    """Something to fill a note with; None for kinds that are not used here."""
    made = {
        "town": lambda: names.place(rng),
        "day": lambda: rng.choice(DAYS),
        "month": lambda: rng.choice(MONTHS),
        "number": lambda: str(rng.randint(1, 99)),
        "age": lambda: str(rng.randint(4, 95)),
        "person": lambda: names.person(rng),
        "firm": lambda: names.thing(rng),
    }
    return made[kind]() if kind in made else None


def main() -> None:
    """Write corpus.jsonl and test.jsonl."""
    rng = random.Random("notes")
    relations = [one for one in bank("basics")["person"] if value(rng, one["value"]) is not None]
    corpus: list[dict[str, object]] = []
    questions: list[dict[str, object]] = []
    for person in {names.person(rng): None for _ in range(PEOPLE)}:
        for relation in rng.sample(relations, NOTES):
            told, key = value(rng, relation["value"]), f"note-{len(corpus):03}"
            said, asked = (rng.choice(relation[part]).replace("X", person) for part in ("say", "ask"))
            text = said.replace("V", told)
            corpus.append({"id": key, "title": person, "text": text[0].upper() + text[1:]})
            questions.append({"id": key, "question": asked, "answer": told, "gold": [key]})
            if len(questions) % 2:
                corpus.append({"id": f"open-{len(corpus):03}", "title": "Asked", "text": asked})
    rng.shuffle(questions)
    for name, rows in (("corpus", corpus), ("test", questions)):
        (HERE / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
