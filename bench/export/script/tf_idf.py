"""Answers items by a logistic regression on tf-idf, with scikit-learn alone.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: its columns as texts. "id" is repeated in the answer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from command_line import main
from safetensors.numpy import load_file
from sklearn.feature_extraction.text import TfidfVectorizer
from words import Words

HERE = Path(__file__).parent


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings = settings
        terms = json.loads((HERE / "terms.json").read_text(encoding="utf-8"))
        self.vectors = TfidfVectorizer(
            tokenizer=Words(settings["words"]).of, token_pattern=None, lowercase=False, ngram_range=(1, 2),
            sublinear_tf=True, vocabulary={term: column for column, term in enumerate(terms)},
        )  # fmt: skip
        self.fitted = load_file(HERE / "tf-idf.safetensors")  # idf [terms], weight [choices, terms], bias [choices]
        self.vectors.idf_ = self.fitted["idf"]

    def prompt(self, item: dict[str, Any]) -> str:
        """The text that is read of an item: its columns, in the order of the task's."""
        return " ".join(str(item[name]) for name in self.settings["columns"]).strip()

    def answer(self, item: dict[str, Any]) -> str:
        """The answer to an item."""
        values = self.vectors.transform([self.prompt(item)]) @ self.fitted["weight"].T + self.fitted["bias"]
        return str(self.settings["choices"][int(np.argmax(values[0]))])


if __name__ == "__main__":
    main(Answers)
