"""What BLEU and chrF share: references the way sacrebleu wants them, and its sufficient statistics."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray


def streams(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """[segment][reference] to sacrebleu's [reference][segment]; None where a segment has no further one.

    sacrebleu takes both shapes without complaint and, handed the wrong one, scores only as many
    segments as the first has references. None is its mark for "undefined" (`Metric._cache_references`).
    """
    return [list(stream) for stream in zip_longest(*references, fillvalue=None)]


def statistics(scorer: Any, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """sacrebleu's own counts for each segment, [n, number of counts]; their sum gives the corpus score."""
    rows = scorer._extract_corpus_statistics(list(predictions), streams(references))
    counts: NDArray[np.int64] = np.asarray(rows, dtype=np.int64)
    if len(counts) != len(predictions):
        raise RuntimeError(f"sacrebleu scored {len(counts)} of {len(predictions)} segments")
    return counts
