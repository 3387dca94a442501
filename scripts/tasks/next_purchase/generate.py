"""Writes train.jsonl, validation.jsonl and test.jsonl: `python -m scripts.tasks.next_purchase.generate [OUT_FOLDER]`.

The customers are simulated (customers.py, rules.yaml), so who buys what follows rules that can be learnt; offers.py
draws six products for each of them, renderings.py writes the histories down.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from scripts.tasks.next_purchase.customers import TASK, Shop, read_bank
from scripts.tasks.next_purchase.offers import Desk, Row
from scripts.tasks.next_purchase.renderings import Writer, month_name


def splits(shop: Shop) -> dict[str, list[Row]]:
    """The rows of each split, the test's first: the others do without the combinations that are taken."""
    desk = Desk(shop, random.Random(shop.rules["seed"]))
    stream = desk.rows()
    for _ in islice(stream, shop.rules["candidates"]["warm_up"]):
        pass
    found: dict[str, list[Row]] = {}
    for name, size in shop.rules["splits"].items():
        taken = [row for rows in found.values() for row in rows]
        found[name] = list(islice(_apart(stream, taken), size))
    rng = random.Random(f"{shop.rules['seed']} places")
    return {name: _placed(rows, rng) for name, rows in found.items()}


def _apart(stream: Iterator[Row], taken: list[Row]) -> Iterator[Row]:
    """Rows unlike those `taken`: other last two products and next one, no history within one of theirs or around it."""
    combinations = {row.combination for row in taken}
    histories = [row.products for row in taken]
    for row in stream:
        own = row.products
        if row.combination not in combinations and not any(own <= other or other <= own for other in histories):
            yield row


def _placed(rows: list[Row], rng: random.Random) -> list[Row]:
    """The rows with the answer at every place of the offer equally often, in random order."""
    places = [number % len(row.offered) for number, row in enumerate(rows)]
    rng.shuffle(places)
    found = []
    for row, place in zip(rows, places, strict=True):
        order = list(range(len(row.offered)))
        now = row.offered.index(row.bought)
        order[now], order[place] = place, now
        offered = tuple(row.offered[old] for old in order)
        found.append(replace(row, offered=offered, chances=tuple(row.chances[old] for old in order)))
    return found


def written(name: str, rows: list[Row], shop: Shop) -> Iterator[dict[str, object]]:
    """The rows of split `name` as they stand in its file."""
    side = read_bank("phrases")["test" if name == "test" else "train"]
    writer = Writer(side, shop.products, random.Random(f"{shop.rules['seed']} {name}"))
    for number, row in enumerate(rows, start=1):
        yield {
            "id": f"{name}-{number:04}",
            "history": writer.history(row),
            "month": month_name(row.month),
            "items": [shop.products[place].name for place in row.offered],
            "next": shop.products[row.bought].name,
        }


def main(folder: Path) -> None:
    """Write the three files into `folder`."""
    shop = Shop(read_bank("rules"))
    for name, rows in splits(shop).items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in written(name, rows, shop)]
        (folder / f"{name}.jsonl").write_bytes("".join(lines).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
