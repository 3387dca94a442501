"""What no statistic can be computed of, refused in one place: every function here raises ValueError."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def vector(values: ArrayLike, name: str, *, least: int = 2) -> Array:
    """`values` as floats, [n]; refuses another shape, fewer than `least` and what is not finite."""
    return _finite(values, name, dimensions=1, least=least)


def matrix(values: ArrayLike, name: str, *, least: int = 2) -> Array:
    """`values` as floats, [rows, columns]; refuses another shape, fewer than `least` items and what is not finite."""
    return _finite(values, name, dimensions=2, least=least)


def pair(a: ArrayLike, b: ArrayLike, *, least: int = 2) -> tuple[Array, Array]:
    """Two vectors over the same items, [n] each."""
    first, second = vector(a, "a", least=least), vector(b, "b", least=least)
    if first.size != second.size:
        raise ValueError(f"a has {first.size} items and b has {second.size}; they must be the same items")
    return first, second


def binary(values: Array, name: str) -> Array:
    """`values` again; refuses any but 0 and 1."""
    if not np.isin(values, (0.0, 1.0)).all():
        raise ValueError(f"{name} must hold 0 and 1 alone, one for each item")
    return values


def share(value: float, name: str) -> float:
    """`value` again; refuses what does not lie strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}; it must lie between 0 and 1, both excluded")
    return value


def at_least(value: int, least: int, name: str) -> int:
    """`value` again; refuses less than `least`."""
    if value < least:
        raise ValueError(f"{name} is {value}; at least {least} is needed")
    return value


def groups(labels: Sequence[Hashable], items: int) -> NDArray[np.intp]:
    """The place of each item's group among the groups, [n]; refuses another length and a single group."""
    if len(labels) != items:
        raise ValueError(f"{len(labels)} groups are named for {items} items; there must be one for each item")
    places = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    if len(places) < 2:
        raise ValueError("all items are in one group; at least two groups are needed to resample them")
    return np.array([places[label] for label in labels], dtype=np.intp)


def _finite(values: ArrayLike, name: str, *, dimensions: int, least: int) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != dimensions:
        raise ValueError(f"{name} has {found.ndim} dimensions; {dimensions} are needed")
    if found.size == 0 or len(found) < least:
        raise ValueError(f"{name} has {len(found)} rows; at least {least} are needed")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds a value that is not finite")
    return found
