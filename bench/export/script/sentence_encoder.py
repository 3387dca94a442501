"""Answers items by a classifier on sentence embeddings, with torch and sentence-transformers alone.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: the columns of the template as texts. "id" is repeated in the answer.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from command_line import main
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from template import question
from transformers import AutoTokenizer

HERE = Path(__file__).parent


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings, self.base, self.device = settings, base, device
        self.trusted = {"trust_remote_code": settings["base"]["trust_remote_code"]}
        self.tokenizer = AutoTokenizer.from_pretrained(HERE, **self.trusted)
        self.classifier = load_file(HERE / "classifier.safetensors", device=device)  # a row for each choice

    @cached_property
    def model(self) -> Any:
        """The encoder with its pooling: the base, or the one in this folder that was trained."""
        said, own = self.settings["base"], self.settings["weights"] == "encoder"
        place = HERE / "encoder" if own else self.base or said["path"]
        revision = None if own or self.base else said["revision"]
        kind: Any = SentenceTransformer
        dtype = {"dtype": getattr(torch, self.settings["dtype"])}
        return kind(str(place), revision=revision, device=self.device, model_kwargs=dtype, **self.trusted).eval()

    def prompt(self, item: dict[str, Any]) -> str:
        """The text that the encoder reads of an item."""
        return str(question(self.settings, item, self.settings["choices"]))

    @torch.inference_mode()
    def answer(self, item: dict[str, Any]) -> str | None:
        """The answer to an item; None where it does not fit into the encoder's context."""
        ids = self.tokenizer(self.prompt(item), verbose=False)["input_ids"]
        if len(ids) > self.settings["context_length"]:
            return None
        given = torch.tensor([ids], device=self.device)
        embedding = self.model({"input_ids": given, "attention_mask": torch.ones_like(given)})["sentence_embedding"][0]
        weight, bias = (self.classifier[name].to(embedding.dtype) for name in ("weight", "bias"))
        return str(self.settings["choices"][int((weight @ embedding + bias).float().argmax())])


if __name__ == "__main__":
    main(Answers, "cuda" if torch.cuda.is_available() else "cpu")
