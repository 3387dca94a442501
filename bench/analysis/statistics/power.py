"""What a comparison could have seen: the smallest difference it would have found, and the items that one needs.

"Found" means a two-sided p of at most alpha with chance `power`. A difference is given and returned as a number above
0, in the unit of the scores; for shares it is one of shares, in (0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics import checks
from bench.analysis.statistics.distributions import (
    binomial_cdf,
    binomial_pmf,
    bisect,
    noncentral_t_within,
    normal_cdf,
    normal_quantile,
    t_quantile,
)
from bench.analysis.statistics.intervals import Interval

Array = NDArray[np.float64]
Method: TypeAlias = Literal["exact", "normal"]


def mcnemar_power(
    n: int, discordance: float, difference: float, *, alpha: float = 0.05, mid_p: bool = False, method: Method = "exact"
) -> float:
    """Chance that McNemar's test finds `difference` between two shares on n items, in [0, 1].

    `discordance` is the share of items that one method alone gets right. `exact`: the conditional test's power
    averaged over the number of discordant items, both tails (Duffy 1984, Biometrics 40, 1005-1015). `normal`:
    Connor 1987, Biometrics 43, 207-211, the tail on the side of the difference alone; `mid_p` changes nothing in it.

    Raises ValueError for n below 1, alpha not in (0, 1), discordance not in (0, 1], difference not in
    [0, discordance].
    """
    of_difference = _power_of_shares(n, discordance, alpha, mid_p, method)
    if not 0 <= difference <= discordance:
        raise ValueError(f"difference is {difference}; it must lie in [0, {discordance}], the discordance")
    return of_difference(difference)


def mdd_shares(
    n: int,
    discordance: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    mid_p: bool = False,
    method: Method = "exact",
) -> float | None:
    """Minimum detectable difference of two paired shares on n items; None where none could be found at all.

    `discordance`, `mid_p`, `method`: as in `mcnemar_power`. The discordance is held at what was measured, and bounds
    the difference.

    Raises ValueError for n below 1, alpha or power not in (0, 1), discordance not in (0, 1].
    """
    checks.share(power, "power")
    of_difference = _power_of_shares(n, discordance, alpha, mid_p, method)
    if of_difference(discordance) < power:
        return None
    return bisect(lambda difference: of_difference(difference) >= power, 0.0, discordance, steps=50)


def required_n_shares(
    difference: float,
    discordance: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    mid_p: bool = False,
    method: Method = "exact",
) -> int:
    """Items needed to find `difference` between two paired shares.

    The number returned is enough and one less is not; the exact power is not quite monotonic in n, so that some
    smaller number may be enough too. Unit and arguments: as in `mdd_shares`.

    Raises ValueError for difference not in (0, discordance], and as `mdd_shares` does.
    """
    checks.share(power, "power")
    checks.positive(difference, "difference")

    def enough(n: int) -> bool:
        return mcnemar_power(n, discordance, difference, alpha=alpha, mid_p=mid_p, method=method) >= power

    return fewest(enough)


def mdd_means(n: int, sd: float, *, alpha: float = 0.05, power: float = 0.8, method: Method = "exact") -> float:
    """Minimum detectable difference of two paired means on n items, in the unit of `sd`.

    `sd` is the standard deviation of the items' differences, n - 1 below the line. `exact`: noncentral t, the power
    of the paired t-test for normal differences (Cohen 1988, chapter 2; R's power.t.test); `normal`:
    (z_(1-alpha/2) + z_power) sd / sqrt(n). The t-test stands in for the bootstrap, which has no power formula.

    Raises ValueError for n below 2, alpha or power not in (0, 1), power not above alpha, sd not above 0.
    """
    checks.at_least(n, 2, "n")
    _check_means(sd, alpha, power)
    if method == "normal":
        return (normal_quantile(1 - alpha / 2) + normal_quantile(power)) * sd / math.sqrt(n)
    high = 2.0
    while _t_power(n, high, alpha) < power:
        high *= 2
    return bisect(lambda shift: _t_power(n, shift, alpha) >= power, 0.0, high) * sd / math.sqrt(n)


def required_n_means(
    difference: float, sd: float, *, alpha: float = 0.05, power: float = 0.8, method: Method = "exact"
) -> int:
    """Items needed to find `difference` between two paired means; `sd`, `method` as in `mdd_means`. At least 2.

    Raises ValueError for difference or sd not above 0, alpha or power not in (0, 1), power not above alpha.
    """
    checks.positive(difference, "difference")
    _check_means(sd, alpha, power)
    shift = difference / sd
    if method == "normal":
        return max(2, math.ceil(((normal_quantile(1 - alpha / 2) + normal_quantile(power)) / shift) ** 2))
    return fewest(lambda n: n > 1 and _t_power(n, shift * math.sqrt(n), alpha) >= power)


def mdd_interval(interval: Interval, *, power: float = 0.8) -> float:
    """Minimum detectable difference from an interval of a difference, in its unit, at alpha = 1 - its level.

    Half its width is taken as z_(1-alpha/2) standard errors: for statistics without a power formula of their own
    (corpus metrics, seeds); with few seeds it is somewhat too large.

    Raises ValueError for power not in (0, 1).
    """
    critical = normal_quantile((1 + interval.level) / 2)
    return (interval.high - interval.low) / 2 * (1 + normal_quantile(checks.share(power, "power")) / critical)


def _power_of_shares(n: int, discordance: float, alpha: float, mid_p: bool, method: Method) -> Callable[[float], float]:
    """Power as a function of the difference; what does not hang on that is done once."""
    _check_shares(n, discordance, alpha)
    if method == "normal":
        return lambda difference: _connor(n, discordance, difference, alpha)
    discordant, chances = discordant_counts(n, discordance)
    critical = _critical(discordant, alpha, mid_p)

    def of_difference(difference: float) -> float:
        of_better = (1 + difference / discordance) / 2  # share of the discordant items that are the better method's
        tails = binomial_cdf(critical, discordant, of_better) + binomial_cdf(critical, discordant, 1 - of_better)
        return min(1.0, float(chances @ tails))

    return of_difference


def _connor(n: int, discordance: float, difference: float, alpha: float) -> float:
    gap = math.sqrt(n) * difference - normal_quantile(1 - alpha / 2) * math.sqrt(discordance)
    spread = discordance - difference**2
    return normal_cdf(gap / math.sqrt(spread)) if spread > 0 else float(gap >= 0)


def discordant_counts(n: int, discordance: float) -> tuple[Array, Array]:
    """Numbers of discordant items that are not all but impossible, and their chances."""
    reach = 10 * math.sqrt(n * discordance * (1 - discordance)) + 20
    low, high = max(0, math.floor(n * discordance - reach)), min(n, math.ceil(n * discordance + reach))
    discordant = np.arange(low, high + 1, dtype=np.float64)
    return discordant, binomial_pmf(discordant, n, discordance)


def _critical(discordant: Array, alpha: float, mid_p: bool) -> Array:
    """For each number of discordant items the largest smaller count at which p is at most alpha; -1 for none."""
    low, high = np.full_like(discordant, -1.0), np.floor(discordant / 2)
    while (low < high).any():  # p rises with the smaller count up to the half: halve the range of all at once
        middle = np.ceil((low + high) / 2)
        p = 2 * binomial_cdf(middle, discordant, 0.5)
        if mid_p:
            p = p - binomial_pmf(middle, discordant, 0.5)
        low, high = np.where(p <= alpha, middle, low), np.where(p <= alpha, high, middle - 1)
    return low


def _t_power(n: int, shift: float, alpha: float) -> float:
    """Power of the two-sided paired t-test when the mean is `shift` standard errors from 0."""
    return 1 - noncentral_t_within(t_quantile(1 - alpha / 2, n - 1), n - 1, shift)


def fewest(enough: Callable[[int], bool]) -> int:
    """A number that is enough where one less is not, found by doubling and halving."""
    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check_shares(n: int, discordance: float, alpha: float) -> None:
    checks.at_least(n, 1, "n")
    checks.share(alpha, "alpha")
    if not 0 < discordance <= 1:
        raise ValueError(f"discordance is {discordance}; it must lie in (0, 1]")


def _check_means(sd: float, alpha: float, power: float) -> None:
    checks.positive(sd, "sd")
    checks.share(alpha, "alpha")
    if checks.share(power, "power") <= alpha:
        raise ValueError(f"power is {power}; it must be above alpha, {alpha}")
