"""Writes the three splits of `support-replies`: `python -m scripts.tasks.support_replies.generate [OUT_FOLDER]`.

An order is drawn for one of the `situations` of `bank.yaml`, a message is put together from the split's own sentences
(`messages.yaml`, and `frames`), and three replies in the house style come from `replies`.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from scripts.tasks.company import facts
from scripts.tasks.company.noise import careless, typo

HERE = Path(__file__).resolve().parent
TASK = HERE.parents[2] / "tasks" / "support-replies"
ROWS = {"train": 30, "validation": 6, "test": 15}  # for each situation
OWN_ITEMS = {"train": 0.4, "validation": 0.4, "test": 0.5}  # how many orders are for an item of this split alone
REFERENCES = 3
LONGEST = {"message": 35, "order": 30, "reply": 35}  # words
HAS_OPENER, HAS_DETAIL, HAS_CLOSER, HAS_ASIDE = 0.45, 0.2, 0.4, 0.5
IN_A_HURRY, MISTYPED, TYPO_RATE = 0.15, 0.15, 0.15
OFF_AT, OFF = 250, 5  # so many acorns take so many pounds off
YEAR_START, YEAR_DAYS = date(2026, 1, 5), 330
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def main(out: Path) -> None:
    """Write every split into the folder `out`."""
    rng = random.Random("support-replies")
    numbers = iter(rng.sample(range(10_000, 100_000), 4 * sum(ROWS.values()) * len(written()["situations"])))
    out.mkdir(parents=True, exist_ok=True)
    for split in ROWS:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows(split, numbers, rng)]
        (out / f"{split}.jsonl").write_bytes("".join(line + "\n" for line in lines).encode())


@cache
def written() -> dict[str, Any]:
    """What rows are made of, by name."""
    loaded: dict[str, Any] = yaml.safe_load((HERE / "bank.yaml").read_text(encoding="utf-8"))
    return loaded


def rows(split: str, numbers: Iterator[int], rng: random.Random) -> list[dict[str, Any]]:
    """The rows of one split, as many of each situation, in a random order; no message stands twice."""
    desk = Desk(split, numbers, rng)
    drawn: dict[str, dict[str, Any]] = {}
    for name, situation in written()["situations"].items():
        banks = [bank for bank, share in situation["banks"].items() for _ in range(share)]
        for count in range(ROWS[split]):
            row = desk.row(name, banks[count % len(banks)])
            while row["message"] in drawn:
                row = desk.row(name, banks[count % len(banks)])
            drawn[row["message"]] = row
    found = list(drawn.values())
    rng.shuffle(found)
    return [{"id": f"{split}-{place:04d}", **row} for place, row in enumerate(found, start=1)]


def day(when: date) -> str:
    """A date as Quillmere writes it: `Thursday 14 May`."""
    return f"{DAYS[when.weekday()]} {when.day} {MONTHS[when.month - 1]}"


def words(text: str) -> int:
    """How many words `text` has."""
    return len(text.split())


def closed(text: str) -> str:
    """`text` with a full stop where it ends in no sign at all."""
    return text if text[-1] in ".?!,:)" else f"{text}."


def after_comma(text: str) -> str:
    """`text` as it goes on after `Hello,`: with a small letter, unless its first word needs a capital."""
    first = text.split()[0]
    keeps = first == "I" or first.startswith(("I'", "{")) or first.isupper()
    return text if keeps else text[0].lower() + text[1:]


def replies(situation: str, style: dict[str, Any], order: dict[str, Any], rng: random.Random) -> list[str]:
    """REFERENCES replies, each with another answer and another next step, none too long."""
    kind = style[situation]
    opening = [style["greeting"], *([style["sorry"]] if kind.get("sorry") else [])]
    steps = rng.sample(kind["next"], len(kind["next"]))
    found: list[str] = []
    for answer in rng.sample(kind["answers"], len(kind["answers"])):
        for step in steps:
            text = " ".join([*opening, answer, step, style["sign_off"]]).format_map(order)
            if words(text) <= LONGEST["reply"]:
                found.append(text)
                steps.remove(step)
                break
    if len(found) < REFERENCES:
        raise ValueError(f"{situation}: fewer than {REFERENCES} replies are short enough for {order}")
    return found[:REFERENCES]


class Deck:
    """Draws every entry once before any comes again."""

    def __init__(self, entries: Sequence[Any], rng: random.Random) -> None:
        self._entries, self._rng = list(entries), rng
        self._left: list[Any] = []

    def draw(self) -> Any:
        """The next entry."""
        if not self._left:
            self._left = self._rng.sample(self._entries, len(self._entries))
        return self._left.pop()


class Desk:
    """Draws rows of one split from the banks that belong to it."""

    def __init__(self, split: str, numbers: Iterator[int], rng: random.Random) -> None:
        self._split, self._numbers, self._rng = split, numbers, rng
        self._situations, self._style = written()["situations"], written()["replies"]
        names = written()["names"]
        self._surnames, self._streets = (Deck(names[kind][split], rng) for kind in ("surnames", "streets"))
        self._titles = Deck(names["titles"], rng)
        self._cores = {bank: Deck(cores, rng) for bank, cores in written()[f"messages_{split}"].items()}
        self._frames = {part: Deck(texts, rng) for part, texts in written()["frames"][split].items()}
        prices = {name: {"price": price} for name, (_, price) in facts()["products"].items()}
        items = written()["items"]
        self._shared = {name: {**prices[name], **item} for name, item in items["shared"].items()}
        self._own = items[split]

    def row(self, name: str, bank: str) -> dict[str, Any]:
        """A row of the situation `name`, its message taken from `bank`."""
        order = self._order(name)
        message = self._message(bank, order)
        return {
            "message": message,
            "order": self._line(name, order),
            "replies": replies(name, self._style, order, self._rng),
        }

    def _order(self, name: str) -> dict[str, Any]:
        """Every fact that order data, message or reply of this situation may name."""
        rng, situation = self._rng, self._situations[name]
        surname, places = self._surnames.draw(), facts()["places"]
        order = self._item(situation.get("needs")) | self._dates(situation["dates"])
        total = rng.randrange(order["acorns"], OFF_AT - 5)
        return order | {
            "number": f"QM-{next(self._numbers)}",
            "customer": f"{self._titles.draw()} {surname}",
            "surname": surname,
            "address": f"{rng.randrange(1, 99)} {self._streets.draw()}",
            "depot": rng.choice(places["depots"]),
            "hive": rng.choice(places["hives"]),
            "code": rng.randrange(1000, 10_000),
            "door": rng.randrange(2, 99),
            "count": rng.randrange(2, 7),
            "van": rng.randrange(1, 10),
            "total": total,
            "more": OFF_AT - total,
        }

    def _item(self, needs: str | None) -> dict[str, Any]:
        """Name, noun, price and so on of an item that has what is needed."""
        pool = self._own if self._rng.random() < OWN_ITEMS[self._split] else self._shared
        name = self._rng.choice([name for name, item in pool.items() if needs is None or needs in item])
        item = pool[name]
        found = {"item": name, "noun": name.split(" ", 1)[1], "price": item["price"], "acorns": item["price"] // 2}
        if needs is not None:
            found[needs.removesuffix("s")] = self._rng.choice(item[needs])
        return found

    def _dates(self, gaps: dict[str, list[int]]) -> dict[str, str]:
        """Dates in order of time, never a Sunday; `<field>_day` is the weekday alone."""
        when = YEAR_START + timedelta(self._rng.randrange(YEAR_DAYS))
        found = {}
        for field, (fewest, most) in gaps.items():
            when += timedelta(self._rng.randrange(fewest, most + 1))
            when += timedelta(when.weekday() == 6)
            found[field] = day(when)
            found[f"{field}_day"] = DAYS[when.weekday()]
        return found

    def _line(self, name: str, order: dict[str, Any]) -> str:
        """The order data in one line; some have a fact that is beside the point."""
        situation = self._situations[name]
        told = list(situation["order"])
        if "asides" in situation and self._rng.random() < HAS_ASIDE:
            told.insert(self._rng.randrange(len(told) + 1), self._rng.choice(situation["asides"]))
        fields = ["order {number}", "item {item}", *told, "customer {customer}"]
        line = "; ".join(fields).format_map(order)
        if words(line) > LONGEST["order"]:
            raise ValueError(f"order data too long: {line}")
        return line

    def _message(self, bank: str, order: dict[str, Any]) -> str:
        """A sentence of the bank with, now and then, an opener, a remark and a closer, and slips of the pen."""
        rng = self._rng
        core: str = self._cores[bank].draw()
        parts = [core]
        if rng.random() < HAS_DETAIL:
            parts.insert(rng.randrange(2), self._frames["details"].draw())
        if rng.random() < HAS_OPENER:
            opener = self._frames["openers"].draw()
            parts[0] = after_comma(parts[0]) if opener.endswith(",") else parts[0]
            parts.insert(0, opener)
        closer = self._frames["closers"].draw()
        if rng.random() < HAS_CLOSER and not ("{number}" in core and "{number}" in closer):
            parts.append(closer)
        text = " ".join([*(closed(part) for part in parts[:-1]), parts[-1]]).format_map(order)
        if words(text) > LONGEST["message"]:
            text = core.format_map(order)
        if rng.random() < IN_A_HURRY:
            text = careless(text, rng)
        return typo(text, rng, TYPO_RATE) if rng.random() < MISTYPED else text


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
