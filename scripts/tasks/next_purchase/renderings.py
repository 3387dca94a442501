"""Histories as text: one of many ways to write a list of purchases down, with notes, remarks and some carelessness."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from scripts.tasks.company.noise import typo
from scripts.tasks.next_purchase.customers import Product, Purchase
from scripts.tasks.next_purchase.offers import Row

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
MOST_WORDS = 60  # of a history
REMARK, CARELESS, TYPOS = 0.35, 0.15, 0.03  # shares of texts with a remark, of careless texts, of mistyped words


def month_name(month: int) -> str:
    """The name of a month that is counted on from a first January."""
    return MONTHS[(month - 1) % 12]


def with_article(product: Product) -> str:
    """`an Osprey lopper`; plurals and what is not counted stay as they are."""
    if product.plain:
        return product.name
    return f"{'an' if product.name[0] in 'AEIOU' else 'a'} {product.name}"


@dataclass
class Writer:
    """Writes histories with the phrases of one side of the bank's phrases."""

    phrases: dict[str, Any]
    products: tuple[Product, ...]
    rng: random.Random

    def history(self, row: Row) -> str:
        """The purchases of `row` in a rendering that keeps them short enough."""
        while True:
            text = self._written(row)
            if len(text.split()) <= MOST_WORDS:
                return text

    def _written(self, row: Row) -> str:
        way = self.rng.choice(self.phrases["renderings"])
        if len(row.history) > way.get("longest", len(row.history)):
            way = self.phrases["renderings"][0]
        texts = [self._entry(row, place, way) for place in range(len(row.history))]
        text: str = way.get("start", "") + way["join"].join(texts) + way["end"]
        text = text.replace("{month0}", month_name(row.history[0].month))
        if self.rng.random() < REMARK:
            text = self._with_remark(text)
        return text.lower().rstrip(".") if self.rng.random() < CARELESS else text

    def _with_remark(self, text: str) -> str:
        remark = typo(self.rng.choice(self.phrases["remarks"]), self.rng, TYPOS)
        if self.rng.random() < 0.5:
            return f"{remark} {text}"
        return f"{text if text.endswith('.') else text + '.'} {remark}"

    def _entry(self, row: Row, place: int, way: dict[str, Any]) -> str:
        one = row.history[place]
        product = self.products[one.product]
        name = month_name(one.month)
        text = self._form(row, place, way).format(
            item=product.name,
            an=with_article(product),
            month=name,
            mon=name[:3],
            price=product.price,
            n=place + 1,
            note=self._note(one, way["note"]),
        )
        return text[0].upper() + text[1:] if way.get("capital") else text

    def _form(self, row: Row, place: int, way: dict[str, Any]) -> str:
        """The form of one entry: that of its place where the rendering has one."""
        last = len(row.history) - 1
        same = place > 0 and row.history[place].month == row.history[place - 1].month
        wanted = "first" if place == 0 else "last" if place == last else "entry"
        if same and not (place == last and "last" in way):
            wanted = "same"
        return str(way.get(wanted, way["entry"]))

    def _note(self, one: Purchase, form: str) -> str:
        if not one.note:
            return ""
        banks = self.phrases["notes"][one.note]
        own = "consumable" if self.products[one.product].lasts else "durable"
        note = self.rng.choice([*banks.get("any", []), *banks.get(own, [])])
        return form.replace("{}", typo(note, self.rng, TYPOS))
