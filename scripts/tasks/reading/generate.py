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

HERE = Path(__file__).resolve().parent
TASK = HERE.parents[2] / "tasks" / "reading"
SPLITS = {
    "test": (["people", "places", "things"], 300),
    "train": (["train"], 40),
}  # split -> its parts of frames.yaml, its rows
_SLOT = re.compile(r"\{(([a-z]+)\d?)\}")  # {class}, or {class2} for another value of that class


def main(folder: Path) -> None:
    """Writes both files into `folder`."""
    values, written = _read("names.yaml"), _read("frames.yaml")
    for split, (parts, count) in SPLITS.items():
        rng = random.Random(f"reading {split}")
        frames = {name: frame for part in parts for name, frame in written[part].items()}
        rows = [_row(f"{split}-{n:04d}", *one, values, rng) for n, one in enumerate(_order(frames, count), start=1)]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_bytes(lines.encode())


def _read(file: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((HERE / file).read_text(encoding="utf-8"))
    return loaded


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
    key: str, frame: str, text: str, answer: str, question: str, values: Mapping[str, Any], rng: random.Random
) -> dict[str, Any]:
    filling = fill_in(text, values, rng)
    passage, asked = _sentence(text, filling), _sentence(question, filling)
    accepted = _filled(answer, filling).split("|")
    return {"id": key, "passage": passage, "question": asked, "answer": accepted, "frame": frame}


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
