"""The counts that corpus BLEU is made of.

Of one item, in order: length of the prediction, length of the closest reference, matching n-grams for n = 1..4, all
n-grams of the prediction for n = 1..4.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics import sacre


def flores_model() -> Path:
    """Where sacrebleu keeps the SentencePiece model of its flores200 tokenizer, which it fetches at its first use."""
    from sacrebleu.tokenizers.tokenizer_spm import SPM_MODELS
    from sacrebleu.utils import SACREBLEU_DIR

    return Path(SACREBLEU_DIR) / "models" / Path(SPM_MODELS["flores200"]["url"]).name


def scorer(lowercase: bool = False, tokenize: str = "13a") -> Any:
    """sacrebleu's BLEU at its defaults: exponential smoothing, order 4.

    `force` only silences a warning about texts that look tokenised; it changes no score.
    """
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(lowercase=lowercase, force=True, tokenize=tokenize)


def statistics(
    predictions: Sequence[str], references: Sequence[Sequence[str]], *, lowercase: bool = False, tokenize: str = "13a"
) -> NDArray[np.int64]:
    """The counts named above, [n, 10]."""
    return sacre.statistics(scorer(lowercase, tokenize), predictions, references)


def from_statistics(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corpus BLEU, 0-100, of each row of summed counts, [m, 10] to [m].

    Papineni et al. 2002, ACL, 311-318, section 2.3; orders without a match are smoothed as by mteval-v13a: the first
    counts as 1/2 match, the next as 1/4, and so on (Chen and Cherry 2014, WMT, 362-367, method 3).
    """
    length, reference, matches, ngrams = rows[:, 0], rows[:, 1], rows[:, 2:6], rows[:, 6:10]
    missed = np.cumsum(matches == 0, axis=1)
    counted = np.where(matches == 0, 0.5**missed, matches)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.log(100 * counted / ngrams).mean(axis=1)
        penalty = np.where(length < reference, np.exp(1 - reference / length), 1.0)
    known = (ngrams > 0).all(axis=1) & (matches > 0).any(axis=1)
    return np.where(known, penalty * np.exp(np.where(known, precision, 0.0)), 0.0)
