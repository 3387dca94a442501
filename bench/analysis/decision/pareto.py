"""The methods that no other beats in everything, and how sure that is where quality has its doubt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def chances(draws: Array, others: Array) -> Array:
    """Share of quality draws [draws, methods] in which each method is on the front with its other aims [methods, k].

    Of every aim more is better. A method is beaten, and not on the front, where another is as good in every aim and
    better in one. NaN is unknown: as good as it is none, so that what was not measured beats nothing, nor is beaten.
    """
    # [one, other]: whether the other is as good in every other aim, and better in one of them; the same for all draws
    no_worse = np.all(others[None, :, :] >= others[:, None, :], axis=2)
    better = np.any(others[None, :, :] > others[:, None, :], axis=2)
    beaten = np.zeros(draws.shape, dtype=bool)
    for i in range(draws.shape[1]):
        own = draws[:, i, None]
        beaten[:, i] = np.any(no_worse[i] & (draws >= own) & (better[i] | (draws > own)), axis=1)
    return np.asarray(np.mean(~beaten, axis=0), dtype=np.float64)


def quality_draws(values: Sequence[Array], draws: int, seed: int) -> Array:
    """Resampled mean qualities [draws, methods] from each method's scores [its seeds, items].

    The same items for all methods of a draw, of the checkpoints that were measured.
    """
    weights = _weights(values[0].shape[1], draws, seed)
    return np.column_stack([weights @ own.mean(axis=0) for own in values])


@lru_cache(maxsize=2)  # tasks often have as many items as the one before
def _weights(items: int, draws: int, seed: int) -> Array:
    """How often each item is drawn, as shares [draws, items]."""
    return np.random.default_rng(seed).multinomial(items, np.full(items, 1 / items), draws) / items
