"""What share of the corpus each skill has, and how the shares move during training."""

from __future__ import annotations

import random
from collections.abc import Callable

from bench.mini.corpus import arithmetic, classify, copying, facts, forms, prose, reading
from bench.mini.corpus.document import Document

Draw = Callable[[random.Random], Document]

# Shares by tokens would follow document lengths; these are shares by documents.
_SHARES: tuple[tuple[Draw, float], ...] = (
    (facts.draw, 0.36),
    (reading.draw, 0.24),
    (classify.draw, 0.10),
    (classify.draw_mapping, 0.08),
    (forms.draw, 0.10),
    (prose.draw, 0.06),
    (arithmetic.draw, 0.06),
)
_COPYING_AT_FIRST, _COPYING_UNTIL, _COPYING_LATER = 0.5, 0.3, 0.04


def copying_share(progress: float) -> float:
    """Share of look-ups and repeated lines: from a half down in a straight line, then a little to the end."""
    falling = _COPYING_AT_FIRST * (1 - progress / _COPYING_UNTIL)
    return max(_COPYING_LATER, falling)


def draw(rng: random.Random, progress: float) -> Document:
    """A document of the corpus at `progress` (0 to 1) of the training."""
    if rng.random() < copying_share(progress):
        return copying.draw(rng)
    draws, shares = zip(*_SHARES, strict=True)
    chosen: Draw = rng.choices(draws, shares)[0]
    return chosen(rng)


def sample(seed: int, documents: int) -> list[str]:
    """Texts of documents over the whole course of training: what the tokenizer is trained on."""
    found = []
    for i in range(documents):
        rng = random.Random(f"{seed}/sample/{i}")
        found.append(draw(rng, i / documents).text)
    return found
