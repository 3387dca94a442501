"""Answers items by a classifier on the model's last hidden state, with torch and transformers alone.

    python predict.py < items.jsonl > answers.jsonl

An item is a JSON object on a line: the columns of the prompt's template as texts. "id" is repeated in the answer.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from command_line import main
from loading import HERE, load_model
from prompting import Prompting
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer


class Answers:
    """Answers items one at a time."""

    def __init__(self, settings: dict[str, Any], base: str | None = None, device: str = "cpu") -> None:
        self.settings, self.place = settings, (base, device)
        tokenizer = AutoTokenizer.from_pretrained(HERE, trust_remote_code=settings["base"]["trust_remote_code"])
        self.prompting = Prompting(settings, tokenizer, HERE)
        self.classifier = load_file(HERE / "classifier.safetensors", device=device)  # a row for each choice
        self.hidden: list[torch.Tensor] = []

    @cached_property
    def model(self) -> Any:
        """The model, whose last hidden states are caught before its output matrix."""
        model = load_model(AutoModelForCausalLM, self.settings, *self.place)
        output = model.get_output_embeddings()
        output.register_forward_pre_hook(lambda module, given: self.hidden.append(given[0][0, -1]))
        return model

    def prompt(self, item: dict[str, Any]) -> str | None:
        """The text that the model is given of an item; None where it does not fit."""
        text: str | None = self.prompting.text(item, self.settings["choices"])
        return text

    @torch.inference_mode()
    def answer(self, item: dict[str, Any]) -> str | None:
        """The answer to an item; None where it does not fit into the model's context."""
        choices = self.settings["choices"]
        prompt = self.prompting.write(item, choices, choices)
        if prompt is None:
            return None
        self.model(torch.tensor([prompt.ids]).to(self.model.device))
        hidden = self.hidden.pop()
        weight, bias = (self.classifier[name].to(hidden.dtype) for name in ("weight", "bias"))
        return str(choices[int((weight @ hidden + bias).float().argmax())])


if __name__ == "__main__":
    main(Answers, "cuda" if torch.cuda.is_available() else "cpu")
