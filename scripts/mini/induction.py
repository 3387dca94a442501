"""What mini sees first: look-ups and repeats of random token ids, from which it learns to find and copy any token.

Induction (find what followed this before, and write it again) is what in-context learning grows from (Olsson et al.
2022, arXiv:2209.11895). On text of a corpus it took more than four million tokens to form, on these documents less than
one.
"""

from __future__ import annotations

import random
from typing import Any

FIRST = 300  # ids below are the end of a document and single bytes
_BETWEEN = (" =", ":", " ->", " is")
_AFTER = (",", "\n")


def draw(rng: random.Random, tokenizer: Any, vocabulary: int, longest: int) -> tuple[list[int], list[float]]:
    """Token ids and loss weights of a document whose keys and values have up to `longest` tokens."""
    return _lookup(rng, tokenizer, vocabulary, longest) if rng.random() < 0.5 else _repeat(rng, tokenizer, vocabulary)


def _lookup(rng: random.Random, tokenizer: Any, vocabulary: int, longest: int) -> tuple[list[int], list[float]]:
    def phrase() -> list[int]:
        return _ids(rng, vocabulary, rng.randint(1, longest))

    table = [(phrase(), phrase()) for _ in range(rng.randint(3, 8))]
    between, after = tokenizer.encode(rng.choice(_BETWEEN)).ids, tokenizer.encode(rng.choice(_AFTER)).ids
    ids: list[int] = []
    weights: list[float] = []
    for key, value in table:
        ids += [*key, *between, *value, *after]
    weights += [0.0] * len(ids)
    for key, value in rng.choices(table, k=rng.randint(3, 8)):
        ids += [*key, *between, *value, *after]
        weights += [0.0] * len(key + between) + [1.0] * len(value) + [0.0] * len(after)
    return ids, weights


def _repeat(rng: random.Random, tokenizer: Any, vocabulary: int) -> tuple[list[int], list[float]]:
    line = _ids(rng, vocabulary, rng.randint(4, 20))
    after = tokenizer.encode("\n").ids
    ids, weights = [*line, *after], [0.0] * len(line + after)
    for _ in range(rng.randint(1, 3)):
        ids += [*line, *after]
        weights += [1.0] * len(line + after)
    return ids, weights


def _ids(rng: random.Random, vocabulary: int, count: int) -> list[int]:
    return [rng.randrange(min(FIRST, vocabulary // 2), vocabulary) for _ in range(count)]
