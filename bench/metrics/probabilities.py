"""Probabilities of choices and what they are worth, without `evaluate`: softmax, Brier score, log loss, calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence

BINS = 15  # of equal width (Guo et al. 2017, section 3)
_LEAST = 1e-15  # of a probability, as scikit-learn once clipped: a failed item costs 34.5 nats


def probabilities(scores: Sequence[float], right: int) -> list[float]:
    """Softmax of log-likelihoods, the correct choice first; [0, 1] for an item that failed (no scores)."""
    if not scores or not all(map(math.isfinite, scores)):
        return [0.0, 1.0]
    highest = max(scores)
    weights = [math.exp(score - highest) for score in scores]
    shares = [weight / math.fsum(weights) for weight in weights]
    return [shares[right], *shares[:right], *shares[right + 1 :]]


def brier(given: Sequence[float]) -> float:
    """Sum over choices of (probability - truth)², in [0, 2] (Brier 1950)."""
    return math.fsum([(given[0] - 1) ** 2, *(share**2 for share in given[1:])])


def log_loss(given: Sequence[float]) -> float:
    """-ln of the probability of the correct choice, nats; 34.5 at most."""
    return -math.log(max(given[0], _LEAST))


def confidence(given: Sequence[float]) -> tuple[float, bool]:
    """(highest probability, whether the correct choice has it alone)."""
    others = max(given[1:], default=0.0)
    return max(given[0], others), given[0] > others


def bin_of(confidence: float, count: int = BINS) -> int:
    """The bin of a confidence: bins are (k / count, (k + 1) / count]; 0 is in the first."""
    return min(max(math.ceil(confidence * count) - 1, 0), count - 1)


def bins(items: Sequence[Sequence[float]], count: int = BINS) -> list[tuple[int, float, float]]:
    """(items, mean confidence, share correct) of each bin of confidence; zeros for an empty one."""
    found: list[list[tuple[float, bool]]] = [[] for _ in range(count)]
    for given in items:
        sure, correct = confidence(given)
        found[bin_of(sure, count)].append((sure, correct))
    return [
        (len(own), math.fsum(sure for sure, _ in own) / len(own), sum(correct for _, correct in own) / len(own))
        if own
        else (0, 0.0, 0.0)
        for own in found
    ]


def ece(items: Sequence[Sequence[float]]) -> float:
    """Mean over items of |confidence - accuracy| of their bin (Guo et al. 2017, arXiv:1706.04599, equation 3)."""
    return math.fsum(size * abs(sure - correct) for size, sure, correct in bins(items)) / len(items)
