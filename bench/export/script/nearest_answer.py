"""Answers items by the answer of the training example that is most like them, with scikit-learn alone.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: its columns as texts. "id" is repeated in the answer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from command_line import main
from sklearn.feature_extraction.text import TfidfVectorizer

HERE = Path(__file__).parent
_LEAST = 1e-9  # similarity of what has nothing in common


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings = settings
        lines = (HERE / "examples.jsonl").read_text(encoding="utf-8").split("\n")
        self.examples = [json.loads(line) for line in lines if line]
        self.vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3))
        self.known = self.vectors.fit_transform([example["text"] for example in self.examples])

    def prompt(self, item: dict[str, Any]) -> str:
        """The text that is read of an item: its columns, in the order of the task's."""
        return " ".join(str(item[name]) for name in self.settings["columns"]).strip()

    def answer(self, item: dict[str, Any]) -> str:
        """The answer to an item: of choices that are as near, the first one."""
        alike = (self.vectors.transform([self.prompt(item)]) @ self.known.T).toarray()[0]
        choices = self.settings["choices"]
        if not choices:
            return str(self.examples[int(alike.argmax())]["answer"])
        nearest = dict.fromkeys(choices, _LEAST)
        for similarity, example in zip(alike, self.examples, strict=True):
            nearest[example["answer"]] = max(nearest[example["answer"]], similarity)
        return str(max(choices, key=lambda choice: nearest[choice]))


if __name__ == "__main__":
    main(Answers)
