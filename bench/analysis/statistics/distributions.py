"""The distributions the tests rest on, typed; `scipy.special` alone, for `scipy.stats` takes a second to import."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped]  # scipy ships no types

Array = NDArray[np.float64]


def normal_cdf(z: float) -> float:
    """P(Z <= z) of the standard normal distribution."""
    return float(special.ndtr(z))


def normal_quantile(share: float) -> float:
    """The z with P(Z <= z) = share; -inf at 0 and inf at 1."""
    return float(special.ndtri(share))


def t_cdf(t: float, df: float) -> float:
    """P(T <= t) of Student's t with `df` degrees of freedom, which need not be whole."""
    return float(special.stdtr(df, t))


def t_quantile(share: float, df: float) -> float:
    """The t with P(T <= t) = share."""
    return float(special.stdtrit(df, share))


def t_quantiles(share: ArrayLike, df: ArrayLike) -> Array:
    """The same elementwise over degrees of freedom."""
    return np.asarray(special.stdtrit(df, share), dtype=np.float64)


def binomial_cdf(successes: ArrayLike, trials: ArrayLike, share: ArrayLike) -> Array:
    """P(X <= successes), elementwise; 0 below 0 and 1 from `trials` on."""
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    inside = np.clip(k, 0, np.maximum(n - 1, 0))
    found = np.asarray(special.betaincc(inside + 1, np.maximum(n - inside, 1), share), dtype=np.float64)
    return np.where(k < 0, 0.0, np.where(k >= n, 1.0, found))


def binomial_pmf(successes: ArrayLike, trials: ArrayLike, share: ArrayLike) -> Array:
    """P(X = successes), elementwise, for 0 <= successes <= trials and 0 < share <= 1."""
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return np.asarray(np.exp(ways + special.xlogy(k, share) + special.xlog1py(n - k, -np.asarray(share))))


def bisect(rises: Callable[[float], bool], low: float, high: float, steps: int = 100) -> float:
    """The least x in [low, high] from which `rises` holds, given that it holds at `high`."""
    for _ in range(steps):
        middle = (low + high) / 2
        if rises(middle):
            high = middle
        else:
            low = middle
    return high


def first_where(
    holds: Callable[[Array], NDArray[np.bool_]], low: float, high: float, rounds: int = 8, cuts: int = 64
) -> float:
    """As `bisect`, asking for `cuts` points at once: for what costs as much for many points as for one."""
    for _ in range(rounds):
        points = np.linspace(low, high, cuts + 1)
        first = int(np.argmax(np.append(holds(points[1:-1]), True))) + 1
        low, high = float(points[first - 1]), float(points[first])
    return high
