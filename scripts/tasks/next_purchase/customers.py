"""Simulated customers of Quillmere: what they buy, and how likely each product is to be what they buy next.

A customer has a type and a purse, which nobody sees. Every product has a weight: interest of the type x price class
of the purse x season x what follows from the history (`rules` in the bank). Purchases are drawn by their share of
the weights, so that the probability of a next purchase, given what is seen, is known exactly (`Shop.chances`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from typing import Any

import yaml

from scripts.tasks.company import facts

FOLDER = Path(__file__).resolve().parent
TASK = FOLDER.parents[2] / "tasks" / "next-purchase"
GIFT, LIKED, DISLIKED, RETURNED, MENDED = "gift", "liked", "disliked", "returned", "mended"
HISTORY_RULES = ("pairs", "upgrades", "stock", "taste")


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the catalogue. `brand` is empty for seeds and bulbs, `lasts` is 0 for durable things."""

    name: str
    theme: str
    group: str
    price: int
    brand: str
    lasts: int
    season: str
    gift: bool
    popular: float
    plain: bool


@dataclass(frozen=True, slots=True)
class Purchase:
    """A product (its place in the catalogue), the month (counted on from a first January) and the kind of note."""

    product: int
    month: int
    note: str = ""

    @property
    def owned(self) -> bool:
        """Whether the customer has it: no present to others and not sent back."""
        return self.note not in (GIFT, RETURNED)


History = Sequence[Purchase]


def read_bank(part: str) -> dict[str, Any]:
    """One part of the bank, such as `catalogue`."""
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / "bank.yaml").read_text(encoding="utf-8"))[part]
    return loaded


def catalogue() -> tuple[Product, ...]:
    """All products, in the order of the catalogue; groups and prices of the company's own from its facts."""
    known = facts()["products"]
    found = []
    for theme, products in read_bank("catalogue").items():
        for name, keys in products.items():
            group, price = known[name] if name in known else (keys["group"], keys["price"])
            brand = name.split()[0] if keys.get("brand", True) else ""
            rest = (keys.get("lasts", 0), keys.get("season", ""), keys.get("gift", False), keys.get("popular", 1))
            found.append(Product(name, theme, group, price, brand, *rest, keys.get("plain", False)))
    return tuple(found)


def draw(weights: Sequence[float], rng: random.Random) -> int:
    """A place in `weights` with its share of them as probability; the same on every Python version."""
    left = rng.random() * math.fsum(weights)
    for place, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return place
    return max(place for place, weight in enumerate(weights) if weight > 0)


class Shop:
    """The catalogue under a set of rules: weights, simulated histories, exact probabilities."""

    def __init__(self, rules: dict[str, Any]) -> None:
        self.rules = rules
        self.products = catalogue()
        self.place = {product.name: place for place, product in enumerate(self.products)}
        self.states = [(kind, purse) for kind in rules["types"] for purse in rules["purses"]]
        self.shares = [rules["types"][kind]["share"] * rules["purses"][purse]["share"] for kind, purse in self.states]
        self.standing = [[self._standing(kind, purse, one) for one in self.products] for kind, purse in self.states]
        self.bases = {self.place[to]: {self.place[one] for one in all_} for to, all_ in rules["accessories"].items()}
        self.follows = self._follows()
        self.rivals: dict[int, int] = {}
        for one, other in rules["same_use"]:
            self.rivals |= {self.place[one]: self.place[other], self.place[other]: self.place[one]}
        self.seasonal = {month: [self._season(one, month) for one in self.products] for month in range(1, 13)}

    def _standing(self, kind: str, purse: str, product: Product) -> float:
        """Weight of a product for a type and a purse, before season and history."""
        interests = self.rules["types"][kind]
        by_theme = interests.get(product.theme, self.rules["no_interest"])
        interest = max(by_theme, interests.get("gifts", 0) if product.gift else 0)
        band = sum(product.price > limit for limit in self.rules["bands"])
        return float(product.popular * interest * self.rules["purses"][purse]["bands"][band])

    def _season(self, product: Product, month: int) -> float:
        table = self.rules["seasons"].get(product.season, {"other": 1})
        return float(table.get(month, table["other"]))

    def _follows(self) -> list[dict[int, tuple[float, float]]]:
        """For each product, what people then buy: place -> (factor right after it, factor later)."""
        found: list[dict[int, tuple[float, float]]] = [{} for _ in self.products]
        pairs, steps = self.rules["factors"]["pairs"], self.rules["factors"]["upgrades"]
        for one, step in self.rules["upgrades"].items():
            found[self.place[one]][self.place[step]] = (steps["step"], steps["step_older"])
        for one, others in self.rules["companions"].items():
            for other in others:
                found[self.place[one]][self.place[other]] = (pairs["companion"], pairs["companion_older"])
        for to, bases in self.bases.items():
            for base in bases:
                found[base][to] = (pairs["accessory"], pairs["accessory_older"])
        return found

    def _owned(self, history: History) -> dict[int, int]:
        """What the customer has: place -> month of the last time it was bought."""
        gifts_too = self.rules["gifts_are_owned"]
        return {one.product: one.month for one in history if one.owned or (gifts_too and one.note == GIFT)}

    def pull(self, history: History, month: int) -> list[float]:
        """What season and history make of each product: a factor on its standing weight."""
        owned = self._owned(history)
        taste = self._taste(history)
        links = self._links(history, owned)
        season = self.seasonal[(month - 1) % 12 + 1]
        found = []
        for place, product in enumerate(self.products):
            factor = season[place] * taste.get(product.brand or product.name, 1) * links.get(place, 1)
            found.append(factor * self._stock(place, product, owned, month))
        for place in (one.product for one in history if one.note in (DISLIKED, RETURNED)):
            if place in self.rivals:
                found[self.rivals[place]] *= self.rules["factors"]["taste"]["instead"]
        return found

    def _stock(self, place: int, product: Product, owned: dict[int, int], month: int) -> float:
        """Factor for what the customer has already, and for what is of no use to them."""
        factors = self.rules["factors"]["stock"]
        if place in owned:
            if not product.lasts:
                return float(factors["owned"])
            return float(factors["used_up" if month - owned[place] >= product.lasts else "fresh"])
        factor = 1.0
        if place in self.bases and not self.bases[place] & owned.keys():
            factor = float(self.rules["factors"]["pairs"]["without"])
        if self.rivals.get(place) in owned:
            factor *= factors["same_use"]
        return factor

    def _links(self, history: History, owned: dict[int, int]) -> dict[int, float]:
        """Factors of what goes with, or comes after, the things owned; the strongest counts, and only once."""
        found: dict[int, float] = {}
        for age, one in enumerate(reversed(history)):
            if one.product in owned:
                for to, (now, older) in self.follows[one.product].items():
                    if to not in owned:
                        found[to] = max(found.get(to, 0), older if age else now)
        return found

    def _taste(self, history: History) -> dict[str, float]:
        """Factors of brands (of what has none: products) that the customer has spoken about; the last word counts."""
        factors = self.rules["factors"]["taste"]
        found = {}
        for one in history:
            if one.note in (LIKED, DISLIKED, RETURNED):
                product = self.products[one.product]
                found[product.brand or product.name] = float(factors[one.note])
        return found

    def buy(self, history: History, month: int, state: int, rng: random.Random) -> Purchase:
        """The next purchase of a customer in `state`, with its note."""
        product = draw(list(map(mul, self.standing[state], self.pull(history, month))), rng)
        return Purchase(product, month, self._note(product, state, rng))

    def _gift_rate(self, product: int, state: int) -> float:
        if not self.products[product].gift:
            return 0.0
        rates: dict[str, float] = self.rules["notes"]["gift_rate"]
        return rates.get(self.states[state][0], rates["other"])

    def _note(self, product: int, state: int, rng: random.Random) -> str:
        if rng.random() < self._gift_rate(product, state):
            return GIFT
        shares: dict[str, int] = self.rules["notes"]["shares"]
        note = list(shares)[draw(list(shares.values()), rng)]
        return "" if note in (RETURNED, MENDED) and self.products[product].lasts else note

    def history(self, state: int, rng: random.Random) -> list[Purchase]:
        """Some purchases of a new customer in `state`, oldest first."""
        limits = self.rules["history"]
        found: list[Purchase] = []
        month = rng.randrange(1, 13)
        for _ in range(rng.randrange(limits["fewest"], limits["most"] + 1)):
            found.append(self.buy(found, month, state, rng))
            month += rng.choice(limits["gaps"])
        return found

    def belief(self, history: History) -> list[float]:
        """Probability of each state given the history: the products and the gifts tell what kind of customer it is."""
        found = [float(share) for share in self.shares]
        for past, one in enumerate(history):
            pull = self.pull(history[:past], one.month)
            for state, standing in enumerate(self.standing):
                rate = self._gift_rate(one.product, state)
                seen = standing[one.product] * (rate if one.note == GIFT else 1 - rate)
                found[state] *= seen / math.fsum(map(mul, standing, pull))
        total = math.fsum(found)
        return [one / total for one in found]

    def chances(self, history: History, month: int, offered: Sequence[int]) -> list[float]:
        """Probability that each of `offered` is bought next, by a customer who takes one of them.

        What is offered must have been chosen without knowledge of the customer's state, as offers.py does.
        """
        return self.shared(self.belief(history), self.pull(history, month), offered)

    def shared(self, belief: Sequence[float], pull: Sequence[float], places: Sequence[int]) -> list[float]:
        """The probabilities of `places` for a `belief` in states and the `pull` of products."""
        found = [0.0 for _ in places]
        for believed, standing in zip(belief, self.standing, strict=True):
            weights = [standing[place] * pull[place] for place in places]
            scale = believed / math.fsum(weights)
            found = [one + scale * weight for one, weight in zip(found, weights, strict=True)]
        return found
