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
    better in one.
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

    The same items for all methods of a draw; of the seeds of each its own (the pigeonhole bootstrap of Owen 2007).
    """
    rng = np.random.default_rng((seed, 1))
    weights = _weights(values[0].shape[1], draws, seed)
    found = np.empty((draws, len(values)))
    for j, own in enumerate(values):
        of_seeds = weights @ own.T  # [draws, seeds]
        drawn = rng.integers(0, len(own), (draws, len(own)))
        found[:, j] = np.take_along_axis(of_seeds, drawn, axis=1).mean(axis=1)
    return found


@lru_cache(maxsize=2)  # tasks often have as many items as the one before
def _weights(items: int, draws: int, seed: int) -> Array:
    """How often each item is drawn, as shares [draws, items]."""
    return np.random.default_rng(seed).multinomial(items, np.full(items, 1 / items), draws) / items
