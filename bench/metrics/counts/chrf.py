"""The counts that corpus chrF is made of.

Of one item, for its best reference: for n = 1..6 in turn, character n-grams of the prediction, of the reference, and
shared; of chrF++ then the same of words, n = 1, 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics import sacre


def scorer(lowercase: bool = False, word_order: int = 0) -> Any:
    """sacrebleu's chrF at its defaults: characters up to order 6, beta 2, spaces left out; chrF++ with words to 2."""
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(lowercase=lowercase, word_order=word_order)


def statistics(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, lowercase: bool = False, word_order: int = 0
) -> NDArray[np.int64]:
    """The counts named above, [n, 18], or [n, 24] with words."""
    return sacre.statistics(scorer(lowercase, word_order), predictions, references)


def from_statistics(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corpus chrF, 0-100, of each row of summed counts, [m, 18 or 24] to [m].

    Popović 2015, WMT, 392-395, with beta 2: precision and recall are means over the orders that both texts have.
    """
    said, meant, shared = (rows[:, start::3] for start in range(3))
    both = (said > 0) & (meant > 0)
    orders = np.maximum(both.sum(axis=1), 1)
    precision, recall = (
        np.divide(shared, total, out=np.zeros_like(shared), where=both).sum(axis=1) / orders for total in (said, meant)
    )
    below = 4 * precision + recall
    return np.asarray(100 * np.divide(5 * precision * recall, below, out=np.zeros_like(below), where=below > 0))
