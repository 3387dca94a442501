"""The counts that corpus BLEU is made of.

Of one item, in order: length of the prediction, length of the closest reference, matching n-grams for n = 1..4, all
n-grams of the prediction for n = 1..4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.metrics import sacre

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def scorer(lowercase: bool = False) -> Any:
    """sacrebleu's BLEU at its defaults: 13a tokens, exponential smoothing, order 4.

    `force` only silences a warning about texts that look tokenised; it changes no score.
    """
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(lowercase=lowercase, force=True)


def statistics(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, lowercase: bool = False
) -> NDArray[np.int64]:
    """The counts named above, [n, 10]."""
    return sacre.statistics(scorer(lowercase), predictions, references)


def from_statistics(totals: list[int]) -> float:
    """Corpus BLEU, 0-100, of ten summed counts."""
    return float(scorer()._compute_score_from_stats(totals).score)
