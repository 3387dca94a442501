"""Answers items by an encoder with a classification head, with torch, transformers and peft alone.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: the columns of the template as texts. "id" is repeated in the answer.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from command_line import main
from loading import HERE, load_model
from template import question
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import set_verbosity_error


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings, self.place = settings, (base, device)
        self.tokenizer = AutoTokenizer.from_pretrained(HERE, trust_remote_code=settings["base"]["trust_remote_code"])

    @cached_property
    def model(self) -> Any:
        """The model with its head."""
        if self.settings["weights"] == "merged":
            return load_model(AutoModelForSequenceClassification, self.settings, *self.place)
        set_verbosity_error()  # it warns that the base has no head: the adapter brings it
        labels = {"num_labels": len(self.settings["choices"]), "ignore_mismatched_sizes": True}
        return load_model(AutoModelForSequenceClassification, self.settings, *self.place, **labels)

    def prompt(self, item: dict[str, Any]) -> str:
        """The text that the encoder reads of an item."""
        return str(question(self.settings, item, self.settings["choices"]))

    @torch.inference_mode()
    def answer(self, item: dict[str, Any]) -> str | None:
        """The answer to an item; None where it does not fit into the encoder's context."""
        ids = self.tokenizer(self.prompt(item), verbose=False)["input_ids"]
        if len(ids) > self.settings["context_length"]:
            return None
        given = torch.tensor([ids], device=self.model.device)
        logits = self.model(input_ids=given, attention_mask=torch.ones_like(given)).logits[0]
        return str(self.settings["choices"][int(logits.float().argmax())])


if __name__ == "__main__":
    main(Answers, "cuda" if torch.cuda.is_available() else "cpu")
