"""Writes test.jsonl of grammar-pairs: python -m scripts.tasks.grammar_pairs.generate [OUT_FOLDER].

A frame is a sentence with slots and with one place where right and wrong differ; its two readings are a pair.
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
TASK = HERE.parents[2] / "tasks" / "grammar-pairs"
PER_PHENOMENON = 20
_SLOT = re.compile(r"\{(([a-z]+)\d?)\.([a-z]+)\}")  # {name.form}, where name is a class and perhaps a digit
_DIFFERENCE = re.compile(r"\[([^|\]]*)\|([^|\]]*)\]")

Lexicon = Mapping[str, Any]
Words = dict[str, dict[str, str]]  # slot name -> form -> word


def main(folder: Path) -> None:
    """Writes test.jsonl into `folder`."""
    bank: dict[str, Any] = yaml.safe_load((HERE / "bank.yaml").read_text("utf-8"))
    lexicon, frames = bank["lexicon"], bank["frames"]
    rng = random.Random("grammar-pairs")
    made = [(name, *pair) for name in frames for pair in pairs(frames[name], lexicon, rng)]
    rng.shuffle(made)
    rows = [_row(number, *one, rng) for number, one in enumerate(made, start=1)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "test.jsonl").write_bytes(lines.encode())


def pairs(frames: list[str], lexicon: Lexicon, rng: random.Random) -> list[tuple[str, str]]:
    """PER_PHENOMENON distinct (right, wrong) sentences, from the frames in turn."""
    found: dict[str, str] = {}
    while len(found) < PER_PHENOMENON:
        frame = frames[len(found) % len(frames)]
        right, wrong = pair(frame, draw(frame, lexicon, rng))
        found.setdefault(right, wrong)
    return list(found.items())


def draw(frame: str, lexicon: Lexicon, rng: random.Random) -> Words:
    """A word for each slot name of `frame`; slots of one class get different words."""
    words: Words = {}
    taken: set[str] = set()
    for slot, group, _ in _SLOT.findall(frame):
        if slot not in words:
            entry = rng.choice([word for word in lexicon[group]["words"] if word not in taken])
            taken.add(entry)
            words[slot] = dict(zip(lexicon[group]["forms"], entry.split("/"), strict=True))
    return words


def pair(frame: str, words: Words) -> tuple[str, str]:
    """The right and the wrong sentence of `frame`."""
    text = _SLOT.sub(lambda match: words[match[1]][match[3]], frame)
    right, wrong = (_DIFFERENCE.sub(rf"\{side}", text) for side in (1, 2))
    return right[0].upper() + right[1:], wrong[0].upper() + wrong[1:]


def _row(number: int, phenomenon: str, right: str, wrong: str, rng: random.Random) -> dict[str, Any]:
    choices = [right, wrong] if rng.random() < 0.5 else [wrong, right]
    name = f"test-{number:04d}"
    return {"id": name, "number": number, "choices": choices, "answer": right, "phenomenon": phenomenon}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
