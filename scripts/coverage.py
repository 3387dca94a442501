"""How often the intervals that are shown cover the truth: `python -m scripts.coverage`.

Simulates scores of several seeds on the same items, where the truth is known, and counts in how many data sets an
interval holds it. Writes `results/coverage.json` and prints the table of `docs/statistics.md`. The functions
measured are those of `bench.analysis.statistics` that reports call; nothing here knows how they work.

A seed has a level, drawn from a beta distribution with the given mean and standard deviation over seeds. An item is
hard or easy for all seeds alike (its luck, uniform), and with a chance of 0.3 a seed has a luck of its own on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import click
import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics import limits
from bench.analysis.statistics.paired import newcombe, table
from bench.analysis.statistics.two_questions import FEWEST_SEEDS
from bench.store.json_files import write_json

Array: TypeAlias = NDArray[np.float64]
Limits: TypeAlias = tuple[Array, Array]

SEEDS, ITEMS, SEED_SDS = (1, 2, 3, 5, 10), (40, 200, 1000), (0.0, 0.05, 0.2)
OUT = Path(__file__).parents[1] / "results" / "coverage.json"
_OWN_LUCK = 0.3  # chance that a seed's answer to an item is not that of the others
_CHUNK = 4_000_000  # scores held at a time
_ORDERS = np.arange(1, 5)  # of n-grams


@dataclass(frozen=True, slots=True)
class Kind:
    """A way of making scores [m, seeds, items] in [0, 1] of luck of that shape and of levels [m, seeds]."""

    scores: Callable[[Array, Array], Array]
    mean: float  # level of a method


def shares(luck: Array, levels: Array) -> Array:
    """0 and 1: right where luck lies below the level."""
    return np.asarray(luck < levels[..., None], dtype=np.float64)


def means(luck: Array, levels: Array) -> Array:
    """As token F1 is: many 0 and 1, and a ramp between them whose middle is the level."""
    half = 0.6 * np.minimum(levels, 1 - levels)[..., None]
    return np.clip((levels[..., None] + half - luck) / np.maximum(2 * half, 1e-12), 0, 1)


def bleu(luck: Array, levels: Array) -> Array:
    """Pseudo-values of a geometric mean of four ratios of sums, as BLEU's precisions of n-grams are.

    An item whose unigrams match with chance c = luck^e has n-grams that match with c^n, of mean 1 / (1 + e n).
    """
    exponent = _exponents(levels)[..., None]
    n, matches = luck.shape[-1], luck[None] ** (exponent * _ORDERS[:, None, None, None])
    sums = matches.sum(axis=-1)
    whole = np.prod(sums / n, axis=0) ** 0.25
    without = np.prod((sums[..., None] - matches) / (n - 1), axis=0) ** 0.25
    return np.asarray(n * whole[..., None] - (n - 1) * without)


def _exponents(levels: Array) -> Array:
    """The exponent with which the expected sums have a geometric mean of `levels`."""
    known = np.geomspace(1e3, 1e-4, 4000)
    reached = np.prod(1 / (1 + known[:, None] * _ORDERS), axis=1) ** 0.25
    return np.interp(levels, reached, known)


KINDS = {"shares": Kind(shares, 0.6), "means": Kind(means, 0.6), "bleu": Kind(bleu, 0.35)}
INTERVALS = (
    "checkpoints: score",
    "checkpoints: difference of trained methods",
    "checkpoints: trained less untrained",
    "training again: score",
    "training again: difference of trained methods",
    "training again: trained less untrained",
)


def coverage(
    kind: Kind, seeds: int, items: int, sd: float, *, data_sets: int, drop: float = 0.0, seed: int = 0
) -> dict[str, float]:
    """Share of data sets whose 95% interval covers the truth, for each of `INTERVALS` that is shown with so many seeds.

    `drop`: how far the second of two methods lies below the first.
    """
    rng, done, covered = np.random.default_rng(seed), 0, dict.fromkeys(INTERVALS, 0)
    while done < data_sets:
        size = min(max(1, _CHUNK // (seeds * items)), data_sets - done)
        for name, (low, high), truth in _data_sets(kind, (size, seeds, items), sd, drop, rng):
            covered[name] += int(np.count_nonzero((low <= truth + 1e-9) & (truth <= high + 1e-9)))
        done += size
    shown = INTERVALS if seeds >= FEWEST_SEEDS else INTERVALS[:3]
    return {name: covered[name] / data_sets for name in shown}


def _data_sets(
    kind: Kind, shape: tuple[int, int, int], sd: float, drop: float, rng: np.random.Generator
) -> Iterator[tuple[str, Limits, Array]]:
    """Each interval of some data sets, with the truth."""
    size, seeds, items = shape
    shared, below = rng.random((size, 1, items)), kind.mean - drop
    levels = [_levels(mean, sd, (size, seeds), rng) for mean in (kind.mean, below)]
    a, b = (kind.scores(_luck(shared, seeds, rng), own) for own in levels)
    fixed = kind.scores(_luck(shared, 1, rng), np.full((size, 1), below))
    gap, drops = levels[0].mean(axis=1) - levels[1].mean(axis=1), np.full(size, drop)
    yield INTERVALS[0], limits.score_limits(a, 1.0), levels[0].mean(axis=1)
    yield INTERVALS[1], _difference(a, b), gap
    yield INTERVALS[2], _difference(a, fixed), levels[0].mean(axis=1) - below
    if seeds >= FEWEST_SEEDS:
        yield INTERVALS[3], limits.retrained_score_limits(a, 1.0), np.full(size, kind.mean)
        yield INTERVALS[4], limits.retrained_difference_limits(a, b, 1.0), drops
        yield INTERVALS[5], limits.retrained_difference_limits(a, fixed, 1.0), drops


def _difference(a: Array, b: Array) -> Limits:
    """Newcombe's where both have one seed of 0 and 1, as `two_questions.difference` has it."""
    if not (a.shape[1] == b.shape[1] == 1 and np.isin(a, (0.0, 1.0)).all()):
        return limits.difference_limits(a, b, 1.0)
    found = [newcombe(table(first[0], second[0])) for first, second in zip(a, b, strict=True)]
    return np.array([one.low for one in found]), np.array([one.high for one in found])


def _levels(mean: float, sd: float, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    if not sd:
        return np.full(shape, mean)
    size = mean * (1 - mean) / sd**2 - 1
    return rng.beta(mean * size, (1 - mean) * size, shape)


def _luck(shared: Array, seeds: int, rng: np.random.Generator) -> Array:
    size, _, items = shared.shape
    own = rng.random((size, seeds, items))
    return np.where(rng.random(own.shape) < _OWN_LUCK, own, shared)


def grid(kind: Kind, data_sets: int) -> list[dict[str, Any]]:
    """Coverage in every cell of seeds × items × standard deviation of seeds."""
    return [
        {
            "seeds": seeds,
            "items": items,
            "seed_sd": sd,
            "coverage": coverage(kind, seeds, items, sd, data_sets=data_sets),
        }
        for seeds in SEEDS
        for items in ITEMS
        for sd in SEED_SDS
    ]


def summary(found: dict[str, list[dict[str, Any]]]) -> str:
    """A Markdown table: the lowest and the highest coverage of each interval over the grid."""
    lines = ["| interval | " + " | ".join(found) + " |", "|---|" + "---|" * len(found)]
    for name in INTERVALS:
        ranges = []
        for cells in found.values():
            shown = [cell["coverage"][name] for cell in cells if name in cell["coverage"]]
            ranges.append(f"{math.floor(1000 * min(shown)) / 10:.1f} to {100 * max(shown):.1f}%")
        lines.append(f"| {name} | " + " | ".join(ranges) + " |")
    return "\n".join(lines)


@click.command()
@click.option("--data-sets", default=4000, show_default=True, help="of each cell; 4,000 tell a coverage to 0.7 points.")
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def main(data_sets: int, out: Path) -> None:
    """Measure the whole grid (some minutes on one core)."""
    cells = {name: grid(kind, data_sets) for name, kind in KINDS.items()}
    means = {name: kind.mean for name, kind in KINDS.items()}
    write_json(out, {"data_sets": data_sets, "means": means, "cells": cells})
    click.echo(summary(cells))


if __name__ == "__main__":
    main()
