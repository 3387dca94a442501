"""Options with several values: what there is to choose from, and which combinations are tried.

An option with several values is a grid. Of all combinations a method gets a number of trials that is the same for every
method, spread so that each value is tried about as often as the others (the idea of Latin hypercube sampling: McKay,
Beckman & Conover 1979, Technometrics 21).
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import methods
from bench.core.hashing import derive_seed
from bench.core.method import Method
from bench.core.training import Edge


@dataclass(frozen=True)
class SearchPlan:
    """How the options of a method are searched: the same for every method of a suite."""

    trials: int = 3  # combinations at most
    folds: int = 0  # of train and validation together, each judged on once; 0: the validation split is judged on
    budget: float | None = None  # of all trials, in trainings of the method; None: each has the method's own length


@dataclass(frozen=True, slots=True)
class Rung:
    """Trials of one length."""

    trials: int
    length: int  # of each, in optimizer steps (or pairs of texts)


def rungs(trials: int, budget: int, longest: int) -> list[Rung]:
    """Successive halving: after each rung the better half is tried again for longer, down to two.

    Every rung gets the same share of `budget`, the length of all trials together; no trial is longer than `longest`.
    Where the budget is small there are fewer rungs (Jamieson & Talwalkar 2016, AISTATS, algorithm 1).

    Raises:
        ValueError: the budget has less than one step for each trial.
    """
    if budget < trials:
        raise ValueError(f"{trials} trials need a budget of {trials} steps at least; got {budget}")
    counts = [trials]
    while counts[-1] > 2:
        counts.append(math.ceil(counts[-1] / 2))
    while budget // len(counts) < trials:
        counts.pop()
    whole = [Rung(count, min(longest, budget // len(counts) // count)) for count in counts]
    return [rung for i, rung in enumerate(whole) if i == 0 or rung.length > whole[i - 1].length]


def grid(method: Method) -> dict[str, tuple[Any, ...]]:
    """The options of a method that still have several values, in the order of its parts."""
    options = [pair for part in (method.weights, method.context) for pair in part.options]
    return {name: value for name, value in options if isinstance(value, tuple) and len(value) > 1}


def candidates(values: Mapping[str, Sequence[Any]], trials: int) -> list[dict[str, Any]]:
    """At most `trials` combinations of a grid, in its order; the same ones for the same grid."""
    every = [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]
    if len(every) <= trials:
        return every
    rest = list(range(len(every)))
    random.Random(derive_seed("trials", sorted(values.items()))).shuffle(rest)
    used: Counter[tuple[str, Any]] = Counter()
    chosen = []
    for _ in range(trials):
        next_one = min(rest, key=lambda i: sum(used[pair] for pair in every[i].items()))
        used.update(every[next_one].items())
        rest.remove(next_one)
        chosen.append(next_one)
    return [every[i] for i in sorted(chosen)]


def settle(method: Method, chosen: Mapping[str, Any]) -> Method:
    """`method` with one value for each option of `chosen`."""
    options = {**method.weights.options.model_dump(), **method.context.options.model_dump(), **chosen}
    return methods.create(method.name, options)


def at_edge(values: Mapping[str, Sequence[Any]], chosen: Mapping[str, Any]) -> dict[str, Edge]:
    """Numbers chosen at an end of their grid: a better one may lie beyond. Of counts there is nothing below one."""
    found: dict[str, Edge] = {}
    for name, listed in values.items():
        if not all(isinstance(value, int | float) for value in listed):
            continue
        if chosen[name] == max(listed):
            found[name] = "highest"
        elif chosen[name] == min(listed) and chosen[name] != 1:
            found[name] = "lowest"
    return found
