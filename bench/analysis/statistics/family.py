"""Many comparisons at once: p-values that bear it, and groups of methods that are not significantly different."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.analysis.statistics import checks

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TieGroups:
    """Which methods are not significantly different: all of a group from each other. Groups may overlap."""

    groups: tuple[tuple[str, ...], ...]  # each from the best to the worst, the group of the best first
    intransitive: tuple[tuple[str, str, str], ...]  # (x, y, z): y ties with x and with z, but x and z differ


def holm(p: ArrayLike) -> Array:
    """Holm's step-down adjusted p-values [m], in the order given: reject where they are at most alpha.

    The i-th smallest is max over j <= i of (m - j + 1) p_(j), at most 1. Keeps the chance of any false rejection at
    alpha, whatever the dependence (Holm 1979, Scandinavian Journal of Statistics 6, 65-70).

    Raises ValueError for none, and for a p not in [0, 1].
    """
    found = checks.vector(p, "p", least=1)
    if found.min() < 0 or found.max() > 1:
        raise ValueError("p holds a value outside [0, 1]")
    order = np.argsort(found, kind="stable")
    steps = np.maximum.accumulate(found[order] * np.arange(found.size, 0, -1))
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def different_pairs(p: Mapping[tuple[str, str], float], *, alpha: float = 0.05) -> frozenset[frozenset[str]]:
    """The pairs of methods that differ at `alpha` after Holm over all pairs given.

    Raises ValueError for no pair, a pair given twice or of a method with itself, p not in [0, 1], alpha not in (0, 1).
    """
    checks.share(alpha, "alpha")
    pairs = [frozenset(pair) for pair in p]
    if any(len(pair) < 2 for pair in pairs) or len(set(pairs)) < len(pairs):
        raise ValueError("each pair must be of two methods, and be given once")
    adjusted = holm(list(p.values()))
    return frozenset(pair for pair, value in zip(pairs, adjusted, strict=True) if value <= alpha)


def tie_groups(ranked: Sequence[str], different: Collection[frozenset[str]]) -> TieGroups:
    """Groups of methods none of which differ from each other, as large as can be; `ranked` is from best to worst.

    They are the maximal cliques of the pairs that do not differ, which is what a compact letter display shows
    (Piepho 2004, Journal of Computational and Graphical Statistics 13, 456-466; cliques by Bron and Kerbosch 1973,
    Communications of the ACM 16, 575-577). Not to differ is not transitive: where y ties with x and z, and x and z
    differ, y is in two groups and the triple in `intransitive`.

    Raises ValueError for no method, one named twice, or a pair with a method that is not ranked.
    """
    if not ranked or len(set(ranked)) < len(ranked):
        raise ValueError("ranked must name at least one method, and each once")
    if unknown := {name for pair in different for name in pair} - set(ranked):
        raise ValueError(f"not among the ranked methods: {', '.join(sorted(unknown))}")
    place = {name: position for position, name in enumerate(ranked)}
    ties = {
        name: {other for other in ranked if other != name and frozenset((name, other)) not in different}
        for name in ranked
    }
    cliques = _cliques(set(), set(ranked), set(), ties)
    groups = sorted((tuple(sorted(clique, key=place.__getitem__)) for clique in cliques), key=_places(place))
    return TieGroups(tuple(groups), _intransitive(ranked, ties))


def _cliques(
    clique: set[str], candidates: set[str], done: set[str], ties: Mapping[str, set[str]]
) -> Iterator[set[str]]:
    """Every maximal clique once; the pivot skips what a larger one will hold anyway."""
    if not candidates and not done:
        yield clique
        return
    pivot = max(sorted(candidates | done), key=lambda name: len(ties[name] & candidates))
    for name in sorted(candidates - ties[pivot]):
        yield from _cliques(clique | {name}, candidates & ties[name], done & ties[name], ties)
        candidates = candidates - {name}
        done = done | {name}


def _places(place: Mapping[str, int]) -> Callable[[tuple[str, ...]], list[int]]:
    return lambda group: [place[name] for name in group]


def _intransitive(ranked: Sequence[str], ties: Mapping[str, set[str]]) -> tuple[tuple[str, str, str], ...]:
    return tuple((x, y, z) for x, z in combinations(ranked, 2) if z not in ties[x] for y in ranked if {x, z} <= ties[y])
