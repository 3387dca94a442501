"""Rows of the task: a customer, six products on offer, and the one that is bought. The texts come later.

The offer is drawn from the history and from other customers, never from the answer; the answer is then drawn from the
offer. So the make-up of an offer tells nothing, and the best guess's probability of being right is known exactly.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from scripts.tasks.next_purchase.customers import History, Purchase, Shop, draw

TRIES = 4  # offers to one customer before another one is asked


@dataclass(frozen=True, slots=True)
class Row:
    """One customer. `offered` and `bought` are places in the catalogue, `chances` belong to `offered`."""

    history: tuple[Purchase, ...]
    month: int
    offered: tuple[int, ...]
    chances: tuple[float, ...]
    bought: int

    @property
    def combination(self) -> tuple[int, int, int]:
        """The last two products and the next one: no two splits share any of these."""
        return self.history[-2].product, self.history[-1].product, self.bought

    @property
    def products(self) -> frozenset[int]:
        """The products of the history."""
        return frozenset(one.product for one in self.history)


@dataclass
class Desk:
    """Draws rows one after the other; what customers buy is what later ones are offered as popular."""

    shop: Shop
    rng: random.Random
    bought: list[tuple[int, int]] = field(default_factory=list)  # (month of the year, product)

    def rows(self) -> Iterator[Row]:
        """Rows without end."""
        while True:
            row = self._row()
            if row:
                self.bought.append((row.month % 12, row.bought))
                yield row

    def _row(self) -> Row | None:
        shop, rng = self.shop, self.rng
        state = draw(shop.shares, rng)
        history = shop.history(state, rng)
        month = history[-1].month + rng.choice(shop.rules["history"]["gaps"])
        belief, pull = shop.belief(history), shop.pull(history, month)
        everything = shop.shared(belief, pull, range(len(shop.products)))
        for _ in range(TRIES):
            offered = self._offer(history, month, everything)
            chances = shop.shared(belief, pull, offered)
            if self._makes_sense(offered, chances, everything):
                bought = offered[draw([shop.standing[state][one] * pull[one] for one in offered], rng)]
                return Row(tuple(history), month, tuple(offered), tuple(chances), bought)
        return None

    def _makes_sense(self, offered: list[int], chances: list[float], everything: list[float]) -> bool:
        """Whether something in the offer is wanted, and stands out. The answer has no say in this."""
        limits = self.shop.rules["candidates"]
        worth = sum(everything[place] for place in offered)
        return bool(max(chances) >= limits["clear"] and worth >= limits["worth"])

    def _offer(self, history: History, month: int, everything: list[float]) -> list[int]:
        """Different products in random order: one that the customer may well want, and distractors."""
        offered = [draw(everything, self.rng)]
        roles: dict[str, int] = self.shop.rules["candidates"]["roles"]
        while len(offered) < self.shop.rules["candidates"]["count"]:
            role = list(roles)[draw(list(roles.values()), self.rng)]
            pool = self._pool(role, history, month)
            if role == "popular" and len(set(pool)) < 20:  # at the very start there are no other customers
                pool = list(range(len(self.shop.products)))
            pool = [one for one in pool if one not in offered]
            if pool:
                offered.append(self.rng.choice(pool))
        self.rng.shuffle(offered)
        return offered

    def _pool(self, role: str, history: History, month: int) -> list[int]:
        """Where a distractor of this role is drawn from; a product that stands there twice is twice as likely."""
        products = self.shop.products
        had = [one.product for one in history]
        if role == "had":
            return had
        if role == "now":
            return [place for when, place in self.bought if when == month % 12]
        popular = [place for _, place in self.bought]
        if role == "group":
            return [one for one in popular if products[one].group == products[had[-1]].group and one not in had]
        if role == "brand":
            brands = {products[place].brand for place in had} - {""}
            return [one for one in popular if products[one].brand in brands and one not in had]
        return popular
