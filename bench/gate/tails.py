"""From what two runs scored, item by item, to differences with their tails, under both questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import metrics
from bench.analysis.answers import Answers, by_unit, groups_of
from bench.analysis.statistics import onesided
from bench.analysis.statistics.onesided import OneSided
from bench.core.record import Record

Array = NDArray[np.float64]
_COUNTS = 60_000_000  # drawn at most for one bootstrap, down to what its p needs
_MOST_DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Tails:
    """Candidate less baseline, turned so that higher is better. None where the data cannot answer a question."""

    checkpoints: OneSided | None  # what was measured, on new items
    training: OneSided | None  # new seeds and new items; None where a single seed stands on both sides
    identical: bool  # every item has what it had


def resampled(new: Sequence[Record], old: Sequence[Record]) -> bool:
    """Whether the two runs differ by their seeds too, so that what differs may be the seeds' alone.

    Not so of methods without a seed, nor where both drew the same examples by one seed and nothing was trained.
    """
    drawn = {record.identity.seed for record in (*new, *old)}
    return any(record.training is not None for record in (*new, *old)) or max(len(new), len(old), len(drawn)) > 1


def of_scores(new: Answers, old: Answers, sign: int, least_draws: int) -> Tails:
    """Of a metric; `sign` -1 where lower is better."""
    same = _same(_rows(new), _rows(old))
    if max(len(new.seeds), len(old.seeds)) > 1:
        a, b = by_unit([new, old])
        return Tails(onesided.items(sign * a, sign * b), onesided.crossed(sign * a, sign * b), same)
    return Tails(_one_each(new, old, sign, least_draws), None, same)


def of_counter(new: Array, old: Array, draws: int) -> Tails:
    """Of a counter, [seeds, items] each, as shares of the baseline's mean, which must not be 0."""
    whole, same = float(old.mean()), _same(new, old)
    a, b = -new / whole, -old / whole
    several = max(len(a), len(b)) > 1
    if a.shape[1] == 1:
        return Tails(None, onesided.of_seeds(a[:, 0], b[:, 0]) if several else None, same)
    if several:
        return Tails(onesided.items(a, b), onesided.crossed(a, b), same)
    return Tails(onesided.means(a[0], b[0], draws=_draws(a.shape[1], draws)), None, same)


def _one_each(new: Answers, old: Answers, sign: int, least: int) -> OneSided:
    groups = groups_of(new)
    if new.values is None or old.values is None:
        one, other = metrics.additive(new.metric, new.counts[0], old.counts[0])
        return onesided.corpus(
            one, other, lambda rows: sign * metrics.from_statistics(new.metric, rows), groups=groups, draws=least
        )
    a, b = sign * new.values[0], sign * old.values[0]
    if groups is None and np.isin([new.values, old.values], (0.0, 1.0)).all():
        return onesided.shares(a, b) if sign > 0 else onesided.shares(1 + a, 1 + b)
    return onesided.means(a, b, groups=groups, draws=_draws(len(set(groups)) if groups else len(new.ids), least))


def _draws(units: int, least: int) -> int:
    return max(least, min(_MOST_DRAWS, _COUNTS // max(units, 1)))


def _rows(answers: Answers) -> Array:
    """What each item scored or counted, [seeds, figures]."""
    if answers.values is not None:
        return answers.values
    return np.array([counts.ravel() for counts in answers.counts], dtype=np.float64)


def _same(new: Array, old: Array) -> bool:
    """Whether the seeds of both hold the same rows, in any order, or all of them one and the same."""
    if (new == new[0]).all() and (old == new[0]).all():
        return True
    return new.shape == old.shape and sorted(map(tuple, new)) == sorted(map(tuple, old))
