"""Writes corpus and splits of product-sheets: python -m scripts.tasks.product_sheets.generate [OUT_FOLDER].

Every product is a name and a kind, such as Heron kettle, with five properties of its kind. Its sheet states each in one
plain sentence. Products are dealt out to the splits, and test asks in words of its own.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
TASK = HERE.parents[2] / "tasks" / "product-sheets"
PROPERTIES = 5  # of each product
SPLITS = {"train": (98, 480), "validation": (24, 120), "test": (70, 320)}  # split -> its products, its questions
_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten"}


@dataclass(frozen=True, slots=True)
class Product:
    """One product: `values` holds property -> number, colour, material, town or person."""

    name: str
    values: Mapping[str, str]

    @property
    def key(self) -> str:
        """The id of its sheet."""
        return self.name.lower().replace(" ", "-")


def main(folder: Path) -> None:
    """Write corpus.jsonl and the three splits into `folder`."""
    bank: dict[str, Any] = yaml.safe_load((HERE / "bank.yaml").read_text(encoding="utf-8"))
    products = _products(bank)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "corpus.jsonl", (_sheet(product, bank["properties"]) for product in products))
    shuffled = random.Random("product-sheets splits").sample(products, len(products))
    for split, (count, questions) in SPLITS.items():
        own, shuffled = shuffled[:count], shuffled[count:]
        _write(folder / f"{split}.jsonl", _rows(split, own, questions, bank["properties"]))


def _products(bank: Mapping[str, Any]) -> list[Product]:
    rng = random.Random("product-sheets products")
    return [
        Product(
            f"{name} {kind}",
            {key: _value(bank["properties"][key], rng) for key in rng.sample(properties, PROPERTIES)},
        )
        for name, (kind, properties) in itertools.product(bank["names"], bank["kinds"].items())
    ]


def _value(written: Mapping[str, Any], rng: random.Random) -> str:
    if "values" in written:
        chosen: str = rng.choice(written["values"])
        return chosen
    return str(rng.randint(written["from"], written["to"]))


def _sheet(product: Product, properties: Mapping[str, Any]) -> dict[str, str]:
    rng = random.Random(f"product-sheets {product.key}")
    said = [rng.choice(properties[key]["says"]).format(n=value) for key, value in product.values.items()]
    kind = product.name.split()[-1]
    opening = f"The {product.name} is a {kind} from Quillmere."
    return {"id": product.key, "title": product.name, "text": " ".join([opening, *said])}


def _rows(
    split: str, products: Sequence[Product], count: int, properties: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """`count` rows in an order of their own; each asks for another property of a product."""
    rng = random.Random(f"product-sheets {split}")
    pairs = [(product, key) for product in products for key in product.values]
    for number, (product, key) in enumerate(rng.sample(pairs, count), start=1):
        question = rng.choice(properties[key]["test" if split == "test" else "asks"])
        yield {
            "id": f"{split}-{number:04d}",
            "question": question.format(product=product.name),
            "answer": _answers(properties[key]["answer"], product.values[key]),
            "gold": [product.key],
            "property": key,
        }


def _answers(template: str, value: str) -> list[str]:
    """The answer as the sheet has it, then its number alone and small numbers in words."""
    spelt = [value, _WORDS[int(value)]] if value.isdigit() and int(value) in _WORDS else [value]
    return [*dict.fromkeys([template.format(n=value), *spelt, *(template.format(n=each) for each in spelt)])]


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TASK)
