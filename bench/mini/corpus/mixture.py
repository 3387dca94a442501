"""What share of the corpus each skill has, and how the shares move during training: from plain forms to rich ones."""

from __future__ import annotations

import random
from collections.abc import Callable

from bench.mini.corpus import arithmetic, basics, classify, copying, facts, forms, prose, reading
from bench.mini.corpus.document import Document

Draw = Callable[[random.Random], Document]

# Shares by tokens would follow document lengths; these are shares by documents, at the start and at the end.
_SHARES: tuple[tuple[Draw, float, float], ...] = (
    (basics.reading, 0.24, 0.10),
    (basics.topics, 0.10, 0.05),
    (basics.style, 0.12, 0.06),
    (facts.draw, 0.24, 0.24),
    (reading.draw, 0.10, 0.20),
    (classify.draw, 0.05, 0.09),
    (classify.draw_mapping, 0.06, 0.08),
    (forms.draw, 0.04, 0.10),
    (prose.draw, 0.03, 0.04),
    (arithmetic.draw, 0.02, 0.04),
)
_PLAIN_UNTIL, _RICH_FROM = 0.2, 0.8
_COPYING_AT_FIRST, _COPYING_UNTIL, _COPYING_LATER = 0.5, 0.3, 0.04


def copying_share(progress: float) -> float:
    """Share of look-ups and repeated lines: from a half down in a straight line, then a little to the end."""
    falling = _COPYING_AT_FIRST * (1 - progress / _COPYING_UNTIL)
    return max(_COPYING_LATER, falling)


def draw(rng: random.Random, progress: float) -> Document:
    """A document of the corpus at `progress` (0 to 1) of the training."""
    if rng.random() < copying_share(progress):
        return copying.draw(rng)
    rich = min(1.0, max(0.0, (progress - _PLAIN_UNTIL) / (_RICH_FROM - _PLAIN_UNTIL)))
    chosen: Draw = rng.choices([each[0] for each in _SHARES], [a + (b - a) * rich for _, a, b in _SHARES])[0]
    return chosen(rng)


def sample(seed: int, documents: int) -> list[str]:
    """Texts of documents over the whole course of training: what the tokenizer is trained on."""
    found = []
    for i in range(documents):
        rng = random.Random(f"{seed}/sample/{i}")
        found.append(draw(rng, i / documents).text)
    return found
