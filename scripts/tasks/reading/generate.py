"""Writes test.jsonl and train.jsonl of reading: python -m scripts.tasks.reading.generate [OUT_FOLDER].

A frame is a passage with slots and questions that some of its slots answer. Every row fills its frame afresh with names
that are put together from syllables, so that only the passage can hold the answer.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.tasks.choices import offered

HERE = Path(__file__).resolve().parent
TASK = HERE.parents[2] / "tasks" / "reading"
SPLITS = {
    "test": (["people", "places", "things"], 300),
    "train": (["train"], 40),
}  # split -> its parts of the frames, its rows
_SLOT = re.compile(r"\{(([a-z]+)\d?)\}")  # {class}, or {class2} for another value of that class
_ONE_PERSON = {"name", "family"}  # either may name the same person
_DRAWS = 40  # values of which some are in no passage


def main(folder: Path) -> None:
    """Writes both files into `folder`."""
    bank: dict[str, Any] = yaml.safe_load((HERE / "bank.yaml").read_text(encoding="utf-8"))
    values, written = bank["names"], bank["frames"]
    for split, (parts, count) in SPLITS.items():
        rng = random.Random(f"reading {split}")
        frames = {name: frame for part in parts for name, frame in written[part].items()}
        rows = [
            _row(f"{split}-{n:04d}", *each, values, written["others"], rng)
            for n, each in enumerate(_order(frames, count), start=1)
        ]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_bytes(lines.encode())


def _order(frames: Mapping[str, Any], count: int) -> list[tuple[str, str, str, str]]:
    """(frame, passage, answer, question) templates for `count` rows: frames in turn, then their questions in turn."""
    found = []
    for number in range(count):
        name = list(frames)[number % len(frames)]
        asked = [(answer, question) for answer, several in frames[name]["ask"].items() for question in several]
        asked = asked[::2] + asked[1::2]  # every answer once before one is asked for in other words
        answer, question = asked[number // len(frames) % len(asked)]
        found.append((name, frames[name]["text"], answer, question))
    return found


def _row(
    key: str,
    frame: str,
    text: str,
    answer: str,
    question: str,
    values: Mapping[str, Any],
    others: Mapping[str, list[str]],
    rng: random.Random,
) -> dict[str, Any]:
    filling = fill_in(text, values, rng)
    passage, asked, right = _sentence(text, filling), _sentence(question, filling), _filled(answer, filling)
    pools = _alternatives(key, answer, filling, values) if _SLOT.search(answer) else [others[answer]]
    choices = offered(f"reading {key}", right, *pools)
    return {"id": key, "passage": passage, "question": asked, "choices": choices, "answer": right, "frame": frame}


def _alternatives(
    key: str, answer: str, filling: Mapping[str, str], values: Mapping[str, Any]
) -> tuple[list[str], list[str], list[str]]:
    """Wrong answers: of the passage's values those of the answer's class, those of its kind, and values like it."""
    slots = _SLOT.findall(answer)
    slot, group = slots[0]
    classes = {other: other.rstrip("0123456789") for other in filling if other != slot}
    same = [filling[other] for other, found in classes.items() if found == group]
    kind = next(kind for kind in values if group in values[kind])
    alike = [
        filling[other]
        for other, found in classes.items()
        if found in values[kind] and found != group and {found, group} != _ONE_PERSON
    ]
    rng = random.Random(f"reading alternatives {key}")
    fresh = [{other: _draw(found, values, rng) for other, found in slots} for _ in range(_DRAWS)]
    unseen = [drawn for drawn in fresh if not {*drawn.values()} & {*filling.values()}]

    def said(changed: Mapping[str, str]) -> str:
        return _filled(answer, {**filling, **changed})

    of_kind = [said({slot: value}) for value in alike] if len(slots) == 1 else []
    return [said({slot: value}) for value in same], of_kind, [said(drawn) for drawn in unseen]


def fill_in(text: str, values: Mapping[str, Any], rng: random.Random) -> dict[str, str]:
    """A value for each slot of `text`; slots of one class get different ones."""
    filling: dict[str, str] = {}
    for slot, group in _SLOT.findall(text):
        while slot not in filling:
            value = _draw(group, values, rng)
            if value not in filling.values():
                filling[slot] = value
    return filling


def _draw(group: str, values: Mapping[str, Any], rng: random.Random) -> str:
    if group in values["made"]:
        parts = values["made"][group]
        return f"{rng.choice(parts['starts'])}{rng.choice(parts['ends'])}"
    if group in values["numbers"]:
        low, high = values["numbers"][group]
        return str(rng.randrange(low, high + 1))
    chosen: str = rng.choice(values["chosen"][group])
    return chosen


def _filled(template: str, filling: Mapping[str, str]) -> str:
    return _SLOT.sub(lambda match: filling[match[1]], template)


def _sentence(template: str, filling: Mapping[str, str]) -> str:
    text = _filled(template, filling)
    return text[0].upper() + text[1:]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
