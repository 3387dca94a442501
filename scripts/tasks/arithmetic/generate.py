"""Writes test.jsonl and train.jsonl of arithmetic: python -m scripts.tasks.arithmetic.generate [OUT_FOLDER].

A problem is drawn by its kind; no two rows, of either split, ask for the same operation on the same numbers.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.tasks.choices import COUNT, offered

HERE = Path(__file__).resolve().parent
TASK = HERE.parents[2] / "tasks" / "arithmetic"
WORDS_SHARE = 0.4  # of the rows are asked in words
SLIPS = (2, 3, 4, 5, 10)  # how far wrong answers are from the right one
COMPARED = ("larger", "smaller")  # the answer is one of two numbers
_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


@dataclass(frozen=True, slots=True)
class Problem:
    """`ask` names the phrases; `numbers` are its two numbers, or the terms of a sequence."""

    ask: str
    numbers: tuple[int, ...]
    answer: int


Draw = Callable[[random.Random], Problem]


def _add(low: int, high: int) -> Draw:
    def draw(rng: random.Random) -> Problem:
        a, b = rng.randrange(low, high), rng.randrange(1, high)
        return Problem("add", (a, b), a + b)

    return draw


def _subtract(low: int, high: int) -> Draw:
    def draw(rng: random.Random) -> Problem:
        a = rng.randrange(low, high)
        b = rng.randrange(1, a)
        return Problem("subtract", (a, b), a - b)

    return draw


def _multiply(rng: random.Random) -> Problem:
    a, b = rng.randrange(2, 11), rng.randrange(2, 11)
    return Problem("multiply", (a, b), a * b)


def _compare(rng: random.Random) -> Problem:
    a, b = rng.sample(range(1, 100), 2)
    ask = rng.choice(["larger", "smaller"])
    return Problem(ask, (a, b), max(a, b) if ask == "larger" else min(a, b))


def _next(rng: random.Random) -> Problem:
    """Four terms that go up or down by the same step, or double; all below 100."""
    if rng.random() < 0.1:
        start = rng.randrange(1, 7)
        terms = [start * 2**power for power in range(5)]
    else:
        step = rng.choice([1, 2, 2, 3, 3, 4, 5, 5, 10])
        start = rng.randrange(0, 99 - 4 * step + 1)
        terms = [start + step * place for place in range(5)]
        terms = terms[::-1] if rng.random() < 0.3 else terms
    return Problem("next", tuple(terms[:4]), terms[4])


KINDS: dict[str, tuple[Draw, int, int]] = {  # kind -> how it is drawn, rows of test, rows of train
    "add_one_digit": (_add(1, 10), 40, 6),
    "add_two_digits": (_add(10, 100), 60, 6),
    "subtract_one_digit": (_subtract(2, 10), 20, 4),
    "subtract_two_digits": (_subtract(11, 100), 60, 6),
    "multiply": (_multiply, 40, 6),
    "compare": (_compare, 40, 6),
    "sequence": (_next, 40, 6),
}


def main(folder: Path) -> None:
    """Writes both files into `folder`."""
    phrases = yaml.safe_load((HERE / "phrases.yaml").read_text(encoding="utf-8"))
    seen: set[tuple[str, tuple[int, ...]]] = set()
    for split in ("test", "train"):
        rng = random.Random(f"arithmetic {split}")
        rows: list[dict[str, Any]] = []
        for kind, (draw, tested, trained) in KINDS.items():
            for _ in range(tested if split == "test" else trained):
                problem = _fresh(draw, rng, seen)
                rows.append(_row(f"{split}-{len(rows) + 1:04d}", kind, problem, phrases, split, rng))
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_bytes(lines.encode())


def spell(number: int) -> str:
    """`number`, from 0 to 199, in English words."""
    if number >= 100:
        rest = number - 100
        return f"one hundred and {spell(rest)}" if rest else "one hundred"
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return f"{_TENS[tens]}-{_ONES[ones]}" if ones else _TENS[tens]


def near(problem: Problem) -> list[int]:
    """Wrong answers: what a slip of two to five or of ten gives, none below 0; of a comparison the other number.

    The numbers of a sum are none: a model that repeats what it has read would rank them first, whatever it knows.
    """
    if problem.ask in COMPARED:
        return list(problem.numbers)
    slips = [problem.answer + sign * step for step in SLIPS for sign in (1, -1)]
    return [number for number in slips if number not in problem.numbers and 0 <= number < 200]


def _fresh(draw: Draw, rng: random.Random, seen: set[tuple[str, tuple[int, ...]]]) -> Problem:
    while True:
        problem = draw(rng)
        key = (problem.ask, problem.numbers)
        if key not in seen:
            seen.add(key)
            return problem


def _row(name: str, kind: str, problem: Problem, phrases: Any, split: str, rng: random.Random) -> dict[str, Any]:
    in_words = rng.random() < WORDS_SHARE and problem.answer < 100
    form = "words" if in_words else "digits"
    shown = [spell(number) if in_words else str(number) for number in problem.numbers]
    template: str = rng.choice(phrases[problem.ask][form][split])
    question = template.format(a=shown[0], b=shown[1], terms=", ".join(shown))
    say = spell if in_words else str
    count = len(problem.numbers) if problem.ask in COMPARED else COUNT
    choices = offered(f"arithmetic {name}", say(problem.answer), map(say, near(problem)), count=count)
    row = {"id": name, "question": question[0].upper() + question[1:], "choices": choices}
    return row | {"answer": say(problem.answer), "kind": kind, "form": form}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
