"""Answers items by what customers bought before: counts, or factors of products.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: its columns as texts, and "choices". "id" is repeated in the answer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from command_line import main
from purchases import Products, Recommender
from safetensors.numpy import load_file

HERE = Path(__file__).parent


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings, history = settings, settings["history"]
        names = json.loads((HERE / "products.json").read_text(encoding="utf-8"))
        products = Products(names, history["words"], history["separator"])
        self.recommender = Recommender(products, **load_file(HERE / "recommender.safetensors"))

    def prompt(self, item: dict[str, Any]) -> str:
        """What is read of an item beside its choices."""
        return str(item[self.settings["history"]["column"]])

    def answer(self, item: dict[str, Any]) -> str:
        """The choice that is worth most; of equal ones the first."""
        choices = item.get("choices") or self.settings["choices"]
        return str(choices[int(np.argmax(self.recommender.likelihoods(self.prompt(item), choices)))])


if __name__ == "__main__":
    main(Answers)
