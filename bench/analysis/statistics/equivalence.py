"""Whether two methods are as good as equal on the same items: two one-sided tests (TOST).

Not to differ significantly is no evidence of being equal; this is. For a difference that comes with an interval of
another kind (corpus metrics, seeds, shares) take the interval of level 1 - 2 alpha and ask `within`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from bench.analysis.statistics import checks, resampling
from bench.analysis.statistics.distributions import t_cdf, t_quantile
from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.paired import paired_draws
from bench.analysis.statistics.resampling import DRAWS, Kind


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether a difference lies within a margin."""

    difference: float  # a less b, in the unit of the scores
    interval: Interval  # of level 1 - 2 alpha
    margin: float
    p: float  # the larger of the two one-sided p: of a difference of at least the margin
    equivalent: bool  # p is at most alpha
    n: int  # items
    method: str


def tost(a: ArrayLike, b: ArrayLike, margin: float, *, alpha: float = 0.05) -> Equivalence:
    """Two one-sided paired t-tests of two methods' scores [n] against -margin and margin, in the unit of the scores.

    Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680. Equivalent where both reject, which
    is where the interval of level 1 - 2 alpha lies within the margin.

    Raises ValueError for lengths that differ, fewer than two items, a score not finite, margin not above 0, alpha
    not in (0, 1/2).
    """
    first, second = checks.pair(a, b)
    _check(margin, alpha)
    gap, df = first - second, first.size - 1
    mean, error = float(gap.mean()), float(gap.std(ddof=1)) / math.sqrt(gap.size)
    reach = t_quantile(1 - alpha, df) * error
    p = t_cdf(_ratio(abs(mean) - margin, error), df)
    interval = Interval(mean - reach, mean + reach, 1 - 2 * alpha)
    return Equivalence(mean, interval, margin, p, p <= alpha, gap.size, "TOST, paired t")


def tost_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    margin: float,
    *,
    alpha: float = 0.05,
    draws: int = DRAWS,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
    kind: Kind = "expanded",
) -> Equivalence:
    """The same by resampling items, or groups (n labels) of them, as in `paired.paired_means`.

    Raises ValueError as `tost` and `paired.paired_means` do.
    """
    _check(margin, alpha)
    found = paired_draws(a, b, draws=draws, seed=seed, groups=groups, kind=kind)
    p = max(resampling.below(found, -margin, kind), resampling.above(found, margin, kind))
    interval = Interval(*resampling.limits(found, 1 - 2 * alpha, kind), 1 - 2 * alpha)
    n = len(checks.vector(a, "a"))
    return Equivalence(found.observed, interval, margin, p, p <= alpha, n, f"TOST, paired bootstrap, {kind}")


def within(interval: Interval, margin: float) -> bool:
    """Whether an interval of a difference lies strictly between -margin and margin; at level 1 - 2 alpha a TOST.

    Raises ValueError for margin not above 0.
    """
    checks.positive(margin, "margin")
    return -margin < interval.low and interval.high < margin


def _check(margin: float, alpha: float) -> None:
    checks.positive(margin, "margin")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha}; it must lie between 0 and 1/2, both excluded")


def _ratio(gap: float, error: float) -> float:
    """A t value; without any error it is beyond all limits, or 0 right on the margin."""
    if error > 0:
        return gap / error
    return math.copysign(math.inf, gap) if gap else 0.0
