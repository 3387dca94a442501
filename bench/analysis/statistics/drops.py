"""Chances of a one-sided rule: that a true drop is found beyond a margin, that no change is shown to be within one.

Two rules. *Found*: the one-sided p of no drop is at most alpha, and the drop that is seen exceeds a margin. *Within*: a
drop of the margin or more is refused at alpha (non-inferiority). A drop is a number above 0, in the unit of the scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics import checks
from bench.analysis.statistics.distributions import (
    binomial_cdf,
    binomial_pmf,
    normal_cdf,
    normal_quantile,
    t_quantile,
)

Array = NDArray[np.float64]
Chance: TypeAlias = Callable[[int], float]  # of items to a chance


def found_shares(n: int, discordance: float, drop: float, *, alpha: float, margin: float = 0.0) -> float:
    """Chance that McNemar's exact test, one-sided, finds `drop` of shares on n items and sees more than `margin`.

    Averaged over the number of discordant items (Duffy 1984, Biometrics 40, 1005-1015), with the count of losses raised
    to what the margin asks.

    Raises ValueError for n below 1, alpha not in (0, 1), discordance not in (0, 1], drop not in [0, discordance].
    """
    _check(n, discordance, drop, alpha)
    discordant, chances = _discordant_counts(n, discordance)
    significant = _least_losses(discordant, alpha)
    beyond = np.floor((discordant + n * margin) / 2 + 1e-9) + 1  # losses less gains exceed n times the margin
    of_losses = (1 + drop / discordance) / 2
    least = np.maximum(significant, beyond)
    return min(1.0, float(chances @ binomial_cdf(discordant - least, discordant, 1 - of_losses)))


def within_shares(n: int, discordance: float, margin: float, *, alpha: float) -> float:
    """Chance that Tango's score test on n items refuses a drop of `margin` of shares where nothing changed.

    Averaged over both discordant counts, so that the chance is that of the test as it is carried out.

    Raises ValueError as `found_shares` does, and for a margin not in (0, 1).
    """
    _check(n, discordance, 0.0, alpha)
    checks.share(margin, "margin")
    discordant, chances = _discordant_counts(n, discordance)
    most = _most_losses(n, discordant, margin, normal_quantile(1 - alpha))
    return min(1.0, float(chances @ binomial_cdf(most, discordant, 0.5)))


def found_means(error: float, critical: float, drop: float, *, margin: float = 0.0) -> float:
    """The same as `found_shares` for a difference that is about normal around `drop` with standard error `error`.

    `critical`: how far from 0 a difference is significant.
    """
    reach = max(critical, margin)
    return normal_cdf((drop - reach) / error) if error > 0 else float(drop > reach)


def within_means(error: float, critical: float, margin: float) -> float:
    """The same as `within_shares` for such a difference; `critical`: how far its one-sided limit lies from it."""
    return normal_cdf((margin - critical) / error) if error > 0 else float(critical < margin)


def one_sided_critical(parts: list[tuple[float, float]], alpha: float) -> float:
    """How far the one-sided limit lies from a difference whose variance has parts of (variance, degrees of freedom).

    Cochran and Cox's weighted critical value, as in `seeds.crossed_means`; of one part it is Student's.
    """
    variance = sum(part for part, _ in parts)
    weighted = sum(part * t_quantile(1 - alpha, df) for part, df in parts)
    return weighted / math.sqrt(variance) if variance else 0.0


def items_needed(chance: Chance, power: float, most: int = 10_000_000) -> int | None:
    """A number of items that gives at least `power` where one less does not; None where `most` are not enough.

    Exact chances are not quite monotonic in n, so that some smaller number may be enough too.
    """
    checks.share(power, "power")
    if chance(most) < power:
        return None
    high = 1
    while high < most and chance(high) < power:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if middle >= most or chance(middle) >= power else (middle, high)
    return high


def _discordant_counts(n: int, discordance: float) -> tuple[Array, Array]:
    """Numbers of discordant items that are not all but impossible, and their chances."""
    reach = 10 * math.sqrt(n * discordance * (1 - discordance)) + 20
    low, high = max(0, math.floor(n * discordance - reach)), min(n, math.ceil(n * discordance + reach))
    discordant = np.arange(low, high + 1, dtype=np.float64)
    return discordant, binomial_pmf(discordant, n, discordance)


def _least_losses(discordant: Array, alpha: float) -> Array:
    """For each number of discordant items the fewest losses with a one-sided p of at most alpha; n + 1 for none."""
    low, high = np.floor(discordant / 2), discordant + 1  # at the half p is above 1/2; above all of them it is 0
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        rejects = binomial_cdf(discordant - middle, discordant, 0.5) <= alpha
        narrow = high - low > 1
        low, high = np.where(narrow & ~rejects, middle, low), np.where(narrow & rejects, middle, high)
    return high


def _most_losses(n: int, discordant: Array, margin: float, z: float) -> Array:
    """For each number of discordant items the most losses with which Tango's test refuses the margin; -1 for none."""
    low, high = np.full_like(discordant, -1.0), discordant + 1
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        passes = _tango(n, discordant - middle, middle, -margin) >= z
        narrow = high - low > 1
        low, high = np.where(narrow & passes, middle, low), np.where(narrow & ~passes, middle, high)
    return low


def _tango(n: int, gained: Array, lost: Array, null: float) -> Array:
    """`onesided.tango` of many counts at once, for null below 0."""
    b = (2 * n + lost - gained) * null - gained - lost
    root = np.sqrt(np.maximum(b * b + 8 * n * lost * null * (1 - null), 0.0))
    variance = n * ((root - b) / (2 * n) + null * (1 - null))
    return np.asarray((gained - lost - n * null) / np.sqrt(np.maximum(variance, 1e-300)))


def _check(n: int, discordance: float, drop: float, alpha: float) -> None:
    checks.at_least(n, 1, "n")
    checks.share(alpha, "alpha")
    if not 0 < discordance <= 1:
        raise ValueError(f"discordance is {discordance}; it must lie in (0, 1]")
    if not 0 <= drop <= discordance:
        raise ValueError(f"drop is {drop}; it must lie in [0, {discordance}], the discordance")
