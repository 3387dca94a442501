"""What share of the corpus each skill has, and how the shares move during training: from plain forms to rich ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scripts.mini.corpus import arithmetic, basics, classify, copying, facts, forms, prose, reading
from scripts.mini.corpus.document import Document

Draw = Callable[[random.Random], Document]


@dataclass(frozen=True)
class _Part:
    """A skill's shares of the documents at three points of the first cycle and in the second; its answers' weight.

    Where the answers are a few words in a long text, they weigh more; else they would be lost in it.
    """

    draw: Draw
    at_first: float
    half_way: float
    at_last: float
    again: float
    weight: float = 1.0


_PARTS = (
    _Part(basics.reading, 0.30, 0.23, 0.14, 0.16, weight=3.0),
    _Part(basics.topics, 0.14, 0.11, 0.05, 0.04, weight=3.0),
    _Part(basics.style, 0.10, 0.085, 0.07, 0.05),
    _Part(facts.draw, 0.26, 0.25, 0.20, 0.14),
    _Part(reading.draw, 0.06, 0.10, 0.30, 0.42, weight=3.0),
    _Part(classify.draw, 0.03, 0.06, 0.08, 0.05, weight=2.0),
    _Part(classify.draw_mapping, 0.03, 0.045, 0.04, 0.03, weight=2.0),
    _Part(forms.draw, 0.03, 0.06, 0.08, 0.06),
    _Part(prose.draw, 0.03, 0.035, 0.03, 0.02),
    _Part(arithmetic.draw, 0.02, 0.025, 0.03, 0.03, weight=2.0),
)
# Points of the first cycle: the first shares last until, those of half way stand at, and the last ones from.
_POINTS = (0.2, 0.5, 0.7)
_COPYING_AT_FIRST, _COPYING_UNTIL, _COPYING_LATER = 0.5, 0.3, 0.04


def copying_share(progress: float) -> float:
    """Share of look-ups and repeated lines: from a half down in a straight line, then a little to the end."""
    falling = _COPYING_AT_FIRST * (1 - progress / _COPYING_UNTIL)
    return max(_COPYING_LATER, falling)


def draw(rng: random.Random, progress: float) -> Document:
    """A document of the corpus at `progress` of the training: up to 1 in the first cycle, from 1 on in the second."""
    if rng.random() < copying_share(progress):
        return copying.draw(rng)
    return _drawn(rng, [_share(part, progress) for part in _PARTS])


def sample(seed: int, documents: int) -> list[str]:
    """Texts of documents for the tokenizer; its shares go on to the end as they change before half way."""
    found = []
    for i in range(documents):
        rng = random.Random(f"{seed}/sample/{i}")
        progress = i / documents
        if rng.random() < copying_share(progress):
            found.append(copying.draw(rng).text)
            continue
        rich = min(1.0, max(0.0, (progress - 0.2) / 0.6))
        found.append(_drawn(rng, [x.at_first + 2 * (x.half_way - x.at_first) * rich for x in _PARTS]).text)
    return found


def _share(part: _Part, progress: float) -> float:
    if progress >= 1:
        return part.again
    return float(np.interp(progress, _POINTS, (part.at_first, part.half_way, part.at_last)))


def _drawn(rng: random.Random, shares: Sequence[float]) -> Document:
    part = rng.choices(_PARTS, shares)[0]
    document = part.draw(rng)
    document.weight = part.weight
    return document
