"""Worlds that may be: the answers and prices of cells that are not measured yet, drawn around what is.

A method's seeds are normal around a mean that is not known better than its measured seeds tell; their variance has a
scaled inverse chi-squared distribution around what the other methods of the task show (Gelman et al. 2013, Bayesian
Data Analysis, section 3.3, with a prior of `_PRIOR` degrees of freedom). A new seed answers as a measured one does,
with a share of its items swapped among themselves, as many as seeds are seen to disagree on, and moved to its drawn
score. What it forgets varies between seeds as it is seen to vary between items.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]  # scipy ships no types

from bench.analysis.answers import spread
from bench.analysis.decision.candidates import Candidate, Price
from bench.analysis.retention import Loss
from bench.analysis.statistics.distributions import normal_quantile
from bench.analysis.statistics.intervals import Interval
from bench.forecast.contest import Contest, Entrant
from bench.metrics import NAMES

Array = NDArray[np.float64]
_PRIOR = 4.0  # as variances spread over the methods of the committed runs
_UNKNOWN_SD = 0.025  # of the scale, between seeds, where no method has two: the median of the committed runs
_UNKNOWN_SWAPPED = 0.5  # of the items, where no method has two seeds
_PRICE_SD = 0.15  # of the logarithm of a price, between cells of one method on one machine


@dataclass(frozen=True, slots=True)
class Noise:
    """How much seeds vary on a task."""

    variance: float  # of scores between seeds
    swapped: float  # share of the items on which seeds answer as if anew


@dataclass(frozen=True, slots=True)
class World:
    """One way that the cells to come may turn out."""

    candidates: tuple[Candidate, ...]  # of all entrants, each with all of its seeds
    drawn: dict[str, float]  # key of a cell that is not measured -> its score


def noise(contest: Contest, values: Sequence[Array]) -> Noise:
    """From entrants with two seeds or more; `values`: [seeds, items] of each entrant."""
    shares = [_disagreement(one) for one in values if len(one) > 1]
    known = [share for share in shares if share is not None]
    return Noise(variance(contest), float(np.median(known)) if known else _UNKNOWN_SWAPPED)


def variance(contest: Contest) -> float:
    """Between seeds, in the square of the metric's unit: the median over entrants with two or more and a prior.

    Not the mean: the examples of a prompt may vary more by far than trainings do. The variance of k seeds is divided by
    the median of its distribution, chi-squared with k - 1 degrees of freedom over k - 1, or it would be too small.
    """
    candidates = [one.candidate for one in contest.entrants if one.candidate]
    scale = NAMES[candidates[0].answers.metric].scale if candidates else 1.0
    several = [one.answers.scores for one in candidates if len(one.answers.scores) > 1]
    seen = [float(np.var(scores, ddof=1)) / _median(len(scores) - 1) for scores in several]
    return float(np.median([(_UNKNOWN_SD * scale) ** 2, *seen]))


def _median(freedom: int) -> float:
    """Of chi-squared over its degrees of freedom."""
    return float(special.chdtri(freedom, 0.5)) / freedom


def _disagreement(values: Array) -> float | None:
    """The share of the variance of answers that is between seeds of one item; None where all are the same."""
    total = float(np.var(values))
    return min(1.0, float(values.var(axis=0, ddof=1).mean()) / total) if total > 0 else None


def worlds(contest: Contest, count: int, seed: int) -> Iterator[World]:
    """So many worlds of a contest without unknown entrants; the same for the same seed, in any order of them."""
    answers = [one.candidate.answers for one in contest.entrants if one.candidate]
    values = spread(answers)
    varies = noise(contest, values)
    for number in range(count):
        candidates, drawn = [], dict[str, float]()
        for one, own in zip(contest.entrants, values, strict=True):
            rng = np.random.default_rng([seed, number, *one.name.encode()])
            candidate, scores = _completed(one, own, varies, rng)
            candidates.append(candidate)
            drawn |= scores
        yield World(tuple(candidates), drawn)


def _completed(
    one: Entrant, values: Array, varies: Noise, rng: np.random.Generator
) -> tuple[Candidate, dict[str, float]]:
    """An entrant with all of its seeds, and the scores that were drawn, by key."""
    candidate = one.candidate
    assert candidate is not None
    answers, keys = candidate.answers, [slot.ref.key for slot in one.left]
    if not keys:
        return replace(candidate, answers=replace(answers, values=values, counts=())), {}
    scores = _scores(one, varies.variance, rng)
    info = NAMES[answers.metric]
    if info.bounded:
        scores = np.clip(scores, 0.0, info.scale)
    rows, prices = [] if one.expected else list(values), [] if one.expected else list(candidate.prices)
    limits = (0.0, info.scale) if info.bounded and info.per_item else None
    for score in scores:
        like = int(rng.integers(len(values)))
        row = moved(swapped(values[like], varies.swapped, rng), float(score) - answers.scores[like], limits, rng)
        rows.append(row)
        prices.append(_price(candidate.prices[int(rng.integers(len(candidate.prices)))], one.pilot_times, rng))
    measured = () if one.expected else answers.scores
    seeds = tuple(slot.ref.seed for slot in one.slots if slot not in one.left) + tuple(s.ref.seed for s in one.left)
    whole = replace(
        answers, values=np.array(rows), counts=(), scores=(*measured, *map(float, scores)), seeds=seeds, outputs=()
    )
    drawn = dict(zip(keys, map(float, scores), strict=True))
    forgot = tuple(_loss(each, 0 if one.expected else len(measured), len(keys), rng) for each in candidate.losses)
    return replace(candidate, answers=whole, prices=tuple(prices), losses=forgot), drawn


def _scores(one: Entrant, prior: float, rng: np.random.Generator) -> Array:
    """Scores of the seeds to come."""
    assert one.candidate is not None
    if one.expected:
        spread_, mean = one.expected.seed_sd, rng.normal(one.expected.value, one.expected.sd)
        return np.asarray(rng.normal(mean, spread_, len(one.left)))
    known = np.asarray(one.candidate.answers.scores)
    freedom = _PRIOR + len(known) - 1
    variance = (_PRIOR * prior + float(np.var(known)) * len(known)) / rng.chisquare(freedom)
    mean = rng.normal(known.mean(), math.sqrt(variance / len(known)))
    return np.asarray(rng.normal(mean, math.sqrt(variance), len(one.left)))


def _price(price: Price, times: float, rng: np.random.Generator) -> Price:
    """A price like a measured one; what grows with the training items, `times` as large."""
    factor = math.exp(rng.normal(0.0, _PRICE_SD))
    grown = factor * times
    return Price(price.search * grown, price.production * grown, price.refresh * grown, price.query * factor)


def _loss(loss: Loss, measured: int, to_come: int, rng: np.random.Generator) -> Loss:
    """What is forgotten, as the mean over all seeds; nothing where no weight moves."""
    if loss.interval is None or loss.interval.high == loss.interval.low:
        return loss
    error = (loss.interval.high - loss.interval.low) / 2 / normal_quantile(0.5 + loss.interval.level / 2)
    seeds = max(1, measured)
    shift = rng.normal(0.0, error * math.sqrt(seeds)) * math.sqrt(1 / seeds - 1 / (seeds + to_come))
    low, high = loss.interval.low + shift, loss.interval.high + shift
    return replace(loss, value=loss.value + shift, interval=Interval(low, high, loss.interval.level))


def swapped(values: Array, share: float, rng: np.random.Generator) -> Array:
    """The values [items] with a share of the items' swapped among themselves: the mean stays."""
    places = np.flatnonzero(rng.random(values.size) < share)
    found = values.copy()
    found[places] = values[rng.permutation(places)]
    return found


def moved(values: Array, shift: float, limits: tuple[float, float] | None, rng: np.random.Generator) -> Array:
    """The values [items] with a mean that is higher by `shift`, as far as `limits` let it.

    Answers that are right or wrong are turned over, drawn at random; others within limits go the same share of the way
    to one of them; without limits all are moved alike. The mean of what is turned over is right but for one item.
    """
    if limits is None:
        return values + shift
    low, high = limits
    to = high if shift > 0 else low
    room = abs(to - float(values.mean()))
    if room == 0 or shift == 0:
        return values.copy()
    share = min(1.0, abs(shift) / room)
    if np.isin(values, limits).all():
        others = np.flatnonzero(values != to)
        turned = rng.permutation(others)[: math.floor(share * others.size + rng.random())]
        found = values.copy()
        found[turned] = to
        return found
    return values + share * (to - values)
