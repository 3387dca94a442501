"""The methods that no other beats in everything, and how sure that is where quality has its doubt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def front(points: Array) -> NDArray[np.bool_]:
    """Which rows of `points` [methods, aims], each the more the better, no other row beats.

    A row is beaten by one that is as good in every aim and better in one.
    """
    no_worse = np.all(points[None, :, :] >= points[:, None, :], axis=2)
    better = np.any(points[None, :, :] > points[:, None, :], axis=2)
    beaten: NDArray[np.bool_] = np.any(no_worse & better, axis=1)
    return ~beaten


def chances(draws: Array, others: Array) -> Array:
    """Share of quality draws [draws, methods] in which each method is on the front with its other aims [methods, k]."""
    on = [front(np.column_stack([quality, others])) for quality in draws]
    return np.asarray(np.mean(on, axis=0), dtype=np.float64)


def quality_draws(values: Sequence[Array], draws: int, seed: int) -> Array:
    """Resampled mean qualities [draws, methods] from each method's scores [its seeds, items].

    The same items for all methods of a draw; of the seeds of each its own (the pigeonhole bootstrap of Owen 2007).
    """
    rng = np.random.default_rng(seed)
    items = values[0].shape[1]
    weights = rng.multinomial(items, np.full(items, 1 / items), draws) / items
    found = np.empty((draws, len(values)))
    for j, own in enumerate(values):
        of_seeds = weights @ own.T  # [draws, seeds]
        drawn = rng.integers(0, len(own), (draws, len(own)))
        found[:, j] = np.take_along_axis(of_seeds, drawn, axis=1).mean(axis=1)
    return found
