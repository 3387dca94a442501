"""Histories of purchases: which products a text names, and how those on offer are ranked for its customer.

Exports copy this file, so it imports nothing of adaptbench.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class Products:
    """Products by their columns 0, 1, …, in the order of `names`; spelling differs by case and spaces at most.

    `words` is a regular expression of a word. With a `separator` each part of a history is a whole product's name;
    without one products are found wherever a history names them, the longest name first.
    """

    def __init__(self, names: Sequence[str], words: str, separator: str = "") -> None:
        self._words = re.compile(words)
        self._separator = separator
        self.names = tuple(names)
        self._columns: dict[tuple[str, ...], int] = {}
        for name in names:
            self._columns.setdefault(self._spelt(name), len(self._columns))
        self._longest = max(map(len, self._columns), default=0)

    def __len__(self) -> int:
        return len(self._columns)

    def column(self, name: str) -> int | None:
        """The column of a product; None where it is not known."""
        return self._columns.get(self._spelt(name))

    def bought(self, history: str) -> list[int]:
        """The columns of the products that a history names, each once, in the order of the columns."""
        if self._separator:
            found = {self.column(part) for part in history.split(self._separator)}
        else:
            found = set(self._named(self._spelt(history)))
        return sorted(column for column in found if column is not None)

    def _named(self, words: tuple[str, ...]) -> Iterator[int | None]:
        place = 0
        while place < len(words):
            longest = min(self._longest, len(words) - place)
            lengths = (n for n in range(longest, 0, -1) if words[place : place + n] in self._columns)
            length = next(lengths, 0)
            yield self._columns[words[place : place + length]] if length else None
            place += length or 1

    def _spelt(self, text: str) -> tuple[str, ...]:
        return tuple(self._words.findall(unicodedata.normalize("NFKC", text).casefold()))


@dataclass(frozen=True)
class Recommender:
    """Ranks products for a customer by `factors` [factors, products], or by `counts` [products] where there are none.

    A history is the sum of its products' factors, and a product is worth the inner product of its own with that sum.
    Customers of whom no purchase is known are ranked by the counts too.
    """

    products: Products
    counts: NDArray[np.float64]
    factors: NDArray[np.float64] | None = None

    def likelihoods(self, history: str, choices: Sequence[str]) -> list[float]:
        """Logarithm of each choice's share, nats: of the counts plus 1, or of the exponentials of worths.

        The second are no fitted probabilities: their order is what counts.
        """
        columns = [self.products.column(choice) for choice in choices]
        bought = self.products.bought(history) if self.factors is not None else []
        if self.factors is None or not bought:
            worths = np.log(_at(self.counts, columns) + 1.0)
        else:
            worths = _at(self.factors[:, bought].sum(axis=1) @ self.factors, columns)
        return [float(worth) for worth in worths - np.logaddexp.reduce(worths)]


def _at(values: NDArray[np.float64], columns: Sequence[int | None]) -> NDArray[np.float64]:
    """The values of some columns; 0 of products that are not known."""
    return np.array([0.0 if column is None else values[column] for column in columns])
